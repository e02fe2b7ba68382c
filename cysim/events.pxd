from libc.stdint cimport int64_t

from cysim.feed cimport wakes
from cysim.observe cimport next_observation, record_fills_equity
from cysim.replay cimport happen
from cysim.state cimport Simulation
from cysim.stream cimport Source
from cysim.types cimport NEVER

# The short way from row to row, for strategies that listen to rows and see them when they happen.

# Whether nothing but rows, commands, timers and observations can be next.
cdef inline bint may_step(const Simulation* sim) noexcept nogil:
    return (sim.wants_tob or sim.wants_trades) and sim.in_session and not sim.awaits_start \
        and not sim.venue.quotes_travel and not sim.venue.reports_travel

# When the next command arrives or the next timer is due.
cdef inline int64_t next_due(const Simulation* sim) noexcept nogil:
    cdef int64_t due = sim.venue.bus.items[0].arrival_ts if sim.venue.bus.count > 0 else NEVER
    return due if due < sim.next_timer else sim.next_timer

# The source of the next row; NULL: one needs its next window or part, or all are finished.
cdef inline Source* next_at_hand(Simulation* sim) noexcept nogil:
    cdef Source* best = NULL
    cdef Source* source
    cdef int64_t index, best_ts = NEVER
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.pos == source.checked:
            if source.finished and source.pos == source.length:
                continue
            return NULL
        if source.ts[source.pos] < best_ts:
            best_ts = source.ts[source.pos]
            best = source
    return best

# The next row happens, where nothing else is due before it. False: it did not, everything has to be looked at.
cdef inline bint step(Simulation* sim, bint* woken) noexcept nogil:
    cdef Source* source = next_at_hand(sim)
    cdef int64_t ts
    if source == NULL:
        return False
    ts = source.ts[source.pos]
    if ts > next_due(sim) or ts > next_observation(sim) or ts - sim.last_traded_ts >= sim.session_gap:
        return False
    if happen(sim, source):
        record_fills_equity(sim)
    sim.last_ts = ts
    if sim.venue.instruments[source.instrument].traded:
        sim.last_traded_ts = ts
    woken[0] = wakes(sim, source, source.pos - 1) or sim.venue.recorder.notice_count > 0
    return True
