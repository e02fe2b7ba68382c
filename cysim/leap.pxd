from libc.stdint cimport int64_t, uint64_t

from cysim.blocks cimport pass_quiet
from cysim.book cimport Book, apply_quote
from cysim.fills cimport NO_QUEUE, PROBABLE
from cysim.observe cimport observe_before
from cysim.replay cimport NO_SOURCE, replay
from cysim.scan cimport PRINT_ROWS, QUOTE_ROWS, loud_prints, loud_quotes, lowest_bit
from cysim.state cimport Simulation
from cysim.stream cimport Source
from cysim.types cimport NEVER, OK, QUOTES, mmbt_check
from cysim.venue cimport Instrument, Venue

# Between two wake-ups most rows cannot fill us. Those are found by their prices alone and taken all at once: nothing
# they leave behind but the last book can be told from outside. Mids due on the way are looked up in the columns.

cdef enum Leap:
    LANDED = 0                   # all that happens up to the instant that something is due at has happened
    SHORT = 1                    # less: what comes next must be replayed row by row
    WOKEN = 2                    # a fill wakes somebody

# Under a queue model a row that cannot fill us may still decide about a later one. The probable model counts prints
# before our order has come, too.
cdef inline bint queues_move(const Venue* venue) noexcept nogil:
    return venue.rules.queue == PROBABLE or (venue.rules.queue != NO_QUEUE and venue.pool.known_count > 0)

# Whether every traded instrument has had a mid: until then mids cannot be looked up one by one.
cdef inline bint all_have_mids(Simulation* sim) noexcept nogil:
    cdef int64_t index
    for index in range(sim.venue.instrument_count):
        if sim.venue.instruments[index].traded and sim.venue.instruments[index].book.mid2 == 0:
            return False
    return True

cdef inline bint may_leap(Simulation* sim) noexcept nogil:
    if sim.wants_tob or sim.wants_trades or sim.awaits_start or not sim.in_session or queues_move(&sim.venue):
        return False
    if not sim.have_mids:
        sim.have_mids = all_have_mids(sim)
    return sim.have_mids

# The last instant whose rows all stand before the next window of any source: a later row always stands, so no scan
# needs another end, and no mid is taken that would be due after the last event. -1: no row is left.
cdef inline int64_t rows_until(const Simulation* sim) noexcept nogil:
    cdef int64_t index, ts, limit_ts = NEVER
    cdef const Source* source
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.pos < source.checked:
            ts = source.ts[source.checked - 1] - 1
            if ts < limit_ts:
                limit_ts = ts
    return limit_ts if limit_ts != NEVER else -1

# As `quiet_end`, from `row` on, of a long way.
cdef inline int64_t far_quiet_end(
    const Instrument* instrument, const Source* source, int table, int64_t row, int64_t limit_ts,
) noexcept nogil:
    cdef const int64_t* ts = source.ts
    cdef const int64_t* rising = source.bid_px
    cdef const int64_t* falling = source.ask_px if table == QUOTES else source.bid_px
    cdef int64_t rising_px = instrument.reach[table].rising_px
    cdef int64_t falling_px = instrument.reach[table].falling_px
    if row == source.checked:
        return row
    if source.blocks != NULL:
        return pass_quiet(source.blocks, ts, rising, falling, source.length, row, limit_ts, rising_px, falling_px)
    while ts[row] <= limit_ts and rising[row] < rising_px and falling[row] > falling_px:
        row += 1
    return row

# The first row that might fill an order of ours, or is later than `limit_ts`. Most ways are short: the rows at hand are
# looked at together.
cdef inline int64_t quiet_end(
    const Instrument* instrument, const Source* source, int table, int64_t limit_ts,
) noexcept nogil:
    cdef int64_t row = source.pos
    cdef int64_t high_px = instrument.reach[table].rising_px - 1
    cdef int64_t low_px = instrument.reach[table].falling_px + 1
    cdef uint64_t loud
    if row + QUOTE_ROWS > source.length:
        return far_quiet_end(instrument, source, table, row, limit_ts)
    mmbt_check(row < source.checked)
    if table == QUOTES:
        loud = loud_quotes(&source.ts[row], &source.bid_px[row], &source.ask_px[row], limit_ts, high_px, low_px)
    else:
        loud = loud_prints(&source.ts[row], &source.bid_px[row], limit_ts, high_px, low_px)
    if loud == 0:
        return far_quiet_end(instrument, source, table, row + (QUOTE_ROWS if table == QUOTES else PRINT_ROWS), limit_ts)
    return row + lowest_bit(loud)

# Finds the quiet rows of every source; returns the source of the first row that might fill us, up to `limit_ts`, or
# NO_SOURCE. Rows that come after that one are not counted among the quiet ones.
cdef inline int64_t find_quiet(Simulation* sim, int64_t limit_ts) noexcept nogil:
    cdef int64_t index, earlier, row, hit = NO_SOURCE
    cdef int64_t until_ts = limit_ts
    cdef Source* source
    for index in range(sim.source_count):
        source = &sim.sources[index]
        row = quiet_end(&sim.venue.instruments[source.instrument], source, source.table, until_ts)
        source.quiet = row
        if row == source.checked or source.ts[row] > until_ts:
            continue
        hit = index
        for earlier in range(index):     # their rows at that very instant come first
            while sim.sources[earlier].quiet > sim.sources[earlier].pos \
                    and sim.sources[earlier].ts[sim.sources[earlier].quiet - 1] > source.ts[row]:
                sim.sources[earlier].quiet -= 1
        until_ts = source.ts[row] - 1
    return hit

# Only the last of quiet quotes leaves a trace.
cdef inline void take_quotes(Book* book, const Source* source) noexcept nogil:
    cdef int64_t row = source.quiet - 1
    if (book.bid_taken | book.ask_taken) != 0 or source.bid_qty[row] == 0 or source.ask_qty[row] == 0 \
            or source.bid_px[row] > source.ask_px[row]:
        row = source.pos         # the last valid mid, the last touches, what is taken may hang on earlier rows
    while row < source.quiet:
        apply_quote(book, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
        row += 1

cdef inline void take_quiet(Simulation* sim) noexcept nogil:
    cdef int64_t index, ts
    cdef Source* source
    cdef Instrument* instrument
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.quiet == source.pos:
            continue
        instrument = &sim.venue.instruments[source.instrument]
        if source.table == QUOTES:
            take_quotes(&instrument.book, source)
        source.pos = source.quiet
        ts = source.ts[source.pos - 1]
        if ts > sim.last_ts:
            sim.last_ts = ts
        if instrument.traded and ts > sim.last_traded_ts:
            sim.last_traded_ts = ts
    sim.venue.now = sim.last_ts

# How far a leap may go that is to end at `due_ts`.
cdef inline int64_t reach_until(const Simulation* sim, int64_t due_ts) noexcept nogil:
    cdef int64_t limit_ts = due_ts if due_ts < sim.rows_until else sim.rows_until
    if sim.session_gap != NEVER and sim.last_traded_ts + sim.session_gap <= limit_ts:
        return sim.last_traded_ts + sim.session_gap - 1
    return limit_ts

# Takes what happens up to `due_ts`, at which something else is due: quiet rows all at once, rows that may fill us one
# by one in their order, mids and equity when they are due.
cdef inline Leap leap(Simulation* sim, int64_t due_ts) noexcept nogil:
    cdef int64_t limit_ts = reach_until(sim, due_ts)
    cdef int64_t hit, quiet_ts
    cdef Source* source
    if limit_ts < sim.last_ts:
        return SHORT
    while True:
        hit = find_quiet(sim, limit_ts)
        if hit == NO_SOURCE:
            observe_before(sim, limit_ts + 1 if limit_ts < due_ts else due_ts)
            take_quiet(sim)
            return LANDED if limit_ts == due_ts else SHORT
        source = &sim.sources[hit]
        quiet_ts = source.ts[source.quiet] - 1
        observe_before(sim, quiet_ts + 1)
        take_quiet(sim)
        if replay(sim, source, source.ts[source.pos]):
            return WOKEN
        if sim.venue.status != OK or sim.venue.reports_travel or sim.venue.quotes_travel:
            return SHORT
