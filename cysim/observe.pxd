from libc.stdint cimport int32_t, int64_t

from cysim.ledger cimport mark, profit, profit_split
from cysim.money cimport money_equal, money_high, money_low, money_t
from cysim.recorder cimport EquityRow, FillRow, Recorder, add_equity, next_mark, write_mark
from cysim.state cimport Simulation
from cysim.stream cimport Source
from cysim.types cimport MONEY_OVERFLOW, OUT_OF_MEMORY, in_ticks, mmbt_check
from cysim.venue cimport Instrument, fail

# The last valid mid of an instrument at `ts`: among its quiet rows that have not been taken yet, or in its book.
cdef inline int64_t mid2_at(Simulation* sim, int32_t index, int64_t ts) noexcept nogil:
    cdef Source* source = &sim.sources[sim.first_quotes + index]
    cdef int64_t row = source.seen if source.seen > source.pos else source.pos
    while row < source.quiet and source.ts[row] <= ts:
        row += 1
    source.seen = row            # the next look is no earlier
    while row > source.pos:
        row -= 1
        if source.bid_qty[row] > 0 and source.ask_qty[row] > 0 and source.bid_px[row] <= source.ask_px[row]:
            return source.bid_px[row] + source.ask_px[row]
    return sim.venue.instruments[index].book.mid2

cdef inline void record_equity(Simulation* sim, int32_t index, int64_t ts, int64_t mid2) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[index]
    cdef EquityRow* row
    cdef money_t pnl
    mark(&instrument.ledger, mid2, instrument.book.first_mid2)
    pnl = profit(&instrument.ledger, &instrument.ledger.overflow)
    mmbt_check(money_equal(pnl, profit_split(&instrument.ledger, &instrument.ledger.overflow)))
    if instrument.ledger.overflow:
        fail(&sim.venue, MONEY_OVERFLOW)
    if not sim.venue.recorder.keeps_equity:
        return
    row = add_equity(&sim.venue.recorder)
    if row == NULL:
        fail(&sim.venue, OUT_OF_MEMORY)
        return
    row.ts = ts
    row.position = instrument.ledger.position
    row.mid2 = in_ticks(mid2, instrument.tick_units)
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
            record_equity(sim, index, ts, mid2_at(sim, index, ts))

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
    cdef int32_t index
    if not sim.venue.recorder.keeps_equity:
        return
    while sim.equity_fills < sim.venue.recorder.fill_count:
        index = sim.venue.recorder.fills[sim.equity_fills].instrument
        record_equity(sim, index, sim.venue.now, sim.venue.instruments[index].book.mid2)
        sim.equity_fills += 1

cdef inline int64_t next_observation(const Simulation* sim) noexcept nogil:
    if sim.next_equity < sim.venue.recorder.next_mark_ts:
        return sim.next_equity
    return sim.venue.recorder.next_mark_ts

# Takes every mid and row of equity due at instants before `ts`: nothing more happens at them.
cdef inline void observe_before(Simulation* sim, int64_t ts) noexcept nogil:
    cdef Recorder* recorder = &sim.venue.recorder
    cdef FillRow* fill
    cdef int64_t mid2
    while next_observation(sim) < ts:
        if recorder.next_mark_ts > sim.next_equity:
            record_grid_equity(sim)
            continue
        fill = next_mark(recorder)
        mid2 = mid2_at(sim, fill.instrument, recorder.next_mark_ts)
        write_mark(recorder, in_ticks(mid2, sim.venue.instruments[fill.instrument].tick_units))
