cimport cython
from libc.stdint cimport int64_t

from cysim.state cimport Feed, Simulation


@cython.final
cdef class Parts:
    cdef object _feed
    cdef list _names
    cdef list _held              # by source: the part the venue reads
    cdef list _seen              # by source: the part the strategy's feed reads
    cdef list _waiting           # by source: parts the venue has and the feed has not begun
    cdef bint _local

    cdef int begin(self, Simulation* sim) except -1
    cdef int give(self, Simulation* sim, int64_t place) except -1
    cdef int _give_source(self, Simulation* sim, int64_t place) except -1
    cdef int _give_feed(self, Feed* feed, int64_t place) except -1
