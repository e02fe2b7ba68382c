"""One contender on one day, as a backtest of its own: flat at the start, closed at the end.

A day is a market. The run begins with no position and without orders; what is held at its end is valued at the last
opposite touch, taker fee included (clause O7), and that liquidation is charged. So a day's PnL is the run's
`liquidation_pnl`, and

    pnl = spread + inventory - hedge - fees - closing

A contender is a strategy by name with parameters, or several of one kind that differ by their training: each runs on
every day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmbt.backtest import BacktestConfig, NoSink, PreparedMarket, chosen_instruments, run_backtest
from mmbt.backtest.sinks import MemorySink, tables_of
from mmbt.backtest.tables import STATUSES, money_unit
from mmbt.errors import DataError, UsageError
from mmbt.market import MarketData
from mmbt.report.measure import measure
from mmbt.report.metrics import block_length
from mmbt.strategies.registry import make

__all__ = ["ABSTAINS", "Contender", "DayScore", "EvaluationDay", "run_day", "score_day"]

ABSTAINS = 0.05  # share of the time with a quote below which a contender is one that does not trade


@dataclass(frozen=True)
class Contender:
    """A strategy with parameters, by a name of its own; several sets of them where trainings differ."""

    name: str
    strategy: str
    params: tuple[Mapping[str, Any], ...] = ({},)
    size: int = 1  # lots of a quote


@dataclass(frozen=True)
class EvaluationDay:
    """A day to judge on."""

    name: str
    market: PreparedMarket
    spread: float  # its mean over time, ticks
    hash: str  # SHA-256 of its rows in their units

    @classmethod
    def of(cls, name: str, market: MarketData, config: BacktestConfig) -> EvaluationDay:
        """Read a day into memory.

        Raises
        ------
        DataError
            For impossible rows.
        """
        instruments = chosen_instruments(market, config)
        ready = PreparedMarket(market, [i.name for i in instruments])
        digest = hashlib.sha256()
        for instrument in instruments:
            digest.update(repr(asdict(instrument)).encode())
            for columns in (next(ready.tob(instrument.name)), next(ready.trades(instrument.name))):
                for column in columns:
                    if column is not None:
                        digest.update(np.ascontiguousarray(column).tobytes())
        traded = next(i for i in instruments if i.name == config.instruments[0])
        return cls(name, ready, _mean_spread(ready, traded.name) / traded.tick_units, digest.hexdigest())


@dataclass(frozen=True)
class DayScore:
    """What a contender did on a day. Money is in the currency of settlement."""

    pnl: float  # after liquidation
    spread: float
    inventory: float
    hedge: float
    fees: float
    closing: float  # what liquidation cost
    pnl_spreads: float | None  # pnl in mean spreads x lots of a quote; None for inverse contracts
    mean_position: float  # mean |position| over time, lots
    drawdown: float
    fills: int
    turnover_lots: int
    quoting: float  # share of the time with a quote in the market
    blocks: tuple[float, ...]  # pnl of consecutive stretches of the day, about 30 of them; they add up to pnl


def run_day(day: EvaluationDay, strategy: str, params: Mapping[str, Any], config: BacktestConfig) -> float:
    """The PnL of a day alone: what tuning needs."""
    result = run_backtest(day.market, make(strategy, params), config, NoSink())
    return _liquidated(day, result.summary)


def score_day(
    day: EvaluationDay, strategy: str, params: Mapping[str, Any], config: BacktestConfig, size: int = 1
) -> DayScore:
    """All that is told of a day; `size` is of a quote, lots.

    Raises
    ------
    UsageError
        When the strategy or a parameter is unknown.
    StrategyError
        When the strategy raised.
    DataError
        When the day ends without a quote to close the position at.
    """
    sink = MemorySink()
    summary = run_backtest(day.market, make(strategy, params), config, sink).summary
    instruments = chosen_instruments(day.market, config)
    tables: dict[str, Any] = tables_of(sink, instruments)
    span = (summary["first_ts"], summary["last_ts"])
    names = [config.instruments[0]]
    fills, orders, equity = (tables[kind].to_batches() for kind in ("fills", "orders", "equity"))
    measures = measure(fills, orders, equity, names, span)
    pnl = _liquidated(day, summary)
    instrument = next(i for i in instruments if i.name == names[0])
    value = None if instrument.inverse else day.spread * instrument.tick_units * 1e8 * float(money_unit(instrument))
    return DayScore(
        pnl=pnl,
        spread=float(summary["pnl_spread"]),
        inventory=float(summary["pnl_inventory"]),
        hedge=float(summary["hedge_cost"]),
        fees=float(summary["fees"]),
        closing=float(summary["pnl"]) - pnl,
        pnl_spreads=pnl / (value * size) if value else None,
        mean_position=measures["position_use"]["mean_abs"] or 0.0,
        drawdown=float(measures["max_drawdown"]),
        fills=summary["fills"],
        turnover_lots=summary["traded_lots"],
        quoting=_quoting(sink, span),
        blocks=_blocks(sink, float(money_unit(instrument)), span, pnl),
    )


def _liquidated(day: EvaluationDay, summary: Mapping[str, Any]) -> float:
    if summary["liquidation_pnl"] is None:
        raise DataError(f"{day.name}: a position is left and there is no quote to close it at: leave the day out")
    return float(summary["liquidation_pnl"])


def _mean_spread(market: PreparedMarket, name: str) -> float:
    """Over time, price units, while the book is two-sided and not crossed."""
    rows = next(market.tob(name))
    held = np.diff(rows.ts, append=rows.ts[-1:])
    valid = (rows.bid_qty > 0) & (rows.ask_qty > 0) & (rows.bid_px <= rows.ask_px)
    if not (held[valid].sum() > 0):
        raise UsageError(f"{name}: a day without a lasting two-sided book cannot be judged on: leave it out")
    return float(np.average((rows.ask_px - rows.bid_px)[valid], weights=held[valid]))


def _quoting(sink: MemorySink, span: tuple[int, int]) -> float:
    """The share of the time in which at least one order for quoting was live."""
    orders, fills = sink.rows("orders"), sink.rows("fills")
    begin, end = STATUSES.index("accepted"), STATUSES.index("cancelled")
    quote = orders[(orders["purpose"] == 0) & (orders["side"] != 0)]
    born = quote[quote["status"] == begin]
    ids, first = np.unique(born["order_id"], return_index=True)
    if not len(ids) or span[1] <= span[0]:
        return 0.0
    ends = np.full(len(ids), span[1])
    for rows in (quote[quote["status"] == end], fills[fills["remaining"] == 0]):
        place = np.searchsorted(ids, rows["order_id"])
        known = (place < len(ids)) & (ids[np.minimum(place, len(ids) - 1)] == rows["order_id"])
        ends[place[known]] = np.minimum(ends[place[known]], rows["ts"][known])
    starts = born["ts"][first]
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    reached = np.maximum.accumulate(ends)
    free = np.maximum(starts, np.concatenate([[span[0]], reached[:-1]]))  # from where on nothing earlier counted it
    return float(np.maximum(ends - free, 0).sum() / (span[1] - span[0]))


def _blocks(sink: MemorySink, unit: float, span: tuple[int, int], pnl: float) -> tuple[float, ...]:
    """PnL by stretches of the day; liquidation falls into the last."""
    rows = sink.rows("equity")
    count = max(1, (span[1] - span[0]) // block_length(span[1] - span[0]))
    if not len(rows):
        return (0.0,) * (count - 1) + (pnl,)
    edges = np.linspace(span[0], span[1], count + 1)[1:-1]
    high, low = rows["pnl_high"], rows["pnl_low"].view(np.int64)
    total = unit * np.where(high == low >> 63, low, high * 2.0**64 + rows["pnl_low"])
    place = np.searchsorted(rows["ts"], edges, "right")
    marked = np.where(place > 0, total[np.maximum(place - 1, 0)], 0.0)
    return tuple(np.diff(np.concatenate([[0.0], marked, [pnl]])).tolist())
