from libc.stdint cimport int32_t, int64_t

from cysim.delays cimport Delay
from cysim.stream cimport Source
from cysim.venue cimport Venue

cdef struct Feed:                # the strategy's own place in a source, where rows take time to become visible
    Source rows
    const int64_t* local_ts      # when each row was received; NULL: `delay` says
    Delay delay
    int64_t visible_ts           # of the next row, once looked ahead; of the row before it until then
    int64_t row_ts               # exchange time of the last row looked at
    int64_t ties                 # rows of that time before it
    bint looked

cdef struct Simulation:          # all the state of one run; plain data
    Venue venue
    Source* sources              # in the order of events at one instant
    int64_t source_count
    int64_t first_quotes         # the sources of quotes begin there, one an instrument
    Feed* feeds                  # one a source; NULL: every row is visible at once
    int64_t starved              # the source that needs its next part; from source_count on: the feed
    int64_t first_ts             # of the first event; NEVER before it
    int64_t last_ts              # of the last event
    int64_t last_traded_ts       # of the last row of a traded instrument
    int64_t session_gap          # ns; NEVER: sessions do not end
    int64_t interval             # of the timers, ns; 0: none
    int64_t next_timer           # ns; NEVER: none
    int64_t equity_interval      # ns
    int64_t next_equity          # ns
    int64_t session_end          # of the last session that ended; 0: none has
    int64_t silence_end          # the row that began the session after the last silence
    int64_t last_grid_ts         # of the last rows of equity that were not for a fill
    int64_t equity_fills         # fills recorded that have their row of equity
    int64_t traded_count         # instruments
    int64_t decisions            # calls of on_timer, by Python or natively
    int64_t sessions
    int64_t rows_until           # leaps go no further, until another window is checked
    int64_t until_check          # events left, or so, before the next look for signals
    int64_t event_ts             # exchange time of the row that woke the strategy
    int64_t event_px             # the print that woke the strategy
    int64_t event_qty
    int32_t event_aggressor
    int32_t event_instrument
    int32_t event_table
    bint wants_tob
    bint wants_trades
    bint must_wake               # outcomes wait to be told, once what is visible has been shown
    bint have_mids               # every traded instrument has had one
    bint in_session
    bint seen_since_end          # a traded row after the last session's end has become visible
    bint awaits_start            # timers wait for a valid book of every traded instrument
    bint ended

# Rows replayed of all sources of a table.
cdef inline int64_t events_of(const Simulation* sim, int table) noexcept nogil:
    cdef int64_t index, events = 0
    for index in range(sim.source_count):
        if sim.sources[index].table == table:
            events += sim.sources[index].rows_before + sim.sources[index].pos
    return events
