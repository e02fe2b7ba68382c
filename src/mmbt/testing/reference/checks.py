"""What a command may be given: every argument is checked before anything changes (U1, A4)."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["KINDS", "PURPOSES", "limit_px", "lots", "order_side", "passive_px", "whole"]

LIMIT = 2**40
NEAR = 1e-9
KINDS = ("gtc", "ioc", "fok", "post_only", "market")
PURPOSES = ("quote", "hedge")


def whole(name: str, value: Any) -> int:
    """A whole number; floats within 1e-9 of one are taken as it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
    nearest = round(value)
    if abs(value - nearest) > NEAR:
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    return int(nearest)


def lots(name: str, value: Any) -> int:
    """A quantity: whole, positive, below 2^40."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
    if value != int(value):
        raise ValueError(f"{name} must be a whole number of lots, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1 lot, not {value!r}")
    if value >= LIMIT:
        raise OverflowError(f"{name} {value!r} is 2^40 lots or more")
    return int(value)


def limit_px(name: str, value: Any, tick_units: int) -> int:
    """A limit price in ticks, on the grid."""
    if value is None:
        raise ValueError(f"{name} is missing: only a market order has no price")
    return _positive(name, whole(name, value), tick_units)


def passive_px(name: str, value: Any, side: int, tick_units: int) -> int:
    """A quoted price in ticks: a bid is rounded down, an offer up, unless a tick is within 1e-9."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite, not {value!r}")
    nearest = round(value)
    if abs(value - nearest) > NEAR:
        nearest = math.floor(value) if side > 0 else math.ceil(value)
    return _positive(name, int(nearest), tick_units)


def order_side(value: Any) -> int:
    """+1 or -1 of a side given as a sign or in words."""
    for sign, word in ((+1, "buy"), (-1, "sell")):
        if value == word or (not isinstance(value, str) and value == sign):
            return sign
    raise ValueError(f"side must be +1, -1, 'buy' or 'sell', not {value!r}")


def _positive(name: str, ticks: int, tick_units: int) -> int:
    if ticks <= 0:
        raise ValueError(f"{name} must be positive, not {ticks} ticks")
    if ticks * tick_units >= LIMIT:
        raise OverflowError(f"{name} {ticks} ticks is 2^40 price units or more")
    return ticks
