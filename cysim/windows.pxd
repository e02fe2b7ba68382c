from libc.stdint cimport int64_t

from cysim.book cimport Book, apply_quote
from cysim.feed cimport catch_up
from cysim.state cimport Feed, Simulation
from cysim.stream cimport Source
from cysim.types cimport NEVER, QUOTES
from cysim.venue cimport Instrument

# A fresh simulation put down in the middle of the rows, as if it had watched all before without trading.

cdef extern from * nogil:
    """
    #define MMBT_LOOK_BACK_NS INT64_C(60000000000)
    """
    const int64_t LOOK_BACK_NS "MMBT_LOOK_BACK_NS"   # rows older than that are visible, whatever their latency

# The first row later than `ts`.
cdef inline int64_t row_after(const Source* source, int64_t ts) noexcept nogil:
    cdef int64_t low = 0, high = source.length, middle
    while low < high:            # rows before `low` are at or before ts, those from `high` on are later
        middle = (low + high) >> 1
        if source.ts[middle] <= ts:
            low = middle + 1
        else:
            high = middle
    return low

# The book after the rows before `end`: the last of them, and what earlier ones leave in it.
cdef inline void restore_book(Book* book, const Source* source, int64_t end) noexcept nogil:
    cdef int64_t row = end - 1
    while row >= 0 and (book.mid2 == 0 or book.last_bid_px == 0 or book.last_ask_px == 0):
        if book.last_bid_px == 0 and source.bid_qty[row] > 0:
            book.last_bid_px = source.bid_px[row]
        if book.last_ask_px == 0 and source.ask_qty[row] > 0:
            book.last_ask_px = source.ask_px[row]
        if book.mid2 == 0 and source.bid_qty[row] > 0 and source.ask_qty[row] > 0 \
                and source.bid_px[row] <= source.ask_px[row]:
            book.mid2 = source.bid_px[row] + source.ask_px[row]
            book.first_mid2 = book.mid2
        row -= 1
    if end > 0:
        row = end - 1
        apply_quote(book, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])

cdef inline void restore_feed(Simulation* sim, int64_t place, int64_t ts) noexcept nogil:
    cdef Feed* feed = &sim.feeds[place]
    feed.rows.pos = row_after(&sim.sources[place], ts - LOOK_BACK_NS)
    if feed.rows.table == QUOTES:
        restore_book(&sim.venue.instruments[feed.rows.instrument].seen, &sim.sources[place], feed.rows.pos)

# All rows up to and including `ts` have happened; the first timer is due at `ts`.
cdef inline void put_down(Simulation* sim, int64_t ts) noexcept nogil:
    cdef int64_t place
    cdef Source* source
    cdef Instrument* instrument
    sim.last_traded_ts = 0
    for place in range(sim.source_count):
        source = &sim.sources[place]
        instrument = &sim.venue.instruments[source.instrument]
        source.pos = source.checked = row_after(source, ts)
        if source.table == QUOTES:
            restore_book(&instrument.book, source, source.pos)
        if source.pos > 0:
            source.last_ts = source.ts[source.pos - 1]
            if instrument.traded and source.last_ts > sim.last_traded_ts:
                sim.last_traded_ts = source.last_ts
        instrument.held_since = ts
        if sim.feeds != NULL:
            restore_feed(sim, place, ts)
    sim.first_ts = ts
    sim.last_ts = ts
    sim.venue.now = ts
    sim.next_timer = ts
    sim.awaits_start = False
    sim.in_session = True
    sim.sessions = 1
    sim.until_check = NEVER
    if sim.feeds != NULL:
        catch_up(sim, ts + 1)
