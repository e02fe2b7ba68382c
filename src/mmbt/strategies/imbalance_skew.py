"""Quotes around a reservation price that leans against the position and with the imbalance of the book.

With B and A the market's bid and ask, their displayed sizes n and m, the half spread h, the skew c and the lean e, all
in ticks, and Q our position in lots:

    I = (n - m) / (n + m)        r = (B+A)/2 - c*Q + e*I
    bid = min(floor(r - h), A - 1)        ask = max(ceil(r + h), B + 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit, Ticks
from mmbt.strategies.quoting import quote_at

if TYPE_CHECKING:
    from cysim import Context

__all__ = ["ImbalanceSkew"]


class ImbalanceSkew(Strategy):
    """Quote around a price that leans against the position and with the imbalance of the book.

    As `linear-skew`, but the price is also moved towards the side that displays less: by `lean_ticks` where all that is
    displayed stands on the bid, by its negative where all of it stands on the ask.
    """

    class Params(StrategyParams):
        """What `imbalance-skew` can be told."""

        half_spread_ticks: Depth = Field(1.0, description="distance of each quote from the shifted mid")
        skew_ticks_per_lot: Ticks = Field(0.5, description="how far a long lot lowers both quotes")
        lean_ticks: Ticks = Field(0.5, description="how far an imbalance of 1 raises both quotes")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def on_timer(self, ctx: Context) -> None:
        """Look at the book, and quote."""
        if not ctx.valid:
            return
        p, bids, asks = self.params, ctx.bid_qty, ctx.ask_qty
        middle = (ctx.bid + ctx.ask) / 2 - p.skew_ticks_per_lot * ctx.position
        middle += p.lean_ticks * (bids - asks) / (bids + asks)
        quote_at(ctx, middle - p.half_spread_ticks, middle + p.half_spread_ticks, p.size, p.max_position)
