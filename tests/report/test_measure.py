"""Measures from Arrow tables: the same whatever the batches, split by instrument, and light."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmbt.report.measure import measure

S = 10**9


def words(texts: list[str]) -> Any:
    return pa.array(texts).dictionary_encode()


def tables(rows: int = 200, names: tuple[str, ...] = ("A", "B")) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    ts = np.sort(rng.integers(0, 1000 * S, rows))
    owner = [names[i] for i in rng.integers(0, len(names), rows)]

    def mids() -> Any:
        values = rng.integers(1900, 2100, rows)
        return pa.array(values, mask=rng.random(rows) < 0.1)

    fills = pa.table(
        {
            "ts": ts,
            "instrument": words(owner),
            "side": rng.choice([-1, 1], rows).astype(np.int8),
            "px": rng.integers(950, 1050, rows),
            "qty": rng.integers(1, 5, rows),
            "reason": words(rng.choice(["cross", "trade", "taker"], rows).tolist()),
            "purpose": words(rng.choice(["quote", "hedge"], rows).tolist()),
            "mid2": mids(),
            "mid2_100ms": mids(),
            "mid2_1s": mids(),
            "mid2_10s": mids(),
            "mid2_60s": mids(),
        }
    )
    orders = pa.table(
        {
            "instrument": words(owner),
            "status": words(rng.choice(["accepted", "cancelled"], rows).tolist()),
            "purpose": words(["quote"] * rows),
            "remaining": rng.integers(1, 9, rows),
        }
    )
    pnl = [Decimal(int(value)).scaleb(-3) for value in rng.integers(-(10**6), 10**6, rows)]
    equity = pa.table(
        {
            "ts": ts,
            "instrument": words(owner),
            "position": rng.integers(-5, 6, rows),
            "pnl": pa.array(pnl, pa.decimal128(38, 3)),
        }
    )
    return fills, orders, equity


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_batches_do_not_matter(rows: int) -> None:
    whole = tables()
    expected = measure(*(table.to_batches() for table in whole), ["A", "B"], (0, 1000 * S))
    found = measure(
        *(table.combine_chunks().to_batches(max_chunksize=rows) for table in whole), ["A", "B"], (0, 1000 * S)
    )
    assert found["order_outcomes"] == expected["order_outcomes"]
    assert found["max_drawdown"] == expected["max_drawdown"]
    for name in "AB":
        for one, other in zip(found["markouts"][name], expected["markouts"][name], strict=True):
            assert {**one, "horizon": 0} == pytest.approx({**other, "horizon": 0}, rel=1e-9)
            assert one["horizon"] == other["horizon"]
        assert found["position_use"][name] == pytest.approx(expected["position_use"][name])


def test_each_instrument_has_what_it_would_have_alone() -> None:
    whole = tables()
    both = measure(*(table.to_batches() for table in whole), ["A", "B"], (0, 1000 * S))
    for name in "AB":
        own = [table.filter(pa.compute.equal(table["instrument"].cast(pa.string()), name)) for table in whole]
        alone = measure(*(table.to_batches() for table in own), [name], (0, 1000 * S))
        assert both["markout_block_s"] == alone.pop("markout_block_s")
        assert {key: both[key][name] for key in alone} == alone


def test_taker_fills_are_no_mark_outs_of_resting_fills() -> None:
    whole = tables(names=("A",))
    found = measure(*(table.to_batches() for table in whole), ["A"], (0, 1000 * S))
    reasons = whole[0]["reason"].to_pylist()
    assert found["markouts"][0]["fills"] == sum(reason != "taker" for reason in reasons)
    assert found["markouts_by_reason"]["taker"][0]["fills"] == reasons.count("taker")


def test_drawdown_in_decimals_is_exact_also_beyond_64_bits() -> None:
    fills, orders, equity = tables(4, ("A",))
    pnl = [Decimal("1e25"), Decimal("0.001"), Decimal("-5"), Decimal("1e25")]
    equity = equity.set_column(equity.schema.names.index("pnl"), "pnl", pa.array(pnl, pa.decimal128(38, 3)))
    found = measure(fills.to_batches(), orders.to_batches(), equity.to_batches(), ["A"], (0, S))
    assert Decimal(found["max_drawdown"]) == Decimal("1e25") + 5


def test_a_run_without_fills() -> None:
    empty = [table.slice(0, 0) for table in tables(4, ("A",))]
    found = measure(*(table.to_batches() for table in empty), ["A"], (0, 0))
    assert found["fill_ratio"] is None
    assert found["order_outcomes"] == {}
    assert found["max_drawdown"] == "0"
    assert all(row["bp"] is None for row in found["markouts"])
    json.dumps(found, allow_nan=False)


def test_measuring_does_not_import_pandas() -> None:
    code = (
        "import sys; from mmbt.report.measure import measure; import pyarrow.parquet as pq; "
        "files = [pq.ParquetFile(name) for name in sys.argv[1:]]; "
        "measure(*(file.iter_batches() for file in files), ['A'], (0, 10**12)); print('pandas' in sys.modules)"
    )
    import tempfile
    from pathlib import Path

    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        names = []
        for kind, table in zip(("fills", "orders", "equity"), tables(50, ("A",)), strict=True):
            names.append(str(Path(folder) / kind))
            pq.write_table(table, names[-1])
        child = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"
