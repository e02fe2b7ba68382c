from libc.stdint cimport int64_t

# Summaries of a table, sixteen rows each: by them a scan for a row that may fill us passes most rows unread. Whoever
# reads a table many times makes them once. All columns hold `length` rows; prices are price units.

cdef enum:
    BLOCK_BITS = 4
    BLOCK_ROWS = 1 << BLOCK_BITS

cdef struct Block:
    int64_t last_ts              # of its last row, ns
    int64_t high_px              # the highest of what fills offers: bids or prints
    int64_t low_px               # the lowest of what fills bids: offers or prints; 0: one is absent

cdef inline int64_t blocks_of(int64_t length) noexcept nogil:
    return (length + BLOCK_ROWS - 1) >> BLOCK_BITS

# Writes `blocks_of(length)` summaries.
cdef inline void summarize(
    Block* blocks, const int64_t* ts, const int64_t* rising, const int64_t* falling, int64_t length,
) noexcept nogil:
    cdef int64_t place, row, end
    cdef Block* block
    for place in range(blocks_of(length)):
        block = &blocks[place]
        end = (place + 1) << BLOCK_BITS
        if end > length:
            end = length
        row = place << BLOCK_BITS
        block.last_ts = ts[end - 1]
        block.high_px = rising[row]
        block.low_px = falling[row]
        for row in range(row + 1, end):
            block.high_px = rising[row] if rising[row] > block.high_px else block.high_px
            block.low_px = falling[row] if falling[row] < block.low_px else block.low_px

# The first row from `row` on that is later than `limit_ts`, or rises to `first_offer_px`, or falls to `last_bid_px`.
# Some row must be later.
cdef inline int64_t pass_quiet(
    const Block* blocks, const int64_t* ts, const int64_t* rising, const int64_t* falling, int64_t length, int64_t row,
    int64_t limit_ts, int64_t first_offer_px, int64_t last_bid_px,
) noexcept nogil:
    cdef const Block* block
    cdef int64_t end, half
    cdef bint quiet
    while True:
        block = &blocks[row >> BLOCK_BITS]
        quiet = block.high_px < first_offer_px and block.low_px > last_bid_px
        end = ((row >> BLOCK_BITS) + 1) << BLOCK_BITS
        if quiet and block.last_ts <= limit_ts:
            row = end
            continue
        if quiet and end <= length:      # by halves and without a branch: no guess would be right more often than not
            row = end - BLOCK_ROWS
            half = BLOCK_ROWS >> 1
            while half > 0:
                row += half if ts[row + half - 1] <= limit_ts else 0
                half >>= 1
            return row
        while row < end and ts[row] <= limit_ts and rising[row] < first_offer_px and falling[row] > last_bid_px:
            row += 1
        if row < end:
            return row           # else what is not quiet in this block stands before the first row
