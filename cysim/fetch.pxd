from libc.stdint cimport int64_t

from cysim.blocks cimport BLOCK_BITS, BLOCK_ROWS, Block
from cysim.latency cimport Command
from cysim.orders cimport Order
from cysim.state cimport Simulation
from cysim.stream cimport Source
from cysim.types cimport QUOTES
from cysim.venue cimport Instrument

# Memory that will be needed soon is asked for while another simulation is at work: the states of thousands of them fit
# no near cache, and each line would be waited for in turn. What is asked for in vain does no harm.

cdef enum:
    LINE = 64                    # bytes that come from memory together

cdef extern from * nogil:
    """
    #define mmbt_fetch(place) __builtin_prefetch(place)
    """
    void fetch "mmbt_fetch"(const void* place)

cdef inline void fetch_all(const void* items, size_t size) noexcept nogil:
    cdef size_t place = 0
    while place < size:
        fetch(<const char*>items + place)
        place += LINE

# What a simulation is itself: first of all, since it tells where the rest lies.
cdef inline void expect(const Simulation* sim) noexcept nogil:
    fetch_all(sim, sizeof(Simulation))

# What a step is sure to touch: sources, their rows and blocks, instruments, orders at hand.
cdef inline void expect_parts(const Simulation* sim) noexcept nogil:
    cdef int64_t index
    cdef const Source* source
    fetch_all(sim.venue.instruments, <size_t>sim.venue.instrument_count * sizeof(Instrument))
    fetch_all(sim.venue.pool.orders, 4 * sizeof(Order))
    fetch(sim.venue.pool.unused)
    fetch(sim.venue.pool.known)
    fetch_all(sim.venue.queue.items, 4 * sizeof(Command))
    for index in range(sim.venue.instrument_count):
        fetch(sim.venue.instruments[index].bids.items)
    for index in range(sim.source_count):
        source = &sim.sources[index]
        fetch_all(&source.blocks[source.pos >> BLOCK_BITS], 8 * sizeof(Block))

# The rows among which the next timer will come.
cdef inline void expect_landing(const Simulation* sim) noexcept nogil:
    cdef int64_t index, row
    cdef const Source* source
    cdef const Block* block
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.pos == source.length:
            continue
        block = &source.blocks[source.pos >> BLOCK_BITS]
        row = source.pos
        while block.last_ts <= sim.next_timer and row + BLOCK_ROWS < source.length:
            block += 1
            row += BLOCK_ROWS
        row = row >> BLOCK_BITS << BLOCK_BITS
        fetch_all(&source.ts[row], BLOCK_ROWS * sizeof(int64_t))
        if source.table == QUOTES:
            fetch_all(&source.bid_px[row], BLOCK_ROWS * sizeof(int64_t))
            fetch_all(&source.bid_qty[row], BLOCK_ROWS * sizeof(int64_t))
            fetch_all(&source.ask_px[row], BLOCK_ROWS * sizeof(int64_t))
            fetch_all(&source.ask_qty[row], BLOCK_ROWS * sizeof(int64_t))
