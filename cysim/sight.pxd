cimport cython
from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t

from cysim.features cimport (
    MARKET_FEATURE_COUNT, OwnState, advance_quotes, feature_scale, features_on_synthetic, read_market_features,
    read_private_features,
)
from cysim.orders cimport Order
from cysim.senses cimport PricedPair, Sense, take_rows
from cysim.synthetic cimport (
    BY_LEGS, QUOTED, Chain, Leg, LegOrder, Quotes, Top, cheapest_route, leg_orders, refresh_chain,
)
from cysim.types cimport BUY
from cysim.venue cimport Instrument, Venue, seen_book


@cython.final
cdef class Synthetic:
    cdef object _owner           # keeps the simulator, and so the memory below, alive
    cdef Venue* _venue
    cdef readonly int index
    cdef readonly str name
    cdef readonly tuple legs

    cdef Top* _top(self) noexcept
    cdef double _told(self, double value) noexcept

cdef Synthetic make_synthetic(object owner, Venue* venue, int index, str name, tuple legs)

# --- synthetic quotes -----------------------------------------------------------------------------------------------

# Prices a chain by what the strategy has seen by now.
cdef inline void see_chain(const Venue* venue, Chain* chain) noexcept nogil:
    cdef Quotes quotes
    cdef int64_t place
    quotes.book = seen_book(venue, &venue.instruments[0])
    quotes.quoted_ts = &venue.senses.items[0].quoted_ts
    quotes.book_stride = sizeof(Instrument)
    quotes.ts_stride = sizeof(Sense)
    for place in range(chain.count):
        take_rows(venue.senses, chain.legs[place].instrument)
    refresh_chain(chain, &quotes, venue.now)

# The orders of a hedge by the cheaper of the pair's instrument and its legs, and how many. The instrument gets it where
# neither is quoted, for its order then tells what becomes of it, and where a leg would need less than half a lot. -1: a
# quantity is too large.
cdef inline int64_t plan_hedge(
    const Venue* venue, int64_t index, int side, int64_t lots, LegOrder* orders,
) noexcept nogil:
    cdef PricedPair* pair = &venue.senses.pairs[index]
    cdef const Leg* own = &pair.direct.legs[0]
    cdef double qty = <double>lots * own.lot
    cdef Quotes quotes
    cdef int64_t place
    see_chain(venue, &pair.legs)
    see_chain(venue, &pair.direct)
    if own.quote_sized and pair.direct.top.state == QUOTED:
        qty /= pair.direct.top.mid
    elif own.quote_sized and pair.legs.top.state == QUOTED:
        qty /= pair.legs.top.mid
    if cheapest_route(&pair.direct.top, &pair.legs.top, side, qty) == BY_LEGS:
        quotes.book = seen_book(venue, &venue.instruments[0])
        quotes.book_stride = sizeof(Instrument)
        if not leg_orders(&pair.legs, &quotes, side, qty, orders):
            return -1
        place = 0
        while place < pair.legs.count and orders[place].qty > 0:
            place += 1
        if place == pair.legs.count:
            pair.hedges_through += 1
            return place
    pair.hedges_direct += 1
    orders[0].qty = lots
    orders[0].instrument = own.instrument
    orders[0].side = side
    return 1

# --- features -------------------------------------------------------------------------------------------------------

cdef inline const double* see_market(const Venue* venue, int32_t instrument) noexcept nogil:
    cdef Sense* sense = &venue.senses.items[instrument]
    cdef PricedPair* pair
    cdef double unit
    take_rows(venue.senses, instrument)
    if sense.pair >= 0:
        pair = &venue.senses.pairs[sense.pair]
        see_chain(venue, &pair.legs)
        unit = pair.direct.legs[0].price_unit
        if pair.legs.top.state == QUOTED:
            features_on_synthetic(
                &sense.market, pair.legs.top.mid / unit, (pair.legs.top.ask - pair.legs.top.bid) / unit)
        else:
            features_on_synthetic(&sense.market, NAN, NAN)
    read_market_features(&sense.market, venue.now, sense.values)
    return sense.values

# An order of ours as the strategy knows it.
cdef inline void see_order(OwnState* own, const Order* order, bint travels) noexcept nogil:
    cdef bint stands = order.told.live if travels else order.live
    cdef int64_t px = order.told.px if travels else order.px
    cdef int64_t since = order.told.stands_ts
    if not stands or order.told.asked > 0:
        own.pending = True
    if px == 0:
        return
    if order.side == BUY and stands:
        if px > own.bid_px or (px == own.bid_px and since < own.bid_ts):
            own.bid_px = px
            own.bid_ts = since
    elif order.side == BUY:
        if px > own.pending_bid_px:
            own.pending_bid_px = px
    elif stands:
        if own.offer_px == 0 or px < own.offer_px or (px == own.offer_px and since < own.offer_ts):
            own.offer_px = px
            own.offer_ts = since
    elif own.pending_offer_px == 0 or px < own.pending_offer_px:
        own.pending_offer_px = px

# What of ours stands or is under way, as the strategy knows it.
cdef inline const OwnState* see_own(const Venue* venue, int32_t instrument) noexcept nogil:
    cdef OwnState* own = &venue.senses.owns[instrument]
    cdef const Order* order
    cdef int64_t place
    own.bid_px = own.offer_px = own.pending_bid_px = own.pending_offer_px = 0
    own.pending = False
    for place in range(venue.pool.known_count):
        order = &venue.pool.orders[venue.pool.known[place].order]
        if order.instrument == instrument:
            see_order(own, order, venue.reports_travel)
    return own

cdef inline const double* see_private(const Venue* venue, int32_t instrument) noexcept nogil:
    cdef Sense* sense = &venue.senses.items[instrument]
    cdef const OwnState* own = see_own(venue, instrument)
    take_rows(venue.senses, instrument)
    advance_quotes(&sense.market.quotes, venue.now)
    read_private_features(
        own, feature_scale(&sense.market), venue.now, sense.values + MARKET_FEATURE_COUNT)
    return sense.values + MARKET_FEATURE_COUNT

# The features that the strategy named, where it looks at them.
cdef inline void show_features(const Venue* venue, int32_t instrument) noexcept nogil:
    cdef Sense* sense = &venue.senses.items[instrument]
    cdef int32_t place
    if venue.senses.wants_market:
        see_market(venue, instrument)
    if venue.senses.wants_private:
        see_private(venue, instrument)
    for place in range(venue.senses.chosen_count):
        sense.shown[place] = sense.values[venue.senses.chosen[place]]
