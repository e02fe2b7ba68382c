from libc.stdint cimport int64_t
from libc.stdlib cimport realloc

# Aborts in debug, trace and asan builds when an invariant fails; compiles to nothing in release.
cdef extern from *:
    """
    #ifdef MMBT_CHECKS
    #include <stdio.h>
    #include <stdlib.h>
    #define mmbt_check(condition) \
        do { \\
            if (!(condition)) { \\
                fprintf(stderr, "cysim: broken invariant: %s (%s:%d)\\n", #condition, __FILE__, __LINE__); \\
                abort(); \\
            } \\
        } while (0)
    #else
    #define mmbt_check(condition) ((void)0)
    #endif
    """
    void mmbt_check(bint condition) noexcept nogil

cdef extern from * nogil:
    """
    #define MMBT_NEVER INT64_MAX
    #define MMBT_LIMIT (INT64_C(1) << 40)
    #define MMBT_TIME_LIMIT (INT64_C(1) << 62)
    #define MMBT_POSITION_LIMIT (INT64_C(1) << 62)
    """
    const int64_t NEVER "MMBT_NEVER"     # a time that never comes
    const int64_t LIMIT "MMBT_LIMIT"     # prices (price units) and quantities (lots) stay below it
    const int64_t TIME_LIMIT "MMBT_TIME_LIMIT"   # times and durations too: their sums fit
    const int64_t POSITION_LIMIT "MMBT_POSITION_LIMIT"   # lots held stay below it

cdef enum Side:
    SELL = -1
    BUY = 1

cdef enum Table:                 # in the order of events at one instant, unless ties are reversed
    PRINTS = 0
    QUOTES = 1

cdef enum OrderKind:
    GTC = 0
    IOC = 1
    FOK = 2
    POST_ONLY = 3
    MARKET = 4

cdef enum Purpose:
    FOR_QUOTE = 0
    FOR_CLIENT = 1
    FOR_HEDGE = 2

cdef enum FillReason:            # the numbers are part of the result hash
    BY_CROSS = 0
    BY_TRADE = 1
    BY_TAKING = 2
    BY_CLIENT = 3

cdef enum OrderStatus:           # the outcome of a command
    ACCEPTED = 0
    REJECTED = 1
    CANCELLED = 2
    TOO_LATE = 3
    UNKNOWN = 4

cdef enum StatusReason:
    NO_REASON = 0
    AFTER_REPLACE = 1            # accepted: a replaced order stands at its new price
    POST_ONLY_MARKETABLE = 2     # rejected
    FOK_UNFILLABLE = 3           # rejected
    SELF_MATCH = 4               # rejected
    BY_USER = 5                  # cancelled
    UNFILLED_REST = 6            # cancelled: the rest of an IOC or market order
    SESSION_END = 7              # cancelled
    RUN_END = 8                  # cancelled
    CANCEL_COMMAND = 9           # too late, unknown: which command it was
    REPLACE_COMMAND = 10

cdef enum Status:                # what went wrong inside the machine; one table turns it into exceptions
    OK = 0
    OUT_OF_MEMORY = 1
    MONEY_OVERFLOW = 2
    TIME_BACKWARDS = 3
    BAD_QUOTE = 4
    BAD_PRINT = 5

cdef inline bint reserve(void** items, int64_t* capacity, int64_t needed, size_t item_size) noexcept nogil:
    cdef int64_t grown
    cdef void* moved
    if needed <= capacity[0]:
        return True
    grown = capacity[0] * 2 if capacity[0] * 2 > needed else needed
    if grown < 16:
        grown = 16
    moved = realloc(items[0], <size_t>grown * item_size)
    if moved == NULL:
        return False
    items[0] = moved
    capacity[0] = grown
    return True

# A 64-bit division costs tens of cycles; most instruments have one price unit to the tick.
cdef inline int64_t in_ticks(int64_t px, int64_t tick_units) noexcept nogil:
    return px if tick_units == 1 else px // tick_units
