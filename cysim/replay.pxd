from libc.stdint cimport int64_t

from cysim.book cimport Book, apply_quote
from cysim.feed cimport all_traded_valid, listens, wakes
from cysim.fills cimport NO_QUEUE, PROBABLE, FillRules
from cysim.observe cimport next_observation, observe_before, record_fills_equity
from cysim.state cimport Simulation
from cysim.stream cimport Source, check_window, run_end
from cysim.told cimport hear
from cysim.types cimport NEVER, OK, PRINTS, QUOTES
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
                    sim.venue.status = check_window(source, sim.session_gap)
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

# Rows that cannot fill us and that nobody listens to: only the last of the quotes leaves a trace.
cdef inline void skip_quotes(Book* book, Source* source, int64_t end) noexcept nogil:
    cdef int64_t row = end - 1
    if row >= source.pos and (
            book.mid2 == 0 or book.bid_taken + book.ask_taken != 0 or source.bid_qty[row] == 0
            or source.ask_qty[row] == 0 or source.bid_px[row] > source.ask_px[row]):
        row = source.pos         # the first or last valid mid, the last touches, what is taken may hang on earlier rows
    while row < end:
        apply_quote(book, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
        row += 1

# The first row up to `limit_ts` that might fill an order of ours, else the first row after it.
cdef inline int64_t quiet_end(
    const FillRules* rules, const Instrument* instrument, const Source* source, int64_t limit_ts,
) noexcept nogil:
    cdef bint touch = rules.cross_touch if source.table == QUOTES else rules.trade_touch
    cdef int64_t row = source.pos, first_offer_px = NEVER, last_bid_px = -1
    cdef const int64_t* rising = source.bid_px       # what fills offers from `first_offer_px` up
    cdef const int64_t* falling = source.ask_px if source.table == QUOTES else source.bid_px
    if instrument.bids.count + instrument.offers.count == 0:
        return run_end(source, limit_ts)
    if instrument.offers.count > 0:
        first_offer_px = instrument.best_offer_px if touch else instrument.best_offer_px + 1
    if instrument.bids.count > 0:
        last_bid_px = instrument.best_bid_px if touch else instrument.best_bid_px - 1
    while row < source.checked and source.ts[row] <= limit_ts \
            and rising[row] < first_offer_px and falling[row] > last_bid_px:
        row += 1
    return row

# Takes the rows of every source up to `limit_ts`, none of which can fill us; their order does not matter then, and
# prints may come later than quotes (`quotes_only`): they move no mid.
cdef inline void skip_rows(Simulation* sim, int64_t limit_ts, bint quotes_only) noexcept nogil:
    cdef int64_t index, end, rows
    cdef Source* source
    cdef Instrument* instrument
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if quotes_only and source.table != QUOTES:
            continue
        end = source.quiet       # rows from there on may fill us
        if end > source.pos and source.ts[end - 1] > limit_ts:
            end = run_end(source, limit_ts)
        rows = end - source.pos
        if rows == 0:
            continue
        instrument = &sim.venue.instruments[source.instrument]
        if source.table == QUOTES:
            skip_quotes(&instrument.book, source, end)
            sim.tob_events += rows
        else:
            sim.trade_events += rows
        sim.until_check -= rows
        source.pos = end
        if source.ts[end - 1] > sim.last_ts:
            sim.last_ts = source.ts[end - 1]
        if instrument.traded and source.ts[end - 1] > sim.last_traded_ts:
            sim.last_traded_ts = source.ts[end - 1]

# The last instant up to which no row can fill us, nothing is due, and all rows are at hand.
cdef inline int64_t quiet_until(Simulation* sim, int64_t due_ts) noexcept nogil:
    cdef int64_t index, row, limit_ts = due_ts
    cdef Source* source
    if sim.session_gap != NEVER and sim.last_traded_ts + sim.session_gap - 1 < limit_ts:
        limit_ts = sim.last_traded_ts + sim.session_gap - 1
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if source.pos == source.checked:
            continue             # finished, else next_source would have asked for more
        # the last instant of a window may go on in the next; so a later row always stands, and no mid is taken that
        # would be due after the last event
        if source.ts[source.checked - 1] - 1 < limit_ts:
            limit_ts = source.ts[source.checked - 1] - 1
    for index in range(sim.source_count):
        source = &sim.sources[index]
        row = quiet_end(&sim.venue.rules, &sim.venue.instruments[source.instrument], source, limit_ts)
        if row < source.checked and source.ts[row] <= limit_ts:
            limit_ts = source.ts[row] - 1
        source.quiet = row
    return limit_ts

# Under a queue model a row that cannot fill us may still decide about a later one. The probable model counts prints
# before our order has come, too.
cdef inline bint queues_move(const Venue* venue) noexcept nogil:
    return venue.rules.queue == PROBABLE or (venue.rules.queue != NO_QUEUE and venue.pool.known_count > 0)

# Between two wake-ups most rows cannot fill us: leaps over them, taking mids and equity where they are due on the way.
# Returns whether any row was replayed.
cdef inline bint leap(Simulation* sim, int64_t due_ts) noexcept nogil:
    cdef int64_t events = sim.tob_events + sim.trade_events
    cdef int64_t limit_ts, observe_ts
    if sim.wants_tob or sim.wants_trades or sim.awaits_start or not sim.in_session:
        return False
    if queues_move(&sim.venue):
        return False
    limit_ts = quiet_until(sim, due_ts)
    observe_ts = next_observation(sim)
    while observe_ts <= limit_ts and observe_ts < due_ts:
        skip_rows(sim, observe_ts, True)
        observe_before(sim, observe_ts + 1)
        observe_ts = next_observation(sim)
    skip_rows(sim, limit_ts, False)
    if sim.tob_events + sim.trade_events == events:
        return False
    sim.venue.now = sim.last_ts
    return True

# Replays rows of one source up to `limit_ts`; stops at the first that fills us or that somebody listens to. True: wake.
# Where quotes travel the rows wake nobody: the strategy's feed does (`must_wake`).
cdef inline bint replay(Simulation* sim, Source* source, int64_t limit_ts) noexcept nogil:
    cdef Venue* venue = &sim.venue
    cdef Instrument* instrument = &venue.instruments[source.instrument]
    cdef bint listened = sim.wants_tob if source.table == QUOTES else sim.wants_trades
    cdef bint single = listened or source.may_gap or (sim.awaits_start and instrument.traded) \
        or (not instrument.traded and sim.in_session) or (venue.quotes_travel and listens(sim))
    cdef int64_t start = source.pos, end = start + 1 if single else run_end(source, limit_ts)
    cdef int64_t row = start
    cdef bint filled = False
    if source.table == QUOTES:
        while row < end and not filled:
            venue.now = source.ts[row]
            filled = on_quote(
                venue, instrument, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
            row += 1
    else:
        while row < end and not filled:
            venue.now = source.ts[row]
            filled = on_print(venue, instrument, source.bid_px[row], source.bid_qty[row], source.aggressor[row])
            row += 1
    source.pos = row
    sim.last_ts = venue.now
    if source.table == QUOTES:
        sim.tob_events += row - start
    else:
        sim.trade_events += row - start
    sim.until_check -= row - start
    if instrument.traded:
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
    return wakes(sim, source, row - 1) or venue.recorder.notice_count > 0
