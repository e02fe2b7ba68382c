cimport cython
from libc.stdint cimport int64_t

from cysim.blocks cimport Block
from cysim.state cimport Simulation
from cysim.stream cimport Source


@cython.final
cdef class Table:
    cdef readonly tuple columns  # keeps alive what the rows point into
    cdef Source _rows            # as a simulator takes them
    cdef Block* _blocks
    cdef dict _gaps              # by session gap: the rows after a silence as long or longer, as raw int64

    cdef int lend(self, Source* source, int64_t session_gap) except -1
    cdef bytearray _gaps_of(self, int64_t session_gap)


@cython.final
cdef class Columns:
    cdef list _tables            # keeps the columns alive

    cdef int lend(self, Simulation* sim, list names, bint local) except -1
