from libc.stdint cimport int64_t

from cysim.decisions cimport Action

cdef Action* read_actions(const double[:, ::1] actions, int64_t size) except NULL
