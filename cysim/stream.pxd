from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t

from cysim.types cimport BAD_PRINT, BAD_QUOTE, LIMIT, NEVER, OK, PRINTS, QUOTES, TIME_BACKWARDS, TIME_LIMIT

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
    int64_t length
    int64_t rows_before          # rows of earlier parts
    int64_t last_ts              # time of the last row checked
    int64_t tick_units
    int32_t instrument
    int32_t table
    bint finished                # no more parts will come
    bint may_gap                 # between rows at hand lies a silence of a session gap or more

cdef inline int check_quotes(const Source* source, int64_t start, int64_t end) noexcept nogil:
    cdef uint64_t bits = 0
    cdef int torn = 0
    cdef int64_t row
    for row in range(start, end):
        bits |= <uint64_t>source.bid_px[row] | <uint64_t>source.bid_qty[row]
        bits |= <uint64_t>source.ask_px[row] | <uint64_t>source.ask_qty[row]
        torn |= (source.bid_px[row] == 0) ^ (source.bid_qty[row] == 0)
        torn |= (source.ask_px[row] == 0) ^ (source.ask_qty[row] == 0)
    if source.tick_units > 1:
        for row in range(start, end):
            torn |= (source.bid_px[row] % source.tick_units != 0) | (source.ask_px[row] % source.tick_units != 0)
    return BAD_QUOTE if torn or bits >= <uint64_t>LIMIT else OK

cdef inline int check_prints(const Source* source, int64_t start, int64_t end) noexcept nogil:
    cdef uint64_t bits = 0
    cdef int torn = 0
    cdef int64_t row
    for row in range(start, end):
        bits |= <uint64_t>source.bid_px[row] | <uint64_t>source.bid_qty[row]
        torn |= (source.bid_px[row] == 0) | (source.bid_qty[row] == 0)
        torn |= (source.aggressor[row] < -1) | (source.aggressor[row] > 1)
    return BAD_PRINT if torn or bits >= <uint64_t>LIMIT else OK

# Checks the next window of rows: ascending times and possible values.
cdef inline int check_window(Source* source, int64_t session_gap) noexcept nogil:
    cdef int64_t start = source.checked
    cdef int64_t end = start + WINDOW if start + WINDOW < source.length else source.length
    cdef int64_t before = source.last_ts
    cdef int64_t widest = 0, step, row
    cdef uint64_t bits = 0
    for row in range(start, end):
        step = source.ts[row] - before
        before = source.ts[row]
        bits |= <uint64_t>before | <uint64_t>step
        widest = step if step > widest else widest
    if bits >= <uint64_t>TIME_LIMIT:
        return TIME_BACKWARDS
    source.last_ts = before
    source.checked = end
    source.may_gap = widest >= session_gap
    return check_quotes(source, start, end) if source.table == QUOTES else check_prints(source, start, end)

# First row from `pos` later than `limit_ts`.
cdef inline int64_t run_end(const Source* source, int64_t limit_ts) noexcept nogil:
    cdef int64_t row = source.pos
    while row < source.checked and source.ts[row] <= limit_ts:
        row += 1
    return row

cdef int attach(Source* source, object part, str instrument) except -1
