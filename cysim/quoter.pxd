cimport cython
from libc.math cimport ceil, floor
from libc.stdint cimport int32_t, int64_t

from cysim.book cimport Book, is_valid
from cysim.desk cimport set_last_quotes
from cysim.native cimport MAX_LEVELS, NativeStrategy, snap
from cysim.types cimport LIMIT, in_ticks
from cysim.venue cimport Instrument, Venue, known_position, seen_book

cdef struct QuoterParams:        # the rule of fixed-spread, linear-skew and ladder (A6)
    double half_spread_ticks     # h
    double skew_ticks_per_lot    # c
    double step_ticks            # between levels
    int64_t size                 # lots
    int64_t max_position         # lots; NEVER: no limit
    int64_t levels

# A wanted price in ticks as price units; 0, so no quote, when it is no possible price.
cdef inline int64_t possible_px(double ticks, int64_t tick_units) noexcept nogil:
    cdef int64_t whole
    if not (1.0 <= ticks < <double>LIMIT):
        return 0
    whole = <int64_t>ticks
    if tick_units > 1 and whole >= LIMIT // tick_units:
        return 0
    return whole * tick_units

cdef inline bint is_repeated(const int64_t* px, int64_t level) noexcept nogil:
    cdef int64_t earlier
    for earlier in range(level):
        if px[earlier] == px[level]:
            return True
    return False

# Prices of one level: what it wants, passively rounded, short of the other side of the market.
cdef inline int64_t wanted_bid(double ticks, double touch_ask, int64_t tick_units) noexcept nogil:
    ticks = floor(snap(ticks))
    return possible_px(ticks if ticks < touch_ask else touch_ask - 1, tick_units)

cdef inline int64_t wanted_offer(double ticks, double touch_bid, int64_t tick_units) noexcept nogil:
    ticks = ceil(snap(ticks))
    return possible_px(ticks if ticks > touch_bid else touch_bid + 1, tick_units)

cdef inline void quote_around(const QuoterParams* params, Venue* venue, int32_t index) noexcept nogil:
    cdef Instrument* instrument = &venue.instruments[index]
    cdef Book* book = seen_book(venue, instrument)
    cdef int64_t n = instrument.tick_units
    cdef int64_t bid_px[MAX_LEVELS]
    cdef int64_t offer_px[MAX_LEVELS]
    cdef int64_t best_bid = 0, level
    cdef double touch_bid, touch_ask, reservation_price, half_spread
    cdef bint wants_bid = instrument.ledger.position < params.max_position
    cdef bint wants_offer = instrument.ledger.position > -params.max_position
    if not is_valid(book):
        return
    touch_bid = <double>in_ticks(book.bid_px, n)
    touch_ask = <double>in_ticks(book.ask_px, n)
    reservation_price = (touch_bid + touch_ask) / 2 \
        - params.skew_ticks_per_lot * <double>known_position(venue, instrument)
    for level in range(params.levels):
        half_spread = params.half_spread_ticks + <double>level * params.step_ticks
        bid_px[level] = wanted_bid(reservation_price - half_spread, touch_ask, n) if wants_bid else 0
        offer_px[level] = wanted_offer(reservation_price + half_spread, touch_bid, n) if wants_offer else 0
        if bid_px[level] > best_bid:
            best_bid = bid_px[level]
    for level in range(params.levels):
        if is_repeated(bid_px, level):
            bid_px[level] = 0
        if is_repeated(offer_px, level) or offer_px[level] <= best_bid:
            offer_px[level] = 0
    set_last_quotes(venue, index, bid_px, params.levels, offer_px, params.levels, params.size)


@cython.final
cdef class Quoter(NativeStrategy):
    cdef QuoterParams params
