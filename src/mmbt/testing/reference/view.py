"""What the strategy knows of one instrument: the book as visible, and what it has been told (O5)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mmbt.testing.reference.things import Fill, Order, Report

__all__ = ["View"]


@dataclass
class View:
    """Prices in price units, money in money units.

    Attributes
    ----------
    bid_px, bid_qty, ask_px, ask_qty
        The book of the last visible quote; an absent side is 0, 0.
    mid2
        Twice the last valid mid that was visible, None before any.
    position, cash
        After the last fill told.
    orders
        By id, those sent that the strategy was not told to be finished, each as last told.
    stands, asked
        By id of such an order: when it, or its last replace, was accepted; its cancels and replaces not yet told.
    quotes, prints
        All rows that were visible, each with the time at which it became so.
    fills
        All that were told: side, price in price units, quantity.
    """

    position: int
    cash: int = 0
    bid_px: int = 0
    bid_qty: int = 0
    ask_px: int = 0
    ask_qty: int = 0
    mid2: int | None = None
    orders: dict[int, Order] = field(default_factory=dict)
    tick_units: int = 1
    stands: dict[int, int] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)
    quotes: list[tuple[int, ...]] = field(default_factory=list)
    prints: list[tuple[int, ...]] = field(default_factory=list)
    fills: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def quoted_ts(self) -> int:
        """When the last quote became visible."""
        return self.quotes[-1][0]

    @property
    def valid(self) -> bool:
        """Whether the visible book has two sides and is not crossed."""
        return self.bid_qty > 0 and self.ask_qty > 0 and self.bid_px <= self.ask_px

    def show(self, now: int, bid_px: int, bid_qty: int, ask_px: int, ask_qty: int) -> None:
        """A quote becomes visible."""
        self.quotes.append((now, bid_px, bid_qty, ask_px, ask_qty))
        self.bid_px, self.bid_qty, self.ask_px, self.ask_qty = bid_px, bid_qty, ask_px, ask_qty
        if self.valid:
            self.mid2 = bid_px + ask_px

    def sent(self, order: Order) -> None:
        """We sent an order."""
        self.orders[order.id] = order

    def tell(self, report: Report) -> None:
        """A fill, or the outcome of a command."""
        what = report.what
        if isinstance(what, Fill):
            self.position, self.cash = what.position, report.cash
            self.fills.append((what.side, what.px * self.tick_units, what.qty))
            self.orders[what.order_id] = self.orders[what.order_id]._replace(remaining=what.remaining)
            if what.remaining == 0:
                del self.orders[what.order_id]
        elif what.status == "accepted":
            self.orders[what.id] = what._replace(status="live", reason="")
            self.stands[what.id] = report.ts
            self.asked[what.id] -= what.reason == "replace"
        elif what.status in ("rejected", "cancelled"):
            del self.orders[what.id]
