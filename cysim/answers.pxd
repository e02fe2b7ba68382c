from libc.stdint cimport int32_t, int64_t

from cysim.native cimport ON_FILL, ON_ORDER, ON_TIMER, ON_TOB, ON_TRADE, NativeStrategy, Print, View
from cysim.loop cimport EVENT, NOTICES, TIMER, Wake, advance, apply_commands
from cysim.state cimport Simulation
from cysim.types cimport ENDLESS_ROUNDS, QUOTES
from cysim.venue cimport fail

cdef enum:
    MAX_ROUNDS = 10_000          # of outcomes and answers at one instant

cdef int listen_natively(Simulation* sim, NativeStrategy native, set python_hooks) except -1

# Every outcome that waits.
cdef inline void tell_natively(Simulation* sim, NativeStrategy native) noexcept nogil:
    cdef int64_t place, row
    cdef View view
    view.venue = &sim.venue
    for place in range(sim.venue.recorder.notice_count):
        row = sim.venue.recorder.notices[place].row
        if sim.venue.recorder.notices[place].is_fill:
            fill = &sim.venue.reports.items[row].fill if sim.venue.reports_travel else &sim.venue.recorder.fills[row]
            view.instrument = fill.instrument
            native.on_fill(&view, fill)
        else:
            outcome = &sim.venue.reports.items[row].outcome if sim.venue.reports_travel \
                else &sim.venue.recorder.orders[row]
            view.instrument = outcome.instrument
            native.on_order(&view, outcome)
    sim.venue.recorder.notice_count = 0

cdef inline void answer_event(Simulation* sim, NativeStrategy native) noexcept nogil:
    cdef View view
    cdef Print trade
    if sim.event_instrument < 0:
        return
    view.venue = &sim.venue
    view.instrument = sim.event_instrument
    if sim.event_table == QUOTES:
        native.on_tob(&view)
        return
    trade.ts = sim.event_ts
    trade.px = <double>sim.event_px / <double>sim.venue.instruments[sim.event_instrument].tick_units
    trade.qty = sim.event_qty
    trade.aggressor = sim.event_aggressor
    native.on_trade(&view, &trade)

cdef inline void answer_timer(Simulation* sim, NativeStrategy native) noexcept nogil:
    cdef View view
    cdef int32_t index
    view.venue = &sim.venue
    for index in range(<int32_t>sim.venue.instrument_count):
        if sim.venue.instruments[index].traded:
            view.instrument = index
            native.on_timer(&view)

# As `advance`, but wake-ups that the native strategy answers are answered here; Python's are returned (O2).
cdef inline Wake advance_natively(Simulation* sim, NativeStrategy native) noexcept nogil:
    cdef Wake wake
    cdef int64_t rounds
    cdef bint told_natively = native.hooks & (ON_FILL | ON_ORDER)
    while True:
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
            apply_commands(sim)
            if sim.venue.recorder.notice_count > 0 and not told_natively:
                return NOTICES       # Python's, and so is the rest of the instant
            rounds += 1
            if rounds > MAX_ROUNDS:
                fail(&sim.venue, ENDLESS_ROUNDS)
                break
            tell_natively(sim, native)
