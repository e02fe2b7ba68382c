"""The built-in quotes of A6, in plain Python: fixed spread, linear skew and ladder."""

from __future__ import annotations

import math
from typing import Any

from mmbt.strategies.base import Strategy
from mmbt.testing.reference.context import ReferenceContext

__all__ = ["ReferenceQuoter"]


class ReferenceQuoter(Strategy):
    """Quote around r = (B + A)/2 - c*Q at each timer with a two-sided, uncrossed book.

    Parameters
    ----------
    half_spread_ticks
        h, ticks from r to the first level.
    skew_ticks_per_lot
        c; 0 is the fixed spread.
    size
        Lots of each quote.
    interval
        Of the timer.
    max_position
        No bid at or above it, no offer at or below its negative, by the venue's position; None for no limit.
    levels, step_ticks
        Level i stands i*step_ticks further out.
    """

    def __init__(self, half_spread_ticks: float, skew_ticks_per_lot: float = 0.0, size: int = 1,
                 interval: str | int = "100ms", max_position: int | None = None, levels: int = 1,
                 step_ticks: float = 1.0) -> None:
        super().__init__()
        self.interval = interval
        self._half_spread = half_spread_ticks
        self._skew = skew_ticks_per_lot
        self._size = size
        self._max_position = max_position
        self._levels = levels
        self._step = step_ticks

    def on_timer(self, ctx: Any) -> None:
        """Re-state all levels; without a valid book the quotes stay as they are."""
        if not ctx.valid:
            return
        reservation = (ctx.bid + ctx.ask) / 2 - self._skew * ctx.position
        held = ctx.venue_position if isinstance(ctx, ReferenceContext) else ctx.position
        may_buy = self._max_position is None or held < self._max_position
        may_sell = self._max_position is None or held > -self._max_position
        bids: list[int | None] = []
        asks: list[int | None] = []
        for level in range(self._levels):
            half_spread = self._half_spread + level * self._step
            bid = min(_snapped(reservation - half_spread, math.floor), ctx.ask - 1)
            ask = max(_snapped(reservation + half_spread, math.ceil), ctx.bid + 1)
            bids.append(bid if may_buy and bid > 0 and bid not in bids else None)
            asks.append(ask if may_sell and ask not in asks else None)
        best_bid = max((bid for bid in bids if bid is not None), default=0)
        ctx.quote_levels(bids, [ask if ask is not None and ask > best_bid else None for ask in asks], self._size)


def _snapped(price: float, rounding: Any) -> int:
    nearest = round(price)
    return nearest if abs(price - nearest) <= 1e-9 else int(rounding(price))
