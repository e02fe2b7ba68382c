"""A skewed maker that rests after each fill and hedges the excess: in native code, and in Python to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmbt import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, Ticks
from mmbt.units import duration_ns

if TYPE_CHECKING:
    from cysim import NativeStrategy


class LeanMaker(Strategy):
    """Lean against the position, rest after each fill, hedge the excess."""

    class Params(StrategyParams):
        half_spread_ticks: Depth = 1.0
        skew_ticks_per_lot: Ticks = 0.25
        max_position: Lots = 3
        pause: Interval = "300ms"
        interval: Interval = "100ms"

    def native(self) -> NativeStrategy:
        from lean_maker.native import NativeLeanMaker

        p = self.params
        return NativeLeanMaker(p.half_spread_ticks, p.skew_ticks_per_lot, p.max_position, duration_ns(p.pause))


class LeanMakerInPython(LeanMaker):
    """The same in Python."""

    def __init__(self, params: Any = None, **values: Any) -> None:
        super().__init__(params, **values)
        self.pause = duration_ns(self.params.pause)
        self.last = {1: -self.pause, -1: -self.pause}

    def native(self) -> None:
        return None

    def on_timer(self, ctx: Any) -> None:
        if not ctx.valid:
            return
        p = self.params
        middle = ctx.mid - p.skew_ticks_per_lot * ctx.position
        ctx.quote(middle - p.half_spread_ticks if ctx.time - self.last[1] >= self.pause else None,
                  middle + p.half_spread_ticks if ctx.time - self.last[-1] >= self.pause else None, 1)

    def on_fill(self, ctx: Any, fill: Any) -> None:
        self.last[fill.side] = fill.ts
        limit = self.params.max_position
        if abs(fill.position) > limit:
            ctx.hedge((limit if fill.position > 0 else -limit) - fill.position)
