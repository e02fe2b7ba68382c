"""What the simulator talks about: orders, fills, prints, messages to the venue, and the result of a run."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

__all__ = ["Fill", "Message", "Order", "ReferenceResult", "Report", "Trade", "VenueOrder"]


class Order(NamedTuple):
    """An order as a strategy sees it: prices in ticks, quantities in lots."""

    id: int
    instrument: str
    side: int
    px: int
    qty: int
    remaining: int
    kind: str
    purpose: str
    status: str
    reason: str


class Fill(NamedTuple):
    """A fill as a strategy sees it."""

    ts: int
    instrument: str
    order_id: int
    side: int
    px: int
    qty: int
    reason: str
    purpose: str
    fee: Decimal
    remaining: int
    position: int


class Trade(NamedTuple):
    """A print as a strategy sees it: the price in ticks may lie between two ticks (U4)."""

    ts: int
    instrument: str
    px: float
    qty: int
    side: int


@dataclass(slots=True, eq=False)
class VenueOrder:
    """The venue's own record of an order.

    `status` goes travelling -> live -> filled or cancelled, or ends as rejected; `place` is its turn at equal prices.
    """

    id: int
    instrument: str
    side: int
    px: int  # ticks; 0 for market
    qty: int  # filled + remaining
    remaining: int
    kind: str
    purpose: str
    arrival: int = 0
    status: str = "travelling"
    waiting_on_bus: bool = False  # its place message travels with a latency
    cancel_sent: bool = False  # by the strategy, which therefore no longer counts on it (A4)
    place: int = 0
    ahead: int | None = 0  # lots before us in the queue at our price; None: not known yet (F4)

    def seen(self, status: str, reason: str = "") -> Order:
        """The order as it is now, for a notice or for `ctx.orders`."""
        return Order(self.id, self.instrument, self.side, self.px, self.qty, self.remaining, self.kind, self.purpose,
                     status, reason)


class Message(NamedTuple):
    """A command on its way: what is "place", "cancel" or "replace"."""

    what: str
    order_id: int
    order: VenueOrder | None  # None when the id was never issued
    sender: str  # the instrument whose context sent it
    px: int = 0
    qty: int = 0


class Report(NamedTuple):
    """A fill or the outcome of a command on its way to the strategy."""

    told: int  # when
    ts: int  # when it happened
    context: str  # the instrument that it is told about
    what: Fill | Order
    cash: int  # after a fill, money units

    @property
    def hook(self) -> str:
        """Who hears it."""
        return "on_fill" if isinstance(self.what, Fill) else "on_order"


@dataclass(frozen=True)
class ReferenceResult:
    """All a run leaves behind; rows are dicts whose names are those of the run directory's tables.

    Attributes
    ----------
    fills, orders, equity
        Rows in order of occurrence. A fill has `fee_units` too, the fee in whole money units.
    totals
        By instrument: position; and pnl, spread, inventory, hedge_cost, fees, cash, liquidation in whole money units.
    decisions
        Calls of `on_timer`.
    """

    fills: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    equity: list[dict[str, Any]]
    totals: dict[str, dict[str, int | None]]
    decisions: int
    events: int
    steps: int  # market events and arrivals
    session_ends: list[int]
    result_hash: str
