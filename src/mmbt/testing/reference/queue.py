"""The lots before our order in the queue at its price (F4).

| touch of our side, against our price | on joining     | after a quote update                                         |
|--------------------------------------|----------------|--------------------------------------------------------------|
| absent or worse                      | 0              | 0                                                            |
| equal, showing d                     | d              | d if unknown; `prob`: less the cancels before us; at most d  |
| better                               | unknown (None) | kept                                                         |

With `front` nothing is ever before us. `prob` takes a = ahead of the display D before, behind = D - a and x = what went
from D to d without a print: the part f(a) / (f(a) + f(behind)) of x was before us, f(z) = z^power. Prints at our price
lower `ahead` too: the venue does that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmbt.testing.reference.book import Side

__all__ = ["QueueModel"]


@dataclass(frozen=True)
class QueueModel:
    """`model` is front, back or prob."""

    model: str
    power: float

    def joined(self, side: int, px: int, touch: Side) -> int | None:
        """Lots ahead of an order that comes to rest on `side` at `px` price units."""
        if self.model == "front" or touch.qty == 0 or side * (px - touch.px) > 0:
            return 0
        return touch.qty if px == touch.px else None

    def shown(self, ahead: int | None, side: int, px: int, touch: Side) -> int | None:
        """Lots ahead after an update of the display."""
        if self.model == "front" or touch.qty == 0 or side * (px - touch.px) > 0:
            return 0
        if px != touch.px:
            return ahead
        if ahead is None:
            return touch.qty
        if self.model == "prob" and touch.before is not None and touch.cancelled > 0 and ahead > 0:
            before_us, behind_us = self._f(ahead), self._f(max(0, touch.before - ahead))
            ahead -= math.floor(touch.cancelled * before_us / (before_us + behind_us))
        return max(0, min(ahead, touch.qty))

    def _f(self, lots: int) -> float:
        return math.pow(lots, self.power)
