"""Many simulators over one market, under the conditions of a backtest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import cysim
from mmbt.backtest.config import BacktestConfig
from mmbt.backtest.runner import chosen_instruments, simulator_of
from mmbt.errors import UsageError
from mmbt.market import MarketData
from mmbt.units import duration_ns

__all__ = ["make_vector_engine"]


def make_vector_engine(
    market: MarketData,
    config: BacktestConfig,
    actions: ArrayLike,
    *,
    count: int,
    interval: str | int = "1s",
    size: int = 1,
    max_position: int | None = None,
    unit: str = "spread",
    threads: int = 1,
) -> cysim.VectorEngine:
    """Many simulators of what `run_backtest` would run once, for learners (docs: the vector engine).

    Parameters
    ----------
    market
        Read whole into memory, columns that come in one batch without a copy.
    config
        As for a backtest, with one traded instrument; others may be watched. Equity is not recorded.
    actions
        Rows of skew, half spread, share of the position to hedge, bid and offer (0 or 1).
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

    Raises
    ------
    UsageError
        For a wrong interval or config, and for instruments the market does not have.
    ValueError
        For any other argument, and for impossible rows.
    """
    instruments = chosen_instruments(market, config)
    columns = [(_whole(market.tob(i.name), 5), _whole(market.trades(i.name), 4)) for i in instruments]
    try:
        template = simulator_of(instruments, config, duration_ns(interval))
    except (ValueError, OverflowError) as error:
        raise UsageError(str(error)) from error
    return cysim.VectorEngine(
        template, columns, np.ascontiguousarray(actions, np.float64), count=count, size=size,
        max_position=max_position, unit=unit, threads=threads)


def _whole(batches: Iterator[Any], columns: int) -> Sequence[Any]:
    """The batches as one; times of receipt, a last column, only where they were asked for."""
    parts = [batch for batch in batches if len(batch[0])]
    if len(parts) <= 1:
        return tuple(parts[0]) if parts else ((),)
    local = [batch[columns] for batch in parts]
    received = None
    if any(part is not None for part in local):
        received = np.concatenate([batch[0] if batch[columns] is None else batch[columns] for batch in parts])
    return (*(np.concatenate([batch[place] for batch in parts]) for place in range(columns)), received)
