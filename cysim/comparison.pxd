from libc.stdint cimport int64_t

from cysim.book cimport apply_quote
from cysim.stream cimport Source, check_window
from cysim.synthetic cimport LEG_OLD, QUOTED, Chain, Quoted, Quotes, Top, quoted_until, refresh_chain
from cysim.types cimport NEVER, OK

cdef enum:
    CHECK_QUOTES = 1 << 20       # between two looks for signals

cdef enum Stop:                  # why the loop stopped
    FINISHED = 0
    STARVED = 1                  # a source needs its next part
    CHECK = 2
    FAILED = 3

cdef struct Tally:
    int64_t state_ns[4]          # time, by state of the chain of legs
    int64_t both_ns              # direct and synthetic are quoted; of that:
    int64_t cheaper_ns           # buying along the legs costs less
    int64_t dearer_ns            # selling along the legs gives more
    int64_t better_ns            # either
    int64_t arbitrage_ns         # one's bid is above the other's ask
    int64_t samples              # both were quoted
    double mean_bp               # of the difference of mids
    double squares_bp            # sum of squared deviations from the mean
    double spread_bp             # sum, of the synthetic
    double direct_spread_bp      # sum

cdef struct Race:                # a direct book and a chain over a stretch of quotes
    Source* sources              # by instrument
    Quoted* quoted               # by instrument
    int64_t count
    Quotes quotes
    Chain direct                 # one leg; none: there is no direct book
    Chain legs
    Tally tally
    int64_t first_ts             # NEVER: before the first quote
    int64_t now
    int64_t next_sample          # ns
    int64_t interval             # ns between samples
    int64_t session_gap          # ns; NEVER: no silence is left out
    int64_t events
    int64_t starved              # the source that needs its next part, or is at fault
    int status

# The instant is over: what the books say holds until `until`, not included, or as long as the legs are young enough.
cdef inline void pass_time(Race* race, int64_t until) noexcept nogil:
    cdef Tally* tally = &race.tally
    cdef const Top* legs = &race.legs.top
    cdef const Top* direct = &race.direct.top
    cdef int64_t end = until, time
    if legs.state == QUOTED and quoted_until(&race.legs, race.now) < until - 1:
        end = quoted_until(&race.legs, race.now) + 1
    time = end - race.now
    tally.state_ns[<int>legs.state] += time
    tally.state_ns[<int>LEG_OLD] += until - end
    if legs.state == QUOTED and direct.state == QUOTED:
        tally.both_ns += time
        if legs.ask < direct.ask:
            tally.cheaper_ns += time
        if legs.bid > direct.bid:
            tally.dearer_ns += time
        if legs.ask < direct.ask or legs.bid > direct.bid:
            tally.better_ns += time
        if legs.ask < direct.bid or legs.bid > direct.ask:
            tally.arbitrage_ns += time

cdef inline void add_sample(Tally* tally, const Top* direct, const Top* legs) noexcept nogil:
    cdef double difference_bp = (legs.mid / direct.mid - 1) * 1e4
    cdef double deviation_bp = difference_bp - tally.mean_bp
    tally.samples += 1
    tally.mean_bp += deviation_bp / tally.samples
    tally.squares_bp += deviation_bp * (difference_bp - tally.mean_bp)
    tally.spread_bp += (legs.ask - legs.bid) / legs.mid * 1e4
    tally.direct_spread_bp += (direct.ask - direct.bid) / direct.mid * 1e4

cdef inline void take_samples(Race* race, int64_t until) noexcept nogil:
    while race.next_sample < until:
        if race.direct.top.state == QUOTED and race.legs.top.state == QUOTED \
                and race.next_sample <= quoted_until(&race.legs, race.now):
            add_sample(&race.tally, &race.direct.top, &race.legs.top)
        race.next_sample += race.interval

# All quotes of one instant are in, and the next one is at `next_ts`. A silence as long as the gap is left out.
cdef inline void close_instant(Race* race, int64_t next_ts) noexcept nogil:
    refresh_chain(&race.legs, &race.quotes, race.now)
    if race.direct.count > 0:
        refresh_chain(&race.direct, &race.quotes, race.now)
    if next_ts - race.now < race.session_gap:
        pass_time(race, next_ts)
        take_samples(race, next_ts)
        return
    take_samples(race, race.now + 1)
    if race.next_sample < next_ts:
        race.next_sample += (next_ts - race.next_sample + race.interval - 1) // race.interval * race.interval

# The source of the next quote; -1: none, and `stop` says why.
cdef inline int64_t next_quote(Race* race, Stop* stop) noexcept nogil:
    cdef int64_t index, best = -1, ts, best_ts = NEVER
    cdef Source* source
    stop[0] = FINISHED
    for index in range(race.count):
        source = &race.sources[index]
        if source.pos == source.checked:
            if source.pos == source.length and source.finished:
                continue
            race.starved = index
            if source.pos == source.length:
                stop[0] = STARVED
                return -1
            race.status = check_window(source, race.session_gap)
            if race.status != OK:
                stop[0] = FAILED
                return -1
        ts = source.ts[source.pos]
        if ts < best_ts:
            best_ts = ts
            best = index
    return best

cdef inline Stop advance(Race* race) noexcept nogil:
    cdef int64_t budget = CHECK_QUOTES, index, row
    cdef Source* source
    cdef Stop stop
    while budget > 0:
        index = next_quote(race, &stop)
        if index < 0:
            if stop == FINISHED and race.first_ts != NEVER:
                close_instant(race, race.now)
                take_samples(race, race.now + 1)
            return stop
        source = &race.sources[index]
        row = source.pos
        if race.first_ts == NEVER:
            race.first_ts = race.next_sample = race.now = source.ts[row]
        if source.ts[row] > race.now:
            close_instant(race, source.ts[row])
            race.now = source.ts[row]
        apply_quote(
            &race.quoted[index].book, source.bid_px[row], source.bid_qty[row], source.ask_px[row], source.ask_qty[row])
        race.quoted[index].quoted_ts = race.now
        source.pos += 1
        race.events += 1
        budget -= 1
    return CHECK
