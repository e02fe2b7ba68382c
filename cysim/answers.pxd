from libc.stdint cimport int32_t, int64_t

from cysim.fills cimport NO_QUEUE
from cysim.leap cimport LANDED, may_leap
from cysim.lone cimport leap_alone
from cysim.loop cimport EVENT, MAX_ROUNDS, NOTICES, TIMER, Wake, advance, apply_commands, must_flush
from cysim.money cimport money_of
from cysim.native cimport ON_FILL, ON_ORDER, ON_TIMER, ON_TOB, ON_TRADE, Fill, NativeStrategy, Print, View
from cysim.recorder cimport FillRow
from cysim.state cimport Simulation
from cysim.told cimport fill_told, outcome_told
from cysim.types cimport OK, QUOTES

cdef int listen_natively(Simulation* sim, NativeStrategy native, set python_hooks) except -1
cdef int refuse_endless_rounds(NativeStrategy native, int64_t now) except -1 with gil

cdef inline int tell_fill(NativeStrategy native, View* view, const FillRow* row) except -1 nogil:
    cdef Fill fill
    fill.fee = money_of(row.fee_high, row.fee_low)
    fill.ts = row.ts
    fill.order_id = row.order_id
    fill.px = row.px
    fill.qty = row.qty
    fill.remaining = row.remaining
    fill.position = row.position
    fill.side = row.side
    fill.reason = row.reason
    fill.purpose = row.purpose
    view.instrument = row.instrument
    native.answering = ON_FILL
    return native.on_fill(view, &fill)

# Every outcome that waits.
cdef inline int tell_natively(Simulation* sim, NativeStrategy native) except -1 nogil:
    cdef int64_t place, row
    cdef View view
    view.venue = &sim.venue
    for place in range(sim.venue.recorder.notice_count):
        row = sim.venue.recorder.notices[place].row
        if sim.venue.recorder.notices[place].is_fill:
            tell_fill(native, &view, fill_told(&sim.venue, row))
        else:
            outcome = outcome_told(&sim.venue, row)
            view.instrument = outcome.instrument
            native.answering = ON_ORDER
            native.on_order(&view, outcome)
    sim.venue.recorder.notice_count = 0
    return 0

cdef inline int answer_event(Simulation* sim, NativeStrategy native) except -1 nogil:
    cdef View view
    cdef Print trade
    if sim.event_instrument < 0:
        return 0
    view.venue = &sim.venue
    view.instrument = sim.event_instrument
    if sim.event_table == QUOTES:
        native.answering = ON_TOB
        return native.on_tob(&view)
    trade.ts = sim.event_ts
    trade.px = <double>sim.event_px / <double>sim.venue.instruments[sim.event_instrument].tick_units
    trade.qty = sim.event_qty
    trade.aggressor = sim.event_aggressor
    native.answering = ON_TRADE
    return native.on_trade(&view, &trade)

cdef inline int answer_timer(Simulation* sim, NativeStrategy native) except -1 nogil:
    cdef View view
    cdef int32_t index
    view.venue = &sim.venue
    native.answering = ON_TIMER
    for index in range(<int32_t>sim.venue.instrument_count):
        if sim.venue.instruments[index].traded:
            view.instrument = index
            native.on_timer(&view)
    return 0

# Whether a run is timers of a lone instrument, answered natively, and nobody is told of anything else.
cdef inline bint has_only_timers(const Simulation* sim, NativeStrategy native) noexcept nogil:
    return native.hooks == ON_TIMER and sim.source_count == 2 and sim.venue.rules.queue == NO_QUEUE \
        and not sim.venue.recorder.notify_fills and not sim.venue.recorder.notify_orders \
        and not sim.venue.reports_travel and not sim.venue.quotes_travel

# The short way of such a run, from timer to timer: `advance` and its answers without what cannot be due. Where it ends
# `advance` finds out why.
cdef inline int answer_timers(Simulation* sim, NativeStrategy native) except -1 nogil:
    cdef View view
    view.venue = &sim.venue
    view.instrument = 0
    native.answering = ON_TIMER
    while sim.venue.status == OK and sim.venue.bus.count == 0 and sim.until_check > 0 and not must_flush(sim):
        if leap_alone(sim, sim.next_timer) != LANDED:
            return 0
        sim.venue.now = sim.next_timer
        sim.next_timer += sim.interval
        sim.until_check -= 1
        sim.decisions += 1
        native.on_timer(&view)
        apply_commands(sim)
    return 0

# As `advance`, but wake-ups that the native strategy answers are answered here; Python's are returned (O2).
cdef inline int advance_natively(Simulation* sim, NativeStrategy native) except -1 nogil:
    cdef Wake wake
    cdef int64_t rounds
    cdef bint told_natively = native.hooks & (ON_FILL | ON_ORDER)
    cdef bint only_timers = has_only_timers(sim, native)
    while True:
        if only_timers and may_leap(sim):
            answer_timers(sim, native)
        wake = advance(sim)
        if wake == TIMER and native.hooks & ON_TIMER:
            answer_timer(sim, native)
        elif (wake == EVENT or wake == NOTICES) and native.hooks & ~ON_TIMER:
            tell_natively(sim, native)
            if wake == EVENT:
                answer_event(sim, native)
        else:
            return wake
        rounds = 0
        while sim.venue.queue.count > 0:
            rounds += 1
            if rounds > MAX_ROUNDS:
                return refuse_endless_rounds(native, sim.venue.now)
            apply_commands(sim)
            if sim.venue.recorder.notice_count > 0 and not told_natively:
                return NOTICES       # Python's, and so is the rest of the instant
            tell_natively(sim, native)
