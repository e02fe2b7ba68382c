from libc.stdint cimport int64_t

from cysim.money cimport (
    HALF_MONEY_SCALE, MONEY_SCALE, money_difference, money_product, money_quotient, money_sum, money_t,
)
from cysim.types cimport POSITION_LIMIT

cdef struct Ledger:          # one instrument's account, in the currency it is settled in
    money_t cash             # paid and received, fees included
    money_t fees             # paid; rebates lower it
    money_t spread           # earned by resting and client fills against the mid before them
    money_t hedge_cost       # paid by taker fills against that mid
    money_t inventory        # gained by holding, up to the last mark
    money_t marked           # the position's value at the last mark; at cost before any mid
    money_t brought_in       # value at the first mid of the position the run began with
    int64_t position         # lots
    int64_t opening          # lots brought into the run, not yet valued by a first mid
    int overflow             # some sum left the 128 bits
    bint inverse             # settled in the base currency: a lot is worth its notional / price

# What a buyer of so many lots owes, and what a position is worth. Of an inverse contract a long position owes the base
# currency that its notional buys: the less, the higher the price. That is the one division, rounded once.
cdef inline money_t worth(const Ledger* ledger, int64_t qty, int64_t px, int* overflow) noexcept nogil:
    if ledger.inverse:
        return money_quotient(-qty, 1, px, overflow)
    return money_product(qty, px, MONEY_SCALE, overflow)

cdef inline money_t worth_at_mid(const Ledger* ledger, int64_t qty, int64_t mid2, int* overflow) noexcept nogil:
    if ledger.inverse:
        return money_quotient(-qty, 2, mid2, overflow)
    return money_product(qty, mid2, HALF_MONEY_SCALE, overflow)

# Inventory PnL up to the mid `mid2` (0: none yet). Marks may be left out: what lies between two of them adds up, and so
# does what rounding adds to the marks of an inverse contract.
cdef inline void mark(Ledger* ledger, int64_t mid2, int64_t first_mid2) noexcept nogil:
    cdef money_t value
    if mid2 == 0:
        return
    if ledger.opening != 0:      # valued at the first mid, so that PnL starts at 0
        ledger.brought_in = worth_at_mid(ledger, ledger.opening, first_mid2, &ledger.overflow)
        ledger.marked = money_sum(ledger.marked, ledger.brought_in, &ledger.overflow)
        ledger.opening = 0
    value = worth_at_mid(ledger, ledger.position, mid2, &ledger.overflow)
    ledger.inventory = money_sum(
        ledger.inventory, money_difference(value, ledger.marked, &ledger.overflow), &ledger.overflow)
    ledger.marked = value

# Books one fill; `mid2` is the last mid before the step that filled us, 0 before any (M1).
cdef inline void book_fill(
    Ledger* ledger, int side, int64_t px, int64_t qty, bint took, money_t fee,
    int64_t mid2, int64_t first_mid2,
) noexcept nogil:
    cdef int64_t signed_qty = side * qty     # which side cannot be guessed, so it is not asked
    cdef money_t value = worth(ledger, signed_qty, px, &ledger.overflow)
    cdef money_t at_mid = value
    cdef money_t edge
    mark(ledger, mid2, first_mid2)
    if mid2 != 0:
        at_mid = worth_at_mid(ledger, signed_qty, mid2, &ledger.overflow)
    edge = money_difference(at_mid, value, &ledger.overflow)
    if took:
        ledger.hedge_cost = money_difference(ledger.hedge_cost, edge, &ledger.overflow)
    else:
        ledger.spread = money_sum(ledger.spread, edge, &ledger.overflow)
    ledger.cash = money_difference(money_difference(ledger.cash, value, &ledger.overflow), fee, &ledger.overflow)
    ledger.fees = money_sum(ledger.fees, fee, &ledger.overflow)
    ledger.marked = money_sum(ledger.marked, at_mid, &ledger.overflow)
    ledger.position += signed_qty
    if not -POSITION_LIMIT < ledger.position < POSITION_LIMIT:
        ledger.overflow = True

cdef inline money_t profit(const Ledger* ledger, int* overflow) noexcept nogil:
    return money_difference(money_sum(ledger.cash, ledger.marked, overflow), ledger.brought_in, overflow)

# spread + inventory - hedge cost - fees: equal to profit() to the last unit, always.
cdef inline money_t profit_split(const Ledger* ledger, int* overflow) noexcept nogil:
    return money_difference(
        money_difference(money_sum(ledger.spread, ledger.inventory, overflow), ledger.hedge_cost, overflow),
        ledger.fees, overflow)
