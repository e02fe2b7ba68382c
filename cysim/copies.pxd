from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from cysim.features cimport OwnState
from cysim.orders cimport free_pool
from cysim.recorder cimport EquityRow, FillRow, OrderRow
from cysim.senses cimport Senses
from cysim.state cimport Feed, Simulation
from cysim.stream cimport Source
from cysim.types cimport reserve
from cysim.venue cimport Instrument

# A simulation as bytes: what is private of one run (Z), copied into the memory that another owns. The columns of the
# market (X) are shared by all.

# Copies `count` items into memory of the receiver's, which grows when it must.
cdef inline bint copy_items(
    void** to, int64_t* capacity, const void* items, int64_t count, size_t size,
) noexcept nogil:
    if not reserve(to, capacity, count, size):
        return False
    if count > 0:
        memcpy(to[0], items, <size_t>count * size)
    return True

cdef inline bint copy_instrument(Instrument* to, const Instrument* source) noexcept nogil:
    cdef Instrument kept = to[0]
    to[0] = source[0]
    to.bids.items = kept.bids.items
    to.bids.capacity = kept.bids.capacity
    to.offers.items = kept.offers.items
    to.offers.capacity = kept.offers.capacity
    to.bid_slots.items = kept.bid_slots.items
    to.bid_slots.capacity = kept.bid_slots.capacity
    to.offer_slots.items = kept.offer_slots.items
    to.offer_slots.capacity = kept.offer_slots.capacity
    return copy_items(<void**>&to.bids.items, &to.bids.capacity, source.bids.items, source.bids.count,
                      sizeof(source.bids.items[0])) \
        and copy_items(<void**>&to.offers.items, &to.offers.capacity, source.offers.items, source.offers.count,
                       sizeof(source.offers.items[0])) \
        and copy_items(<void**>&to.bid_slots.items, &to.bid_slots.capacity, source.bid_slots.items,
                       source.bid_slots.count, sizeof(source.bid_slots.items[0])) \
        and copy_items(<void**>&to.offer_slots.items, &to.offer_slots.capacity, source.offer_slots.items,
                       source.offer_slots.count, sizeof(source.offer_slots.items[0]))

# Memory for copies of `source` whose rows nobody reads; `to` is all zero.
cdef inline bint make_room(Simulation* to, const Simulation* source) noexcept nogil:
    to.sources = <Source*>calloc(<size_t>source.source_count, sizeof(Source))
    to.venue.instruments = <Instrument*>calloc(<size_t>source.venue.instrument_count, sizeof(Instrument))
    to.venue.instrument_count = source.venue.instrument_count
    to.venue.recorder.fills = <FillRow*>calloc(1, sizeof(FillRow))
    to.venue.recorder.orders = <OrderRow*>calloc(1, sizeof(OrderRow))
    to.venue.recorder.equity = <EquityRow*>calloc(1, sizeof(EquityRow))
    if source.feeds != NULL:
        to.feeds = <Feed*>calloc(<size_t>source.source_count, sizeof(Feed))
    if source.venue.senses != NULL:
        to.venue.senses = <Senses*>calloc(1, sizeof(Senses))
        if to.venue.senses == NULL:
            return False
        to.venue.senses.owns = <OwnState*>calloc(<size_t>source.venue.senses.count, sizeof(OwnState))
        to.venue.senses.count = source.venue.senses.count
        if to.venue.senses.owns == NULL:
            return False
    return to.sources != NULL and to.venue.instruments != NULL and to.venue.recorder.fills != NULL \
        and to.venue.recorder.orders != NULL and to.venue.recorder.equity != NULL \
        and (source.feeds == NULL or to.feeds != NULL)

# Copies the private state into memory that `make_room` has made.
cdef inline bint copy_simulation(Simulation* to, const Simulation* source) noexcept nogil:
    cdef Simulation kept = to[0]
    cdef int64_t index
    to[0] = source[0]
    to.sources = kept.sources
    to.feeds = kept.feeds
    to.venue.instruments = kept.venue.instruments
    to.venue.senses = kept.venue.senses
    to.venue.pool.orders = kept.venue.pool.orders
    to.venue.pool.capacity = kept.venue.pool.capacity
    to.venue.pool.unused = kept.venue.pool.unused
    to.venue.pool.unused_capacity = kept.venue.pool.unused_capacity
    to.venue.pool.known = kept.venue.pool.known
    to.venue.pool.known_capacity = kept.venue.pool.known_capacity
    to.venue.bus.items = kept.venue.bus.items
    to.venue.bus.capacity = kept.venue.bus.capacity
    to.venue.queue.items = kept.venue.queue.items
    to.venue.queue.capacity = kept.venue.queue.capacity
    to.venue.reports.items = kept.venue.reports.items
    to.venue.reports.capacity = kept.venue.reports.capacity
    to.venue.recorder.fills = kept.venue.recorder.fills
    to.venue.recorder.fill_capacity = kept.venue.recorder.fill_capacity
    to.venue.recorder.orders = kept.venue.recorder.orders
    to.venue.recorder.order_capacity = kept.venue.recorder.order_capacity
    to.venue.recorder.equity = kept.venue.recorder.equity
    to.venue.recorder.equity_capacity = kept.venue.recorder.equity_capacity
    to.venue.recorder.notices = kept.venue.recorder.notices
    to.venue.recorder.notice_capacity = kept.venue.recorder.notice_capacity
    memcpy(to.sources, source.sources, <size_t>source.source_count * sizeof(Source))
    if source.feeds != NULL:
        memcpy(to.feeds, source.feeds, <size_t>source.source_count * sizeof(Feed))
    if source.venue.senses != NULL:
        memcpy(to.venue.senses.owns, source.venue.senses.owns, <size_t>source.venue.senses.count * sizeof(OwnState))
    for index in range(source.venue.instrument_count):
        if not copy_instrument(&to.venue.instruments[index], &source.venue.instruments[index]):
            return False
    if not copy_items(<void**>&to.venue.pool.orders, &to.venue.pool.capacity, source.venue.pool.orders,
                      source.venue.pool.capacity, sizeof(source.venue.pool.orders[0])):
        return False
    to.venue.pool.capacity = source.venue.pool.capacity      # places beyond it are on no list of free ones
    if not reserve(<void**>&to.venue.pool.unused, &to.venue.pool.unused_capacity, source.venue.pool.capacity,
                   sizeof(source.venue.pool.unused[0])):     # every order may come to be free: nobody asks again
        return False
    return copy_items(<void**>&to.venue.pool.unused, &to.venue.pool.unused_capacity, source.venue.pool.unused,
                      source.venue.pool.unused_count, sizeof(source.venue.pool.unused[0])) \
        and copy_items(<void**>&to.venue.pool.known, &to.venue.pool.known_capacity, source.venue.pool.known,
                       source.venue.pool.known_count, sizeof(source.venue.pool.known[0])) \
        and copy_items(<void**>&to.venue.bus.items, &to.venue.bus.capacity, source.venue.bus.items,
                       source.venue.bus.count, sizeof(source.venue.bus.items[0])) \
        and copy_items(<void**>&to.venue.queue.items, &to.venue.queue.capacity, source.venue.queue.items,
                       source.venue.queue.count, sizeof(source.venue.queue.items[0])) \
        and copy_items(<void**>&to.venue.reports.items, &to.venue.reports.capacity, source.venue.reports.items,
                       source.venue.reports.count, sizeof(source.venue.reports.items[0]))

cdef inline void free_simulation(Simulation* sim) noexcept nogil:
    cdef int64_t index
    if sim.venue.instruments != NULL:
        for index in range(sim.venue.instrument_count):
            free(sim.venue.instruments[index].bids.items)
            free(sim.venue.instruments[index].offers.items)
            free(sim.venue.instruments[index].bid_slots.items)
            free(sim.venue.instruments[index].offer_slots.items)
    free(sim.venue.instruments)
    if sim.venue.senses != NULL:
        free(sim.venue.senses.owns)
    free(sim.venue.senses)
    free(sim.sources)
    free(sim.feeds)
    free_pool(&sim.venue.pool)
    free(sim.venue.bus.items)
    free(sim.venue.queue.items)
    free(sim.venue.reports.items)
    free(sim.venue.recorder.fills)
    free(sim.venue.recorder.orders)
    free(sim.venue.recorder.equity)
    free(sim.venue.recorder.notices)
