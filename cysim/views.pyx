"""What a strategy is shown of fills, orders and prints: small values, free to keep."""

cimport cython
from libc.stdint cimport int64_t

from cysim.money cimport EXACT_DIGITS, money_of, money_to_python
from cysim.orders cimport Order as OrderState
from cysim.orders cimport Told
from cysim.recorder cimport FillRow, OrderRow
from cysim.types cimport in_ticks

from decimal import Context as DecimalContext

# products of 128-bit money and its unit keep every digit
cdef object EXACT = DecimalContext(prec=EXACT_DIGITS)

KINDS = ("gtc", "ioc", "fok", "post_only", "market")
PURPOSES = ("quote", "client", "hedge")
FILL_REASONS = ("cross", "trade", "taker", "client")
STATUSES = ("accepted", "rejected", "cancelled", "too_late", "unknown")
STATUS_REASONS = (
    "", "replace", "post_only", "fok", "self_match", "user", "unfilled", "session", "end", "cancel", "replace")


cdef object exact_money(object units, object money_unit):
    return EXACT.multiply(units, money_unit)


@cython.final
cdef class Fill:
    """One fill of an order of ours.

    Attributes
    ----------
    ts : int
        When, ns.
    instrument : str
    order_id : int
    side : int
        +1 we bought, -1 we sold.
    px : int
        Ticks.
    qty, remaining : int
        Lots filled, and lots of the order still open after it.
    position : int
        Lots of the instrument we hold after it.
    reason : str
        cross, trade, taker or client.
    purpose : str
        quote, client or hedge.
    """

    @property
    def fee(self):
        """Fee paid in the currency of settlement, exact; negative is a rebate."""
        return exact_money(money_to_python(self._fee), self._money_unit)

    def __repr__(self):
        return (f"Fill(ts={self.ts}, instrument={self.instrument!r}, order_id={self.order_id}, side={self.side}, "
                f"px={self.px}, qty={self.qty}, reason={self.reason!r})")


@cython.final
cdef class Order:
    """An order of ours as it stood when it was looked at.

    Of an order that is too late to change, or unknown, only `id` is told: the machine keeps no finished orders.

    Attributes
    ----------
    id : int
    instrument : str
    side : int
        +1 buys, -1 sells; 0 when the order is finished or unknown.
    px : int
        Ticks; 0 for a market order.
    qty, remaining : int
        Lots in all, and lots still open.
    kind : str
        gtc, ioc, fok, post_only or market.
    purpose : str
        quote, client or hedge.
    status : str
        travelling or live; in `on_order` accepted, rejected, cancelled, too_late or unknown.
    reason : str
        Why; for too_late and unknown the command that found nothing.
    """

    def __repr__(self):
        return (f"Order(id={self.id}, instrument={self.instrument!r}, side={self.side}, px={self.px}, qty={self.qty}, "
                f"remaining={self.remaining}, kind={self.kind!r}, status={self.status!r}, reason={self.reason!r})")


@cython.final
cdef class Trade:
    """A print of the market.

    Attributes
    ----------
    ts : int
        When, ns.
    instrument : str
    px : float
        Ticks, exact to the price unit.
    qty : int
        Lots.
    side : int
        +1 buyer-initiated, -1 seller-initiated, 0 unknown.
    """

    def __repr__(self):
        return f"Trade(ts={self.ts}, instrument={self.instrument!r}, px={self.px}, qty={self.qty}, side={self.side})"


cdef Fill make_fill(const FillRow* source, str instrument, object money_unit):
    cdef Fill fill = Fill.__new__(Fill)
    fill.ts = source.ts
    fill.instrument = instrument
    fill.order_id = source.order_id
    fill.side = source.side
    fill.px = source.px
    fill.qty = source.qty
    fill.remaining = source.remaining
    fill.position = source.position
    fill.reason = FILL_REASONS[source.reason]
    fill.purpose = PURPOSES[source.purpose]
    fill._fee = money_of(source.fee_high, source.fee_low)
    fill._money_unit = money_unit
    return fill


cdef Order make_outcome(const OrderRow* source, str instrument):
    cdef Order order = Order.__new__(Order)
    order.id = source.order_id
    order.instrument = instrument
    order.side = source.side
    order.px = source.px
    order.qty = source.qty
    order.remaining = source.remaining
    order.kind = KINDS[source.kind] if source.side != 0 else ""
    order.purpose = PURPOSES[source.purpose] if source.side != 0 else ""
    order.status = STATUSES[source.status]
    order.reason = STATUS_REASONS[source.reason]
    return order


cdef Order make_open_order(const OrderState* state, Told known, str instrument, int64_t tick_units):
    cdef Order order = Order.__new__(Order)
    order.id = state.id
    order.instrument = instrument
    order.side = state.side
    order.px = in_ticks(known.px, tick_units)
    order.qty = known.qty
    order.remaining = known.remaining
    order.kind = KINDS[state.kind]
    order.purpose = PURPOSES[state.purpose]
    order.status = "live" if known.live else "travelling"
    order.reason = ""
    return order
