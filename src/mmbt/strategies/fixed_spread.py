"""Quotes at a fixed distance from the middle of the market (clause A6, with no skew).

With B and A the market's bid and ask and h the half spread, all in ticks:

    bid = min(floor((B+A)/2 - h), A - 1)        ask = max(ceil((B+A)/2 + h), B + 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit

if TYPE_CHECKING:
    from cysim import Quoter

__all__ = ["FixedSpread"]


class FixedSpread(Strategy):
    """Quote both sides at a fixed distance from the mid.

    At each timer with a two-sided, uncrossed book the bid is the mid less the half spread, rounded down, and the ask
    the mid plus the half spread, rounded up; neither goes through the opposite touch. There is no bid while the
    position is at `max_position` or above, no ask while it is at `-max_position` or below. Without such a book the
    quotes stay as they are.
    """

    class Params(StrategyParams):
        """What `fixed-spread` can be told."""

        half_spread_ticks: Depth = Field(1.0, description="distance of each quote from the mid, before rounding")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def native(self) -> Quoter:
        """The native quoter that does the work."""
        from cysim import Quoter

        p = self.params
        return Quoter(half_spread_ticks=p.half_spread_ticks, size=p.size, max_position=p.max_position)
