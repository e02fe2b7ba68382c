cimport cython
from libc.stdint cimport int64_t

from cysim.blocks cimport Block
from cysim.state cimport Simulation


@cython.final
cdef class Columns:
    cdef list _tables            # keeps the columns alive
    cdef Block** _blocks         # by source
    cdef int64_t** _gaps         # by source: rows after a silence of a session gap or more
    cdef int64_t _source_count

    cdef int lend(self, Simulation* sim, list names, bint local) except -1
    cdef int _scan(self, Simulation* sim, int64_t place, str name) except -1
    cdef int _find_gaps(self, Simulation* sim, int64_t place) except -1
