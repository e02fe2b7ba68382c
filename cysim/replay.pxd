from libc.stdint cimport int64_t

from cysim.feed cimport all_traded_valid, listens, wakes
from cysim.observe cimport record_fills_equity
from cysim.state cimport Simulation
from cysim.stream cimport Source, check_window, run_end
from cysim.told cimport hear
from cysim.types cimport NEVER, OK, QUOTES
from cysim.venue cimport Instrument, Venue, on_print, on_quote

cdef enum:
    NO_SOURCE = -1               # every source is finished
    NO_DATA = -2                 # one needs its next part

# The source of the next event.
cdef inline int64_t next_source(Simulation* sim) noexcept nogil:
    cdef int64_t best = NO_SOURCE, index, ts, best_ts = NEVER
    cdef Source* source
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.pos == source.checked:
            if source.pos < source.length:
                if sim.venue.status == OK:
                    sim.until_check -= source.length - source.checked
                    sim.venue.status = check_window(source, sim.session_gap)
                    sim.until_check += source.length - source.checked
                if sim.venue.status != OK:
                    sim.starved = index
                    return NO_SOURCE
            elif source.finished:
                continue
            else:
                sim.starved = index
                return NO_DATA
        ts = source.ts[source.pos]
        if ts < best_ts:
            best_ts = ts
            best = index
    return best

# The last instant up to which a source may run on before another one's turn.
cdef inline int64_t turn_until(const Simulation* sim, int64_t own) noexcept nogil:
    cdef int64_t index, ts, until = NEVER
    cdef const Source* source
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if index != own and source.pos < source.checked:
            ts = source.ts[source.pos] - (1 if index < own else 0)
            if ts < until:
                until = ts
    return until

# The next row of a source happens; returns whether it filled us.
cdef inline bint happen(Simulation* sim, Source* source) noexcept nogil:
    cdef Venue* venue = &sim.venue
    cdef Instrument* instrument = &venue.instruments[source.instrument]
    cdef int64_t row = source.pos
    source.pos = row + 1
    venue.now = source.ts[row]
    if source.table == QUOTES:
        return on_quote(
            venue, instrument, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
    return on_print(venue, instrument, source.bid_px[row], source.bid_qty[row], source.aggressor[row])

# Replays rows of one source up to `limit_ts`; stops at the first that fills us or that somebody listens to. True: wake.
# Where quotes travel the rows wake nobody: the strategy's feed does (`must_wake`).
cdef inline bint replay(Simulation* sim, Source* source, int64_t limit_ts) noexcept nogil:
    cdef Venue* venue = &sim.venue
    cdef bint traded = venue.instruments[source.instrument].traded
    cdef bint listened = sim.wants_tob if source.table == QUOTES else sim.wants_trades
    cdef bint single = listened or source.may_gap or (sim.awaits_start and traded) \
        or (not traded and sim.in_session) or (venue.quotes_travel and listens(sim))
    cdef int64_t end = source.pos + 1 if single else run_end(source, limit_ts)
    cdef bint filled = False
    while source.pos < end and not filled:
        filled = happen(sim, source)
    sim.last_ts = venue.now
    if traded:
        sim.last_traded_ts = venue.now
        if not sim.in_session:
            sim.in_session = True
            sim.sessions += 1
        if sim.awaits_start and not venue.quotes_travel and all_traded_valid(sim):
            sim.awaits_start = False
            sim.next_timer = venue.now
    if filled:
        record_fills_equity(sim)
        if venue.reports_travel:
            hear(venue)
    if venue.quotes_travel:
        sim.event_instrument = -1
        sim.must_wake = venue.recorder.notice_count > 0
        return False
    return wakes(sim, source, source.pos - 1) or venue.recorder.notice_count > 0
