from cysim.venue cimport Instrument

cdef int open_account(
    Instrument* state, tuple spec, bint inverse, bint other_currency, tuple maker_fee, tuple taker_fee) except -1
cdef dict account_of(Instrument* state, object money_unit)
