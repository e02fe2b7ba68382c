"""Random quotes that anyone can reproduce: a baseline, and a way to shake the engine.

The draws are counter-based. Timer call k = 0, 1, 2, ... of an instrument has the state

    x = seed + GAMMA * (fnv1a(name) + 2k)        draw j = mix(x + GAMMA * (j + 1)),  j = 0, 1,  all modulo 2^64

with GAMMA and mix of splitmix64 (Steele, Lea and Flood 2014) and fnv1a the 64-bit FNV-1a hash of the name in UTF-8. A
draw's upper 53 bits times 2^-53 are u in [0, 1). Nothing depends on the process, the hash seed or Python's `random`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit

if TYPE_CHECKING:
    from cysim import Context

__all__ = ["RandomQuotes", "uniforms"]

GAMMA = 0x9E3779B97F4A7C15
MASK = 2**64 - 1


class RandomQuotes(Strategy):
    """Quote at random distances from a randomly shifted mid.

    At each timer with a two-sided, uncrossed book the half spread is drawn evenly from 0 to `max_half_spread_ticks` and
    the shift from `-max_skew_ticks` to `max_skew_ticks`; rounding, bounds and limits are those of `linear-skew`. The
    draws are a function of the seed, the instrument's name and the number of the timer call alone.
    """

    class Params(StrategyParams):
        """What `random` can be told."""

        seed: int = Field(0, ge=0, lt=2**64, description="the draws are a function of it")
        interval: Interval = Field("100ms", description="time between two quotes")
        size: Lots = Field(1, description="quantity of each quote")
        max_half_spread_ticks: Depth = Field(5.0, description="the half spread is at most this")
        max_skew_ticks: Depth = Field(5.0, description="both quotes are shifted by at most this")
        max_position: PositionLimit = Field(None, description="stop bidding here, and offering at its negative")

    def on_start(self, ctx: Context) -> None:
        """Begin every run with the first draw."""
        self._calls: dict[str, int] = {}

    def on_timer(self, ctx: Context) -> None:
        """Draw a half spread and a shift, and quote."""
        call = self._calls.get(ctx.instrument, 0)
        self._calls[ctx.instrument] = call + 1  # calls without a book count: the draws do not depend on the market
        if not ctx.valid:
            return
        p = self.params
        first, second = uniforms(p.seed, ctx.instrument, call)
        half = first * p.max_half_spread_ticks
        middle = (ctx.bid + ctx.ask) / 2 + (2 * second - 1) * p.max_skew_ticks
        bid = min(math.floor(middle - half), ctx.ask - 1)
        ask = max(math.ceil(middle + half), ctx.bid + 1)
        limit = math.inf if p.max_position is None else p.max_position
        buys = bid > 0 and ctx.position < limit
        sells = ctx.position > -limit and not (buys and ask <= bid)
        ctx.quote(bid=bid if buys else None, ask=ask if sells else None, qty=p.size)


def uniforms(seed: int, instrument: str, call: int) -> tuple[float, float]:
    """The two draws in [0, 1) of an instrument's timer call, counted from 0."""
    state = seed + GAMMA * (_fnv1a(instrument.encode()) + 2 * call)
    return _mix(state + GAMMA) * 2.0**-53, _mix(state + 2 * GAMMA) * 2.0**-53


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def _mix(state: int) -> int:
    z = state & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return (z ^ z >> 31) >> 11
