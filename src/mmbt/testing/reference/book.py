"""One side of the displayed book, with what our own orders took of it (F3) and what queues must know of it (F4)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Side"]


@dataclass
class Side:
    """The best price and its display; an absent side has px 0 and qty 0.

    Attributes
    ----------
    taken
        Of the display, by us.
    printed
        At this price since the last update.
    before
        What the update before the last displayed, None when it was at another price.
    cancelled
        What went from `before` to `qty` without being printed.
    last_px
        The price when the side was last present.
    """

    px: int = 0
    qty: int = 0
    taken: int = 0
    printed: int = 0
    before: int | None = None
    cancelled: int = 0
    last_px: int | None = None

    def update(self, px: int, qty: int) -> None:
        """A quote update; it comes with every one of the instrument, whatever it changes."""
        stays = qty > 0 and px == self.px
        self.taken = min(self.taken, qty) if stays else 0
        self.before = self.qty if stays else None
        self.cancelled = max(0, self.qty - qty - self.printed) if stays else 0
        self.px, self.qty, self.printed = px, qty, 0
        if qty:
            self.last_px = px

    @property
    def left(self) -> int:
        """Of the display, not yet taken by us."""
        return self.qty - self.taken
