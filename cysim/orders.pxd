from libc.stdint cimport int8_t, int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memmove

from cysim.types cimport AFTER_REPLACE, mmbt_check, reserve

cdef struct Told:            # an order as the strategy knows it
    int64_t px               # price units; 0: market
    int64_t qty
    int64_t remaining
    int64_t stands_ts        # when the venue accepted it, or its last replace, ns
    int32_t asked            # cancels and replaces sent whose outcome has not been told
    bint live

cdef struct Order:
    int64_t id               # from 1; 0: the slot of the pool is free
    int64_t px               # price units; 0: market
    int64_t qty              # lots: filled + remaining
    int64_t remaining        # lots
    int64_t arrival_ts       # when its place command arrives or arrived, ns
    int64_t ahead            # lots of others that fill before it, under a queue model; -1: not known yet
    int32_t instrument
    int32_t level            # the quote level that sent it; -1: not a quote
    int8_t side
    int8_t kind
    int8_t purpose
    int8_t live              # 0: travelling to the venue, 1: resting there
    int8_t on_bus            # its place command waits on the latency bus
    int8_t ended             # the venue has finished it, and the strategy has yet to be told
    int8_t _padding[2]
    Told told            # what the strategy has been told, where reports travel

cdef struct Resting:         # an order in the queue of one side
    int64_t key              # side x px: the larger, the better for the market
    int32_t order            # place in the pool
    int32_t _padding

cdef struct RestingSide:     # ascending in priority: the order that fills first stands last
    Resting* items
    int64_t count
    int64_t capacity

cdef struct KnownId:
    int64_t id
    int32_t order
    int32_t _padding

cdef struct OrderPool:
    Order* orders
    int64_t capacity
    int32_t* unused          # stack of free places
    int64_t unused_count
    int64_t unused_capacity
    KnownId* known           # unfinished orders, ascending in id
    int64_t known_count
    int64_t known_capacity
    int64_t last_id

cdef inline void free_pool(OrderPool* pool) noexcept nogil:
    free(pool.orders)
    free(pool.unused)
    free(pool.known)

# A fresh order with the next id; -1 when out of memory, and then nothing has changed.
cdef inline int32_t new_order(OrderPool* pool) noexcept nogil:
    cdef int64_t old = pool.capacity
    cdef int64_t place
    cdef int32_t order
    if not reserve(<void**>&pool.known, &pool.known_capacity, pool.known_count + 1, sizeof(KnownId)):
        return -1
    if pool.unused_count == 0:
        if not reserve(<void**>&pool.unused, &pool.unused_capacity, 2 * old + 16, sizeof(int32_t)):
            return -1
        if not reserve(<void**>&pool.orders, &pool.capacity, old + 1, sizeof(Order)):
            return -1
        if not reserve(<void**>&pool.unused, &pool.unused_capacity, pool.capacity, sizeof(int32_t)):
            pool.capacity = old
            return -1
        for place in range(pool.capacity - 1, old - 1, -1):
            pool.orders[place].id = 0
            pool.unused[pool.unused_count] = <int32_t>place
            pool.unused_count += 1
    pool.unused_count -= 1
    order = pool.unused[pool.unused_count]
    pool.last_id += 1
    pool.orders[order].id = pool.last_id
    pool.known[pool.known_count].id = pool.last_id
    pool.known[pool.known_count].order = order
    pool.known_count += 1
    return order

cdef inline int64_t known_place(const OrderPool* pool, int64_t order_id) noexcept nogil:
    cdef int64_t low = 0, high = pool.known_count, middle
    while low < high:            # known[:low].id < order_id <= known[high:].id
        middle = (low + high) >> 1
        if pool.known[middle].id < order_id:
            low = middle + 1
        else:
            high = middle
    return low

# The pool's place of an unfinished order; -1 when it is finished or never existed.
cdef inline int32_t find_order(const OrderPool* pool, int64_t order_id) noexcept nogil:
    cdef int64_t place = known_place(pool, order_id)
    if place < pool.known_count and pool.known[place].id == order_id:
        return pool.known[place].order
    return -1

cdef inline void finish_order(OrderPool* pool, int32_t order) noexcept nogil:
    cdef int64_t place = known_place(pool, pool.orders[order].id)
    mmbt_check(place < pool.known_count and pool.known[place].order == order)
    pool.known_count -= 1
    if place < pool.known_count:
        memmove(&pool.known[place], &pool.known[place + 1], <size_t>(pool.known_count - place) * sizeof(KnownId))
    pool.orders[order].id = 0
    pool.unused[pool.unused_count] = order
    pool.unused_count += 1

# The strategy learns that an order, or its replace, was accepted.
cdef inline void hear_acceptance(Order* order, int64_t ts, int reason) noexcept nogil:
    order.told.stands_ts = ts
    if reason == AFTER_REPLACE:
        order.told.asked -= 1

cdef inline int64_t first_at(const RestingSide* side, int64_t key) noexcept nogil:
    cdef int64_t low = 0, high = side.count, middle
    while low < high:            # items[:low].key < key <= items[high:].key
        middle = (low + high) >> 1
        if side.items[middle].key < key:
            low = middle + 1
        else:
            high = middle
    return low

# Joins behind all orders of the same price. Room has been reserved.
cdef inline void join(RestingSide* side, int64_t key, int32_t order) noexcept nogil:
    cdef int64_t place = first_at(side, key)
    mmbt_check(side.count < side.capacity)
    if place < side.count:
        memmove(&side.items[place + 1], &side.items[place], <size_t>(side.count - place) * sizeof(Resting))
    side.items[place].key = key
    side.items[place].order = order
    side.count += 1

cdef inline void take_out(RestingSide* side, int64_t place) noexcept nogil:
    side.count -= 1
    if place < side.count:
        memmove(&side.items[place], &side.items[place + 1], <size_t>(side.count - place) * sizeof(Resting))

cdef inline void leave(RestingSide* side, int64_t key, int32_t order) noexcept nogil:
    cdef int64_t place = first_at(side, key)
    while side.items[place].order != order:
        place += 1
        mmbt_check(place < side.count)
    take_out(side, place)
