"""An instrument's account as Python numbers: exact, in money units."""

from libc.stdint cimport int64_t

from cysim.book cimport is_valid
from cysim.fees cimport fee_of
from cysim.ledger cimport mark
from cysim.money cimport MONEY_SCALE, money_to_python
from cysim.venue cimport Instrument, Venue


cdef dict account_of(const Venue* venue, Instrument* state, object money_unit):
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
            liquidation = cash - brought_in + <object>state.ledger.position * touch * MONEY_SCALE - money_to_python(
                fee_of(venue.fees.taker_rate, touch, qty, &overflow))
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
