from libc.stdint cimport int8_t, int32_t, int64_t

from cysim.types cimport reserve

cdef enum CommandKind:
    PLACE = 0
    CANCEL = 1
    REPLACE = 2

cdef enum:
    FINISHED = -1                # the order a command names
    NEVER_GIVEN = -2

cdef struct Command:
    int64_t arrival_ts       # ns
    int64_t sequence         # in the order sent
    int64_t order_id
    int64_t px               # replace: the new price, price units
    int64_t qty              # replace: the new remaining quantity, lots
    int32_t order            # place in the pool; FINISHED or NEVER_GIVEN when it was so already at sending
    int32_t instrument       # the one it was sent for
    int8_t kind
    int8_t _padding[7]

cdef struct Bus:             # a binary heap by (arrival, sequence)
    Command* items
    int64_t count
    int64_t capacity

cdef struct CommandQueue:    # commands without latency, in the order sent
    Command* items
    int64_t count
    int64_t capacity

cdef inline bint is_earlier(const Command* a, const Command* b) noexcept nogil:
    return a.arrival_ts < b.arrival_ts or (a.arrival_ts == b.arrival_ts and a.sequence < b.sequence)

cdef inline bint push(Bus* bus, const Command* command) noexcept nogil:
    cdef int64_t place = bus.count, parent
    if not reserve(<void**>&bus.items, &bus.capacity, bus.count + 1, sizeof(Command)):
        return False
    bus.count += 1
    while place > 0:
        parent = (place - 1) >> 1
        if not is_earlier(command, &bus.items[parent]):
            break
        bus.items[place] = bus.items[parent]
        place = parent
    bus.items[place] = command[0]
    return True

cdef inline void sink_from(Bus* bus, int64_t place, const Command* command) noexcept nogil:
    cdef int64_t child
    while 2 * place + 1 < bus.count:
        child = 2 * place + 1
        if child + 1 < bus.count and is_earlier(&bus.items[child + 1], &bus.items[child]):
            child += 1
        if not is_earlier(&bus.items[child], command):
            break
        bus.items[place] = bus.items[child]
        place = child
    bus.items[place] = command[0]

cdef inline Command pop(Bus* bus) noexcept nogil:
    cdef Command top = bus.items[0]
    cdef Command last
    bus.count -= 1
    if bus.count > 0:
        last = bus.items[bus.count]
        sink_from(bus, 0, &last)
    return top

# Takes all place commands off the bus: their orders have been cancelled while travelling.
cdef inline void drop_places(Bus* bus) noexcept nogil:
    cdef int64_t kept = 0, place
    cdef Command command
    for place in range(bus.count):
        if bus.items[place].kind != PLACE:
            bus.items[kept] = bus.items[place]
            kept += 1
    bus.count = kept
    place = kept // 2 - 1
    while place >= 0:
        command = bus.items[place]
        sink_from(bus, place, &command)
        place -= 1

# Room for one more; NULL when out of memory.
cdef inline Command* next_command(CommandQueue* queue) noexcept nogil:
    if not reserve(<void**>&queue.items, &queue.capacity, queue.count + 1, sizeof(Command)):
        return NULL
    queue.count += 1
    return &queue.items[queue.count - 1]
