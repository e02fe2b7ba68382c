"""Clauses that speak of the way into the machine and out of it: units of raw data, what is seen when, money in JSON."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt import ArrayMarket, BacktestConfig, Instrument, Strategy, TobBatch, TradeBatch, run_backtest
from mmbt.cli import main
from mmbt.store import convert

HEADERS = {
    "tob": "exchange_time;instrument;bid;bid_size;ask;ask_size",
    "trade": "exchange_time;instrument;price;qty;side",
}


def raw(folder: Path, table: str, *rows: str) -> Path:
    path = folder / f"{table}_{len(list(folder.iterdir()))}.csv"
    path.write_text("\n".join([HEADERS[table], *rows, ""]), "utf-8")
    return path


def units(out: Path, *files: Path) -> dict[str, tuple[str, str, str]]:
    convert(list(files), out)
    entries = json.loads((out / "manifest.json").read_text("ascii"))["instruments"]
    return {name: (entry["tick_size"], entry["price_unit"], entry["lot_size"]) for name, entry in entries.items()}


@pytest.mark.parametrize(
    ("quote", "trade", "expected"),
    [
        ("61.20;10;61.27;5", "61.25;3", ("0.01", "0.01", "1")),
        ("61.20;10;61.40;5", "61.25;3", ("0.2", "0.05", "1")),
        ("61.25;0.5;61.50;5", "61.75;0.125", ("0.25", "0.25", "0.001")),
        ("6120;10;6125;5", "6122.5;3", ("1", "0.5", "1")),
    ],
    ids=["a_cent", "prints_finer_than_ticks", "quarters", "never_above_one"],
)
def test_U2_the_largest_units_that_represent_every_value(
    tmp_path: Path, quote: str, trade: str, expected: tuple[str, str, str]
) -> None:
    quotes = raw(tmp_path, "tob", f"2022-09-21 10:00:00;X;{quote}")
    prints = raw(tmp_path, "trade", f"2022-09-21 10:00:01;X;{trade};B")
    assert units(tmp_path / "store", quotes, prints) == {"X": expected}


def test_U2_finer_values_later_rewrite_the_instrument_and_the_order_of_files_never_matters(tmp_path: Path) -> None:
    coarse = raw(tmp_path, "tob", "2022-09-21 10:00:00;X;61.5;1;62;1")
    fine = raw(tmp_path, "tob", "2022-09-21 11:00:00;X;61.52;1;62;0.1")
    assert units(tmp_path / "a", coarse)["X"] == ("0.5", "0.5", "1")
    assert units(tmp_path / "a", fine) == units(tmp_path / "b", fine, coarse) == {"X": ("0.02", "0.02", "0.1")}
    hashes = [json.loads((tmp_path / name / "manifest.json").read_text("ascii"))["content_hash"] for name in "ab"]
    assert hashes[0] == hashes[1]


def market(names: tuple[str, ...]) -> ArrayMarket:
    ts = np.array([1, 2, 3], dtype=np.int64) * 10**9
    one = np.ones(3, dtype=np.int64)
    bid = np.array([100, 100, 103], dtype=np.int64)
    quotes = TobBatch(ts, bid, 5 * one, bid + 2, 5 * one)
    prints = TradeBatch(ts[1:2], np.array([101], dtype=np.int64), one[:1], np.array([1], dtype=np.int8))
    return ArrayMarket([(Instrument(name, "0.5", "0.5", "0.1", quote="EUR"), quotes, prints) for name in names])


def test_O5_events_are_seen_at_their_exchange_time_and_outcomes_when_they_happen() -> None:
    seen: list[tuple[str, int, int]] = []

    class Watcher(Strategy):
        def on_tob(self, ctx: Any) -> None:
            seen.append(("tob", ctx.time, ctx.bid))
            if ctx.time == 10**9:
                ctx.place("sell", 102, qty=1)

        def on_trade(self, ctx: Any, trade: Any) -> None:
            seen.append(("trade", ctx.time, trade.ts))

        def on_order(self, ctx: Any, order: Any) -> None:
            seen.append((order.status, ctx.time, order.id))

        def on_fill(self, ctx: Any, fill: Any) -> None:
            seen.append(("fill", ctx.time, fill.ts))

    run_backtest(market(("X",)), Watcher(), BacktestConfig(instruments=("X",), place_latency="250ms"))
    s = 10**9
    assert seen == [("tob", s, 100), ("accepted", s + s // 4, 1), ("trade", 2 * s, 2 * s), ("tob", 2 * s, 100),
                    ("fill", 3 * s, 3 * s), ("tob", 3 * s, 103)]


class SellsOnce(Strategy):
    """Sells one lot at 102 ticks at the first timer of each instrument."""

    interval = "1h"

    def on_timer(self, ctx: Any) -> None:
        ctx.place("sell", 102, qty=1)


def test_M5_money_is_an_exact_decimal_string_and_plain_with_one_instrument() -> None:
    config = BacktestConfig(instruments=("X",), maker_fee="0.3")
    summary = json.loads(json.dumps(run_backtest(market(("X",)), SellsOnce(), config).summary))
    fee = Decimal(102) * Decimal("0.5") * Decimal("0.1") * Decimal("0.00003")
    assert summary["position_lots"] == -1
    assert isinstance(summary["fees"], str)
    assert Decimal(summary["fees"]) == fee
    parts = {name: Decimal(summary[name]) for name in ("pnl_spread", "pnl_inventory", "hedge_cost", "fees")}
    total = parts["pnl_spread"] + parts["pnl_inventory"] - parts["hedge_cost"] - parts["fees"]
    assert Decimal(summary["pnl"]) == total == (Decimal(102) - Decimal(104)) * Decimal("0.05") - fee
    assert summary["currency"] == "EUR"


def test_M5_objects_by_name_with_several_instruments() -> None:
    summary = run_backtest(market(("X", "Y")), SellsOnce(), BacktestConfig(instruments=("Y", "X"))).summary
    assert summary["position_lots"] == {"X": -1, "Y": -1}
    assert summary["currency"] == {"X": "EUR", "Y": "EUR"}
    assert {name: Decimal(value) for name, value in summary["pnl"].items()} == dict.fromkeys("XY", Decimal("-0.1"))


def test_M5_the_command_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2022-09-21 10:00:0{second};X/EUR;{bid};5;{bid + 2};5" for second, bid in ((1, 100), (2, 100), (3, 103))]
    store = tmp_path / "store"
    convert([raw(tmp_path, "tob", *rows)], store)
    code = main(["backtest", "--strategy", "fixed-spread", "-S", "interval=1h", "--instrument", "X/EUR",
                 "--data", str(store), "--out", str(tmp_path / "run"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert isinstance(document["pnl"], str)
    assert document["position_lots"] == -1
