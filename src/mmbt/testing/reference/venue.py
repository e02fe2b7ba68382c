"""One instrument's book and our orders in it: the fill rules F1-F4 and the judgement of arriving orders A1-A3.

| our order     | rule 1, after a quote update           | rule 2, at a print                        |
|---------------|----------------------------------------|-------------------------------------------|
| offer at p    | market bid > p (touch: >=)             | print > p (touch: >=), buyer or unknown   |
| bid at p      | market ask < p (touch: <=)             | print < p (touch: <=), seller or unknown  |

With `trade = queue` a print exactly at p gives what is left of it after the lots ahead of our order.

The venue tells what happened, in the order in which it happens, through `filled(order, qty, px in price units, reason)`
and `notice(order, status, reason)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mmbt.testing.reference.book import Side
from mmbt.testing.reference.queue import QueueModel
from mmbt.testing.reference.things import VenueOrder

__all__ = ["Rules", "Venue"]


@dataclass(frozen=True)
class Rules:
    """The options of the two fill rules, and the queue model of `trade = queue`."""

    cross: str = "through"
    trade: str = "through"
    aggressor: str = "auto"
    size: str = "full"
    queue: str = "back"
    power: float = 2.0

    def __post_init__(self) -> None:
        for name, known in (("cross", ("through", "touch")), ("trade", ("through", "touch", "queue")),
                            ("aggressor", ("auto", "ignore")), ("size", ("full", "displayed")),
                            ("queue", ("front", "back", "prob"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if not 0 < self.power <= 20:
            raise ValueError(f"power must be above 0 and at most 20, not {self.power!r}")


@dataclass
class Venue:
    """The book of one instrument with our live orders in it."""

    tick_units: int
    rules: Rules
    filled: Callable[[VenueOrder, int, int, str], None]
    notice: Callable[[VenueOrder, str, str], None]
    bid: Side = field(default_factory=Side)
    ask: Side = field(default_factory=Side)
    live: dict[int, list[VenueOrder]] = field(default_factory=lambda: {+1: [], -1: []})  # by side
    arrivals: int = 0

    def __post_init__(self) -> None:
        self.queue = QueueModel(self.rules.queue, self.rules.power) if self.rules.trade == "queue" else None

    @property
    def valid(self) -> bool:
        """Both sides present and not crossed; a locked book is valid."""
        return self.bid.qty > 0 and self.ask.qty > 0 and self.bid.px <= self.ask.px

    # --- market events -----------------------------------------------------------------------------------------------

    def quote(self, bid_px: int, bid_qty: int, ask_px: int, ask_qty: int) -> None:
        """A top-of-book update, then rule 1 (F1)."""
        self.bid.update(bid_px, bid_qty)
        self.ask.update(ask_px, ask_qty)
        if self.queue is not None:
            for side, own in ((+1, self.bid), (-1, self.ask)):
                for order in self.live[side]:
                    order.ahead = self.queue.shown(order.ahead, side, order.px * self.tick_units, own)
        if self.valid:
            for side, opposite in ((-1, self.bid), (+1, self.ask)):
                for order in self._first_come(side):
                    if not self._beyond(order, opposite.px, self.rules.cross):
                        continue
                    if self.rules.size == "full":
                        self._fill(order, order.remaining, "cross")
                    else:
                        qty = min(order.remaining, opposite.left)
                        opposite.taken += qty
                        self._fill(order, qty, "cross")

    def print(self, px: int, qty: int, aggressor: int) -> None:
        """A print, then rule 2; its quantity is one budget for all our orders (F3)."""
        budget = qty
        for shown in (self.bid, self.ask):
            if shown.px == px:
                shown.printed += qty
        for side in (-1, +1):
            if self.rules.aggressor == "auto" and aggressor == side:
                continue  # a buyer-initiated print (+1) fills no bid (+1), a seller-initiated one no offer
            for order in self._first_come(side):
                rest = self._rest(order, px, qty)
                if rest > 0:
                    given = order.remaining if self.rules.size == "full" else min(order.remaining, rest, budget)
                    budget -= given
                    self._fill(order, given, "trade")

    def _rest(self, order: VenueOrder, px: int, qty: int) -> int:
        """What of a print reaches our order: all of it beyond our price; at our price what the lots ahead leave."""
        if self._beyond(order, px, self.rules.trade):
            return qty
        if self.queue is None or px != order.px * self.tick_units or order.ahead is None:
            return 0
        passed = min(order.ahead, qty)
        order.ahead -= passed
        return qty - passed

    def _first_come(self, side: int) -> list[VenueOrder]:
        """Our live orders of a side: best price for the market first, then by arrival (F2)."""
        return sorted(self.live[side], key=lambda order: (-side * order.px, order.place))

    def _beyond(self, order: VenueOrder, px: int, how: str) -> bool:
        """Whether the market at `px` has moved through our order, or for `touch` has reached it."""
        ours = order.px * self.tick_units
        distance = px - ours if order.side < 0 else ours - px
        return distance > 0 or (distance == 0 and how == "touch")

    def _fill(self, order: VenueOrder, qty: int, reason: str) -> None:
        if qty == 0:
            return
        order.remaining -= qty
        if order.remaining == 0:
            order.status = "filled"
            self.live[order.side].remove(order)
        self.filled(order, qty, order.px * self.tick_units, reason)

    # --- arriving orders ---------------------------------------------------------------------------------------------

    def arrive(self, order: VenueOrder, reason: str = "") -> None:
        """Judge an arriving order (A1, A2); `reason` is "replace" for a replaced one."""
        opposite = self.ask if order.side > 0 else self.bid
        limit = None if order.kind == "market" else order.px * self.tick_units
        marketable = opposite.qty > 0 and (limit is None or order.side * (limit - opposite.px) >= 0)
        refusal = self._refusal(order, opposite, limit, marketable)
        if refusal:
            order.status = "rejected"
            self.notice(order, "rejected", refusal)
            return
        self.notice(order, "accepted", reason)
        if marketable:
            qty = min(order.remaining, opposite.left)
            if qty > 0:
                opposite.taken += qty
                order.remaining -= qty
                if order.remaining == 0:
                    order.status = "filled"
                self.filled(order, qty, opposite.px, "taker")
        if order.remaining == 0:
            return
        if order.kind in ("gtc", "post_only"):
            self.arrivals += 1
            order.place = self.arrivals
            order.status = "live"
            if self.queue is not None:
                own = self.bid if order.side > 0 else self.ask
                order.ahead = self.queue.joined(order.side, order.px * self.tick_units, own)
            self.live[order.side].append(order)
        else:
            order.status = "cancelled"
            self.notice(order, "cancelled", "unfilled")

    def _refusal(self, order: VenueOrder, opposite: Side, limit: int | None, marketable: bool) -> str:
        """Why an arriving order is rejected, or an empty text."""
        judged = limit  # the price that must not meet our own orders (A2)
        if opposite.qty and limit is None:
            judged = opposite.px
        elif opposite.qty and limit is not None and order.kind in ("ioc", "fok"):
            judged = min(limit, opposite.px) if order.side > 0 else max(limit, opposite.px)
        if judged is not None:
            for mine in self.live[-order.side]:
                if order.side * (judged - mine.px * self.tick_units) >= 0:
                    return "self_match"
        if order.kind == "post_only" and marketable:
            return "post_only"
        if order.kind == "fok" and not (marketable and opposite.left >= order.remaining):
            return "fok"
        return ""

    # --- cancel and replace ------------------------------------------------------------------------------------------

    def cancel(self, order: VenueOrder, reason: str) -> None:
        """Take a live order out of the book."""
        self.live[order.side].remove(order)
        order.status = "cancelled"
        self.notice(order, "cancelled", reason)

    def replace(self, order: VenueOrder, px: int, qty: int) -> None:
        """New price (ticks) and remaining quantity for a live order, atomically (A3)."""
        keeps_place = px == order.px and qty <= order.remaining
        order.qty += qty - order.remaining
        order.px, order.remaining = px, qty
        if keeps_place:
            self.notice(order, "accepted", "replace")
        else:
            self.live[order.side].remove(order)
            self.arrive(order, "replace")
