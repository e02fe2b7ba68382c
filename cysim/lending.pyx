"""Recorded rows handed over without a copy: they are written over after the call, so nobody may keep them."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t


@cython.final
cdef class _Lent:
    cdef void* rows
    cdef int64_t size
    cdef int64_t readers

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.rows, self.size, True, flags)
        self.readers += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.readers -= 1


# Calls `take` with a memoryview of the rows; RuntimeError when it keeps them.
cdef int lend(object take, void* rows, int64_t size) except -1:
    cdef _Lent lent = _Lent()
    lent.rows = rows
    lent.size = size
    take(memoryview(lent))
    if lent.readers != 0:
        raise RuntimeError("the sink keeps rows that were only lent to it: it must copy them")
    return 0
