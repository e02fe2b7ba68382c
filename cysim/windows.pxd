from libc.stdint cimport int64_t

from cysim.book cimport Book, apply_quote
from cysim.delays cimport longest_delay
from cysim.feed cimport catch_up
from cysim.fills cimport PROBABLE
from cysim.state cimport Feed, Simulation
from cysim.stream cimport Source, first_above
from cysim.types cimport NEVER, QUOTES
from cysim.venue cimport Instrument

# A fresh simulation put down in the middle of the rows, as if it had watched all before without trading.

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

# Lots printed at the touches since they were displayed, which the probable queue counts (F4).
cdef inline void restore_printed(Simulation* sim, int64_t quotes) noexcept nogil:
    cdef const Source* displays = &sim.sources[quotes]
    cdef Book* book = &sim.venue.instruments[displays.instrument].book
    cdef int64_t prints = quotes + sim.venue.instrument_count if sim.first_quotes == 0 \
        else quotes - sim.venue.instrument_count
    cdef const Source* source = &sim.sources[prints]
    cdef int64_t since = displays.last_ts if displays.pos > 0 else -1
    cdef int64_t row = source.pos - 1
    while row >= 0 and (source.ts[row] > since or (source.ts[row] == since and prints > quotes)):
        if source.bid_px[row] == book.bid_px:
            book.bid_printed += source.bid_qty[row]
        if source.bid_px[row] == book.ask_px:
            book.ask_printed += source.bid_qty[row]
        row -= 1

# How far back rows may lie that are not visible yet. A drawn latency without a bound is taken to end at a minute.
cdef inline int64_t look_back(const Simulation* sim) noexcept nogil:
    cdef int64_t place, row, longest = 0, lag
    cdef const Feed* feed
    if sim.feeds == NULL:
        return 0
    for place in range(sim.source_count):
        feed = &sim.feeds[place]
        if feed.local_ts == NULL:
            lag = longest_delay(&feed.delay)
            longest = lag if lag > longest else longest
            continue
        for row in range(feed.rows.length):
            lag = feed.local_ts[row] - feed.rows.ts[row]
            longest = lag if lag > longest else longest
    return longest + 1

cdef inline void restore_feed(Simulation* sim, int64_t place, int64_t ts, int64_t look_back_ns) noexcept nogil:
    cdef Feed* feed = &sim.feeds[place]
    feed.rows.pos = first_above(sim.sources[place].ts, sim.sources[place].length, ts - look_back_ns)
    if feed.rows.table == QUOTES:
        restore_book(&sim.venue.instruments[feed.rows.instrument].seen, &sim.sources[place], feed.rows.pos)

# All rows up to and including `ts` have happened; the first timer is due at `ts`.
cdef inline void put_down(Simulation* sim, int64_t ts, int64_t look_back_ns) noexcept nogil:
    cdef int64_t place
    cdef Source* source
    cdef Instrument* instrument
    sim.last_traded_ts = 0
    for place in range(sim.source_count):
        source = &sim.sources[place]
        instrument = &sim.venue.instruments[source.instrument]
        source.pos = source.checked = first_above(source.ts, source.length, ts)
        if source.table == QUOTES:
            restore_book(&instrument.book, source, source.pos)
        if source.pos > 0:
            source.last_ts = source.ts[source.pos - 1]
            if instrument.traded and source.last_ts > sim.last_traded_ts:
                sim.last_traded_ts = source.last_ts
        instrument.held_since = ts
        if sim.feeds != NULL:
            restore_feed(sim, place, ts, look_back_ns)
    if sim.venue.rules.queue == PROBABLE:
        for place in range(sim.venue.instrument_count):
            restore_printed(sim, sim.first_quotes + place)
    sim.first_ts = ts
    sim.last_ts = ts
    sim.venue.now = ts
    sim.next_timer = ts
    sim.awaits_start = False
    sim.in_session = True
    sim.sessions = 1
    sim.until_check = NEVER
    sim.rows_until = -1
    if sim.feeds != NULL:
        catch_up(sim, ts + 1)
