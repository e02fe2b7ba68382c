from libc.stdint cimport int64_t

from cysim.native cimport (
    BUY, NO_QUOTE, Fill, NativeStrategy, View, hedge, is_valid_now, mid_of, position_of, quote, time_of,
)


cdef class NativeLeanMaker(NativeStrategy):
    cdef double half_spread
    cdef double skew
    cdef int64_t max_position
    cdef int64_t pause           # ns
    cdef int64_t bought_ts
    cdef int64_t sold_ts
    cdef readonly int64_t fills

    def __init__(self, double half_spread, double skew, int64_t max_position, int64_t pause):
        self.half_spread = half_spread
        self.skew = skew
        self.max_position = max_position
        self.pause = pause
        self.bought_ts = self.sold_ts = -pause

    cdef int on_timer(self, View* view) except -1 nogil:
        cdef int64_t now = time_of(view)
        cdef double middle
        if not is_valid_now(view):
            return 0
        middle = mid_of(view) - self.skew * <double>position_of(view)
        return quote(
            view,
            middle - self.half_spread if now - self.bought_ts >= self.pause else NO_QUOTE,
            middle + self.half_spread if now - self.sold_ts >= self.pause else NO_QUOTE, 1)

    cdef int on_fill(self, View* view, const Fill* fill) except -1 nogil:
        self.fills += 1
        if fill.side == BUY:
            self.bought_ts = fill.ts
        else:
            self.sold_ts = fill.ts
        if fill.position > self.max_position:
            hedge(view, self.max_position - fill.position)
        elif fill.position < -self.max_position:
            hedge(view, -self.max_position - fill.position)
        return 0
