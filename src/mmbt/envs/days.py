"""Days made ready to learn on: rows in memory, what the market shows at each timer, and where each day ends.

A stretch is a session, or the part of it that falls on one UTC date. It begins flat and ends with liquidation. Timers
of the silence before a session's end belong to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig, PreparedMarket, chosen_instruments
from mmbt.envs.features import Tape, note_instants
from mmbt.market import MarketData

__all__ = ["Day", "prepare_day"]

_DATE_NS = 86_400 * 10**9
_FAR = 2**62


@dataclass(frozen=True)
class Day:
    """One market to learn on."""

    market: PreparedMarket
    tape: Tape
    end_ts: NDArray[np.int64]  # [T] no decision of the timer's stretch is made at or after it; 0: it belongs to none
    starts: NDArray[np.int64]  # timers where a window may begin: valid, and not the last of their stretch

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # nothing of it changes, and gymnasium copies what its environments are made of


def prepare_day(market: MarketData, config: BacktestConfig, interval_ns: int) -> Day:
    """Read a market into memory and note its timers.

    Raises
    ------
    UsageError
        When it holds no decision.
    DataError
        For impossible rows.
    """
    if not isinstance(market, PreparedMarket):
        market = PreparedMarket(market, [i.name for i in chosen_instruments(market, config)])
    tape = note_instants(market, config, interval_ns)
    kept = ~_silent(market, config, tape.ts)
    begins = np.flatnonzero((np.diff(tape.ts) != interval_ns) | (np.diff(tape.ts // _DATE_NS) != 0)) + 1
    end_ts = np.zeros(len(tape.ts), np.int64)
    last = np.zeros(len(tape.ts), np.bool_)
    for stretch in np.split(np.arange(len(tape.ts)), begins):
        inside = stretch[kept[stretch]]
        if len(inside):
            end_ts[inside] = tape.ts[inside[-1]] + 1
            last[inside[-1]] = True
    return Day(market, tape, end_ts, np.flatnonzero(tape.valid & (end_ts > 0) & ~last))


def _silent(market: PreparedMarket, config: BacktestConfig, ts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which instants lie in a silence that ends a session."""
    if config.session_gap is None:
        return np.zeros(len(ts), np.bool_)
    name = config.instruments[0]
    before, after = np.zeros(len(ts), np.int64), np.full(len(ts), _FAR)
    tables: Sequence[NDArray[np.int64]] = [next(market.tob(name)).ts, next(market.trades(name)).ts]
    for rows in tables:
        place = np.searchsorted(rows, ts, "right")
        bounded = np.concatenate([[0], rows, [_FAR]])
        before, after = np.maximum(before, bounded[place]), np.minimum(after, bounded[place + 1])
    return (ts > before) & (after - before >= config.session_gap)
