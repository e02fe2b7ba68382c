from cysim.venue cimport Instrument, Venue

cdef dict account_of(const Venue* venue, Instrument* state, object money_unit)
