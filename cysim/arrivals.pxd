from libc.stdint cimport int32_t, int64_t

from cysim.book cimport Book
from cysim.fills cimport NO_QUEUE
from cysim.latency cimport CANCEL, NEVER_GIVEN, PLACE, Command, drop_places
from cysim.orders cimport Order, join
from cysim.queues cimport ahead_on_joining
from cysim.types cimport (
    ACCEPTED, AFTER_REPLACE, BUY, BY_TAKING, BY_USER, CANCEL_COMMAND, CANCELLED, FOK, FOK_UNFILLABLE, GTC, IOC,
    MARKET, NO_REASON, OUT_OF_MEMORY, POST_ONLY, POST_ONLY_MARKETABLE, REJECTED, REPLACE_COMMAND, SELF_MATCH, SELL,
    TOO_LATE, UNFILLED_REST, UNKNOWN, reserve,
)
from cysim.venue cimport (
    Instrument, Venue, end_order, fail, fill, key_of, record_outcome, refresh_best_bid, refresh_best_offer,
    remove_from, remove_resting, side_of, write_outcome,
)

# At or beyond the best resting order of ours on the other side (A2).
cdef inline bint meets_own(const Instrument* instrument, int side, int64_t px) noexcept nogil:
    return px >= instrument.best_offer_px if side == BUY else px <= instrument.best_bid_px

# Compiled once for each side: no processor can guess the side, so it is asked for once.
cdef inline void arrive_on(Venue* venue, int side, int32_t index, int reason) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index]
    cdef Instrument* instrument = &venue.instruments[order.instrument]
    cdef Book* book = &instrument.book
    cdef int64_t touch = book.ask_px if side == BUY else book.bid_px
    cdef int64_t display = book.ask_qty if side == BUY else book.bid_qty
    cdef int64_t taken = book.ask_taken if side == BUY else book.bid_taken
    cdef bint marketable = display > 0 and (
        order.kind == MARKET or (order.px >= touch if side == BUY else order.px <= touch))
    # an order that only takes deals no further than the touch: the nearer of it and its limit
    cdef int64_t reach = touch if order.kind == MARKET or (marketable and order.kind in (IOC, FOK)) else order.px
    cdef int64_t qty

    order.on_bus = False
    if (order.kind != MARKET or display > 0) and meets_own(instrument, side, reach):
        record_outcome(venue, index, REJECTED, SELF_MATCH)
        end_order(venue, index)
        return
    if order.kind == POST_ONLY and marketable:
        record_outcome(venue, index, REJECTED, POST_ONLY_MARKETABLE)
        end_order(venue, index)
        return
    if order.kind == FOK and not (marketable and display - taken >= order.remaining):
        record_outcome(venue, index, REJECTED, FOK_UNFILLABLE)
        end_order(venue, index)
        return

    record_outcome(venue, index, ACCEPTED, reason)
    if reason == NO_REASON:
        venue.placed += order.qty
    if marketable:
        qty = display - taken if display - taken < order.remaining else order.remaining
        if qty > 0:
            if side == BUY:
                book.ask_taken += qty
            else:
                book.bid_taken += qty
            fill(venue, index, touch, qty, BY_TAKING, book.mid2)
    if order.remaining == 0:
        end_order(venue, index)
    elif order.kind in (GTC, POST_ONLY):
        if not reserve(
            <void**>&side_of(instrument, side).items, &side_of(instrument, side).capacity,
            side_of(instrument, side).count + 1, sizeof(side_of(instrument, side).items[0]),
        ):
            fail(venue, OUT_OF_MEMORY)
            return
        order.live = True
        if venue.rules.queue == NO_QUEUE:
            order.ahead = 0
        elif side == BUY:
            order.ahead = ahead_on_joining(&venue.rules, side, order.px, book.bid_px, book.bid_qty)
        else:
            order.ahead = ahead_on_joining(&venue.rules, side, order.px, book.ask_px, book.ask_qty)
        join(side_of(instrument, side), key_of(side, order.px), index)
        if side == BUY:
            refresh_best_bid(&venue.rules, instrument)
        else:
            refresh_best_offer(&venue.rules, instrument)
    else:
        record_outcome(venue, index, CANCELLED, UNFILLED_REST)
        end_order(venue, index)

# An order reaches the venue (A1, A2). `reason` says how an acceptance is reported.
cdef inline void arrive(Venue* venue, int32_t index, int reason) noexcept nogil:
    if venue.pool.orders[index].side == BUY:
        arrive_on(venue, BUY, index, reason)
    else:
        arrive_on(venue, SELL, index, reason)

# A cancel or replace of an order that is finished, or of an id never given.
cdef inline void report_missing(Venue* venue, const Command* command) noexcept nogil:
    venue.too_late += 1
    write_outcome(
        venue, -1, NULL, command.order_id, command.instrument, UNKNOWN if command.order == NEVER_GIVEN else TOO_LATE,
        CANCEL_COMMAND if command.kind == CANCEL else REPLACE_COMMAND)

# Compiled once for each side, as `arrive_on` is.
cdef inline void cancel_on(Venue* venue, int side, int32_t index, int reason) noexcept nogil:
    if venue.pool.orders[index].live:
        remove_from(venue, side, index)
    venue.pool.orders[index].on_bus = False
    record_outcome(venue, index, CANCELLED, reason)
    end_order(venue, index)

cdef inline void cancel(Venue* venue, int32_t index, int reason) noexcept nogil:
    if venue.pool.orders[index].side == BUY:
        cancel_on(venue, BUY, index, reason)
    else:
        cancel_on(venue, SELL, index, reason)

# A replace reaches the venue (A3): the place in the queue is kept only for the same price and no more quantity.
cdef inline void replace(Venue* venue, int32_t index, int64_t px, int64_t qty) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index]
    cdef int64_t filled = order.qty - order.remaining
    cdef bint keeps_place = px == order.px and qty <= order.remaining
    if not keeps_place:
        remove_resting(venue, index)
    order.px = px
    order.qty = filled + qty
    order.remaining = qty
    if keeps_place:
        record_outcome(venue, index, ACCEPTED, AFTER_REPLACE)
        return
    order.live = False
    arrive(venue, index, AFTER_REPLACE)

# A command reaches the venue.
cdef inline void execute(Venue* venue, const Command* command) noexcept nogil:
    if command.kind == PLACE:
        arrive(venue, command.order, NO_REASON)
    elif command.order < 0 or venue.pool.orders[command.order].id != command.order_id \
            or venue.pool.orders[command.order].ended:
        report_missing(venue, command)
    elif command.kind == CANCEL:
        cancel(venue, command.order, BY_USER)
    else:
        replace(venue, command.order, command.px, command.qty)

# Cancels every order, resting and travelling, by id; cancels and replaces under way stay on the bus.
cdef inline void cancel_all(Venue* venue, int reason) noexcept nogil:
    cdef int64_t place = 0
    cdef int32_t index
    drop_places(&venue.bus)
    while place < venue.pool.known_count:
        index = venue.pool.known[place].order
        if venue.reports_travel:
            place += 1           # the strategy counts on it until it is told
        if not venue.pool.orders[index].ended:
            cancel(venue, index, reason)
