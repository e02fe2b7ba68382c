cimport cython
from libc.stdint cimport int64_t

from cysim.state cimport Simulation


@cython.final
cdef class PythonHooks:
    cdef Simulation* sim         # of the simulator that owns this object
    cdef list contexts           # by instrument
    cdef object failed           # name of the hook that raised; None: none has
    cdef object _on_tob
    cdef object _on_trade
    cdef object _on_timer
    cdef object _on_fill
    cdef object _on_order
    cdef object _on_start
    cdef object _on_end

    cdef int listen(self, object hooks) except -1
    cdef int start(self) except -1
    cdef int end(self) except -1
    cdef int event(self) except -1
    cdef int timer(self) except -1
    cdef int settle(self) except -1
    cdef int _tell(self) except -1
    cdef int _call_once(self, str name, object hook) except -1
