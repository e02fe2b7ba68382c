"""Several quotes a side, one behind the other (clause A6).

Level i = 0, 1, ... is quoted as `linear-skew` would with the half spread h + i*step. A level whose price equals an
earlier one of its side is left out. Each level is a slot of its own: it keeps its place while its price stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit, Ticks

if TYPE_CHECKING:
    from cysim import Quoter

__all__ = ["Ladder"]


class Ladder(Strategy):
    """Quote several levels a side around a price that may lean against the position.

    Level i = 0, 1, ... stands `half_spread_ticks + i * step_ticks` from the mid less `skew_ticks_per_lot` times the
    position, each with the same size and the bounds of `linear-skew`. The limit of the position stops a whole side.
    """

    class Params(StrategyParams):
        """What `ladder` can be told."""

        levels: int = Field(3, ge=1, le=64, description="quotes on each side")
        step_ticks: float = Field(1.0, gt=0, lt=2**40, description="distance between two levels",
                                  json_schema_extra={"unit": "ticks"})
        half_spread_ticks: Depth = Field(1.0, description="distance of the inner quotes from the shifted mid")
        skew_ticks_per_lot: Ticks = Field(0.0, description="how far a long lot lowers all quotes")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def native(self) -> Quoter:
        """The native quoter that does the work."""
        from cysim import Quoter

        p = self.params
        return Quoter(half_spread_ticks=p.half_spread_ticks, skew_ticks_per_lot=p.skew_ticks_per_lot, size=p.size,
                      max_position=p.max_position, levels=p.levels, step_ticks=p.step_ticks)
