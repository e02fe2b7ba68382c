from libc.stdint cimport int32_t, int64_t

from cysim.book cimport Book, apply_quote, is_valid
from cysim.latency cimport Command, pop
from cysim.ledger cimport mark, profit, profit_split
from cysim.money cimport money_equal, money_high, money_low, money_t
from cysim.quoter cimport QuoterParams, quote_around
from cysim.recorder cimport (
    HORIZONS, EquityRow, add_equity, drop_pending_marks, horizon_ns, schedule_marks, settled_fills,
)
from cysim.stream cimport Source, check_window, run_end
from cysim.types cimport MONEY_OVERFLOW, NEVER, OK, OUT_OF_MEMORY, PRINTS, QUOTES, RUN_END, SESSION_END, mmbt_check
from cysim.venue cimport Instrument, Venue, cancel_all, execute, fail, on_print, on_quote

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
    NO_SOURCE = -1
    NO_DATA = -2

cdef struct Simulation:          # all the state of one run; plain data
    Venue venue
    Source* sources              # in the order of events at one instant
    int64_t source_count
    int64_t starved              # the source that needs its next part
    int64_t first_ts             # of the first event; NEVER before it
    int64_t last_ts              # of the last event
    int64_t last_traded_ts       # of the last row of a traded instrument
    int64_t session_gap          # ns; NEVER: sessions do not end
    int64_t interval             # of the timers, ns; 0: none
    int64_t next_timer           # ns; NEVER: none
    int64_t equity_interval      # ns
    int64_t next_equity          # ns
    int64_t silence_end          # the row that began the session after the last silence
    int64_t last_grid_ts         # of the last rows of equity that were not for a fill
    int64_t equity_fills         # fills recorded that have their row of equity
    int64_t tob_events
    int64_t trade_events
    int64_t decisions            # calls of on_timer, by Python or the native quoter
    int64_t sessions
    int64_t until_check          # events left before the next look for signals
    QuoterParams quoter
    int64_t event_px             # the print that woke the strategy
    int64_t event_qty
    int32_t event_aggressor
    int32_t event_instrument
    int32_t event_table
    bint has_quoter
    bint wants_tob
    bint wants_trades
    bint in_session
    bint awaits_start            # timers wait for a valid book of every traded instrument
    bint ended

cdef inline void record_equity(Simulation* sim, int32_t index, int64_t ts) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[index]
    cdef EquityRow* row
    cdef money_t pnl
    mark(&instrument.ledger, instrument.book.mid2, instrument.book.first_mid2)
    pnl = profit(&instrument.ledger, &instrument.ledger.overflow)
    mmbt_check(money_equal(pnl, profit_split(&instrument.ledger, &instrument.ledger.overflow)))
    if instrument.ledger.overflow:
        fail(&sim.venue, MONEY_OVERFLOW)
    row = add_equity(&sim.venue.recorder)
    if row == NULL:
        fail(&sim.venue, OUT_OF_MEMORY)
        return
    row.ts = ts
    row.position = instrument.ledger.position
    row.mid2 = instrument.book.mid2 // instrument.tick_units
    row.cash_low = money_low(instrument.ledger.cash)
    row.cash_high = money_high(instrument.ledger.cash)
    row.fees_low = money_low(instrument.ledger.fees)
    row.fees_high = money_high(instrument.ledger.fees)
    row.pnl_low = money_low(pnl)
    row.pnl_high = money_high(pnl)
    row.instrument = index
    row._padding = 0

cdef inline void record_equity_of_all(Simulation* sim, int64_t ts) noexcept nogil:
    cdef int32_t index
    for index in range(<int32_t>sim.venue.instrument_count):
        if sim.venue.instruments[index].traded:
            record_equity(sim, index, ts)

# The grid of equity goes on with the row that ends a silence between sessions.
cdef inline void skip_silence(Simulation* sim) noexcept nogil:
    cdef int64_t missing = sim.silence_end - sim.next_equity
    if missing > 0:
        sim.next_equity += (missing + sim.equity_interval - 1) // sim.equity_interval * sim.equity_interval

cdef inline void record_grid_equity(Simulation* sim) noexcept nogil:
    record_equity_of_all(sim, sim.next_equity)
    sim.last_grid_ts = sim.next_equity
    sim.next_equity += sim.equity_interval
    skip_silence(sim)

# After a step: one row of equity for each of its fills.
cdef inline void record_fills_equity(Simulation* sim) noexcept nogil:
    while sim.equity_fills < sim.venue.recorder.fill_count:
        record_equity(sim, sim.venue.recorder.fills[sim.equity_fills].instrument, sim.venue.now)
        sim.equity_fills += 1

# Takes every mid and row of equity due at instants before `ts`: nothing more happens at them.
cdef inline void observe_before(Simulation* sim, int64_t ts) noexcept nogil:
    cdef int horizon
    cdef int64_t place
    cdef Instrument* instrument
    if sim.venue.recorder.next_mark_ts < ts:
        for horizon in range(HORIZONS):
            place = sim.venue.recorder.pending[horizon]
            while place < sim.venue.recorder.fill_count \
                    and sim.venue.recorder.fills[place].ts + horizon_ns(horizon) < ts:
                instrument = &sim.venue.instruments[sim.venue.recorder.fills[place].instrument]
                sim.venue.recorder.fills[place].later_mid2[horizon] = instrument.book.mid2 // instrument.tick_units
                place += 1
            sim.venue.recorder.pending[horizon] = place
        schedule_marks(&sim.venue.recorder)
    while sim.next_equity < ts:
        record_grid_equity(sim)

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

cdef inline bint all_traded_valid(const Simulation* sim) noexcept nogil:
    cdef int64_t index
    for index in range(sim.venue.instrument_count):
        if sim.venue.instruments[index].traded and not is_valid(&sim.venue.instruments[index].book):
            return False
    return True

# The source of the next event, and the last instant up to which it may run on before another source's turn.
cdef inline int64_t next_source(Simulation* sim, int64_t* limit_ts) noexcept nogil:
    cdef int64_t best = NO_SOURCE, index, ts, best_ts = NEVER, bound = NEVER
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
    for index in range(sim.source_count):
        source = &sim.sources[index]
        if index != best and source.pos < source.checked:
            ts = source.ts[source.pos] - (1 if index < best else 0)
            if ts < bound:
                bound = ts
    limit_ts[0] = bound
    return best

# Nobody of ours rests here and nobody listens: only the last quote of the run matters.
cdef inline void skip_quotes(Book* book, Source* source, int64_t end) noexcept nogil:
    cdef int64_t row = end - 1
    if book.mid2 == 0 or source.bid_qty[row] == 0 or source.ask_qty[row] == 0 \
            or source.bid_px[row] > source.ask_px[row]:
        row = source.pos         # the first or last valid mid and the last touches may lie in an earlier row
    while row < end:
        apply_quote(book, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
        row += 1
    source.pos = end

# Replays rows of one source up to `limit_ts`; stops at the first that fills us or that somebody listens to. True: wake.
cdef inline bint replay(Simulation* sim, Source* source, int64_t limit_ts) noexcept nogil:
    cdef Venue* venue = &sim.venue
    cdef Instrument* instrument = &venue.instruments[source.instrument]
    cdef bint listened = sim.wants_tob if source.table == QUOTES else sim.wants_trades
    cdef bint single = listened or source.may_gap or (sim.awaits_start and instrument.traded) \
        or (not instrument.traded and sim.in_session)
    cdef int64_t start = source.pos, end = start + 1 if single else run_end(source, limit_ts)
    cdef int64_t row = start
    cdef bint filled = False
    if instrument.bids.count + instrument.offers.count == 0 \
            and instrument.book.bid_taken + instrument.book.ask_taken == 0:
        if source.table == QUOTES:
            skip_quotes(&instrument.book, source, end)
        row = end
        venue.now = source.ts[end - 1]
    elif source.table == QUOTES:
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
        if sim.awaits_start and all_traded_valid(sim):
            sim.awaits_start = False
            sim.next_timer = venue.now
    if filled:
        record_fills_equity(sim)
    if listened:
        sim.event_table = source.table
        sim.event_instrument = source.instrument
        if source.table == PRINTS:
            sim.event_px = source.bid_px[row - 1]
            sim.event_qty = source.bid_qty[row - 1]
            sim.event_aggressor = source.aggressor[row - 1]
        return True
    sim.event_instrument = -1
    return venue.recorder.notice_count > 0

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
        index = next_source(sim, &limit_ts)
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
        observe_ts = sim.venue.recorder.next_mark_ts
        if sim.next_equity < observe_ts:
            observe_ts = sim.next_equity
        if observe_ts < step_ts:
            observe_before(sim, step_ts)
            continue
        if row_ts <= due_ts:
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
