from libc.stdint cimport int32_t, int64_t

from cysim.latency cimport Command, pop
from cysim.observe cimport (
    next_observation, observe_before, record_equity_of_all, record_fills_equity, skip_silence,
)
from cysim.quoter cimport quote_around
from cysim.recorder cimport drop_pending_marks, settled_fills
from cysim.replay cimport NO_DATA, NO_SOURCE, leap, next_source, replay, turn_until
from cysim.state cimport Simulation
from cysim.types cimport NEVER, OK, RUN_END, SESSION_END
from cysim.venue cimport cancel_all, execute

cdef enum Wake:                  # why the native loop stopped
    STARVED = 0                  # a source needs its next part
    FLUSH = 1                    # enough rows have been recorded to hand them over
    CHECK = 2                    # a million events have passed: look for signals
    EVENT = 3                    # an event the strategy listens to, or that filled it
    TIMER = 4
    NOTICES = 5                  # outcomes of commands wait to be told
    ENDED = 6
    FAILED = 7

cdef enum:
    CHECK_EVENTS = 1 << 20       # events between two looks for signals
    FLUSH_ROWS = 1 << 12         # rows of one kind recorded before they are handed over

# The session has fallen silent; `next_ts` is the row that shows it (O6).
cdef inline void end_session(Simulation* sim, int64_t next_ts) noexcept nogil:
    cdef int64_t end_ts = sim.last_traded_ts + sim.session_gap
    observe_before(sim, end_ts)
    sim.silence_end = next_ts
    if sim.next_equity > end_ts:
        skip_silence(sim)
    drop_pending_marks(&sim.venue.recorder)
    sim.venue.now = end_ts
    cancel_all(&sim.venue, SESSION_END)
    sim.next_timer = NEVER
    sim.in_session = False
    sim.awaits_start = sim.interval > 0

cdef inline void end_run(Simulation* sim) noexcept nogil:
    sim.ended = True
    if sim.first_ts == NEVER:
        return
    observe_before(sim, sim.last_ts + 1)
    drop_pending_marks(&sim.venue.recorder)
    sim.venue.now = sim.last_ts
    sim.venue.recorder.notify_fills = False
    sim.venue.recorder.notify_orders = False
    cancel_all(&sim.venue, RUN_END)
    sim.venue.bus.count = 0
    if sim.last_grid_ts != sim.last_ts:
        record_equity_of_all(sim, sim.last_ts)

# All commands that arrive at this instant, by (arrival, sequence) (O3).
cdef inline void deliver_commands(Simulation* sim) noexcept nogil:
    cdef Command command
    while sim.venue.bus.count > 0 and sim.venue.bus.items[0].arrival_ts == sim.venue.now:
        command = pop(&sim.venue.bus)
        execute(&sim.venue, &command)
        record_fills_equity(sim)

# The commands without latency, in the order sent; each is a step of its own.
cdef inline void apply_commands(Simulation* sim) noexcept nogil:
    cdef int64_t place
    for place in range(sim.venue.queue.count):
        execute(&sim.venue, &sim.venue.queue.items[place])
        record_fills_equity(sim)
    sim.venue.queue.count = 0

cdef inline void quote_all(Simulation* sim) noexcept nogil:
    cdef int32_t index
    for index in range(<int32_t>sim.venue.instrument_count):
        if sim.venue.instruments[index].traded:
            quote_around(&sim.quoter, &sim.venue, index)
    apply_commands(sim)

cdef inline int64_t next_due(const Simulation* sim) noexcept nogil:
    cdef int64_t due = sim.venue.bus.items[0].arrival_ts if sim.venue.bus.count > 0 else NEVER
    return due if due < sim.next_timer else sim.next_timer

cdef inline bint must_flush(const Simulation* sim) noexcept nogil:
    return settled_fills(&sim.venue.recorder) >= FLUSH_ROWS or sim.venue.recorder.order_count >= FLUSH_ROWS \
        or sim.venue.recorder.equity_count >= FLUSH_ROWS

# Runs until somebody must be woken, and says why. Everything of an instant happens in the order of O3.
cdef inline Wake advance(Simulation* sim) noexcept nogil:
    cdef int64_t index, row_ts, due_ts, step_ts, limit_ts, observe_ts
    cdef int64_t traded
    while sim.venue.status == OK:
        if sim.until_check <= 0:
            sim.until_check = CHECK_EVENTS
            return CHECK
        if must_flush(sim):
            return FLUSH
        index = next_source(sim)
        if sim.venue.status != OK:
            break
        if index == NO_DATA:
            return STARVED
        due_ts = next_due(sim)
        row_ts = sim.sources[index].ts[sim.sources[index].pos] if index >= 0 else NEVER
        step_ts = row_ts if row_ts <= due_ts else due_ts
        if index == NO_SOURCE and due_ts > sim.last_ts:
            end_run(sim)
            return ENDED if sim.venue.status == OK else FAILED
        if sim.in_session and row_ts != NEVER and sim.session_gap != NEVER \
                and step_ts - sim.last_traded_ts >= sim.session_gap:
            end_session(sim, row_ts)
            if sim.venue.recorder.notice_count > 0:
                sim.event_instrument = -1
                return NOTICES
            continue
        if sim.first_ts == NEVER:
            sim.first_ts = row_ts
            sim.next_equity = row_ts + sim.equity_interval
        observe_ts = next_observation(sim)
        if observe_ts < step_ts:
            observe_before(sim, step_ts)
            continue
        if row_ts <= due_ts:
            if leap(sim, due_ts):
                continue
            limit_ts = turn_until(sim, index)
            if due_ts < limit_ts:
                limit_ts = due_ts
            if observe_ts < limit_ts:
                limit_ts = observe_ts
            if replay(sim, &sim.sources[index], limit_ts):
                return EVENT
            continue
        sim.venue.now = due_ts
        sim.until_check -= 1
        if sim.venue.bus.count > 0 and sim.venue.bus.items[0].arrival_ts == due_ts:
            deliver_commands(sim)
            if sim.venue.recorder.notice_count > 0:
                return NOTICES
            continue
        sim.next_timer += sim.interval
        traded = 0
        for index in range(sim.venue.instrument_count):
            traded += sim.venue.instruments[index].traded
        sim.decisions += traded
        if not sim.has_quoter:
            return TIMER
        quote_all(sim)
        if sim.venue.recorder.notice_count > 0:
            return NOTICES
    return FAILED
