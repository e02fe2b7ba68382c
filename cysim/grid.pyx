"""The actions of a learner, read from numbers and checked."""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t

from cysim.decisions cimport Action
from cysim.types cimport LIMIT

cdef enum:
    FARTHEST = 1_000_000         # units that an action may shift or widen quotes


# Rows of skew, half spread, hedge, bid, offer, and lots unless all have `size`. The caller frees what he gets.
cdef Action* read_actions(const double[:, ::1] actions, int64_t size) except NULL:
    cdef int64_t place, columns = actions.shape[1]
    cdef Action* found
    if actions.shape[0] < 1 or columns not in (5, 6):
        raise ValueError("actions must have a row and the columns skew, half spread, hedge, bid, offer and size")
    found = <Action*>PyMem_Calloc(actions.shape[0], sizeof(Action))
    if found == NULL:
        raise MemoryError
    try:
        for place in range(actions.shape[0]):
            read_action(&found[place], &actions[place, 0], place, <double>size if columns == 5 else actions[place, 5])
    except BaseException:
        PyMem_Free(found)
        raise
    return found


cdef int read_action(Action* action, const double* row, int64_t place, double size) except -1:
    if not (-FARTHEST <= row[0] <= FARTHEST and 0 <= row[1] <= FARTHEST and 0 <= row[2] <= 1
            and row[3] in (0, 1) and row[4] in (0, 1)):
        raise ValueError(
            f"action {place}: skew must be within a million units, the half spread 0 to a million, hedge 0 to 1, bid "
            "and offer 0 or 1")
    if not (1 <= size < <double>LIMIT and size == <double><int64_t>size):
        raise ValueError(f"action {place}: size must be a whole number of lots, 1 to 2**40, not {size}")
    action.skew = row[0]
    action.half_spread = row[1]
    action.hedge = row[2]
    action.bid = row[3] == 1
    action.offer = row[4] == 1
    action.size = <int64_t>size
    return 0
