from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

from cysim.blocks cimport Block
from cysim.types cimport BAD_PRINT, BAD_QUOTE, LIMIT, OK, QUOTES, TIME_BACKWARDS, TIME_LIMIT

cdef enum:
    WINDOW = 4096                # rows checked at a time, just before they are replayed

cdef struct Source:              # one table of one instrument: the part at hand
    const int64_t* ts            # ns, ascending
    const int64_t* bid_px        # quotes: price units; prints: px
    const int64_t* bid_qty       # quotes: lots; prints: qty
    const int64_t* ask_px
    const int64_t* ask_qty
    const int8_t* aggressor      # prints: +1, -1, 0 unknown
    int64_t pos                  # next row
    int64_t checked              # rows before it are sound
    int64_t quiet                # rows from `pos` up to it cannot fill us, as the last look found
    int64_t seen                 # of these, the rows before it are no later than the last mid looked up
    int64_t length
    int64_t rows_before          # rows of earlier parts
    int64_t last_ts              # time of the last row checked
    int64_t tick_units
    int32_t instrument
    int32_t table
    const Block* blocks          # of the part; NULL: none were made
    const int64_t* gaps          # rows after a silence of a session gap or more; not NULL: all rows have been checked
    int64_t gap_count
    bint finished                # no more parts will come
    bint may_gap                 # between rows at hand lies a silence of a session gap or more

# The sign of (px - 1) ^ (qty - 1) tells, of two numbers that are not negative, whether just one of them is 0. Columns
# may hold anything: what is subtracted is unsigned, so that it may wrap.
cdef inline int check_quotes(const Source* source, int64_t start, int64_t end) noexcept nogil:
    cdef const uint64_t* bid_px = <const uint64_t*>source.bid_px
    cdef const uint64_t* bid_qty = <const uint64_t*>source.bid_qty
    cdef const uint64_t* ask_px = <const uint64_t*>source.ask_px
    cdef const uint64_t* ask_qty = <const uint64_t*>source.ask_qty
    cdef uint64_t bits = 0, torn = 0
    cdef int64_t row
    for row in range(start, end):
        bits |= bid_px[row] | bid_qty[row] | ask_px[row] | ask_qty[row]
        torn |= ((bid_px[row] - 1) ^ (bid_qty[row] - 1)) | ((ask_px[row] - 1) ^ (ask_qty[row] - 1))
    if source.tick_units > 1:
        for row in range(start, end):
            if source.bid_px[row] % source.tick_units != 0 or source.ask_px[row] % source.tick_units != 0:
                return BAD_QUOTE
    return BAD_QUOTE if <int64_t>torn < 0 or bits >= <uint64_t>LIMIT else OK

cdef inline int check_prints(const Source* source, int64_t start, int64_t end) noexcept nogil:
    cdef const uint64_t* px = <const uint64_t*>source.bid_px
    cdef const uint64_t* qty = <const uint64_t*>source.bid_qty
    cdef const int8_t* aggressor = source.aggressor
    cdef uint64_t bits = 0, torn = 0
    cdef int64_t row
    cdef int strange = 0
    for row in range(start, end):
        bits |= px[row] | qty[row]
        torn |= (px[row] - 1) | (qty[row] - 1)
    for row in range(start, end):
        strange |= (aggressor[row] < -1) | (aggressor[row] > 1)
    return BAD_PRINT if <int64_t>torn < 0 or strange or bits >= <uint64_t>LIMIT else OK

# Checks the next window of rows: ascending times and possible values.
cdef inline int check_rows(Source* source, int64_t session_gap) noexcept nogil:
    cdef const uint64_t* ts = <const uint64_t*>source.ts
    cdef int64_t start = source.checked
    cdef int64_t end = start + WINDOW if start + WINDOW < source.length else source.length
    cdef uint64_t longest = <uint64_t>session_gap - 1
    cdef uint64_t bits = ts[start] | (ts[start] - <uint64_t>source.last_ts)
    cdef uint64_t short_of_gap = longest - (ts[start] - <uint64_t>source.last_ts)
    cdef int64_t row
    for row in range(start + 1, end):
        bits |= ts[row] | (ts[row] - ts[row - 1])
        short_of_gap |= longest - (ts[row] - ts[row - 1])
    if bits >= <uint64_t>TIME_LIMIT:
        return TIME_BACKWARDS
    source.last_ts = source.ts[end - 1]
    source.checked = end
    source.may_gap = <int64_t>short_of_gap < 0
    return check_quotes(source, start, end) if source.table == QUOTES else check_prints(source, start, end)

# The first of ascending items that is above `value`; `count` when none is.
cdef inline int64_t first_above(const int64_t* items, int64_t count, int64_t value) noexcept nogil:
    cdef int64_t low = 0, high = count, middle
    while low < high:            # items[:low] <= value < items[high:]
        middle = (low + high) >> 1
        if items[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low

# The next window of rows, checked unless that has been done: then it goes on up to the next gap.
cdef inline int check_window(Source* source, int64_t session_gap) noexcept nogil:
    cdef int64_t gap
    if source.gaps == NULL:
        return check_rows(source, session_gap)
    gap = first_above(source.gaps, source.gap_count, source.checked)
    source.checked = source.gaps[gap] if gap < source.gap_count else source.length
    source.last_ts = source.ts[source.checked - 1]
    return OK

# First row from `pos` later than `limit_ts`.
cdef inline int64_t run_end(const Source* source, int64_t limit_ts) noexcept nogil:
    cdef int64_t row = source.pos
    while row < source.checked and source.ts[row] <= limit_ts:
        row += 1
    return row

cdef int attach(Source* source, object part, str instrument) except -1
cdef const int64_t* attach_times(const Source* source, object part, str instrument) except NULL
