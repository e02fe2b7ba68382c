from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t
from libc.string cimport memmove

from cysim.types cimport NEVER, reserve

cdef enum:
    HORIZONS = 4                 # of mark-outs, beside the mid before the fill

cdef struct FillRow:
    int64_t ts                   # ns
    int64_t order_id
    int64_t px                   # ticks
    int64_t qty                  # lots
    int64_t remaining            # lots of the order after this fill
    int64_t position             # lots of the instrument after this fill
    int64_t mid2                 # last valid mid before the fill's step, half ticks; 0: none
    int64_t later_mid2[HORIZONS]  # last valid mid after each horizon, half ticks; 0: none, or dropped
    uint64_t fee_low             # money, 128 bits
    int64_t fee_high
    int32_t instrument
    int8_t side
    int8_t reason
    int8_t purpose
    int8_t _padding

cdef struct OrderRow:            # the outcome of a command
    int64_t ts
    int64_t order_id
    int64_t px                   # ticks; 0: market
    int64_t qty                  # lots: filled + remaining
    int64_t remaining
    int32_t instrument
    int8_t side
    int8_t kind
    int8_t purpose
    int8_t status
    int8_t reason
    int8_t _padding[7]

cdef struct EquityRow:
    int64_t ts
    int64_t position             # lots
    int64_t mid2                 # last valid mid, half ticks; 0: none
    uint64_t cash_low            # money, 128 bits
    int64_t cash_high
    uint64_t fees_low
    int64_t fees_high
    uint64_t pnl_low
    int64_t pnl_high
    int32_t instrument
    int32_t _padding

cdef struct Notice:              # one outcome the strategy has yet to be told
    int64_t row                  # of the fills or of the orders recorded
    int8_t is_fill
    int8_t _padding[7]

cdef struct Recorder:
    FillRow* fills
    int64_t fill_count
    int64_t fill_capacity
    int64_t pending[HORIZONS]    # first fill whose mid at that horizon is still to come
    int64_t mark_ts[HORIZONS]    # when that is due; NEVER: no fill waits for it
    int64_t next_mark_ts         # when the next of them is due
    int64_t next_mark_horizon    # and which it is
    OrderRow* orders
    int64_t order_count
    int64_t order_capacity
    EquityRow* equity
    int64_t equity_count
    int64_t equity_capacity
    Notice* notices
    int64_t notice_count
    int64_t notice_capacity
    bint notify_fills            # the strategy listens to fills
    bint notify_orders           # the strategy listens to outcomes
    bint keeps_fills             # else each row is written over the one before: nobody reads them
    bint keeps_marks             # the mids after each fill are wanted
    bint keeps_orders            # outcomes of commands are
    bint keeps_equity            # rows of equity are

cdef inline int64_t horizon_ns(int horizon) noexcept nogil:
    if horizon == 0:
        return 100_000_000
    if horizon == 1:
        return 1_000_000_000
    if horizon == 2:
        return 10_000_000_000
    return 60_000_000_000

cdef inline void refresh_next_mark(Recorder* recorder) noexcept nogil:
    cdef int64_t horizon
    recorder.next_mark_ts = recorder.mark_ts[0]
    recorder.next_mark_horizon = 0
    for horizon in range(1, HORIZONS):
        if recorder.mark_ts[horizon] < recorder.next_mark_ts:
            recorder.next_mark_ts = recorder.mark_ts[horizon]
            recorder.next_mark_horizon = horizon

# The last fill's mids will be wanted, or are not.
cdef inline void schedule_marks(Recorder* recorder) noexcept nogil:
    cdef int horizon
    cdef int64_t fill = recorder.fill_count - 1
    if not recorder.keeps_marks:
        for horizon in range(HORIZONS):
            recorder.pending[horizon] = recorder.fill_count
        return
    for horizon in range(HORIZONS):
        if recorder.pending[horizon] == fill:
            recorder.mark_ts[horizon] = recorder.fills[fill].ts + horizon_ns(horizon)
    refresh_next_mark(recorder)

# The fill whose mid is due next.
cdef inline FillRow* next_mark(const Recorder* recorder) noexcept nogil:
    return &recorder.fills[recorder.pending[recorder.next_mark_horizon]]

# Writes that mid, half ticks; another one is the next then.
cdef inline void write_mark(Recorder* recorder, int64_t mid2) noexcept nogil:
    cdef int64_t horizon = recorder.next_mark_horizon
    cdef int64_t fill = recorder.pending[horizon]
    recorder.fills[fill].later_mid2[horizon] = mid2
    recorder.pending[horizon] = fill + 1
    recorder.mark_ts[horizon] = recorder.fills[fill + 1].ts + horizon_ns(<int>horizon) \
        if fill + 1 < recorder.fill_count else NEVER
    refresh_next_mark(recorder)

# Fills whose mids are all known, or given up.
cdef inline int64_t settled_fills(const Recorder* recorder) noexcept nogil:
    return recorder.pending[HORIZONS - 1]    # horizons ascend, so the last one settles last

cdef inline void drop_pending_marks(Recorder* recorder) noexcept nogil:
    cdef int horizon
    for horizon in range(HORIZONS):
        recorder.pending[horizon] = recorder.fill_count
        recorder.mark_ts[horizon] = NEVER
    recorder.next_mark_ts = NEVER

# Forgets the settled fills once they have been handed over.
cdef inline void discard_fills(Recorder* recorder, int64_t count) noexcept nogil:
    cdef int horizon
    recorder.fill_count -= count
    memmove(recorder.fills, &recorder.fills[count], <size_t>recorder.fill_count * sizeof(FillRow))
    for horizon in range(HORIZONS):
        recorder.pending[horizon] -= count

cdef inline FillRow* add_fill(Recorder* recorder) noexcept nogil:
    if not reserve(<void**>&recorder.fills, &recorder.fill_capacity, recorder.fill_count + 1, sizeof(FillRow)):
        return NULL
    if not recorder.keeps_fills:
        return recorder.fills
    recorder.fill_count += 1
    return &recorder.fills[recorder.fill_count - 1]

cdef inline OrderRow* add_order(Recorder* recorder) noexcept nogil:
    if not reserve(<void**>&recorder.orders, &recorder.order_capacity, recorder.order_count + 1, sizeof(OrderRow)):
        return NULL
    if not (recorder.keeps_orders or recorder.notify_orders):
        return recorder.orders   # written over, too
    recorder.order_count += 1
    return &recorder.orders[recorder.order_count - 1]

cdef inline EquityRow* add_equity(Recorder* recorder) noexcept nogil:
    if not reserve(<void**>&recorder.equity, &recorder.equity_capacity, recorder.equity_count + 1, sizeof(EquityRow)):
        return NULL
    recorder.equity_count += 1
    return &recorder.equity[recorder.equity_count - 1]

cdef inline bint notify(Recorder* recorder, bint is_fill, int64_t row) noexcept nogil:
    if not (recorder.notify_fills if is_fill else recorder.notify_orders):
        return True
    if not reserve(<void**>&recorder.notices, &recorder.notice_capacity, recorder.notice_count + 1, sizeof(Notice)):
        return False
    recorder.notices[recorder.notice_count].row = row
    recorder.notices[recorder.notice_count].is_fill = is_fill
    recorder.notice_count += 1
    return True
