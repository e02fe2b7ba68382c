from libc.stdint cimport int64_t

from cysim.stream cimport Source

cdef int raise_failure(int status, const Source* source, str instrument, int64_t now) except -1
