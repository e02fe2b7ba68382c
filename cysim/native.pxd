from libc.math cimport NAN, ceil, fabs, floor, rint
from libc.stdint cimport int8_t, int32_t, int64_t

from cysim.book cimport Book, is_valid
from cysim.desk cimport place as send_order
from cysim.desk cimport send_cancel, send_replace, set_quotes
from cysim.money cimport money_t
from cysim.features cimport (
    ABS_INVENTORY, BID_AGE, BID_DISTANCE, FLOW_5S, FLOW_60S, HAS_BID, HAS_OFFER, HAS_SYNTHETIC, IMBALANCE, INTENSITY,
    INVENTORY, MICROPRICE, OFFER_AGE, OFFER_DISTANCE, PENDING, PENDING_BID, PENDING_OFFER, QUOTE_AGE, RETURN_1S,
    RETURN_5S, RETURN_30S, RETURN_120S, SPREAD_RATIO, SYNTHETIC_MID, SYNTHETIC_SPREAD, TIME_COS, TIME_SIN,
    UNREALISED_PNL, VOLATILITY,
)
from cysim.orders cimport Order, Told, find_order
from cysim.recorder cimport OrderRow
from cysim.senses cimport PricedPair
from cysim.sight cimport plan_hedge, see_chain, see_market, see_private
from cysim.synthetic cimport LEG_ABSENT, LEG_CROSSED, LEG_OLD, MAX_LEGS, QUOTED, LegOrder, Top
from cysim.types cimport (
    ACCEPTED, AFTER_REPLACE, BUY, BY_CROSS, BY_TAKING, BY_TRADE, BY_USER, CANCEL_COMMAND, CANCELLED, FOK,
    FOK_UNFILLABLE, FOR_HEDGE, FOR_QUOTE, GTC, IOC, LIMIT, MARKET, NO_REASON, POST_ONLY, POST_ONLY_MARKETABLE, REJECTED,
    REPLACE_COMMAND, SELF_MATCH, SELL, SESSION_END, TOO_LATE, UNFILLED_REST, UNKNOWN, in_ticks,
)
from cysim.venue cimport Instrument, Venue, known_cash, known_order, known_position, seen_book

# What a native strategy is shown, and the commands it may give: prices in ticks, quantities in lots, times in ns. A
# wrong command raises where it is given, as it does in Python. What is not named here is the machine's own.

cdef enum Hooks:
    ON_TIMER = 1
    ON_TOB = 2
    ON_TRADE = 4
    ON_FILL = 8
    ON_ORDER = 16

cdef enum:
    MAX_LEVELS = 64              # of quotes, a side

cdef struct View:                # of one instrument, valid during a call
    Venue* venue
    int32_t instrument           # its place in the run: `Context.index`
    int32_t _padding

cdef struct Print:
    int64_t ts                   # of the exchange
    double px
    int64_t qty
    int32_t aggressor            # +1, -1, 0 unknown
    int32_t _padding

cdef struct Fill:
    money_t fee                  # paid, in units of `Context.money_unit`
    int64_t ts
    int64_t order_id
    int64_t px
    int64_t qty
    int64_t remaining            # of the order, after it
    int64_t position             # of the instrument, after it
    int8_t side
    int8_t reason                # BY_CROSS, BY_TRADE, BY_TAKING
    int8_t purpose
    int8_t _padding[13]

ctypedef OrderRow Outcome        # of a command

cdef struct OpenOrder:           # as far as the strategy has been told
    int64_t id
    int64_t px                   # 0: market
    int64_t qty                  # filled + remaining
    int64_t remaining
    int8_t side
    int8_t kind
    int8_t purpose
    int8_t live                  # 0: travelling to the venue
    int8_t _padding[4]

cdef struct OrderWalk:
    OpenOrder order              # where it stands
    View view
    int64_t place                # in the pool's list, of the next
    int64_t end

cdef extern from * nogil:
    """
    #include <float.h>
    #define MMBT_NO_QUOTE (-DBL_MAX)
    """
    const double NO_QUOTE "MMBT_NO_QUOTE"    # withdraws a side; no price comes out as this by mistake


cdef class NativeStrategy:
    cdef int hooks               # the Hooks it overrides; the simulator's to set
    cdef int answering           # the last of them that was called

    cdef int on_timer(self, View* view) except -1 nogil
    cdef int on_tob(self, View* view) except -1 nogil
    cdef int on_trade(self, View* view, const Print* trade) except -1 nogil
    cdef int on_fill(self, View* view, const Fill* fill) except -1 nogil
    cdef int on_order(self, View* view, const Outcome* outcome) except -1 nogil

cdef int overridden_hooks(NativeStrategy native) noexcept
cdef str hook_name(int hook)

cdef int refuse(const char* message, int64_t value) except -1 with gil
cdef int refuse_features(const char* group) except -1 with gil
cdef int refuse_price(const char* name, double ticks) except -1 with gil
cdef int refuse_qty(int64_t qty) except -1 with gil

# --- what is seen ---------------------------------------------------------------------------------------------------

cdef inline Instrument* instrument_of(const View* view) noexcept nogil:
    return &view.venue.instruments[view.instrument]

cdef inline Book* book_of(const View* view) noexcept nogil:
    return seen_book(view.venue, instrument_of(view))

cdef inline int64_t time_of(const View* view) noexcept nogil:
    return view.venue.now

cdef inline int64_t bid_of(const View* view) noexcept nogil:
    return in_ticks(book_of(view).bid_px, instrument_of(view).tick_units)

cdef inline int64_t ask_of(const View* view) noexcept nogil:
    return in_ticks(book_of(view).ask_px, instrument_of(view).tick_units)

cdef inline int64_t bid_qty_of(const View* view) noexcept nogil:
    return book_of(view).bid_qty

cdef inline int64_t ask_qty_of(const View* view) noexcept nogil:
    return book_of(view).ask_qty

# The last valid mid; NaN before the first.
cdef inline double mid_of(const View* view) noexcept nogil:
    cdef int64_t mid2 = book_of(view).mid2
    return <double>mid2 / (2 * <double>instrument_of(view).tick_units) if mid2 != 0 else NAN

# Two-sided and not crossed.
cdef inline bint is_valid_now(const View* view) noexcept nogil:
    return is_valid(book_of(view))

# Else it is only watched.
cdef inline bint is_traded(const View* view) noexcept nogil:
    return instrument_of(view).traded

cdef inline int64_t position_of(const View* view) noexcept nogil:
    return known_position(view.venue, instrument_of(view))

# In units of `Context.money_unit`; a 128-bit integer, so `<double>cash_of(view)` is the nearest double.
cdef inline money_t cash_of(const View* view) noexcept nogil:
    return known_cash(view.venue, instrument_of(view))

cdef inline int32_t instrument_count(const View* view) noexcept nogil:
    return <int32_t>view.venue.instrument_count

# Makes `other` the view of another instrument of the run, traded or watched, by its place in it.
cdef inline int look_at(const View* view, int32_t index, View* other) except -1 nogil:
    if not 0 <= index < view.venue.instrument_count:
        return refuse(b"the run has no instrument number", index)
    other.venue = view.venue
    other.instrument = index
    return 0

# Our unfinished orders in the view's instrument, by id: `while next_order(&walk)` stands at one after another. Orders
# sent meanwhile are not among them.
cdef inline OrderWalk own_orders(const View* view) noexcept nogil:
    cdef OrderWalk walk
    walk.view = view[0]
    walk.place = 0
    walk.end = view.venue.pool.known_count
    return walk

cdef inline bint next_order(OrderWalk* walk) noexcept nogil:
    cdef Venue* venue = walk.view.venue
    cdef const Order* order
    cdef Told known
    while walk.place < walk.end:
        order = &venue.pool.orders[venue.pool.known[walk.place].order]
        walk.place += 1
        if order.instrument != walk.view.instrument:
            continue
        known = known_order(venue, order)
        walk.order.id = order.id
        walk.order.px = in_ticks(known.px, instrument_of(&walk.view).tick_units)
        walk.order.qty = known.qty
        walk.order.remaining = known.remaining
        walk.order.side = order.side
        walk.order.kind = order.kind
        walk.order.purpose = order.purpose
        walk.order.live = known.live
        return True
    return False

# The market's features, in the order of their enum; the strategy must name one of them at least.
cdef inline const double* market_features_of(const View* view) except NULL nogil:
    if view.venue.senses == NULL or not view.venue.senses.wants_market:
        refuse_features(b"market")
    return see_market(view.venue, view.instrument)

# The private ones likewise.
cdef inline const double* private_features_of(const View* view) except NULL nogil:
    if view.venue.senses == NULL or not view.venue.senses.wants_private:
        refuse_features(b"private")
    return see_private(view.venue, view.instrument)

# A pair priced through others, by its place among those declared: `Synthetic.index`.
cdef inline const Top* synthetic_of(const View* view, int64_t index) except NULL nogil:
    if view.venue.senses == NULL or not 0 <= index < view.venue.senses.pair_count:
        refuse(b"the run has no synthetic quote number", index)
    see_chain(view.venue, &view.venue.senses.pairs[index].legs)
    return &view.venue.senses.pairs[index].legs.top

# --- commands -------------------------------------------------------------------------------------------------------

cdef inline double snap(double ticks) noexcept nogil:
    return rint(ticks) if fabs(ticks - rint(ticks)) <= 1e-9 else ticks

cdef inline int check_order(const View* view, int64_t qty) except -1 nogil:
    if not is_traded(view):
        return refuse(b"only watched in this run, so it cannot be traded: instrument", view.instrument)
    if not 0 < qty < LIMIT:
        return refuse_qty(qty)
    return 0

cdef inline double passive_ticks(double ticks, int side) noexcept nogil:
    return floor(snap(ticks)) if side == BUY else ceil(snap(ticks))

# A wanted price as price units, rounded passively; 0 withdraws.
cdef inline int64_t passive_px(const char* name, double ticks, int side, int64_t tick_units) except -1 nogil:
    cdef double whole
    if ticks == NO_QUOTE:
        return 0
    whole = passive_ticks(ticks, side)
    if not 1 <= whole < <double>LIMIT / <double>tick_units:
        return refuse_price(name, ticks)
    return <int64_t>whole * tick_units

cdef inline int64_t whole_px(int64_t ticks, int64_t tick_units) except -1 nogil:
    if not (1 <= ticks < LIMIT and <double>ticks < <double>LIMIT / <double>tick_units):
        return refuse_price(b"px", <double>ticks)
    return ticks * tick_units

# States the wanted bid and offer as `Context.quote` does; NO_QUOTE withdraws a side.
cdef inline int quote(View* view, double bid, double ask, int64_t qty, bint post_only=True) except -1 nogil:
    cdef int64_t tick_units = instrument_of(view).tick_units
    cdef int64_t bid_px, ask_px
    check_order(view, qty)
    bid_px = passive_px(b"bid", bid, BUY, tick_units)
    ask_px = passive_px(b"ask", ask, SELL, tick_units)
    set_quotes(view.venue, view.instrument, &bid_px, 1, &ask_px, 1, qty, post_only)
    return 0

# As `Context.quote_levels`, inner level first, at most MAX_LEVELS a side.
cdef inline int quote_levels(
    View* view, const double* bids, int64_t bid_count, const double* asks, int64_t ask_count, int64_t qty,
    bint post_only=True,
) except -1 nogil:
    cdef int64_t tick_units = instrument_of(view).tick_units
    cdef int64_t bid_px[MAX_LEVELS]
    cdef int64_t ask_px[MAX_LEVELS]
    cdef int64_t level
    check_order(view, qty)
    if not 0 <= bid_count <= MAX_LEVELS or not 0 <= ask_count <= MAX_LEVELS:
        return refuse(b"0 to 64 levels a side can be quoted, not", bid_count if bid_count > ask_count else ask_count)
    for level in range(bid_count):
        bid_px[level] = passive_px(b"bid", bids[level], BUY, tick_units)
    for level in range(ask_count):
        ask_px[level] = passive_px(b"ask", asks[level], SELL, tick_units)
    set_quotes(view.venue, view.instrument, bid_px, bid_count, ask_px, ask_count, qty, post_only)
    return 0

# Sends one order and returns its id; a market order has `ticks` 0.
cdef inline int64_t place(
    View* view, int side, int64_t ticks, int64_t qty, int kind=GTC, int purpose=FOR_QUOTE,
) except -1 nogil:
    cdef int64_t px = 0
    check_order(view, qty)
    if side != BUY and side != SELL:
        return refuse(b"side must be BUY or SELL, not", side)
    if not GTC <= kind <= MARKET:
        return refuse(b"kind must be GTC, IOC, FOK, POST_ONLY or MARKET, not", kind)
    if purpose != FOR_QUOTE and purpose != FOR_HEDGE:
        return refuse(b"purpose must be FOR_QUOTE or FOR_HEDGE, not", purpose)
    if kind != MARKET:
        px = whole_px(ticks, instrument_of(view).tick_units)
    elif ticks != 0:
        return refuse(b"a market order has the price 0, not", ticks)
    return send_order(view.venue, view.instrument, side, px, qty, kind, purpose)

# Sends a market order of purpose hedge: positive buys, negative sells. Returns its id.
cdef inline int64_t hedge(View* view, int64_t qty) except -1 nogil:
    if not -LIMIT < qty < LIMIT or qty == 0:
        return refuse(b"qty of a hedge must be a number of lots below 2**40 and not 0, not", qty)
    return place(view, BUY if qty > 0 else SELL, 0, qty if qty > 0 else -qty, MARKET, FOR_HEDGE)

# As `Context.hedge` with `through`: returns how many orders were sent, their ids in `order_ids` (MAX_LEGS of them fit).
cdef inline int64_t hedge_through(View* view, int64_t index, int64_t qty, int64_t* order_ids) except -1 nogil:
    cdef int side = BUY if qty > 0 else SELL
    cdef LegOrder orders[MAX_LEGS]
    cdef const PricedPair* pair
    cdef int64_t count, place
    cdef View leg = view[0]
    if not -LIMIT < qty < LIMIT or qty == 0:
        return refuse(b"qty of a hedge must be a number of lots below 2**40 and not 0, not", qty)
    check_order(view, 1)
    synthetic_of(view, index)
    pair = &view.venue.senses.pairs[index]
    for place in range(pair.legs.count):
        leg.instrument = pair.legs.legs[place].instrument
        check_order(&leg, 1)
    if pair.direct.count == 0 or pair.direct.legs[0].instrument != view.instrument:
        return refuse(b"this synthetic quote prices another pair than that of instrument", view.instrument)
    count = plan_hedge(view.venue, index, side, side * qty, orders)
    if count < 0:
        return refuse_qty(LIMIT)
    for place in range(count):
        order_ids[place] = send_order(
            view.venue, orders[place].instrument, orders[place].side, 0, orders[place].qty, MARKET, FOR_HEDGE)
    return count

# Sends a cancel; `on_order` tells the outcome.
cdef inline int cancel(View* view, int64_t order_id) except -1 nogil:
    check_order(view, 1)
    send_cancel(view.venue, view.instrument, order_id)
    return 0

# A new price and remaining quantity under the same id; the price in ticks of the order's own instrument.
cdef inline int replace(View* view, int64_t order_id, int64_t ticks, int64_t qty) except -1 nogil:
    cdef int32_t order = find_order(&view.venue.pool, order_id)
    cdef int32_t instrument = view.venue.pool.orders[order].instrument if order >= 0 else view.instrument
    check_order(view, qty)
    send_replace(view.venue, view.instrument, order_id,
                 whole_px(ticks, view.venue.instruments[instrument].tick_units), qty)
    return 0
