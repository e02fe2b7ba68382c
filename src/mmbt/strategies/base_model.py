"""The exact policy of the base model (`mmbt.theory.base_model`), quoted in a real market.

At a position Q, counted in quotes of one size, the model's best shifts x and y from the touch in spreads S = A - B:

    bid = B - y S        ask = A + x S

Rounding and bounds are those of `linear-skew`. `k` and `p0` say how fills get rarer with distance, in steps of the
interval between two looks; `mmbt evaluate` fits both to the training days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Interval, Lots
from mmbt.strategies.quoting import quote_at

if TYPE_CHECKING:
    from cysim import Context

__all__ = ["BaseModelQuotes"]


class BaseModelQuotes(Strategy):
    """Quote by the exact policy of the base model.

    Its market stands still, and risk is charged for. No bid is quoted at a position of `max_position` lots, no ask at
    its negative.
    """

    class Params(StrategyParams):
        """What `base-model` can be told."""

        k: float = Field(1.0, gt=0, le=1e6, description="how fast fills get rarer with distance, a spread")
        p0: float = Field(0.5, gt=0, le=1e6, description="chance of a fill at the touch between two looks")
        r: float = Field(0.01, ge=0, le=1e6, description="cost of risk, a lot and look, in spreads")
        beta: float = Field(0.99, ge=0, lt=1, description="discount from look to look")
        shifts: str = Field("0:3:0.25", description="distances from the touch that may be quoted, in spreads")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("1s", description="time between two looks at the market")
        max_position: int = Field(10, ge=1, le=1000, description="limit of the position", json_schema_extra={
            "unit": "lots"})

    def on_start(self, ctx: Context) -> None:
        """Solve the model."""
        from mmbt.exact_models import BaseModelParams
        from mmbt.theory.base_model import BaseModel

        p = self.params
        self._limit = max(1, p.max_position // p.size)
        model = BaseModel.solved(BaseModelParams.model_validate(
            {"k": p.k, "p0": p.p0, "r": p.r, "beta": p.beta, "q_max": self._limit, "shifts": p.shifts}))
        self._shifts = np.array(model.params.actions)[model.at_start(model.best.policy)]

    def on_timer(self, ctx: Context) -> None:
        """Look the shifts up, and quote."""
        if not ctx.valid:
            return
        p, limit, spread = self.params, self._limit, ctx.ask - ctx.bid
        ask_shift, bid_shift = self._shifts[min(max(round(ctx.position / p.size), -limit), limit) + limit]
        quote_at(ctx, ctx.bid - bid_shift * spread, ctx.ask + ask_shift * spread, p.size, p.max_position)
