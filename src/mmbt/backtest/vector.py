"""Many simulators over one market, under the conditions of a backtest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

import cysim
from mmbt.backtest.config import BacktestConfig
from mmbt.backtest.prepared import PreparedMarket
from mmbt.backtest.runner import chosen_instruments, simulator_of
from mmbt.errors import UsageError
from mmbt.market import MarketData
from mmbt.units import duration_ns

__all__ = ["make_vector_engine"]


def make_vector_engine(
    market: MarketData | Sequence[MarketData],
    config: BacktestConfig,
    actions: ArrayLike,
    *,
    count: int,
    interval: str | int = "1s",
    size: int = 1,
    max_position: int | None = None,
    unit: str = "spread",
    threads: int = 1,
    tapes: Sequence[tuple[ArrayLike, ArrayLike]] = (),
    private: Sequence[str] = (),
) -> cysim.VectorEngine:
    """Many simulators of what `run_backtest` would run once, for learners (docs: the vector engine).

    Parameters
    ----------
    market
        Read whole into memory, columns that come in one batch without a copy; a `PreparedMarket` serves many engines.
        Several, such as days, must have the same instruments: a reset puts a simulator down in one of them.
    config
        As for a backtest, with one traded instrument; others may be watched. Equity is not recorded.
    actions
        Rows of skew, half spread, share of the position to hedge, bid and offer (0 or 1), and lots where sizes differ.
    count
        Simulators.
    interval
        Between decisions.
    size, max_position
        Lots of each quote, and lots held beyond which the side that adds to them is not quoted.
    unit
        What skew and half spread are counted in: the market's 'spread', or a 'tick'.
    threads
        That share the work; results do not depend on it.
    tapes, private
        To observe: for each market its timers with mid and reference spread, and the private features' names.

    Raises
    ------
    UsageError
        For a wrong interval or config, and for instruments the market does not have.
    DataError
        For impossible rows.
    ValueError
        For any other argument.
    """
    markets = [market] if not isinstance(market, Sequence) else market
    (template, tables), *more = [_template(one, config, interval) for one in markets]
    return cysim.VectorEngine(
        template, tables, np.ascontiguousarray(actions, np.float64), count=count, size=size,
        max_position=max_position, unit=unit, threads=threads, more=more, tapes=tapes, private=private)


def _template(
    market: MarketData, config: BacktestConfig, interval: str | int
) -> tuple[cysim.Simulator, list[tuple[cysim.Table, cysim.Table]]]:
    """A simulator that is never run, and the tables of its instruments."""
    instruments = chosen_instruments(market, config)
    if not isinstance(market, PreparedMarket):
        market = PreparedMarket(market, [i.name for i in instruments])
    try:
        template = simulator_of(instruments, config, duration_ns(interval))
    except (ValueError, OverflowError) as error:
        raise UsageError(str(error)) from error
    return template, [(market.table(i.name, "tob"), market.table(i.name, "trades")) for i in instruments]
