"""Runs one strategy over one market: the only place where data, strategy and machine meet."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import cysim
from mmbt.backtest.config import BacktestConfig
from mmbt.backtest.prepared import PreparedMarket
from mmbt.backtest.sinks import MemorySink, Recording, Sink, tables_of
from mmbt.backtest.synthetics import Synthetics, streamed_names
from mmbt.backtest.tables import EXACT, money_unit
from mmbt.backtest.totals import MONEY, Totals, decimal_text
from mmbt.contracts import check_names
from mmbt.errors import DataError, NumericError, StrategyError, UsageError, did_you_mean
from mmbt.market import Instrument, MarketData
from mmbt.strategies.base import HOOKS, Strategy

__all__ = ["BacktestResult", "RunInterrupted", "chosen_instruments", "run_backtest", "simulator_of"]


@dataclass(frozen=True)
class BacktestResult:
    """What a run produced.

    Attributes
    ----------
    summary
        Plain numbers and exact decimal strings, as `backtest --json` prints them (docs: results).
    result_hash
        SHA-256 over all fills.
    complete
        False when the run was interrupted or failed; the rest then covers what happened up to there.
    fills, orders, equity
        Arrow tables; None when the rows went to a sink of the caller's.
    """

    summary: dict[str, Any]
    result_hash: str
    complete: bool
    fills: Any = field(default=None, repr=False)
    orders: Any = field(default=None, repr=False)
    equity: Any = field(default=None, repr=False)


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C during a run; `result` holds what had happened."""

    def __init__(self, result: BacktestResult):
        super().__init__("interrupted")
        self.result = result


def run_backtest(
    market: MarketData,
    strategy: Strategy,
    config: BacktestConfig,
    sink: Sink | None = None,
    progress: Callable[[int], None] | None = None,
) -> BacktestResult:
    """Replays the market through the strategy.

    Parameters
    ----------
    market
        Where instruments and their rows come from.
    strategy
        A fresh strategy object: it is used for this run only.
    config
        Instruments, fill rules, latencies, fees.
    sink
        Takes the recorded rows as they come; None keeps them in memory, as tables of the result. `NoSink()` records
        none: fastest, where only the summary is wanted.
    progress
        Called about every million events with the number replayed.

    Raises
    ------
    UsageError
        For instruments the market does not have, and currencies that nothing converts into the reporting one.
    DataError
        For impossible rows.
    StrategyError
        When the strategy raised: its error is `__cause__`, and `result` holds what had happened before.
    RunInterrupted
        After Ctrl-C, with `result`.
    NumericError
        When money leaves its 128 bits.
    """
    instruments = chosen_instruments(market, config)
    memory = MemorySink()
    recording = Recording(instruments, memory if sink is None else sink)
    totals = Totals(instruments, config)
    synthetics = Synthetics(config, instruments)
    try:
        simulator = simulator_of(instruments, config, strategy.interval_ns, strategy.checked_features(), synthetics)
    except (ValueError, OverflowError) as error:
        raise UsageError(str(error)) from error
    started = time.perf_counter()

    def result(complete: bool) -> BacktestResult:
        summary = _summary(simulator, recording, instruments, strategy, config, totals, time.perf_counter() - started)
        summary["synthetic"] = synthetics.summary(simulator.summary()["hedges"])
        if complete and config.risk_grid is not None:
            summary["risk"] = totals.risk(market)
        tables = tables_of(memory, instruments) if sink is None else {}
        return BacktestResult(summary, recording.result_hash, complete, **tables)

    native = _native_code(strategy)
    hooks = {name: getattr(strategy, name) for name in HOOKS if type(strategy).overrides(name)}
    try:
        simulator.run(hooks, _feeder(market), recording, native, progress, recording.kinds)
    except KeyboardInterrupt:
        raise RunInterrupted(result(False)) from None
    except Exception as error:
        if simulator.failed_hook is not None:
            failure = StrategyError(_blame(simulator, strategy, error))
            failure.result = result(False)
            raise failure from error
        if isinstance(error, OverflowError):
            raise NumericError(str(error)) from error
        if type(error) is ValueError:
            raise DataError(str(error)) from error
        raise
    return result(True)


def chosen_instruments(market: MarketData, config: BacktestConfig) -> list[Instrument]:
    """The traded and watched instruments and the legs of synthetic quotes, on the terms this run states, in the
    engine's order: by the UTF-8 bytes of their names.

    Raises
    ------
    UsageError
        For a name the market does not have, or an inverse contract whose money cannot be counted.
    """
    known = {instrument.name: instrument for instrument in market.instruments}
    for name in config.instruments + config.watch:
        if name not in known:
            raise UsageError(f"the data have no instrument {name!r}{did_you_mean(name, known) or '.'} "
                             f"They have: {', '.join(sorted(known))}")
    names = streamed_names(market.instruments, config)
    check_names((config.contract, config.multiplier, config.currencies), names)
    chosen = sorted((config.terms(name).applied(known[name]) for name in names), key=lambda i: i.name.encode())
    for instrument in chosen:
        money_unit(instrument)  # refuses what its money cannot be counted in
    return chosen


def simulator_of(
    instruments: list[Instrument],
    config: BacktestConfig,
    interval_ns: int,
    features: tuple[Sequence[str], int] = ((), 1),
    synthetics: Synthetics | None = None,
) -> cysim.Simulator:
    """A fresh simulator of what `config` says; `features` with the position they are measured by."""
    names, limit = features
    return cysim.Simulator(
        [
            (i.name, i.tick_size, i.lot_size, money_unit(i), i.tick_units, i.name in config.instruments,
             config.position if i.name in config.instruments else 0)
            for i in instruments
        ],
        inverse={i.name for i in instruments if i.inverse},
        cross_touch=config.fills.cross == "touch",
        trade_touch=config.fills.trade == "touch",
        ignore_aggressor=config.fills.aggressor == "ignore",
        displayed=config.fills.size == "displayed",
        queue=config.fills.queue if config.fills.trade == "queue" else None,
        power=config.fills.power,
        maker_rate=config.maker_rate,
        taker_rate=config.taker_rate,
        maker_amounts=(config.maker_fee_qty, config.maker_fee_flat),
        taker_amounts=(config.taker_fee_qty, config.taker_fee_flat),
        other_currency=config.fee_currency == "other",
        **_latencies(config),
        session_gap=config.session_gap,
        interval=interval_ns,
        equity_interval=config.equity_interval,
        quotes_first=config.ties == "tob-first",
        features=names,
        feature_array=np.zeros((len(instruments), len(names))),
        max_position=limit,
        synthetics=() if synthetics is None else synthetics.native(),
    )


def _latencies(config: BacktestConfig) -> dict[str, Any]:
    """The latencies as the machine takes them."""
    models = {
        "place_latency": config.place_latency,
        "cancel_latency": config.place_latency if config.cancel_latency is None else config.cancel_latency,
        "response_latency": config.response_latency,
        "feed_latency": config.feed_latency,
    }
    return {name: model if model == "local" else model.native(config.seed) for name, model in models.items()}


def _feeder(market: MarketData) -> Callable[[str, str], Any]:
    open_tables: dict[tuple[str, str], Iterator[Any]] = {}

    def feed(instrument: str, table: str) -> Any:
        key = (instrument, table)
        if key not in open_tables and isinstance(market, PreparedMarket):
            open_tables[key] = iter((market.table(instrument, table),))
        if key not in open_tables:
            open_tables[key] = iter(market.tob(instrument) if table == "tob" else market.trades(instrument))
        return next(open_tables[key], None)

    return feed


def _native_code(strategy: Strategy) -> cysim.NativeStrategy | None:
    try:
        native = strategy.native()
        if native is not None and not isinstance(native, cysim.NativeStrategy):
            raise TypeError(f"it must return a NativeStrategy or None, not {native!r}")
    except Exception as error:  # the strategy's own, an import of its compiled module above all
        raise StrategyError(f"{type(strategy).__name__}.native raised {type(error).__name__}: {error}") from error
    return native


def _blame(simulator: cysim.Simulator, strategy: Strategy, error: Exception) -> str:
    summary = simulator.summary()
    events = summary["tob_events"] + summary["trade_events"]
    return (f"{type(strategy).__name__}.{simulator.failed_hook} raised {type(error).__name__}: {error} "
            f"(event {events}, time {summary['time']} ns)")


def _summary(
    simulator: cysim.Simulator,
    recording: Recording,
    instruments: list[Instrument],
    strategy: Strategy,
    config: BacktestConfig,
    totals: Totals,
    wall_s: float,
) -> dict[str, Any]:
    run = simulator.summary()
    accounts = run["accounts"]
    traded = [i for i in instruments if i.name in accounts]
    lots = {i.name: recording.traded_lots[place] for place, i in enumerate(instruments) if i.name in accounts}

    def each(values: dict[str, Any]) -> Any:
        return values if len(values) > 1 else next(iter(values.values()))

    def money(name: str) -> Any:
        return each({
            key: None if account[name] is None else decimal_text(EXACT.multiply(account[name], account["money_unit"]))
            for key, account in accounts.items()
        })

    events = run["tob_events"] + run["trade_events"]
    return {
        "strategy": type(strategy).__name__,
        "about": strategy.about(),
        "warnings": strategy.warnings(config),
        "instruments": [i.name for i in traded],
        "watch": [i.name for i in instruments if i.name not in accounts],
        "fill_rules": str(config.fills),
        "events": events,
        "tob_events": run["tob_events"],
        "trade_events": run["trade_events"],
        "first_ts": run["first_ts"],
        "last_ts": run["last_ts"],
        "sessions": run["sessions"],
        "wall_s": wall_s,
        "events_per_s": events / wall_s if wall_s > 0 else None,
        "peak_rss_mb": peak_rss_mb(),
        "result_hash": recording.result_hash,
        "fills": recording.fill_count,
        "fills_by_reason": recording.fills_by_reason,
        "traded_lots": each(lots),
        "orders": run["orders"],
        "placed_lots": run["placed_lots"],
        "too_late": run["too_late"],
        "position_lots": each({name: account["position"] for name, account in accounts.items()}),
        "mid_stale": each({name: account["stale"] for name, account in accounts.items()}),
        **{name: money(key) for name, key in MONEY.items()},
        "currency": each({i.name: i.currency for i in traded}),
        "contract": each({i.name: _contract(i, config) for i in traded}),
        "multiplier": each({i.name: i.multiplier for i in traded}),
        **totals.summary(accounts, run["mids"]),
        "decisions": run["decisions"],
        "complete": run["ended"],
    }


def _contract(instrument: Instrument, config: BacktestConfig) -> str:
    stated = " (stated for this run)" if config.terms(instrument.name).contract else ""
    return (instrument.contract or "linear (not declared)") + stated


def peak_rss_mb() -> float:
    """The most memory this process has held so far, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
