from libc.math cimport ceil, floor
from libc.stdint cimport int8_t, int32_t, int64_t

from cysim.book cimport Book, is_valid
from cysim.desk cimport place, set_last_quotes, set_quotes
from cysim.fees cimport fee_of
from cysim.ledger cimport mark, profit
from cysim.ledger cimport worth as worth_at
from cysim.loop cimport CHECK, ENDED, STARVED, TIMER, Wake, advance, apply_commands
from cysim.money cimport money_difference, money_double, money_t
from cysim.native cimport snap
from cysim.state cimport Simulation
from cysim.types cimport BUY, FOR_HEDGE, LIMIT, MARKET, MONEY_OVERFLOW, NEVER, OK, SELL, in_ticks
from cysim.venue cimport Instrument, Venue, fail, seen_book, weigh_position

# A learner's decision: an action becomes quotes, the market runs to the next decision, and what came of it is told.

cdef enum Outcome:
    DECIDES = 0                  # stands at a decision: a timer with a valid book
    ENDS = 1                     # the window or the data are over
    BREAKS = 2                   # see the simulation's status

cdef struct Action:
    double skew                  # shift of both quotes, in units
    double half_spread           # in units
    double hedge                 # share of the position to deal at the market, 0 to 1
    int64_t size                 # lots of each quote
    bint bid                     # quotes that side
    bint offer

cdef struct Rules:
    int64_t max_position         # lots; NEVER: no limit
    int32_t instrument           # the traded one
    bint in_ticks                # a unit is a tick, else the market's spread

cdef struct Wanted:              # what an action comes to; two that come to the same are one action
    int64_t bid_px               # price units; 0: none
    int64_t offer_px
    int64_t hedge                # signed lots
    int64_t size                 # lots of each quote; 0: none

cdef struct Result:
    double pnl                   # money units since the decision
    double inventory             # of these, by holding the position while the mid moved
    double closing               # at the end: what it would cost to close the position at the opposite touch
    double held                  # |position| x time since the decision, lots x ns
    int64_t ts                   # of the next decision, or of the end
    int64_t position             # lots, as the decision maker knows it
    int8_t outcome
    int8_t _padding[7]

cdef inline int64_t known_position(const Venue* venue, int32_t instrument) noexcept nogil:
    if venue.reports_travel:
        return venue.instruments[instrument].told_position
    return venue.instruments[instrument].ledger.position

# Both quotes around the shifted mid, rounded passively and never through the market's other side (A6), as they would be
# without a position: what of an action the market alone decides. Bid and ask in ticks of n price units; prices stay
# below `end` ticks.
cdef inline Wanted priced_at(
    double bid, double ask, int64_t n, int64_t end, const Rules* rules, const Action* action,
) noexcept nogil:
    cdef double unit = 1.0 if rules.in_ticks or ask == bid else ask - bid
    cdef double centre = (bid + ask) / 2 + action.skew * unit, half_spread = action.half_spread * unit
    cdef double ticks
    cdef Wanted found
    found.bid_px = 0
    found.offer_px = 0
    found.hedge = 0
    found.size = 0
    if action.bid:
        ticks = floor(snap(centre - half_spread))
        ticks = ticks if ticks < ask - 1 else ask - 1
        found.bid_px = <int64_t>ticks * n if ticks >= 1 else 0
    if action.offer:
        ticks = ceil(snap(centre + half_spread))
        ticks = ticks if ticks > bid + 1 else bid + 1
        found.offer_px = <int64_t>ticks * n if 1 <= ticks < <double>end else 0
    return found

cdef inline Wanted priced(const Simulation* sim, const Rules* rules, const Action* action) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[rules.instrument]
    cdef Book* book = seen_book(&sim.venue, instrument)
    cdef int64_t n = instrument.tick_units
    return priced_at(
        <double>in_ticks(book.bid_px, n), <double>in_ticks(book.ask_px, n), n, LIMIT // n, rules, action)

# The rest of it: what the position leaves of the quotes, and what is hedged.
cdef inline Wanted limited(Wanted found, const Rules* rules, const Action* action, int64_t position) noexcept nogil:
    cdef double lots = action.hedge * <double>(position if position > 0 else -position)
    if position >= rules.max_position:
        found.bid_px = 0
    if position <= -rules.max_position:
        found.offer_px = 0
    if found.offer_px != 0 and found.offer_px <= found.bid_px:
        found.offer_px = 0
    found.hedge = <int64_t>floor(lots + 0.5) if lots < <double>LIMIT else LIMIT - 1
    if position > 0:
        found.hedge = -found.hedge
    found.size = action.size if found.bid_px != 0 or found.offer_px != 0 else 0
    return found

cdef inline Wanted wanted(const Simulation* sim, const Rules* rules, const Action* action) noexcept nogil:
    return limited(priced(sim, rules, action), rules, action, known_position(&sim.venue, rules.instrument))

cdef inline bint is_same(const Wanted* a, const Wanted* b) noexcept nogil:
    return a.bid_px == b.bid_px and a.offer_px == b.offer_px and a.hedge == b.hedge and a.size == b.size

# Runs until the next decision; timers without a valid book are none.
cdef inline Outcome run_to_decision(Simulation* sim, const Rules* rules, int64_t end_ts) noexcept nogil:
    cdef Wake wake
    while True:
        wake = advance(sim)
        if wake == TIMER:
            if sim.venue.now >= end_ts:
                return ENDS
            if is_valid(seen_book(&sim.venue, &sim.venue.instruments[rules.instrument])):
                return DECIDES
        elif wake == CHECK:
            sim.until_check = NEVER
        elif wake == ENDED:
            return ENDS
        else:
            return BREAKS

cdef inline money_t worth(Simulation* sim, const Rules* rules) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[rules.instrument]
    mark(&instrument.ledger, instrument.book.mid2, instrument.book.first_mid2)
    return profit(&instrument.ledger, &instrument.ledger.overflow)

# What is lost by closing the position at the last present opposite touch, fee included, instead of at the mid (O7).
cdef inline double closing_cost(Simulation* sim, const Rules* rules) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[rules.instrument]
    cdef int64_t position = instrument.ledger.position
    cdef int64_t touch = instrument.book.last_bid_px if position > 0 else instrument.book.last_ask_px
    cdef int* overflow = &instrument.ledger.overflow
    cdef money_t value
    if position == 0 or touch == 0:
        return 0
    value = money_difference(
        worth_at(&instrument.ledger, position, touch, overflow),
        fee_of(&instrument.fees.taker, touch, position if position > 0 else -position, overflow), overflow)
    return money_double(money_difference(instrument.ledger.marked, value, overflow))

# One step of the learner's environment.
cdef inline Result decide(
    Simulation* sim, const Rules* rules, const Action* action, int64_t end_ts,
) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[rules.instrument]
    cdef Wanted want = wanted(sim, rules, action)
    cdef money_t before = worth(sim, rules), held_before = instrument.ledger.inventory
    cdef Result result
    weigh_position(instrument, sim.venue.now)
    instrument.held = 0
    if want.hedge == 0:
        set_last_quotes(&sim.venue, rules.instrument, &want.bid_px, 1, &want.offer_px, 1, action.size)
    else:
        set_quotes(&sim.venue, rules.instrument, &want.bid_px, 1, &want.offer_px, 1, action.size, True)
        place(&sim.venue, rules.instrument, BUY if want.hedge > 0 else SELL, 0,
              want.hedge if want.hedge > 0 else -want.hedge, MARKET, FOR_HEDGE)
    apply_commands(sim)
    result.outcome = run_to_decision(sim, rules, end_ts)
    weigh_position(instrument, sim.venue.now)
    result.pnl = money_double(money_difference(worth(sim, rules), before, &instrument.ledger.overflow))
    result.inventory = money_double(
        money_difference(instrument.ledger.inventory, held_before, &instrument.ledger.overflow))
    result.closing = closing_cost(sim, rules) if result.outcome == ENDS else 0
    result.held = instrument.held
    result.ts = sim.venue.now
    result.position = known_position(&sim.venue, rules.instrument)
    if instrument.ledger.overflow:
        fail(&sim.venue, MONEY_OVERFLOW)
    if sim.venue.status != OK:
        result.outcome = BREAKS
    return result
