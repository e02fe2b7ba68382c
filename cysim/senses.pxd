from libc.stdint cimport int32_t, int64_t

from cysim.features cimport (
    MARKET_FEATURE_COUNT, PRIVATE_FEATURE_COUNT, MarketFeatures, OwnState, features_on_print, features_on_quote,
    features_on_quotes, own_fill,
)
from cysim.stream cimport Source
from cysim.synthetic cimport Chain
from cysim.types cimport QUOTES

cdef enum:
    FEATURE_COUNT = MARKET_FEATURE_COUNT + PRIVATE_FEATURE_COUNT

cdef struct PricedPair:          # a pair that the run prices through others
    Chain legs
    Chain direct                 # the instrument that trades the pair, as a chain of one; no legs: the run has none
    int64_t hedges_direct        # hedges sent to that instrument because it was the better way
    int64_t hedges_through       # and through the legs

cdef struct Sense:               # of one instrument, as far as the strategy has seen it
    MarketFeatures market
    double values[FEATURE_COUNT]    # as last read, market first
    double* shown                # those the strategy named, where it looks at them
    const Source* quotes         # rows are taken from where the replay stands; NULL: as each becomes visible
    const Source* prints
    int64_t quote_row            # of the part at hand: the first that has not been taken
    int64_t print_row
    int64_t quoted_ts            # of the last quote, ns
    int32_t pair                 # the priced pair that it trades itself; -1: none
    int32_t _padding

cdef struct Senses:
    Sense* items                 # by instrument; NULL: nothing is kept of rows
    OwnState* owns               # by instrument
    int64_t count
    PricedPair* pairs
    int64_t pair_count
    int32_t chosen[FEATURE_COUNT]   # places of the features that the strategy named, in its order
    int32_t chosen_count
    bint wants_market            # it named one of the market's at least
    bint wants_private

cdef inline void take_quotes(const Senses* senses, Sense* sense) noexcept nogil:
    cdef const Source* rows = sense.quotes
    cdef int64_t row = sense.quote_row
    if row == rows.pos:
        return
    if senses.chosen_count > 0:
        features_on_quotes(
            &sense.market, rows.ts + row, rows.bid_px + row, rows.bid_qty + row, rows.ask_px + row, rows.ask_qty + row,
            rows.pos - row)
    sense.quoted_ts = rows.ts[rows.pos - 1]
    sense.quote_row = rows.pos

cdef inline void take_prints(const Senses* senses, Sense* sense) noexcept nogil:
    cdef const Source* rows = sense.prints
    cdef int64_t row
    if senses.wants_market:
        for row in range(sense.print_row, rows.pos):
            features_on_print(&sense.market, rows.ts[row], rows.bid_px[row], rows.bid_qty[row], rows.aggressor[row])
    sense.print_row = rows.pos

# The rows replayed since the last look: features do not hang on how rows are cut, so nobody tells them of single ones.
cdef inline void take_rows(const Senses* senses, int32_t instrument) noexcept nogil:
    cdef Sense* sense = &senses.items[instrument]
    if sense.quotes != NULL:
        take_quotes(senses, sense)
        take_prints(senses, sense)

# A part of a table is about to be given up.
cdef inline void leave_part(const Senses* senses, const Source* source) noexcept nogil:
    cdef Sense* sense = &senses.items[source.instrument]
    if sense.quotes == NULL:
        return
    if source.table == QUOTES:
        take_quotes(senses, sense)
        sense.quote_row = 0
    else:
        take_prints(senses, sense)
        sense.print_row = 0

# A row becomes visible, later than it happened.
cdef inline void take_visible(
    const Senses* senses, const Source* rows, int64_t row, int64_t visible_ts,
) noexcept nogil:
    cdef Sense* sense
    if senses.items == NULL:
        return
    sense = &senses.items[rows.instrument]
    if rows.table == QUOTES:
        if senses.chosen_count > 0:
            features_on_quote(
                &sense.market, visible_ts, rows.bid_px[row], rows.bid_qty[row], rows.ask_px[row], rows.ask_qty[row])
        sense.quoted_ts = visible_ts
    elif senses.wants_market:
        features_on_print(&sense.market, visible_ts, rows.bid_px[row], rows.bid_qty[row], rows.aggressor[row])

# The strategy is told of a fill of ours; the price in price units.
cdef inline void take_fill(const Senses* senses, int32_t instrument, int side, int64_t px, int64_t qty) noexcept nogil:
    own_fill(&senses.owns[instrument], side, <double>px, qty)

cdef Senses* open_senses(
    list instruments, const Source* sources, int64_t source_count, bint quotes_travel, tuple features, object array,
    int64_t max_position, tuple synthetics) except? NULL
cdef Senses* open_owns(int64_t count, int64_t max_position) except NULL
cdef void close_senses(Senses* senses) noexcept
cdef list hedges_of(const Senses* senses)
