cimport cython
from libc.stdint cimport int32_t, int64_t

from cysim.venue cimport Instrument, Venue


cdef class Context:
    cdef object _owner               # keeps the simulator, and so the memory below, alive
    cdef Venue* _venue
    cdef Instrument* _instrument
    cdef int32_t _index
    cdef dict _contexts
    cdef readonly str instrument
    cdef readonly tuple instruments
    cdef readonly str tick_size
    cdef readonly str lot_size
    cdef readonly object money_unit
    cdef object _features            # array of the features the strategy named; None: it named none
    cdef dict _feature_places        # name -> place in it
    cdef dict _synthetics            # name -> Synthetic, shared by all contexts
    cdef double _tick_units
    cdef double _end_ticks           # prices stay below
    cdef double _tick

    @cython.final
    cdef int _require_open(self) except -1

    @cython.final
    cdef int64_t _quote_px(self, object value, int side, str name) except -1

    @cython.final
    cdef int _check_status(self) except -1

    @cython.final
    cdef tuple _hedge_through(self, str name, int side, int64_t lots)


cdef int set_up(
    Context context, object owner, Venue* venue, int32_t index, dict contexts, str instrument, tuple instruments,
    str tick_size, str lot_size, object money_unit, object features, dict feature_places, dict synthetics) except -1
