"""One run for every option of the machine, each with the digest of all that it records.

As a program it converts the rows anew and prints a digest for each run as JSON: `python tests/determinism/matrix.py`.
Whoever lists hash seeds, builds or machines runs it and compares; the tests beside it vary what can vary in one
process. A new option of a backtest needs a run here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cysim import FEATURES
from mmbt.backtest import BacktestConfig, FillRules, run_backtest
from mmbt.market import ArrayMarket, MarketData, TobBatch, TradeBatch
from mmbt.store import Catalog, HotCache, convert, open_store
from mmbt.strategies.base import HOOKS, Strategy
from mmbt.strategies.registry import make
from mmbt.testing.random_orders import random_orders
from mmbt.testing.reference import ReferenceQuoter

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "raw-data"
WINDOW = ("2022-09-20 23:59:20", "2022-09-21 00:00:40")  # both days, some 2,000 rows
BTC, ETH, RUB, CROSS = "BTC/USD_T+0", "ETH/USD_T+0", "USD/RUB_T+0", "BTC/RUB_T+0"
UNTOLD = ("strategy", "wall_s", "events_per_s", "peak_rss_mb")  # who decided, and how fast
QUOTER = {"half_spread_ticks": 0.5, "skew_ticks_per_lot": 0.01, "size": 3}
DRAWN = "lognormal:median={},sigma=1"


def raw_files(folder: Path) -> list[Path]:
    """The sample's rows inside the window, with a time of receipt by a clock that wanders and sometimes runs behind."""
    files = []
    for path in sorted(SAMPLE.glob("*.csv")):
        header, *lines = path.read_text("utf-8").splitlines()
        rows = [header + ";local_time"]
        for number, line in enumerate(lines):
            stamp = line.split(";", 1)[0]
            if WINDOW[0] <= stamp < WINDOW[1]:
                late = timedelta(microseconds=number * 7919 % 9001 - 1500)
                rows.append(f"{line};{(datetime.fromisoformat(stamp) + late).isoformat(' ', 'microseconds')}")
        files.append(folder / path.name)
        files[-1].write_text("\n".join(rows) + "\n", "utf-8")
    return files


def prepare(folder: Path) -> Catalog:
    """A store of these rows, and beside it the files of latencies that some runs read."""
    folder.mkdir(parents=True, exist_ok=True)
    first = int(np.datetime64(WINDOW[0], "ns").astype(np.int64))
    recorded = "".join(f"{first + k * 10**9},{k * 37 % 11 * 10**6}\n" for k in range(80))
    (folder / "recorded.csv").write_text("ts,latency\n" + recorded, "utf-8")
    (folder / "empirical.csv").write_text("latency\n" + "".join(f"{k * k * 10_000}\n" for k in range(100)), "utf-8")
    convert(raw_files(folder), folder / "store")
    return open_store(folder / "store")


def from_parquet(catalog: Catalog, names: Sequence[str], batch_rows: int | None = None) -> MarketData:
    """The rows as their Parquet files have them, read ahead by threads."""
    return catalog.select(names, local=True, batch_rows=batch_rows)


def from_parquet_without_threads(catalog: Catalog, names: Sequence[str], batch_rows: int | None = None) -> MarketData:
    """The same, read when asked for."""
    return catalog.select(names, local=True, batch_rows=batch_rows, prefetch=0)


def from_hot_store(catalog: Catalog, names: Sequence[str], batch_rows: int | None = None) -> MarketData:
    """The rows as mapped files."""
    return catalog.select(names, local=True, batch_rows=batch_rows, hot=HotCache(catalog.root))


def from_memory(catalog: Catalog, names: Sequence[str], batch_rows: int | None = None) -> MarketData:
    """The rows as arrays."""
    with catalog.select(names, local=True) as market:
        tables = [(spec, _joined(TobBatch, market.tob(spec.name)), _joined(TradeBatch, market.trades(spec.name)))
                  for spec in market.instruments]
    return ArrayMarket(tables, batch_rows)


def _joined(kind: Any, batches: Iterable[Any]) -> Any:
    return kind(*(np.concatenate(column) for column in zip(*batches, strict=True)))


SOURCES = {"parquet": from_parquet, "parquet without threads": from_parquet_without_threads,
           "hot store": from_hot_store, "memory": from_memory}


class Run:
    """A strategy and a configuration; `folder` of the configuration's files is named when it runs."""

    def __init__(self, strategy: Callable[[], Strategy], fills: str = "seed", traded: Sequence[str] = (BTC,),
                 **options: Any) -> None:
        self.strategy, self.fills, self.traded, self.options = strategy, fills, tuple(traded), options

    def config(self, folder: Path) -> BacktestConfig:
        options = {key: value.format(folder=folder) if isinstance(value, str) else value
                   for key, value in self.options.items()}
        return BacktestConfig.model_validate(
            {"instruments": self.traded, "fills": FillRules.parse(self.fills)} | options)

    def digest(self, market: MarketData, folder: Path) -> str:
        """SHA-256 over all fills, outcomes, equity, results, and all that a strategy in Python saw."""
        strategy = self.strategy()
        result = run_backtest(market, strategy, self.config(folder))
        results = {key: value for key, value in result.summary.items() if key not in UNTOLD}
        told = [result.fills.to_pylist(), result.orders.to_pylist(), result.equity.to_pylist(), results,
                getattr(strategy, "trace", [])]
        return hashlib.sha256(repr(told).encode()).hexdigest()


class Senses(Strategy):
    """Reads all features and a synthetic quote, quotes by them, and hedges by the cheaper way."""

    interval = "200ms"
    max_position = 20
    features = tuple(feature.name for feature in FEATURES)

    def __init__(self) -> None:
        super().__init__()
        self.trace: list[Any] = []

    def on_timer(self, ctx: Any) -> None:
        told, pair = dict(zip(self.features, ctx.features.tolist(), strict=True)), ctx.synthetic("BTC/RUB")
        self.trace.append((ctx.time, told, pair.state, pair.bid, pair.ask, pair.bid_size, pair.mid, pair.age))
        if ctx.valid:
            shift = told["imbalance"] + told["flow_5s"] - told["inventory"]
            ctx.quote(ctx.bid + shift, ctx.ask + shift, 3)
        if ctx.instrument == CROSS and abs(ctx.position) > 5 and pair.state == "quoted":
            ctx.hedge(-ctx.position, through="BTC/RUB")


def _built_in(name: str, **values: Any) -> Callable[[], Strategy]:
    return lambda: make(name, {"interval": "50ms"} | values)


def _random(seed: int, hooks: Sequence[str] = HOOKS) -> Callable[[], Strategy]:
    return lambda: random_orders(seed, hooks, "200ms", 0.1)


skew = _built_in("linear-skew", **QUOTER)
ladder = _built_in("ladder", levels=3, half_spread_ticks=0.5)

RUNS = {
    "seed": Run(skew),
    "conservative": Run(ladder, "conservative"),
    "optimistic": Run(_built_in("fixed-spread", half_spread_ticks=0.5), "optimistic", ties="tob-first"),
    "front": Run(ladder, "queue,queue=front"),
    "back": Run(ladder, "queue,queue=back"),
    "prob": Run(ladder, "queue,queue=prob,power=2.5"),
    "constant latencies": Run(skew, "queue", place_latency="3ms", cancel_latency="2ms", response_latency="4ms",
                              feed_latency="1ms"),
    "drawn latencies": Run(skew, place_latency=DRAWN.format("3ms"), cancel_latency=DRAWN.format("2ms"), seed=7,
                           response_latency=DRAWN.format("1ms"), feed_latency=DRAWN.format("2ms,floor=1ms")),
    "latencies of files": Run(skew, place_latency="recorded:{folder}/recorded.csv",
                              response_latency="empirical:{folder}/empirical.csv"),
    "local times": Run(_random(1), "queue", feed_latency="local", response_latency="1ms"),
    "fees": Run(skew, maker_fee="-0.25", taker_fee="2.5", maker_fee_qty="0.125", taker_fee_qty="-0.5",
                maker_fee_flat="0.01", taker_fee_flat="0.02", fee_currency="other"),
    "inverse": Run(skew, contract={BTC: "inverse"}, multiplier={BTC: "100"}, currencies={BTC: "XBT/USD"},
                   maker_fee="-0.25"),
    "portfolio": Run(skew, "conservative", (BTC, ETH, CROSS), watch=(RUB,), contract={"*": "spot"},
                     report_currency="RUB", risk_grid="1s", risk_power=0.75),
    "sessions": Run(_random(2), session_gap="400ms", equity_interval="100ms", position=5),
    "python on every event": Run(_random(3), "conservative", (BTC, RUB), watch=(ETH,)),
    "python and drawn latencies": Run(_random(4, ("on_timer", "on_fill")), "queue,queue=prob", seed=11,
                                      place_latency=DRAWN.format("5ms"), feed_latency=DRAWN.format("5ms")),
    "features and synthetic quotes": Run(Senses, "optimistic", (BTC, RUB, CROSS), feed_latency="1ms", taker_fee="0.5",
                                         synthetic=("BTC/RUB = BTC/USD_T+0 * USD/RUB_T+0",), synthetic_max_age="2s"),
    "random quotes": Run(_built_in("random", seed=5), "conservative"),
}


def in_python() -> Strategy:
    """The decisions of `skew`, made in Python."""
    return ReferenceQuoter(**QUOTER, interval="50ms")


def digests(catalog: Catalog, source: Callable[..., MarketData] = from_parquet, batch_rows: int | None = None
            ) -> dict[str, str]:
    """The digest of every run, from rows that come that way."""
    found = {}
    for name, run in RUNS.items():
        market = source(catalog, (*run.traded, *run.options.get("watch", ())), batch_rows)
        found[name] = run.digest(market, catalog.root.parent)
        getattr(market, "close", lambda: None)()
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        catalog = prepare(Path(folder))
        import cysim

        print(json.dumps({"build": cysim.build_info()["mode"], "hash seed": os.environ.get("PYTHONHASHSEED", "random"),
                          "digests": {"store": catalog.content_hash} | digests(catalog)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
