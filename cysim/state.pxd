from libc.stdint cimport int32_t, int64_t

from cysim.quoter cimport QuoterParams
from cysim.stream cimport Source
from cysim.venue cimport Venue

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
