from libc.stdint cimport int64_t

cdef int lend(object take, void* rows, int64_t size) except -1
