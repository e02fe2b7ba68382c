from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from cysim.arrivals cimport arrive_on, cancel_on
from cysim.delays cimport delay_of
from cysim.latency cimport CANCEL, FINISHED, NEVER_GIVEN, PLACE, REPLACE, Command, CommandKind, next_command, push
from cysim.orders cimport Order, find_order, new_order
from cysim.types cimport BUY, BY_USER, FOR_QUOTE, GTC, NO_REASON, OUT_OF_MEMORY, POST_ONLY, SELL, mmbt_check, reserve
from cysim.venue cimport Instrument, QuoteSlot, QuoteSlots, Venue, fail

# Numbers of commands, by which their latencies are drawn: of one quote always the same, whatever else is sent (B3).
cdef enum:
    LOOSE_SLOTS = 1 << 20

cdef inline uint64_t quote_slot(int side, int64_t level) noexcept nogil:
    return <uint64_t>(2 * level + (0 if side == BUY else 1))

cdef inline uint64_t loose_slot(Venue* venue) noexcept nogil:
    venue.loose_count = venue.loose_count + 1 if venue.now == venue.loose_ts else 0
    venue.loose_ts = venue.now
    return <uint64_t>(LOOSE_SLOTS + venue.loose_count)

# A command leaves the desk at once: into the queue.
cdef inline void send_now(
    Venue* venue, CommandKind kind, int32_t instrument, int64_t order_id, int32_t index, int64_t px, int64_t qty,
) noexcept nogil:
    cdef Command* command = next_command(&venue.queue)
    if command == NULL:
        fail(venue, OUT_OF_MEMORY)
        return
    command.arrival_ts = venue.now
    command.sequence = venue.sent
    command.order_id = order_id
    command.order = index if index >= 0 else FINISHED if 0 < order_id <= venue.pool.last_id else NEVER_GIVEN
    command.instrument = instrument
    command.kind = kind
    command.px = px
    command.qty = qty
    venue.sent += 1

# A command leaves the desk: into the queue, or onto the bus when it has latency or must wait for its order (A3).
cdef inline void send(
    Venue* venue, CommandKind kind, int32_t instrument, int64_t order_id, int32_t index, int64_t px, int64_t qty,
    uint64_t slot,
) noexcept nogil:
    cdef Order* order = &venue.pool.orders[index] if index >= 0 else NULL
    cdef int64_t latency = 0
    cdef bint waits = False
    cdef Command command
    if venue.commands_travel:
        latency = delay_of(&venue.cancel_delay if kind == CANCEL else &venue.place_delay, venue.now, slot)
        waits = kind != PLACE and order != NULL and order.on_bus
    if kind == PLACE:
        order.arrival_ts = venue.now + latency
        order.on_bus = latency > 0
    elif order != NULL:
        order.told.asked += 1
    if latency == 0 and not waits:
        send_now(venue, kind, instrument, order_id, index, px, qty)
        return
    command.arrival_ts = venue.now + latency
    if waits and order.arrival_ts > command.arrival_ts:
        command.arrival_ts = order.arrival_ts
    command.sequence = venue.sent
    command.order_id = order_id
    command.order = index if index >= 0 else FINISHED if 0 < order_id <= venue.pool.last_id else NEVER_GIVEN
    command.instrument = instrument
    command.kind = kind
    command.px = px
    command.qty = qty
    if not push(&venue.bus, &command):
        fail(venue, OUT_OF_MEMORY)
    venue.sent += 1

# A new order that has yet to be sent; its place in the pool, -1 when out of memory.
cdef inline int32_t make_order(
    Venue* venue, int32_t instrument, int side, int64_t px, int64_t qty, int kind, int purpose, int32_t level,
) noexcept nogil:
    cdef int32_t index = new_order(&venue.pool)
    cdef Order* order
    if index < 0:
        fail(venue, OUT_OF_MEMORY)
        return -1
    order = &venue.pool.orders[index]
    order.px = px
    order.qty = qty
    order.remaining = qty
    order.instrument = instrument
    order.level = level
    order.side = side
    order.kind = kind
    order.purpose = purpose
    order.live = False
    order.ended = False
    order.told.asked = 0
    if venue.reports_travel:
        order.told.px = px
        order.told.qty = qty
        order.told.remaining = qty
        order.told.live = False
    return index

# Sends a new order; returns its place in the pool, -1 when out of memory.
cdef inline int32_t send_order(
    Venue* venue, int32_t instrument, int side, int64_t px, int64_t qty, int kind, int purpose, int32_t level,
) noexcept nogil:
    cdef int32_t index = make_order(venue, instrument, side, px, qty, kind, purpose, level)
    if index >= 0:
        send(venue, PLACE, instrument, venue.pool.orders[index].id, index, 0, 0,
             loose_slot(venue) if level < 0 else quote_slot(side, level))
    return index

# As `send_order`, of an order that is no quote; returns its id, 0 when out of memory.
cdef inline int64_t place(
    Venue* venue, int32_t instrument, int side, int64_t px, int64_t qty, int kind, int purpose,
) noexcept nogil:
    cdef int32_t order = send_order(venue, instrument, side, px, qty, kind, purpose, -1)
    return venue.pool.orders[order].id if order >= 0 else 0

cdef inline QuoteSlots* slots_of(Instrument* instrument, int side) noexcept nogil:
    return &instrument.bid_slots if side == BUY else &instrument.offer_slots

cdef inline void send_cancel(Venue* venue, int32_t instrument, int64_t order_id) noexcept nogil:
    cdef int32_t index = find_order(&venue.pool, order_id)
    cdef Order* order
    cdef QuoteSlots* slots
    if index >= 0:
        order = &venue.pool.orders[index]
        if order.level >= 0:
            slots = slots_of(&venue.instruments[order.instrument], order.side)
            if slots.items[order.level].order_id == order_id:
                slots.items[order.level].order_id = 0
    send(venue, CANCEL, instrument, order_id, index, 0, 0, loose_slot(venue))

cdef inline void send_replace(
    Venue* venue, int32_t instrument, int64_t order_id, int64_t px, int64_t qty,
) noexcept nogil:
    cdef int32_t index = find_order(&venue.pool, order_id)
    cdef Order* order
    cdef QuoteSlots* slots
    if index >= 0:
        order = &venue.pool.orders[index]
        if order.level >= 0:
            slots = slots_of(&venue.instruments[order.instrument], order.side)
            if slots.items[order.level].order_id == order_id:
                slots.items[order.level].px = px
    send(venue, REPLACE, instrument, order_id, index, px, qty, loose_slot(venue))

# Makes room for `levels` on both sides.
cdef inline bint reserve_levels(Instrument* instrument, int64_t levels) noexcept nogil:
    cdef QuoteSlots* slots
    cdef int side
    if levels <= instrument.bid_slots.count:         # both sides always have the same
        return True
    for side in range(-1, 2, 2):
        slots = slots_of(instrument, side)
        if not reserve(<void**>&slots.items, &slots.capacity, levels, sizeof(QuoteSlot)):
            return False
        while slots.count < levels:
            memset(&slots.items[slots.count], 0, sizeof(QuoteSlot))
            slots.count += 1
    return True

# Withdraws the quotes of a side whose price changes, and forgets those that the strategy knows to be finished (A4).
# Returns whether some quote must be placed.
cdef inline bint withdraw_changed(
    Venue* venue, int32_t index, int side, QuoteSlots* slots, const int64_t* px, int64_t levels, bint now,
) noexcept nogil:
    cdef QuoteSlot* slot
    cdef int64_t level, wanted_px
    cdef bint lacks = False
    for level in range(slots.count):
        slot = &slots.items[level]
        wanted_px = px[level] if level < levels else 0
        if slot.order_id != 0:
            if venue.pool.orders[slot.order].id != slot.order_id:
                slot.order_id = 0
            elif slot.px == wanted_px:
                continue
            else:
                if now:
                    venue.sent += 1
                    cancel_on(venue, side, slot.order, BY_USER)
                else:
                    send(venue, CANCEL, index, slot.order_id, slot.order, 0, 0, quote_slot(side, level))
                slot.order_id = 0
        lacks |= wanted_px != 0
    return lacks

cdef inline void place_wanted(
    Venue* venue, int32_t index, int side, QuoteSlots* slots, const int64_t* px, int64_t levels, int64_t qty, int kind,
    bint now,
) noexcept nogil:
    cdef QuoteSlot* slot
    cdef int32_t order
    cdef int64_t level
    for level in range(levels):
        slot = &slots.items[level]
        if px[level] == 0 or slot.order_id != 0:
            continue
        order = make_order(venue, index, side, px[level], qty, kind, FOR_QUOTE, <int32_t>level)
        if order < 0:
            return
        slot.order_id = venue.pool.orders[order].id
        slot.px = px[level]
        slot.order = order
        if now:
            venue.sent += 1
            venue.pool.orders[order].arrival_ts = venue.now
            arrive_on(venue, side, order, NO_REASON)
        else:
            send(venue, PLACE, index, slot.order_id, order, 0, 0, quote_slot(side, level))

cdef inline void set_both(
    Venue* venue, int32_t index, const int64_t* bid_px, int64_t bids, const int64_t* offer_px, int64_t offers,
    int64_t qty, bint post_only, bint now,
) noexcept nogil:
    cdef Instrument* instrument = &venue.instruments[index]
    cdef int kind = POST_ONLY if post_only else GTC
    cdef bint lacks_bid, lacks_offer
    if not reserve_levels(instrument, bids if bids > offers else offers):
        fail(venue, OUT_OF_MEMORY)
        return
    lacks_bid = withdraw_changed(venue, index, BUY, &instrument.bid_slots, bid_px, bids, now)
    lacks_offer = withdraw_changed(venue, index, SELL, &instrument.offer_slots, offer_px, offers, now)
    if lacks_bid:
        place_wanted(venue, index, BUY, &instrument.bid_slots, bid_px, bids, qty, kind, now)
    if lacks_offer:
        place_wanted(venue, index, SELL, &instrument.offer_slots, offer_px, offers, qty, kind, now)

# States the wanted quotes, inner level first; px 0 withdraws a level (A4). Cancels go first, bids before offers.
cdef inline void set_quotes(
    Venue* venue, int32_t index, const int64_t* bid_px, int64_t bids, const int64_t* offer_px, int64_t offers,
    int64_t qty, bint post_only,
) noexcept nogil:
    set_both(venue, index, bid_px, bids, offer_px, offers, qty, post_only, False)

# The same of post-only quotes that are all a hook does. Where they take no time they are carried out at once instead of
# being sent: what arrives in which order stays the same, and none of it can fill.
cdef inline void set_last_quotes(
    Venue* venue, int32_t index, const int64_t* bid_px, int64_t bids, const int64_t* offer_px, int64_t offers,
    int64_t qty,
) noexcept nogil:
    if venue.commands_travel or venue.reports_travel or venue.recorder.notify_orders:
        set_both(venue, index, bid_px, bids, offer_px, offers, qty, True, False)
    else:
        mmbt_check(venue.queue.count == 0)
        set_both(venue, index, bid_px, bids, offer_px, offers, qty, True, True)
