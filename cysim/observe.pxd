from libc.stdint cimport int32_t, int64_t

from cysim.ledger cimport mark, profit, profit_split
from cysim.money cimport money_equal, money_high, money_low, money_t
from cysim.recorder cimport EquityRow, FillRow, Recorder, add_equity, schedule_marks
from cysim.state cimport Simulation
from cysim.types cimport MONEY_OVERFLOW, OUT_OF_MEMORY, in_ticks, mmbt_check
from cysim.venue cimport Instrument, fail

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
    row.mid2 = in_ticks(instrument.book.mid2, instrument.tick_units)
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

cdef inline int64_t next_observation(const Simulation* sim) noexcept nogil:
    if sim.next_equity < sim.venue.recorder.next_mark_ts:
        return sim.next_equity
    return sim.venue.recorder.next_mark_ts

# Takes every mid and row of equity due at instants before `ts`: nothing more happens at them.
cdef inline void observe_before(Simulation* sim, int64_t ts) noexcept nogil:
    cdef Recorder* recorder = &sim.venue.recorder
    cdef FillRow* fill
    cdef Instrument* instrument
    while recorder.next_mark_ts < ts:
        fill = &recorder.fills[recorder.pending[recorder.next_mark_horizon]]
        instrument = &sim.venue.instruments[fill.instrument]
        fill.later_mid2[recorder.next_mark_horizon] = in_ticks(instrument.book.mid2, instrument.tick_units)
        recorder.pending[recorder.next_mark_horizon] += 1
        schedule_marks(recorder)
    while sim.next_equity < ts:
        record_grid_equity(sim)
