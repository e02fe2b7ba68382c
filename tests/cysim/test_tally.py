"""Fills counted and hashed as they are handed over, and rows lent to a sink for one call."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

import cysim
from mmbt.backtest import BacktestConfig, NoSink, run_backtest
from mmbt.market import Instrument
from mmbt.strategies.linear_skew import LinearSkew
from mmbt.testing.markets import market_of

FILL = np.dtype(cysim.FILL_DTYPE)
NAMES = ["B", "Ärzte"]
CONFIG = BacktestConfig(instruments=("X",))
MARKET = market_of(
    Instrument("X", "1", "1", "1", quote="USD"),
    [(i * 10**8, 60 + i % 3, 1, 61 + i % 3, 1) for i in range(300)],
    [(i * 10**8 + 5, 60 + i % 4, 1, 1) for i in range(300)],
)


def some_fills(count):
    random = np.random.default_rng(3)
    rows = np.zeros(count, dtype=FILL)
    for name in ("ts", "order_id", "px", "qty", "fee_low", "fee_high"):
        rows[name] = random.integers(0, 1 << 40, count)
    rows["fee_high"][::3] = -1
    rows["side"] = random.choice([-1, 1], count)
    rows["reason"] = random.integers(0, 4, count)
    rows["instrument"] = random.integers(0, 2, count)
    return rows


def hash_in_words(rows):
    told = hashlib.sha256(b"mmbt-fills-1\n")
    for row in rows:
        name = NAMES[row["instrument"]].encode()
        told.update(struct.pack("<qqqqbBQqH", row["ts"], row["order_id"], row["px"], row["qty"], row["side"],
                                row["reason"], row["fee_low"], row["fee_high"], len(name)) + name)
    return told.hexdigest()


@pytest.mark.parametrize("blocks", [(200,), (1, 199), (50, 0, 150), (199, 1)])
def test_the_hash_and_the_counts_hang_on_the_fills_not_on_the_blocks(blocks):
    rows, tally, start = some_fills(200), cysim.FillTally(NAMES), 0
    for size in blocks:
        tally.take(rows[start : start + size].tobytes())
        start += size
    assert tally.result_hash == hash_in_words(rows)
    assert tally.count == 200
    assert tally.by_reason == [int((rows["reason"] == reason).sum()) for reason in range(4)]
    assert tally.traded_lots == [int(rows["qty"][rows["instrument"] == place].sum()) for place in range(2)]


def test_who_wants_no_hash_gets_the_same_counts():
    plain, hashed = cysim.FillTally(NAMES, False), cysim.FillTally(NAMES)
    for tally in (plain, hashed):
        tally.take(some_fills(200).tobytes())
    assert plain.result_hash == ""
    assert (plain.count, plain.by_reason, plain.traded_lots) == (hashed.count, hashed.by_reason, hashed.traded_lots)

    config, strategy = BacktestConfig(instruments=("X",)), LinearSkew(half_spread_ticks=0.5)
    bare = run_backtest(MARKET, strategy, config, NoSink(hashed=False)).summary
    told = run_backtest(MARKET, strategy, config, NoSink()).summary
    assert bare["result_hash"] == ""
    assert len(told["result_hash"]) == 64
    assert bare["fills"] == told["fills"] > 0
    assert bare["pnl"] == told["pnl"]


def test_half_a_fill_is_refused():
    with pytest.raises(ValueError, match="no whole number of fills"):
        cysim.FillTally(NAMES).take(b"\0" * (FILL.itemsize + 1))


def test_a_sink_that_keeps_what_it_was_lent_is_told_so():
    class Keeper:
        kinds = ("fills",)

        def __init__(self):
            self.kept = []

        def write(self, kind, rows):
            self.kept.append(rows)

    with pytest.raises(RuntimeError, match="keeps rows that were only lent"):
        run_backtest(MARKET, LinearSkew(), CONFIG, Keeper())


def test_what_nobody_takes_is_not_recorded_and_changes_nothing():
    class Some:
        def __init__(self, *kinds):
            self.kinds, self.rows = kinds, {}

        def write(self, kind, rows):
            self.rows.setdefault(kind, []).append(rows.copy())

    full = run_backtest(MARKET, LinearSkew(), CONFIG)
    assert full.fills.num_rows > 20
    timeless = {name: value for name, value in full.summary.items()
                if name not in ("wall_s", "events_per_s", "peak_rss_mb")}
    for sink in (NoSink(), Some(), Some("fills"), Some("orders"), Some("equity")):
        result = run_backtest(MARKET, LinearSkew(), CONFIG, sink)
        assert {name: result.summary[name] for name in timeless} == timeless
        assert result.fills is None
        for kind, blocks in getattr(sink, "rows", {}).items():
            assert kind in sink.kinds
            assert np.concatenate(blocks)["ts"].tolist() == getattr(full, kind)["ts"].to_pylist()
