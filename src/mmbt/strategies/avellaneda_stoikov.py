"""The quotes of Avellaneda and Stoikov (2008), with a horizon that stays as far away as it is.

With s the mid, Q the position in quotes of one size, sigma the deviation of the mid in a second, A exp(-k d) the fills
at distance d, gamma the aversion to risk and tau the horizon, prices in ticks:

    r = s - Q gamma sigma^2 tau        half spread = gamma sigma^2 tau / 2 + ln(1 + gamma/k) / gamma

The paper's horizon ends at a known time; here it moves along, so that the policy does not depend on the time.
Rounding and bounds are those of `linear-skew`, whose half spread and skew these formulas give.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Interval, Lots, PositionLimit
from mmbt.units import duration_ns

if TYPE_CHECKING:
    from cysim import Quoter

__all__ = ["AvellanedaStoikov"]


class AvellanedaStoikov(Strategy):
    """Quote by the formulas of Avellaneda and Stoikov, whose horizon moves along.

    The more volatile the market and the more averse to risk, the wider the quotes and the more they lean against the
    position.
    """

    class Params(StrategyParams):
        """What `avellaneda-stoikov` can be told."""

        sigma: float = Field(1.0, ge=0, le=1e9, description="deviation of the mid in a second, ticks")
        k: float = Field(0.5, gt=0, le=1e9, description="how fast fills get rarer with distance, a tick")
        gamma: float = Field(0.01, gt=0, le=1e6, description="aversion to risk, a tick and quote")
        horizon: Interval = Field("60s", description="how far ahead risk is looked at")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def native(self) -> Quoter:
        """The native quoter that does the work."""
        from cysim import Quoter

        p = self.params
        skew = p.gamma * p.sigma**2 * duration_ns(p.horizon) / 1e9
        half_spread = skew / 2 + math.log1p(p.gamma / p.k) / p.gamma
        return Quoter(half_spread_ticks=half_spread, skew_ticks_per_lot=skew / p.size, size=p.size,
                      max_position=p.max_position)
