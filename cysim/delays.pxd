cimport cython
from libc.math cimport exp, rint
from libc.stdint cimport int32_t, int64_t, uint64_t

from cysim.draws cimport STEP, draw_key, normal, uniform

cdef extern from * nogil:
    """
    #define MMBT_LONGEST_DRAWN INT64_C(1000000000000000)
    """
    const int64_t LONGEST_DRAWN "MMBT_LONGEST_DRAWN"     # ns: where the tail of a lognormal latency is cut

cdef enum DelayKind:
    CONSTANT_DELAY = 0
    LOGNORMAL_DELAY = 1
    EMPIRICAL_DELAY = 2
    RECORDED_DELAY = 3

cdef struct Delay:
    uint64_t seed
    uint64_t stream              # what it delays; no two things draw from one stream
    int64_t constant_ns          # constant
    int64_t floor_ns             # lognormal: added to what is drawn
    double ln_median             # lognormal: of the median in ns
    double sigma                 # lognormal
    const int64_t* times         # recorded: ns, ascending
    const int64_t* values        # empirical: ns, ascending; recorded: ns, one a time
    int64_t count                # of the values, at least 1
    int32_t kind
    int32_t _padding

cdef inline int64_t lognormal_delay(const Delay* delay, uint64_t h) noexcept nogil:
    cdef double drawn = rint(exp(delay.ln_median + delay.sigma * normal(h)))
    if drawn >= <double>(LONGEST_DRAWN - delay.floor_ns):
        return LONGEST_DRAWN
    return delay.floor_ns + <int64_t>drawn

cdef inline int64_t empirical_delay(const Delay* delay, uint64_t h) noexcept nogil:
    cdef int64_t place = <int64_t>((uniform(h, 1) - STEP) * <double>delay.count)
    return delay.values[place if place < delay.count else delay.count - 1]

# That of the last record at or before `ts`; before the first, that of the first.
cdef inline int64_t recorded_delay(const Delay* delay, int64_t ts) noexcept nogil:
    cdef int64_t low = 0, high = delay.count, middle
    while low < high:            # times before `low` are at or before ts, those from `high` on are later
        middle = (low + high) >> 1
        if delay.times[middle] <= ts:
            low = middle + 1
        else:
            high = middle
    return delay.values[low - 1 if low > 0 else 0]

# The longest it can be, or so: of a lognormal one, whose tail is long, no more than a minute.
cdef inline int64_t longest_delay(const Delay* delay) noexcept nogil:
    cdef int64_t place, longest = 0
    if delay.kind == CONSTANT_DELAY:
        return delay.constant_ns
    if delay.kind == LOGNORMAL_DELAY:
        return 60_000_000_000
    for place in range(delay.count):
        longest = delay.values[place] if delay.values[place] > longest else longest
    return longest

# The latency, ns, of the `key`-th thing that sets out at `ts`.
cdef inline int64_t delay_of(const Delay* delay, int64_t ts, uint64_t key) noexcept nogil:
    if delay.kind == CONSTANT_DELAY:
        return delay.constant_ns
    if delay.kind == RECORDED_DELAY:
        return recorded_delay(delay, ts)
    if delay.kind == LOGNORMAL_DELAY:
        return lognormal_delay(delay, draw_key(delay.seed, delay.stream, ts, key))
    return empirical_delay(delay, draw_key(delay.seed, delay.stream, ts, key))


@cython.final
cdef class Latency:
    cdef Delay delay             # of stream 0; whoever draws copies it and names a stream
    cdef object _times           # keep the arrays alive that the delay points into
    cdef object _values


cdef Latency as_latency(str name, object value)

cdef inline bint takes_time(Latency latency) noexcept:
    return latency.delay.kind != CONSTANT_DELAY or latency.delay.constant_ns > 0

cdef inline void set_delay(Delay* delay, Latency latency, uint64_t stream) noexcept:
    delay[0] = latency.delay
    delay.stream = stream
