"""An instrument's account: opened as stated, and told as Python numbers, exact, in money units."""

from libc.stdint cimport int64_t

from cysim.book cimport is_valid
from cysim.fees cimport fee_of, set_fee
from cysim.ledger cimport mark, worth
from cysim.money cimport money_difference, money_to_python
from cysim.venue cimport Instrument


# `spec` is that of the simulator; a fee is (rate, amount for each 1 of quantity, amount for each fill).
cdef int open_account(
    Instrument* state, tuple spec, bint inverse, bint other_currency, tuple maker_fee, tuple taker_fee,
) except -1:
    state.ledger.position = state.ledger.opening = spec[6]
    state.ledger.inverse = inverse
    set_fee(&state.fees.maker, spec, inverse, other_currency, maker_fee)
    set_fee(&state.fees.taker, spec, inverse, other_currency, taker_fee)
    return 0


cdef dict account_of(Instrument* state, object money_unit):
    cdef int64_t touch, qty
    cdef int overflow = 0
    mark(&state.ledger, state.book.mid2, state.book.first_mid2)
    cash = money_to_python(state.ledger.cash)
    brought_in = money_to_python(state.ledger.brought_in)
    liquidation = cash - brought_in
    qty = state.ledger.position if state.ledger.position > 0 else -state.ledger.position
    if qty > 0 or state.ledger.opening != 0:
        touch = state.book.last_bid_px if state.ledger.position > 0 else state.book.last_ask_px
        liquidation = None
        if touch > 0 and state.ledger.opening == 0:
            closing = money_to_python(money_difference(
                worth(&state.ledger, state.ledger.position, touch, &overflow),
                fee_of(&state.fees.taker, touch, qty, &overflow), &overflow))
            if not overflow:
                liquidation = cash - brought_in + closing
    return {
        "position": state.ledger.position,
        "mid2": state.book.mid2 // state.tick_units or None,
        "stale": not is_valid(&state.book),
        "cash": cash,
        "fees": money_to_python(state.ledger.fees),
        "spread": money_to_python(state.ledger.spread),
        "inventory": money_to_python(state.ledger.inventory),
        "hedge_cost": money_to_python(state.ledger.hedge_cost),
        "pnl": cash + money_to_python(state.ledger.marked) - brought_in,
        "liquidation_pnl": liquidation,
        "money_unit": money_unit,
    }
