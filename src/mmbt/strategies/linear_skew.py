"""Quotes around a reservation price that leans against the position (clause A6).

With B and A the market's bid and ask, h the half spread and c the skew, all in ticks, and Q our position in lots:

    r = (B+A)/2 - c*Q        bid = min(floor(r - h), A - 1)        ask = max(ceil(r + h), B + 1)

r, then r - h and r + h are computed in binary64 in that order; a result within 1e-9 of an integer is that integer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit, Ticks

if TYPE_CHECKING:
    from cysim import Quoter

__all__ = ["LinearSkew"]


class LinearSkew(Strategy):
    """Quote around a price that leans against the position.

    As `fixed-spread`, but around the mid less `skew_ticks_per_lot` times the position: a long position lowers both
    quotes, so that the next sale becomes likelier than the next purchase. An ask at or below our bid is left out.
    """

    class Params(StrategyParams):
        """What `linear-skew` can be told."""

        half_spread_ticks: Depth = Field(1.0, description="distance of each quote from the shifted mid")
        skew_ticks_per_lot: Ticks = Field(0.5, description="how far a long lot lowers both quotes")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def native(self) -> Quoter:
        """The native quoter that does the work."""
        from cysim import Quoter

        p = self.params
        return Quoter(half_spread_ticks=p.half_spread_ticks, skew_ticks_per_lot=p.skew_ticks_per_lot, size=p.size,
                      max_position=p.max_position)
