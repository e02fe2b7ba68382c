cimport cython
from libc.stdint cimport int32_t, int64_t

from cysim.context cimport Context
from cysim.shown cimport ShownContext, show
from cysim.state cimport Simulation
from cysim.views cimport Trade


@cython.final
cdef class PythonHooks:
    cdef Simulation* sim         # of the simulator that owns this object
    cdef list contexts           # by instrument
    cdef ShownContext _shown     # the only one of them; None: there are several
    cdef object failed           # name of the hook that raised; None: none has
    cdef int _answering          # the hook that may give commands now; 0: none
    cdef Trade _trade            # the last print shown
    cdef object _on_tob
    cdef object _on_trade
    cdef object _on_timer
    cdef object _on_fill
    cdef object _on_order
    cdef object _on_start
    cdef object _on_end

    cdef Context new_context(self, int64_t instruments)
    cdef int listen(self, object hooks) except -1
    cdef int start(self) except -1
    cdef int end(self) except -1
    cdef int event(self) except -1
    cdef int timer(self) except -1
    cdef int settle(self) except -1
    cdef void close(self) noexcept
    cdef int _show_print(self, int32_t index) except -1
    cdef int _tell(self) except -1
    cdef int _call_once(self, str name, object hook) except -1

    # A hook that may give commands is about to be called. One that raises stays open until `close`: the calls stand in
    # no block of `try`, each of which would save and restore exceptions.
    cdef inline int _open(self, int hook) except -1:
        if self._shown is not None:
            show(self._shown)
        self._answering = hook
        self.sim.venue.open_for_commands = True
        return 0

    cdef inline void _shut(self) noexcept:
        self._answering = 0
        self.sim.venue.open_for_commands = False
