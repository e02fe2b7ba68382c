from libc.math cimport ceil, fabs, floor, isnan, rint
from libc.stdint cimport int32_t, int64_t

from cysim.book cimport Book, is_valid
from cysim.desk cimport place as send_order
from cysim.desk cimport send_cancel, send_replace, set_quotes
from cysim.recorder cimport FillRow, OrderRow
from cysim.types cimport BAD_COMMAND, BUY, FOR_HEDGE, FOR_QUOTE, LIMIT, MARKET, OrderKind, SELL, Side, in_ticks
from cysim.venue cimport Instrument, Venue, fail, seen_book

# What a native strategy is shown, and the commands it may give: prices in ticks, quantities in lots, times in ns. A
# wrong command ends the run with a ValueError.

cdef enum Hooks:                 # those a native strategy answers
    ON_TIMER = 1
    ON_TOB = 2
    ON_TRADE = 4
    ON_FILL = 8
    ON_ORDER = 16

cdef struct View:                # of one instrument, valid during a call
    Venue* venue
    int32_t instrument
    int32_t _padding

cdef struct Print:
    int64_t ts                   # of the exchange
    double px
    int64_t qty
    int32_t aggressor            # +1, -1, 0 unknown
    int32_t _padding

cdef extern from * nogil:
    """
    #define MMBT_NO_QUOTE 0.0
    """
    const double NO_QUOTE "MMBT_NO_QUOTE"    # withdraws a side


cdef class NativeStrategy:
    cdef int hooks               # the sum of those it answers: set in __init__ or __cinit__

    cdef void on_timer(self, View* view) noexcept nogil
    cdef void on_tob(self, View* view) noexcept nogil
    cdef void on_trade(self, View* view, const Print* trade) noexcept nogil
    cdef void on_fill(self, View* view, const FillRow* fill) noexcept nogil
    cdef void on_order(self, View* view, const OrderRow* outcome) noexcept nogil


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

# Two-sided and not crossed.
cdef inline bint is_valid_now(const View* view) noexcept nogil:
    return is_valid(book_of(view))

cdef inline int64_t position_of(const View* view) noexcept nogil:
    return instrument_of(view).told_position if view.venue.reports_travel else instrument_of(view).ledger.position

cdef inline double snap(double ticks) noexcept nogil:
    return rint(ticks) if fabs(ticks - rint(ticks)) <= 1e-9 else ticks

# A wanted price as price units, rounded passively; 0 withdraws, -1 is no price.
cdef inline int64_t passive_px(double ticks, int side, int64_t tick_units) noexcept nogil:
    if ticks == NO_QUOTE:
        return 0
    ticks = floor(snap(ticks)) if side == BUY else ceil(snap(ticks))
    if isnan(ticks) or ticks < 1 or ticks >= <double>LIMIT / <double>tick_units:
        return -1
    return <int64_t>ticks * tick_units

# States the wanted bid and offer as `Context.quote` does; NO_QUOTE withdraws a side.
cdef inline void quote(View* view, double bid, double ask, int64_t qty, bint post_only=True) noexcept nogil:
    cdef int64_t tick_units = instrument_of(view).tick_units
    cdef int64_t bid_px = passive_px(bid, BUY, tick_units)
    cdef int64_t ask_px = passive_px(ask, SELL, tick_units)
    if bid_px < 0 or ask_px < 0 or not 0 < qty < LIMIT or not instrument_of(view).traded:
        fail(view.venue, BAD_COMMAND)
        return
    set_quotes(view.venue, view.instrument, &bid_px, 1, &ask_px, 1, qty, post_only)

# Sends one order and returns its id, 0 when it is refused; a market order has `ticks` 0.
cdef inline int64_t place(View* view, Side side, int64_t ticks, int64_t qty, OrderKind kind) noexcept nogil:
    cdef int64_t tick_units = instrument_of(view).tick_units
    cdef bint priced = 0 < ticks < in_ticks(LIMIT, tick_units)
    if not (priced if kind != MARKET else ticks == 0) or not 0 < qty < LIMIT or not instrument_of(view).traded:
        fail(view.venue, BAD_COMMAND)
        return 0
    return send_order(view.venue, view.instrument, side, ticks * tick_units, qty, kind, FOR_QUOTE, -1)

# Sends a market order of purpose hedge: positive buys, negative sells. Returns its id.
cdef inline int64_t hedge(View* view, int64_t qty) noexcept nogil:
    cdef int64_t lots = qty if qty > 0 else -qty
    if not 0 < lots < LIMIT or not instrument_of(view).traded:
        fail(view.venue, BAD_COMMAND)
        return 0
    return send_order(view.venue, view.instrument, BUY if qty > 0 else SELL, 0, lots, MARKET, FOR_HEDGE, -1)

cdef inline void cancel(View* view, int64_t order_id) noexcept nogil:
    send_cancel(view.venue, view.instrument, order_id)

# A new price and remaining quantity under the same id; the price in ticks of the view's instrument.
cdef inline void replace(View* view, int64_t order_id, int64_t ticks, int64_t qty) noexcept nogil:
    cdef int64_t tick_units = instrument_of(view).tick_units
    if not 0 < ticks < in_ticks(LIMIT, tick_units) or not 0 < qty < LIMIT:
        fail(view.venue, BAD_COMMAND)
        return
    send_replace(view.venue, view.instrument, order_id, ticks * tick_units, qty)
