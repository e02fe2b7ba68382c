from libc.stdint cimport int32_t, int64_t, uint64_t

from cysim.book cimport Book, apply_quote, is_valid
from cysim.delays cimport Delay, delay_of
from cysim.fees cimport Fees, fee_of
from cysim.fills cimport (
    NO_QUEUE, PROBABLE, FillRules, ask_crosses_bid, bid_crosses_offer, fills_bids, fills_offers, print_crosses_bid,
    print_crosses_offer,
)
from cysim.latency cimport Bus, CommandQueue
from cysim.ledger cimport Ledger, book_fill
from cysim.money cimport money_high, money_low, money_t
from cysim.orders cimport (
    Order, OrderPool, RestingSide, Told, finish_order, first_at, hear_acceptance, leave, take_out,
)
from cysim.queues cimport UNKNOWN_AHEAD, requeue
from cysim.recorder cimport FillRow, OrderRow, Recorder, add_fill, add_order, notify, schedule_marks
from cysim.reports cimport Report, Reports, add_report
from cysim.senses cimport Senses, take_fill
from cysim.types cimport (
    ACCEPTED, BUY, BY_CROSS, BY_TAKING, BY_TRADE, CANCELLED, MONEY_OVERFLOW, NEVER, OK, OUT_OF_MEMORY, PRINTS, QUOTES,
    REJECTED, SELL, in_ticks, mmbt_check,
)

cdef struct QuoteSlot:           # the last order a quote level sent on one side (A4)
    int64_t order_id             # 0: none, or withdrawn
    int64_t px                   # as last sent, price units
    int32_t order                # place in the pool
    int32_t _padding

cdef struct QuoteSlots:
    QuoteSlot* items             # by level
    int64_t count
    int64_t capacity

cdef struct Reach:               # price units
    int64_t rising_px            # a bid or print from there up may fill our offers; NEVER: nothing can
    int64_t falling_px           # an offer or print from there down may fill our bids; -1: nothing can

cdef struct Instrument:
    Book book
    RestingSide bids
    RestingSide offers
    int64_t best_bid_px          # of our resting bids, price units; 0: none
    int64_t best_offer_px        # of our resting offers; NEVER: none
    Reach reach[2]               # by table: which rows may fill them
    int64_t tick_units           # price units in a tick
    Ledger ledger
    Book seen                    # the book as the strategy sees it, where quotes take time to reach it
    money_t told_cash            # what the strategy has been told, where reports take time
    int64_t told_position
    Fees fees
    QuoteSlots bid_slots
    QuoteSlots offer_slots
    double held                  # |position| x time since `held_since` was last set anew, lots x ns
    int64_t held_since           # ns
    bint traded                  # else watched only
    int32_t _padding

cdef struct Venue:
    Instrument* instruments
    int64_t instrument_count
    FillRules rules
    OrderPool pool
    Bus bus
    CommandQueue queue
    Recorder recorder
    int64_t now                  # ns
    Delay place_delay            # of orders and replaces
    Delay cancel_delay
    Delay report_delay
    Reports reports
    Senses* senses               # features and synthetic quotes; NULL: the strategy asked for none
    int64_t reported_ts          # the instant of the last report, and how many it has had
    int64_t reported_count
    int64_t loose_ts             # the instant of the last command that is no quote, and how many it has had
    int64_t loose_count
    int64_t sent                 # commands, ever
    int64_t placed               # lots of all orders accepted, for the fill ratio
    int64_t too_late             # cancels and replaces that found nothing to change
    bint commands_travel         # else they arrive when they are sent
    bint reports_travel          # else the strategy knows at once
    bint quotes_travel           # else the strategy sees the book itself
    bint open_for_commands       # a hook that may trade is running
    int status

cdef inline void fail(Venue* venue, int status) noexcept nogil:
    if venue.status == OK:
        venue.status = status

cdef inline int64_t key_of(int side, int64_t px) noexcept nogil:
    return side * px

cdef inline RestingSide* side_of(Instrument* instrument, int side) noexcept nogil:
    return &instrument.bids if side == BUY else &instrument.offers

cdef inline void refresh_best_bid(const FillRules* rules, Instrument* instrument) noexcept nogil:
    cdef RestingSide* bids = &instrument.bids
    if bids.count == 0:
        instrument.best_bid_px = 0
        instrument.reach[<int>QUOTES].falling_px = -1
        instrument.reach[<int>PRINTS].falling_px = -1
        return
    instrument.best_bid_px = bids.items[bids.count - 1].key
    instrument.reach[<int>QUOTES].falling_px = instrument.best_bid_px - (not rules.cross_touch)
    instrument.reach[<int>PRINTS].falling_px = instrument.best_bid_px - (not rules.trade_touch)

cdef inline void refresh_best_offer(const FillRules* rules, Instrument* instrument) noexcept nogil:
    cdef RestingSide* offers = &instrument.offers
    if offers.count == 0:
        instrument.best_offer_px = NEVER
        instrument.reach[<int>QUOTES].rising_px = NEVER
        instrument.reach[<int>PRINTS].rising_px = NEVER
        return
    instrument.best_offer_px = -offers.items[offers.count - 1].key
    instrument.reach[<int>QUOTES].rising_px = instrument.best_offer_px + (not rules.cross_touch)
    instrument.reach[<int>PRINTS].rising_px = instrument.best_offer_px + (not rules.trade_touch)

# After a change of a side's queue.
cdef inline void refresh_best(Venue* venue, Instrument* instrument, int side) noexcept nogil:
    if side == BUY:
        refresh_best_bid(&venue.rules, instrument)
    else:
        refresh_best_offer(&venue.rules, instrument)

# The book as the strategy sees it.
cdef inline Book* seen_book(const Venue* venue, Instrument* instrument) noexcept nogil:
    return &instrument.seen if venue.quotes_travel else &instrument.book

# Position and cash as far as the strategy has been told.
cdef inline int64_t known_position(const Venue* venue, const Instrument* instrument) noexcept nogil:
    return instrument.told_position if venue.reports_travel else instrument.ledger.position

cdef inline money_t known_cash(const Venue* venue, const Instrument* instrument) noexcept nogil:
    return instrument.told_cash if venue.reports_travel else instrument.ledger.cash

# An order of ours as far as the strategy has been told.
cdef inline Told known_order(const Venue* venue, const Order* order) noexcept nogil:
    cdef Told known = order.told
    if not venue.reports_travel:
        known.px = order.px
        known.qty = order.qty
        known.remaining = order.remaining
        known.live = order.live
    return known

# A fill or an outcome sets out to the strategy: NULL when out of memory.
cdef inline Report* send_report(Venue* venue, int32_t order, bint is_last) noexcept nogil:
    cdef Report* report = add_report(&venue.reports)
    if report == NULL:
        fail(venue, OUT_OF_MEMORY)
        return NULL
    venue.reported_count = venue.reported_count + 1 if venue.now == venue.reported_ts else 0
    venue.reported_ts = venue.now
    report.told_ts = venue.now + delay_of(&venue.report_delay, venue.now, <uint64_t>venue.reported_count)
    report.order = order
    report.is_last = is_last
    return report

# The venue is done with an order; where reports travel the strategy still counts on it.
cdef inline void end_order(Venue* venue, int32_t index) noexcept nogil:
    if venue.reports_travel:
        venue.pool.orders[index].ended = True
    else:
        finish_order(&venue.pool, index)

cdef inline void write_outcome(
    Venue* venue, int32_t index, const Order* order, int64_t order_id, int32_t instrument, int status, int reason,
) noexcept nogil:
    cdef OrderRow* row
    cdef Report* report
    if not (venue.recorder.keeps_orders or venue.recorder.notify_orders or venue.reports_travel):
        return
    row = add_order(&venue.recorder)
    if row == NULL:
        fail(venue, OUT_OF_MEMORY)
        return
    row.ts = venue.now
    row.order_id = order_id
    row.instrument = instrument
    row.status = status
    row.reason = reason
    if order == NULL:            # an id that is finished or never was: all there is to say
        row.px = 0
        row.qty = 0
        row.remaining = 0
        row.side = 0
        row.kind = 0
        row.purpose = 0
    else:
        row.px = in_ticks(order.px, venue.instruments[order.instrument].tick_units)
        row.qty = order.qty
        row.remaining = order.remaining
        row.side = order.side
        row.kind = order.kind
        row.purpose = order.purpose
    if venue.reports_travel:
        report = send_report(venue, index, status == REJECTED or status == CANCELLED)
        if report != NULL:
            report.is_fill = False
            report.outcome = row[0]
    elif not notify(&venue.recorder, False, venue.recorder.order_count - 1):
        fail(venue, OUT_OF_MEMORY)

cdef inline void record_outcome(Venue* venue, int32_t index, int status, int reason) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index]
    write_outcome(venue, index, order, order.id, order.instrument, status, reason)
    if status == ACCEPTED and not venue.reports_travel:
        hear_acceptance(order, venue.now, reason)

# Takes a resting order out of its queue and forgets it. The side is given where it is known: no processor can guess it.
cdef inline void remove_from(Venue* venue, int side, int32_t index) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index]
    cdef Instrument* instrument = &venue.instruments[order.instrument]
    leave(side_of(instrument, side), key_of(side, order.px), index)
    refresh_best(venue, instrument, side)

cdef inline void remove_resting(Venue* venue, int32_t index) noexcept nogil:
    if venue.pool.orders[index].side == BUY:
        remove_from(venue, BUY, index)
    else:
        remove_from(venue, SELL, index)

# Adds what was held until now to the instrument's risk.
cdef inline void weigh_position(Instrument* instrument, int64_t now) noexcept nogil:
    cdef int64_t position = instrument.ledger.position
    instrument.held += <double>(position if position > 0 else -position) * <double>(now - instrument.held_since)
    instrument.held_since = now

cdef inline void fill(
    Venue* venue, int32_t index, int64_t px, int64_t qty, int reason, int64_t mid2_before,
) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index]
    cdef Instrument* instrument = &venue.instruments[order.instrument]
    cdef bint took = reason == BY_TAKING
    cdef FillRow* row
    cdef Report* report
    cdef money_t fee
    cdef int horizon
    mmbt_check(0 < qty <= order.remaining)
    weigh_position(instrument, venue.now)
    fee = fee_of(
        &instrument.fees.taker if took else &instrument.fees.maker, px, qty, &instrument.ledger.overflow)
    book_fill(
        &instrument.ledger, order.side, px, qty, took, fee, mid2_before, instrument.book.first_mid2)
    if instrument.ledger.overflow:
        fail(venue, MONEY_OVERFLOW)
    order.remaining -= qty
    row = add_fill(&venue.recorder)
    if row == NULL:
        fail(venue, OUT_OF_MEMORY)
        return
    row.ts = venue.now
    row.order_id = order.id
    row.px = in_ticks(px, instrument.tick_units)
    row.qty = qty
    row.remaining = order.remaining
    row.position = instrument.ledger.position
    row.mid2 = in_ticks(mid2_before, instrument.tick_units)
    for horizon in range(4):
        row.later_mid2[horizon] = 0
    row.fee_low = money_low(fee)
    row.fee_high = money_high(fee)
    row.instrument = order.instrument
    row.side = order.side
    row.reason = reason
    row.purpose = order.purpose
    row._padding = 0
    schedule_marks(&venue.recorder)
    if venue.reports_travel:
        report = send_report(venue, index, order.remaining == 0)
        if report != NULL:
            report.is_fill = True
            report.fill = row[0]
            report.cash = instrument.ledger.cash
        return
    if venue.senses != NULL:
        take_fill(venue.senses, order.instrument, order.side, px, qty)
    if not notify(&venue.recorder, True, venue.recorder.fill_count - 1):
        fail(venue, OUT_OF_MEMORY)

# Fills the best order of a side with all it wants, or with what is left; True when it is complete.
cdef inline bint fill_best(
    Venue* venue, RestingSide* side, int64_t* left, int reason, int64_t mid2_before,
) noexcept nogil:
    cdef int32_t index = side.items[side.count - 1].order
    cdef Order* order = &venue.pool.orders[index]
    cdef int64_t qty = order.remaining if order.remaining < left[0] else left[0]
    left[0] -= qty
    fill(venue, index, order.px, qty, reason, mid2_before)
    if order.remaining > 0:
        return False
    side.count -= 1
    end_order(venue, index)
    return True

# A quote update moves the queues our orders stand in, before the book forgets what it displayed (F4).
cdef inline void requeue_all(
    Venue* venue, Instrument* instrument, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
) noexcept nogil:
    cdef Book* book = &instrument.book
    requeue(&venue.rules, venue.pool.orders, &instrument.bids, BUY, book.bid_px, book.bid_qty, book.bid_printed,
            bid_px, bid_qty)
    requeue(&venue.rules, venue.pool.orders, &instrument.offers, SELL, book.ask_px, book.ask_qty, book.ask_printed,
            ask_px, ask_qty)
    book.bid_printed = 0
    book.ask_printed = 0

# A print at the very price of orders of ours. They stand one behind another: ahead of each is at least what is ahead of
# the earlier ones, and what ours before it got of the print is gone (F4, F5). Without that a later order could fill
# where the earlier one does not, and the queue models would not bound each other.
cdef inline void fill_queued(
    Venue* venue, Instrument* instrument, int side, int64_t px, int64_t qty, int64_t* left, int64_t mid2,
) noexcept nogil:
    cdef RestingSide* resting = side_of(instrument, side)
    cdef int64_t place = first_at(resting, key_of(side, px) + 1) - 1
    cdef int64_t reach = qty, passed, given
    cdef int32_t index
    cdef Order* order
    while place >= 0 and resting.items[place].key == key_of(side, px):
        index = resting.items[place].order
        order = &venue.pool.orders[index]
        if order.ahead == UNKNOWN_AHEAD:
            reach = 0
        else:
            passed = order.ahead if order.ahead < qty else qty
            order.ahead -= passed
            if qty - passed < reach:
                reach = qty - passed
        given = 0
        if reach > 0:
            given = reach - (qty - left[0]) if venue.rules.displayed else order.remaining
            if given > order.remaining:
                given = order.remaining
        if given > 0:
            left[0] -= given
            fill(venue, index, px, given, BY_TRADE, mid2)
            if order.remaining == 0:
                take_out(resting, place)
                end_order(venue, index)
        place -= 1
    refresh_best(venue, instrument, side)

# A quote update: book, then rule 1 (F1, F2, F3). Returns whether anything filled.
cdef inline bint on_quote(
    Venue* venue, Instrument* instrument, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
) noexcept nogil:
    cdef Book* book = &instrument.book
    cdef FillRules* rules = &venue.rules
    cdef int64_t mid2_before = book.mid2
    cdef int64_t left, offered
    if rules.queue != NO_QUEUE:
        requeue_all(venue, instrument, bid_px, bid_qty, ask_px, ask_qty)
    apply_quote(book, bid_px, bid_qty, ask_px, ask_qty)
    if bid_px < instrument.best_offer_px and (ask_px > instrument.best_bid_px or ask_qty == 0):
        return False
    if not is_valid(book):
        return False
    offered = book.bid_qty - book.bid_taken if rules.displayed else NEVER
    left = offered
    while left > 0 and instrument.offers.count > 0 and bid_crosses_offer(rules, bid_px, instrument.best_offer_px):
        fill_best(venue, &instrument.offers, &left, BY_CROSS, mid2_before)
        refresh_best(venue, instrument, SELL)
    if rules.displayed:
        book.bid_taken += offered - left
    if left < offered:
        return True
    offered = book.ask_qty - book.ask_taken if rules.displayed else NEVER
    left = offered
    while left > 0 and instrument.bids.count > 0 and ask_crosses_bid(rules, ask_px, instrument.best_bid_px):
        fill_best(venue, &instrument.bids, &left, BY_CROSS, mid2_before)
        refresh_best(venue, instrument, BUY)
    if rules.displayed:
        book.ask_taken += offered - left
    return left < offered

# A print: rule 2 (F1, F2, F3). Returns whether anything filled.
cdef inline bint on_print(Venue* venue, Instrument* instrument, int64_t px, int64_t qty, int aggressor) noexcept nogil:
    cdef FillRules* rules = &venue.rules
    cdef int64_t mid2 = instrument.book.mid2
    cdef int64_t budget = qty if rules.displayed else NEVER
    cdef int64_t left = budget
    if rules.queue == PROBABLE:
        if px == instrument.book.bid_px:
            instrument.book.bid_printed += qty
        if px == instrument.book.ask_px:
            instrument.book.ask_printed += qty
    if px < instrument.best_offer_px and px > instrument.best_bid_px:
        return False
    if fills_offers(rules, aggressor):
        while left > 0 and instrument.offers.count > 0 and print_crosses_offer(rules, px, instrument.best_offer_px):
            fill_best(venue, &instrument.offers, &left, BY_TRADE, mid2)
            refresh_best(venue, instrument, SELL)
        if rules.queue != NO_QUEUE:
            fill_queued(venue, instrument, SELL, px, qty, &left, mid2)
    if fills_bids(rules, aggressor):
        while left > 0 and instrument.bids.count > 0 and print_crosses_bid(rules, px, instrument.best_bid_px):
            fill_best(venue, &instrument.bids, &left, BY_TRADE, mid2)
            refresh_best(venue, instrument, BUY)
        if rules.queue != NO_QUEUE:
            fill_queued(venue, instrument, BUY, px, qty, &left, mid2)
    return left < budget
