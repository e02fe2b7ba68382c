"""The quotes of Cartea, Jaimungal and Penalva (2015, ch. 10), far from the end of the day.

Their depths at time 0 of a horizon T, by inventory (`mmbt.theory.cartea_jaimungal`), quoted around the mid at all
times: for a horizon that is long enough they no longer depend on it. Prices are in ticks, times in seconds, inventory
in quotes of one size. Rounding and bounds are those of `linear-skew`.
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

__all__ = ["CarteaJaimungal"]


class CarteaJaimungal(Strategy):
    """Quote at the optimal depths of Cartea and Jaimungal.

    Their maker is charged for inventory squared as time goes by. No bid is quoted at a position of `max_position` lots,
    no ask at its negative.
    """

    class Params(StrategyParams):
        """What `cartea-jaimungal` can be told."""

        lam: float = Field(0.5, gt=0, le=1e6, description="market orders a second and side")
        kappa: float = Field(0.5, gt=0, le=1e6, description="how fast fills get rarer with distance, a tick")
        phi: float = Field(0.001, ge=0, le=1e6, description="running penalty of inventory squared, ticks a second")
        alpha: float = Field(1.0, ge=0, le=1e6, description="penalty of inventory squared at the end, ticks")
        horizon_s: float = Field(600.0, gt=0, le=1e6, description="how far ahead is looked, seconds")
        size: Lots = Field(1, description="quantity of each quote")
        interval: Interval = Field("100ms", description="time between two looks at the market")
        max_position: int = Field(10, ge=1, le=1000, description="limit of the position", json_schema_extra={
            "unit": "lots"})

    def on_start(self, ctx: Context) -> None:
        """Solve the model."""
        from mmbt.exact_models import CarteaJaimungalParams
        from mmbt.theory.cartea_jaimungal import solve

        p = self.params
        self._limit = max(1, p.max_position // p.size)
        found = solve(CarteaJaimungalParams(
            lam=p.lam, kappa=p.kappa, phi=p.phi, alpha=p.alpha, T=p.horizon_s, q_max=self._limit))
        # A side that is not quoted at its limit is never asked for there: any number will do.
        self._bid_depth, self._ask_depth = np.nan_to_num(found.bid_depth), np.nan_to_num(found.ask_depth)

    def on_timer(self, ctx: Context) -> None:
        """Look the depths up, and quote."""
        if not ctx.valid:
            return
        p, limit = self.params, self._limit
        held = min(max(round(ctx.position / p.size), -limit), limit) + limit
        middle = (ctx.bid + ctx.ask) / 2
        quote_at(ctx, middle - self._bid_depth[held], middle + self._ask_depth[held], p.size, p.max_position)
