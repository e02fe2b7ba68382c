# Strategies that the tests compile as a third party would, each with a twin in Python (test_native.py).

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint64_t

from cysim.money cimport money_high, money_low
from cysim.native cimport (
    BUY, FOR_HEDGE, GTC, IOC, MARKET, NO_QUOTE, POST_ONLY, REJECTED, SELL, Fill, NativeStrategy, OrderWalk, Outcome,
    Print, View, ask_of, ask_qty_of, bid_of, bid_qty_of, cancel, cash_of, hedge, instrument_count, is_traded,
    is_valid_now, look_at, mid_of, next_order, own_orders, place, position_of, quote, quote_levels, replace, time_of,
)

cdef enum:
    MOST = 1 << 18               # digests kept


cdef class Busy(NativeStrategy):
    """Acts on everything it sees, at random; what it saw and did is a row of digests."""

    cdef uint64_t state
    cdef int64_t count
    cdef int64_t last_id
    cdef uint64_t digests[MOST]

    def __init__(self, uint64_t seed):
        self.state = seed

    def trace(self):
        return [self.digests[i] for i in range(self.count)]

    cdef void see(self, int64_t value) noexcept nogil:
        self.state = self.state * <uint64_t>6364136223846793005 + <uint64_t>value + 1

    cdef void look(self, const View* view, int hook) noexcept nogil:
        cdef double mid = mid_of(view)
        cdef OrderWalk walk = own_orders(view)
        self.see(hook)
        self.see(time_of(view))
        self.see(view.instrument)
        self.see(bid_of(view))
        self.see(ask_of(view))
        self.see(bid_qty_of(view))
        self.see(ask_qty_of(view))
        self.see(is_valid_now(view))
        self.see(-1 if isnan(mid) else <int64_t>(mid * 64))
        self.see(position_of(view))
        self.see(money_high(cash_of(view)))
        self.see(<int64_t>money_low(cash_of(view)))
        while next_order(&walk):
            self.see(walk.order.id)
            self.see(walk.order.px)
            self.see(walk.order.qty)
            self.see(walk.order.remaining)
            self.see(walk.order.side)
            self.see(walk.order.kind)
            self.see(walk.order.purpose)
            self.see(walk.order.live)

    cdef int act(self, View* view, int64_t chance) except -1 nogil:
        cdef int64_t draw = <int64_t>(self.state >> 33)
        cdef int side = BUY if draw & 1 else SELL
        cdef int64_t qty = 1 + (draw >> 1) % 5
        cdef int64_t away = (draw >> 4) % 5
        cdef int kind = (draw >> 7) % 5
        cdef int64_t order_id = 0
        cdef double bids[2]
        cdef double asks[2]
        cdef View other
        cdef OrderWalk walk
        if self.count < MOST:
            self.digests[self.count] = self.state
            self.count += 1
        look_at(view, <int32_t>((draw >> 12) % instrument_count(view)), &other)
        self.see(bid_of(&other))
        if (draw >> 16) % chance or not is_traded(&other) or bid_of(&other) < 10 or ask_of(&other) < 10:
            return 0
        walk = own_orders(&other)
        if next_order(&walk):
            order_id = walk.order.id
        draw = (draw >> 20) % 8
        if draw == 0:
            quote(&other, <double>bid_of(&other) - <double>away / 2, <double>ask_of(&other) + <double>away / 3, qty)
        elif draw == 1:
            quote(&other, NO_QUOTE, <double>ask_of(&other) - 1 + <double>away, qty, post_only=False)
        elif draw == 2:
            self.last_id = place(&other, side, 0 if kind == MARKET else bid_of(&other) + away - 1, qty, kind)
            self.see(self.last_id)
        elif draw == 3:
            cancel(&other, order_id if order_id else self.last_id + away - 2)
        elif draw == 4:
            replace(&other, order_id if order_id else self.last_id, ask_of(&other) + away - 2, qty)
        elif draw == 5:
            self.see(hedge(&other, side * qty))
        elif draw == 6:
            bids[0], bids[1] = <double>bid_of(&other), <double>bid_of(&other) - <double>away
            asks[0], asks[1] = <double>ask_of(&other), <double>ask_of(&other) + 1
            quote_levels(&other, bids, 2, asks, 1 + away % 2, qty)
        else:
            self.see(place(&other, side, ask_of(&other) if side == BUY else bid_of(&other), qty, IOC, FOR_HEDGE))
        return 0

    cdef int on_timer(self, View* view) except -1 nogil:
        self.look(view, 1)
        return self.act(view, 2)

    cdef int on_tob(self, View* view) except -1 nogil:
        self.look(view, 2)
        return self.act(view, 6)

    cdef int on_trade(self, View* view, const Print* trade) except -1 nogil:
        self.look(view, 3)
        self.see(trade.ts)
        self.see(<int64_t>(trade.px * 64))
        self.see(trade.qty)
        self.see(trade.aggressor)
        return self.act(view, 4)

    cdef int on_fill(self, View* view, const Fill* fill) except -1 nogil:
        self.look(view, 4)
        self.see(fill.ts)
        self.see(fill.order_id)
        self.see(fill.px)
        self.see(fill.qty)
        self.see(fill.remaining)
        self.see(fill.position)
        self.see(money_high(fill.fee))
        self.see(<int64_t>money_low(fill.fee))
        self.see(fill.side)
        self.see(fill.reason)
        self.see(fill.purpose)
        return self.act(view, 6)

    cdef int on_order(self, View* view, const Outcome* outcome) except -1 nogil:
        self.look(view, 5)
        self.see(outcome.order_id)
        self.see(outcome.status)
        self.see(outcome.reason)
        self.see(outcome.px)
        self.see(outcome.qty)
        self.see(outcome.remaining)
        self.see(outcome.side)
        return self.act(view, 6)


cdef class Lean(NativeStrategy):
    """A skewed maker, as simple as it gets."""

    cdef int on_timer(self, View* view) except -1 nogil:
        cdef double middle
        if not is_valid_now(view):
            return 0
        middle = mid_of(view) - <double>position_of(view) / 2
        return quote(view, middle - 2, middle + 2, 1)


cdef class Slip(NativeStrategy):
    """Gives one wrong command at its third timer."""

    cdef int slip
    cdef int64_t calls

    def __init__(self, int slip):
        self.slip = slip

    cdef int on_timer(self, View* view) except -1 nogil:
        cdef View other
        cdef double many[65]
        self.calls += 1
        if self.calls < 3:
            return 0
        place(view, BUY, 1, 1)           # given before, so never applied
        if self.slip == 0:
            quote(view, NAN, 20, 1)
        elif self.slip == 1:
            quote(view, 0, 20, 1)
        elif self.slip == 2:
            quote(view, 10, 1e300, 1)
        elif self.slip == 3:
            quote(view, 10, 20, 0)
        elif self.slip == 4:
            place(view, 0, 10, 1)
        elif self.slip == 5:
            place(view, BUY, 0, 1)
        elif self.slip == 6:
            place(view, BUY, 10, 1, MARKET)
        elif self.slip == 7:
            place(view, BUY, 10, <int64_t>1 << 40)
        elif self.slip == 8:
            place(view, BUY, 10, 1, 7)
        elif self.slip == 9:
            hedge(view, 0)
        elif self.slip == 10:
            replace(view, 1, <int64_t>1 << 62, 1)
        elif self.slip == 11:
            look_at(view, 2, &other)
        elif self.slip == 12:
            look_at(view, 1, &other)
            cancel(&other, 1)
        elif self.slip == 13:
            quote_levels(view, many, 65, many, 0, 1)
        elif self.slip == 14:
            place(view, SELL, 10, 1, GTC, 1)
        else:
            with gil:
                raise KeyError("an error of its own")
        return 0


cdef class Endless(NativeStrategy):
    """Answers every rejection with an order that is rejected."""

    cdef int on_tob(self, View* view) except -1 nogil:
        if is_valid_now(view):
            place(view, BUY, ask_of(view), 1, POST_ONLY)
        return 0

    cdef int on_order(self, View* view, const Outcome* outcome) except -1 nogil:
        if outcome.status == REJECTED:
            place(view, BUY, ask_of(view), 1, POST_ONLY)
        return 0


cdef class Deaf(NativeStrategy):
    """Overrides no hook."""
