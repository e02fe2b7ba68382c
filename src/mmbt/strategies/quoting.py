"""Two quotes around prices that a strategy wants, by the rounding and the bounds of the built-in ones (clause A6).

    bid = min(floor(wanted), A - 1)        ask = max(ceil(wanted), B + 1)

A price within 1e-9 of an integer is that integer. There is no bid at a position of the limit or beyond, no ask at its
negative, and no ask at or below our bid.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cysim import Context

__all__ = ["quote_at"]

_SNAP = 1e-9


def quote_at(ctx: Context, bid: float, ask: float, size: int, limit: int | None) -> None:
    """Quote one bid and one ask as near to what is wanted, in ticks, as rounding and bounds allow."""
    most = math.inf if limit is None else limit
    buy = min(math.floor(bid + _SNAP), ctx.ask - 1)
    sell = max(math.ceil(ask - _SNAP), ctx.bid + 1)
    buys = buy > 0 and ctx.position < most
    sells = sell > 0 and ctx.position > -most and not (buys and sell <= buy)
    ctx.quote(bid=buy if buys else None, ask=sell if sells else None, qty=size)
