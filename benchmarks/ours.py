"""mmbt on the pinned stream, one case a process.

    python -m benchmarks.ours CASE DIR [--seconds 1.0]

| case           | DIR    | what runs                                                                            |
|----------------|--------|--------------------------------------------------------------------------------------|
| `idle`         | stream | a strategy without hooks over columns in memory                                      |
| `prepared`     | stream | the same over columns checked and summarised before the clock starts                 |
| `quotes`       | stream | the built-in `linear-skew`, both quotes every 100 ms                                 |
| `quotes-prepared` | stream | the same over columns checked and summarised before the clock starts              |
| `quotes-counted` | stream | the same, fills counted but not hashed                                             |
| `recorded`     | stream | the same with all that a run records: fills with their mids, outcomes, equity        |
| `python-timer` | stream | the same quotes from `on_timer` in Python                                            |
| `python-counted` | stream | the same over columns checked before the clock starts, fills counted but not hashed |
| `python-event` | stream | `on_tob` and `on_trade` in Python, each reading bid and ask                          |
| `disk`         | store  | `linear-skew` from Parquet, opened, checked and decoded within the time measured     |
| `disk-idle`    | store  | the same without quotes                                                              |
| `hot`          | store  | `linear-skew` from the hot store: mapped and every block verified within the time    |
| `hot-idle`     | store  | the same without quotes                                                              |
| `csv`          | raw    | raw files to a store                                                                 |
| `steps`        | stream | the vector engine: steps of 1 s with random actions (benchmarks/steps.py)            |
| `worlds`       | stream | a world of recorded days: rows with all their actions (benchmarks/worlds.py)         |
| `startup`      | store  | from the start of the process to the first `on_tob`                                  |

prints one JSON line. Orders travel without latency, fees are 0, fills follow the preset `seed`. Fills are counted and
hashed, money is exact; nothing else is recorded but in `recorded`: the peers run without a recorder, and count.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import WARM_UP_EVENTS, peak_rss_mb, repeat
from mmbt.strategies import Strategy

if TYPE_CHECKING:
    from cysim import Context, Trade
    from mmbt.market import MarketData

__all__ = ["CASES", "convert", "replay", "strategy"]

CASES = (
    "idle", "prepared", "quotes", "quotes-counted", "quotes-prepared", "recorded", "python-timer", "python-counted",
    "python-event", "disk", "disk-idle", "hot", "hot-idle", "csv", "startup", "steps", "worlds",
)
HALF_SPREAD = 0.5
SKEW = 0.01


class PythonSkew(Strategy):
    """`linear-skew`, written in Python."""

    interval = "100ms"

    def on_timer(self, ctx: Context) -> None:
        """State both quotes around the shifted mid."""
        bid, ask = ctx.bid, ctx.ask
        centre = (bid + ask) / 2 - SKEW * ctx.position
        lower, upper = centre - HALF_SPREAD, centre + HALF_SPREAD
        ctx.quote(bid=lower if lower < ask else ask - 1, ask=upper if upper > bid else bid + 1)


class Reader(Strategy):
    """Woken by every event, reading bid and ask."""

    def on_tob(self, ctx: Context) -> None:
        """After a quote."""
        bid, ask = ctx.bid, ctx.ask  # noqa: F841

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        """After a print."""
        bid, ask = ctx.bid, ctx.ask  # noqa: F841


class FirstEvent(Strategy):
    """Notes when it was first called."""

    first_ns = 0

    def on_tob(self, ctx: Context) -> None:
        """After a quote."""
        if not self.first_ns:
            self.first_ns = time.monotonic_ns()


def strategy(case: str) -> Strategy:
    """The strategy of a case."""
    match case:
        case "python-timer" | "python-counted":
            return PythonSkew()
        case "python-event":
            return Reader()
        case "startup":
            return FirstEvent()
        case "idle" | "prepared" | "disk-idle" | "hot-idle":
            return Strategy()
    from mmbt.strategies.linear_skew import LinearSkew

    return LinearSkew(half_spread_ticks=HALF_SPREAD, skew_ticks_per_lot=SKEW)


class Unkept:
    """Takes everything and keeps nothing."""

    kinds = ("fills", "orders", "equity")

    def write(self, kind: str, rows: Any) -> None:
        """Drops them."""


def replay(market: MarketData, chosen: Strategy, recorded: bool = False, *, hashed: bool = True) -> dict[str, Any]:
    """One backtest's summary: every fill counted and hashed, money exact; with `recorded` all rows and mids too."""
    from mmbt.backtest import BacktestConfig, NoSink, run_backtest

    config = BacktestConfig(instruments=(market.instruments[0].name,))
    return run_backtest(market, chosen, config, Unkept() if recorded else NoSink(hashed=hashed)).summary


def open_market(store: Path, hot: bool = False) -> MarketData:
    """A store as a market.

    A process verifies a cached file once, and takes one whose time changed for another: so every repetition does all
    the work of a first run.
    """
    from mmbt.store import HotCache, open_store

    catalog = open_store(store)
    if hot:
        for path in HotCache(catalog.root).files(catalog.manifest.partitions):
            os.utime(path)
    return catalog.select(hot=hot)


def convert(raw: Path, store: Path) -> int:
    """Raw files to a store; the number of rows read, all of which must have been kept."""
    from mmbt.store import convert as convert_files

    report = convert_files([raw], store)
    assert report.rows_in == report.rows_out, report
    return report.rows_in


def write_raw(raw: Path, events: int) -> None:
    """About `events` events as raw files, in flat memory."""
    from benchmarks.stream import synth_config
    from mmbt.synth import generate

    generate(synth_config(events), raw)


def main() -> None:
    """Run one case and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("case", choices=(*CASES, "convert", "write-raw"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0, help="repeat until that much CPU time was measured")
    parser.add_argument("--store", type=Path, help="where `convert` leaves its store")
    parser.add_argument("--events", type=int, help="how many `write-raw` writes")
    parser.add_argument("--simulators", type=int, default=128, help="of the cases `steps` and `worlds`")
    parser.add_argument("--threads", type=int, default=1, help="of the cases `steps` and `worlds`")
    parser.add_argument("--branches", action="store_true", help="`steps`: every action of every state")
    parser.add_argument("--taken", action="store_true", help="`worlds`: the action taken only")
    options = parser.parse_args()
    match options.case:
        case "write-raw":
            write_raw(options.directory, options.events)
            report: dict[str, Any] = {}
        case "convert" | "csv":
            report = _convert(options.directory, options.store, options.seconds)
        case "startup":
            report = _first_event(options.directory)
        case "steps":
            from benchmarks.steps import measure

            report = measure(options.directory, options.seconds, simulators=options.simulators,
                             threads=options.threads, branches=options.branches)
        case "worlds":
            from benchmarks.worlds import measure as measure_worlds

            report = measure_worlds(options.directory, options.seconds, simulators=options.simulators,
                                    threads=options.threads, taken=options.taken)
        case _:
            report = _replay(options.case, options.directory, options.seconds)
    print(json.dumps({**report, "peak_rss_mb": peak_rss_mb()}))


def _replay(case: str, directory: Path, seconds: float) -> dict[str, Any]:
    report: dict[str, Any] = {}
    if case.startswith(("disk", "hot")):
        hot = case.startswith("hot")
        _warm_up_files(case)
        if hot:
            replay(open_market(directory, hot), Strategy())  # makes the cache
            report["start_up_cpu_s"] = time.process_time()

        def market() -> MarketData:
            return open_market(directory, hot)
    else:
        from benchmarks.stream import load
        from mmbt.backtest import PreparedMarket

        stream = load(directory)
        replay(stream.head(WARM_UP_EVENTS).market, strategy(case))
        report["start_up_cpu_s"] = time.process_time()
        prepared = PreparedMarket(stream.market) if case.endswith(("prepared", "counted")) else None

        def market() -> MarketData:
            return prepared or stream.market

    summary: dict[str, Any] = {}
    report |= repeat(lambda: summary.update(
        replay(market(), strategy(case), case == "recorded", hashed=not case.endswith("counted"))), seconds)
    kept = {name: summary[name] for name in ("events", "fills", "position_lots", "decisions", "result_hash")}
    return {**kept, "own_events": summary["events"], **report}


def _convert(raw: Path, store: Path | None, seconds: float) -> dict[str, Any]:
    _warm_up_files("disk")
    rows = 0

    def whole() -> None:
        nonlocal rows
        with tempfile.TemporaryDirectory(dir=raw.parent) as folder:
            rows = convert(raw, store or Path(folder) / "store")

    measured = repeat(whole, 0.0 if store else seconds)
    return {"events": rows, "own_events": rows, **measured}


def _warm_up_files(case: str) -> None:
    """Write, convert and replay some rows, so that imports and first calls are not measured."""
    with tempfile.TemporaryDirectory() as folder:
        raw, store = Path(folder) / "raw", Path(folder) / "store"
        write_raw(raw, 2_000)
        convert(raw, store)
        replay(open_market(store), strategy(case))


def _first_event(store: Path) -> dict[str, Any]:
    chosen = FirstEvent()
    replay(open_market(store), chosen)
    return {"first_event_ns": chosen.first_ns, "cpu_s": time.process_time()}


if __name__ == "__main__":
    main()
