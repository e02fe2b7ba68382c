cimport cython
from libc.stdint cimport int64_t

from cysim.hooks cimport PythonHooks
from cysim.native cimport NativeStrategy
from cysim.parts cimport Parts
from cysim.state cimport Simulation


@cython.final
cdef class Simulator:
    cdef Simulation sim
    cdef list _names
    cdef list _money_units
    cdef Parts _parts
    cdef bint _local             # rows become visible when they were received
    cdef list _latencies         # placing, cancelling, responding, feeding; keeps alive what the delays point into
    cdef bint _started
    cdef PythonHooks _hooks
    cdef object _sink

    cdef int _set_up_source(self, int64_t place, int table, int64_t instrument) except -1
    cdef int _drive(self, NativeStrategy native, object progress) except -1
    cdef int _flush(self) except -1
