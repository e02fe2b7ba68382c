from libc.stdint cimport int32_t, int64_t

from cysim.arrivals cimport cancel_all, execute
from cysim.latency cimport Command, pop
from cysim.observe cimport (
    next_observation, observe_before, record_equity_of_all, record_fills_equity, skip_silence,
)
from cysim.events cimport may_step, next_due, step
from cysim.feed cimport all_traded_valid, catch_up, listens, next_feed, show_row
from cysim.recorder cimport drop_pending_marks, settled_fills
from cysim.leap cimport LANDED, WOKEN, Leap, leap, may_leap, rows_until
from cysim.lone cimport leap_alone
from cysim.replay cimport NO_DATA, NO_SOURCE, next_source, replay, turn_until
from cysim.state cimport Simulation
from cysim.told cimport forget_orders, hear, next_report
from cysim.types cimport NEVER, OK, RUN_END, SESSION_END

cdef enum Wake:                  # why the native loop stopped
    STARVED = 0                  # a source needs its next part
    FLUSH = 1                    # enough rows have been recorded to hand them over
    CHECK = 2                    # a million events have passed: look for signals
    EVENT = 3                    # an event the strategy listens to, or that filled it
    TIMER = 4
    NOTICES = 5                  # outcomes of commands wait to be told
    ENDED = 6
    FAILED = 7
    GO_ON = 8                    # it did not stop

cdef enum:
    CHECK_EVENTS = 1 << 20       # events between two looks for signals
    FLUSH_ROWS = 1 << 10         # rows of one kind recorded before they are handed over
    MAX_ROUNDS = 10_000          # of outcomes and answers at one instant

# The session has fallen silent; `next_ts` is the row that shows it (O6).
cdef inline void end_session(Simulation* sim, int64_t next_ts) noexcept nogil:
    cdef int64_t end_ts = sim.last_traded_ts + sim.session_gap
    observe_before(sim, end_ts)
    sim.session_end = end_ts
    sim.seen_since_end = False
    sim.silence_end = next_ts
    if sim.next_equity > end_ts:
        skip_silence(sim)
    drop_pending_marks(&sim.venue.recorder)
    sim.venue.now = end_ts
    cancel_all(&sim.venue, SESSION_END)
    if sim.venue.reports_travel:
        hear(&sim.venue)
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
    forget_orders(&sim.venue)
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
    if sim.venue.reports_travel:
        hear(&sim.venue)

# The commands without latency, in the order sent; each is a step of its own.
cdef inline void apply_commands(Simulation* sim) noexcept nogil:
    cdef int64_t place
    for place in range(sim.venue.queue.count):
        execute(&sim.venue, &sim.venue.queue.items[place])
        record_fills_equity(sim)
    sim.venue.queue.count = 0
    if sim.venue.reports_travel:
        hear(&sim.venue)

cdef inline bint must_flush(const Simulation* sim) noexcept nogil:
    return settled_fills(&sim.venue.recorder) >= FLUSH_ROWS or sim.venue.recorder.order_count >= FLUSH_ROWS \
        or sim.venue.recorder.equity_count >= FLUSH_ROWS

# Brings the strategy's books up to what is visible before `until_ts`, where no row wakes it. False: STARVED.
cdef inline bint show_until(Simulation* sim, int64_t until_ts) noexcept nogil:
    return not sim.venue.quotes_travel or listens(sim) or catch_up(sim, until_ts)

# The next news for the strategy: a report, or else the row of `feed[0]`. Only where something travels. False: STARVED.
cdef inline bint next_news(Simulation* sim, int64_t* news_ts, int64_t* feed) noexcept nogil:
    cdef int64_t index
    news_ts[0] = next_report(&sim.venue)
    feed[0] = -1
    if sim.venue.quotes_travel and listens(sim):
        index = next_feed(sim)
        if sim.starved >= 0:
            return False
        if index >= 0 and sim.feeds[index].visible_ts < news_ts[0]:
            news_ts[0] = sim.feeds[index].visible_ts
            feed[0] = index
    return True

# A row becomes visible; returns whether it wakes the strategy. Rows of a session that is over start no timers.
cdef inline bint show_news(Simulation* sim, int64_t feed) noexcept nogil:
    cdef bint woken = show_row(sim, feed)
    cdef bint traded = sim.venue.instruments[sim.feeds[feed].rows.instrument].traded
    if traded and sim.feeds[feed].row_ts >= sim.session_end:
        sim.seen_since_end = True
    if traded and sim.awaits_start and sim.seen_since_end and all_traded_valid(sim):
        sim.awaits_start = False
        sim.next_timer = sim.venue.now
    return woken

# Outcomes wait: they are told with the row that becomes visible at this very instant, if one does (O2). False: STARVED.
cdef inline bint show_with_outcomes(Simulation* sim) noexcept nogil:
    cdef int64_t feed
    if not listens(sim):
        return catch_up(sim, sim.venue.now + 1)
    feed = next_feed(sim)
    if feed >= 0 and sim.feeds[feed].visible_ts <= sim.venue.now:
        show_news(sim, feed)
    return sim.starved < 0

# A timer, or a command that arrives: what was due at `due_ts`, after the rows of that instant.
cdef inline Wake happen_due(Simulation* sim, int64_t due_ts) noexcept nogil:
    sim.venue.now = due_ts
    sim.until_check -= 1
    if sim.venue.bus.count > 0 and sim.venue.bus.items[0].arrival_ts == due_ts:
        deliver_commands(sim)
        return NOTICES if sim.venue.recorder.notice_count > 0 else GO_ON
    sim.next_timer += sim.interval
    sim.decisions += sim.traded_count
    return TIMER

# Runs until somebody must be woken, and says why. Everything of an instant happens in the order of O3 and O5: reports,
# rows of the past that become visible, rows that happen, commands that arrive, timers.
cdef inline Wake advance(Simulation* sim) noexcept nogil:
    cdef int64_t index, row_ts, due_ts, step_ts, limit_ts, observe_ts, news_ts = NEVER, feed = -1
    cdef bint travels = sim.venue.reports_travel or sim.venue.quotes_travel
    cdef bint leaps, woken
    cdef Leap leapt
    cdef Wake wake
    while sim.venue.status == OK:
        if sim.must_wake:
            if not show_with_outcomes(sim):
                return STARVED
            sim.must_wake = False
            return EVENT
        if sim.until_check <= 0:
            sim.until_check = CHECK_EVENTS
            return CHECK
        if must_flush(sim):
            return FLUSH
        if may_step(sim) and step(sim, &woken):
            if woken:
                return EVENT
            continue
        due_ts = next_due(sim)
        leaps = may_leap(sim)
        if leaps and not travels:
            leapt = leap_alone(sim, due_ts) if sim.source_count == 2 else leap(sim, due_ts)
            if leapt == WOKEN:
                return EVENT
            if leapt == LANDED:
                wake = happen_due(sim, due_ts)
                if wake != GO_ON:
                    return wake
                continue
        index = next_source(sim)
        if sim.venue.status != OK:
            break
        if index == NO_DATA:
            return STARVED
        if leaps:
            sim.rows_until = rows_until(sim)
        if travels and not next_news(sim, &news_ts, &feed):
            return STARVED
        row_ts = sim.sources[index].ts[sim.sources[index].pos] if index >= 0 else NEVER
        step_ts = row_ts if row_ts <= due_ts else due_ts
        if news_ts < step_ts:
            step_ts = news_ts
        if index == NO_SOURCE and step_ts > sim.last_ts:
            if not show_until(sim, sim.last_ts + 1):
                return STARVED
            end_run(sim)
            return ENDED if sim.venue.status == OK else FAILED
        if sim.in_session and row_ts != NEVER and sim.session_gap != NEVER \
                and step_ts - sim.last_traded_ts >= sim.session_gap:
            if not show_until(sim, sim.last_traded_ts + sim.session_gap):
                return STARVED
            end_session(sim, row_ts)
            if sim.venue.recorder.notice_count > 0:
                sim.event_instrument = -1
                return NOTICES
            continue
        if sim.first_ts == NEVER:
            sim.first_ts = row_ts
            sim.next_equity = row_ts + sim.equity_interval if sim.venue.recorder.keeps_equity else NEVER
        observe_ts = next_observation(sim)
        if observe_ts < step_ts:
            observe_before(sim, step_ts)
            continue
        if news_ts == step_ts:
            sim.venue.now = news_ts
            if feed >= 0:
                if show_news(sim, feed):
                    return EVENT
                continue
            if not show_until(sim, news_ts):
                return STARVED
            hear(&sim.venue)
            if sim.venue.recorder.notice_count > 0:
                return NOTICES
            continue
        if row_ts <= due_ts:
            limit_ts = due_ts if due_ts < news_ts else news_ts - 1
            if travels and leaps and row_ts <= sim.rows_until:
                if leap(sim, limit_ts) == WOKEN:
                    return EVENT
                continue
            if turn_until(sim, index) < limit_ts:
                limit_ts = turn_until(sim, index)
            if observe_ts < limit_ts:
                limit_ts = observe_ts
            if replay(sim, &sim.sources[index], limit_ts):
                return EVENT
            continue
        if not show_until(sim, due_ts + 1):
            return STARVED
        wake = happen_due(sim, due_ts)
        if wake != GO_ON:
            return wake
    return FAILED
