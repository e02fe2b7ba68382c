from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from cysim.copies cimport copy_simulation
from cysim.decisions cimport (
    BREAKS, DECIDES, Action, Outcome, Result, Rules, decide, known_position, run_to_decision,
)
from cysim.fetch cimport expect, expect_landing, expect_parts
from cysim.observation cimport (
    Eye, States, Tape, Wants, fill_rest, mask, note_end, note_state, observe, price_all, row_at,
)
from cysim.state cimport Simulation
from cysim.types cimport OK, OUT_OF_MEMORY
from cysim.venue cimport Instrument
from cysim.windows cimport put_down

# Many simulations that do the same thing, each for itself: what one thread does of a call.

cdef struct Market:              # one of those that simulations are put down in
    const Simulation* template   # as every simulation begins
    int64_t look_back            # ns
    Tape tape                    # no instants: nothing is observed

cdef struct Call:                # what the caller lent for one call; what he does not want is NULL
    const int64_t* indices       # reset: by place
    const int64_t* start_ts
    const int64_t* end_ts
    const int64_t* markets
    const int64_t* positions     # lots
    const int64_t* chosen        # step: actions by simulator
    double* pnl                  # step: by simulator; step_all: by simulator and action
    double* inventory
    double* closing
    double* held
    int64_t* ts
    int64_t* position
    int8_t* done
    int8_t* admissible           # observe, step_all: by simulator and action
    int64_t* row                 # in the tape: of the decision at hand, step_all: of the next one
    float* private               # observe: by simulator and feature; step_all: by simulator, state and feature
    uint8_t* outcome             # step_all: the state that each action leads to
    int8_t* next_admissible      # step_all: by simulator, state and action
    int64_t room                 # step_all: states of a simulator

cdef struct Fleet:
    Market* markets
    Simulation* sims
    Simulation* branches         # one a thread
    Wants* wants                 # by thread
    float* seen                  # by thread and feature
    int64_t* end_ts              # by simulator: no decision at or after it
    int64_t* places              # by simulator: its market
    int64_t* rows                # by simulator: of its market's tape; -1: none
    int8_t* outcomes             # by simulator
    int8_t* failures             # by simulator: the status of what went wrong in this call, OK mostly
    const Action* actions
    int64_t count
    int64_t action_count
    Rules rules
    Eye eye
    Call call

# Lots brought into the run, as a backtest is told them.
cdef inline void bring(Simulation* sim, int32_t index, int64_t position) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[index]
    instrument.ledger.position = position
    instrument.ledger.opening = position
    instrument.told_position = position
    if sim.venue.senses != NULL:
        sim.venue.senses.owns[index].position = position

cdef inline void look_up(Fleet* fleet, int64_t index) noexcept nogil:
    fleet.rows[index] = row_at(
        &fleet.markets[fleet.places[index]].tape, fleet.sims[index].venue.now, fleet.rows[index])

cdef inline void reset_one(Fleet* fleet, int64_t place) noexcept nogil:
    cdef int64_t index = fleet.call.indices[place]
    cdef const Market* market = &fleet.markets[fleet.call.markets[place] if fleet.call.markets != NULL else 0]
    cdef Simulation* sim = &fleet.sims[index]
    fleet.end_ts[index] = fleet.call.end_ts[place]
    fleet.places[index] = fleet.call.markets[place] if fleet.call.markets != NULL else 0
    if copy_simulation(sim, market.template):
        if fleet.call.positions != NULL:
            bring(sim, fleet.rules.instrument, fleet.call.positions[place])
        put_down(sim, fleet.call.start_ts[place], market.look_back)
        fleet.outcomes[index] = run_to_decision(sim, &fleet.rules, fleet.end_ts[index])
        look_up(fleet, index)
    else:
        sim.venue.status = OUT_OF_MEMORY
        fleet.outcomes[index] = BREAKS
    fleet.failures[index] = <int8_t>sim.venue.status

cdef inline void tell(Call* call, int64_t place, const Result* result) noexcept nogil:
    call.pnl[place] = result.pnl
    call.held[place] = result.held
    call.ts[place] = result.ts
    call.position[place] = result.position
    call.done[place] = result.outcome != DECIDES
    if call.inventory != NULL:
        call.inventory[place] = result.inventory
    if call.closing != NULL:
        call.closing[place] = result.closing

cdef inline void step_one(Fleet* fleet, int64_t index) noexcept nogil:
    cdef Simulation* sim = &fleet.sims[index]
    cdef Result result
    if fleet.outcomes[index] == DECIDES:
        result = decide(sim, &fleet.rules, &fleet.actions[fleet.call.chosen[index]], fleet.end_ts[index])
        fleet.outcomes[index] = result.outcome
        look_up(fleet, index)
    else:
        result.pnl = result.inventory = result.closing = result.held = 0
        result.ts = sim.venue.now
        result.position = known_position(&sim.venue, fleet.rules.instrument)
        result.outcome = <Outcome>fleet.outcomes[index]
    fleet.failures[index] = <int8_t>sim.venue.status
    tell(&fleet.call, index, &result)

# None is admissible where the simulator does not stand at a decision.
cdef inline void mask_one(Fleet* fleet, int64_t index, int64_t lane, int8_t* admissible) noexcept nogil:
    cdef int64_t action
    if fleet.outcomes[index] == DECIDES:
        price_all(&fleet.sims[index], &fleet.rules, fleet.actions, fleet.action_count, &fleet.wants[lane])
        mask(&fleet.sims[index], &fleet.rules, fleet.actions, fleet.action_count, &fleet.wants[lane], admissible)
        return
    for action in range(fleet.action_count):
        admissible[action] = False

# What a branch has led to: its place among the states of the simulator; -1 when there is no room for it.
cdef inline int64_t file_branch(
    Fleet* fleet, int64_t index, const Simulation* branch, const Result* result, int64_t lane, States* states,
) noexcept nogil:
    cdef const Tape* tape = &fleet.markets[fleet.places[index]].tape
    cdef float* seen = &fleet.seen[lane * fleet.eye.count]
    cdef int64_t row, place
    cdef bint is_new
    if result.outcome != DECIDES:                  # all branches end together: the market alone decides when
        note_end(states, &fleet.eye, fleet.action_count)
        return 0
    row = row_at(tape, branch.venue.now, fleet.rows[index])
    observe(branch, &fleet.rules, &fleet.eye, tape, row, seen)
    place = note_state(states, &fleet.eye, seen, &is_new)
    if is_new and place == 0:                      # the market shows all branches the same
        price_all(branch, &fleet.rules, fleet.actions, fleet.action_count, &fleet.wants[lane])
    if is_new:
        mask(branch, &fleet.rules, fleet.actions, fleet.action_count, &fleet.wants[lane],
             &states.admissible[place * fleet.action_count])
    fleet.call.row[index] = row
    return place

cdef inline States states_of(Fleet* fleet, int64_t index) noexcept nogil:
    cdef States states
    states.private = &fleet.call.private[index * fleet.call.room * fleet.eye.count]
    states.admissible = &fleet.call.next_admissible[index * fleet.call.room * fleet.action_count]
    states.room = fleet.call.room
    states.count = 0
    return states

cdef inline void branch_one(Fleet* fleet, int64_t index, int64_t lane) noexcept nogil:
    cdef int64_t action, state
    cdef int64_t first = index * fleet.action_count
    cdef int8_t* admissible = &fleet.call.admissible[first]
    cdef Simulation* branch = &fleet.branches[lane]
    cdef bint observes = fleet.call.private != NULL
    cdef States states
    cdef Result result
    fleet.failures[index] = <int8_t>fleet.sims[index].venue.status
    mask_one(fleet, index, lane, admissible)
    if observes:
        states = states_of(fleet, index)
        fleet.call.row[index] = -1
    for action in range(fleet.action_count):
        if observes:
            fleet.call.outcome[first + action] = 0
        if not admissible[action]:
            continue
        if not copy_simulation(branch, &fleet.sims[index]):
            fleet.failures[index] = OUT_OF_MEMORY
            return
        result = decide(branch, &fleet.rules, &fleet.actions[action], fleet.end_ts[index])
        if result.outcome == BREAKS:
            fleet.failures[index] = <int8_t>branch.venue.status
            return
        tell(&fleet.call, first + action, &result)
        if observes:
            state = file_branch(fleet, index, branch, &result, lane, &states)
            admissible[action] = state >= 0
            if state >= 0:
                fleet.call.outcome[first + action] = <uint8_t>state
    if observes:
        if states.count == 0:
            note_end(&states, &fleet.eye, fleet.action_count)
        fill_rest(&states, &fleet.eye, fleet.action_count)

cdef inline void observe_one(Fleet* fleet, int64_t index, int64_t lane) noexcept nogil:
    cdef const Tape* tape = &fleet.markets[fleet.places[index]].tape
    mask_one(fleet, index, lane, &fleet.call.admissible[index * fleet.action_count])
    fleet.call.row[index] = fleet.rows[index] if fleet.outcomes[index] == DECIDES else -1
    observe(&fleet.sims[index], &fleet.rules, &fleet.eye, tape, fleet.call.row[index],
            &fleet.call.private[index * fleet.eye.count])

# What a crew does (crew.pxd).

cdef inline void reset_some(void* owner, int64_t first, int64_t end, int64_t lane) noexcept nogil:
    cdef int64_t place
    for place in range(first, end):
        reset_one(<Fleet*>owner, place)

cdef inline void step_some(void* owner, int64_t first, int64_t end, int64_t lane) noexcept nogil:
    cdef Fleet* fleet = <Fleet*>owner
    cdef int64_t index
    for index in range(first, end):
        if index + 3 < end:
            expect(&fleet.sims[index + 3])
        if index + 2 < end:
            expect_parts(&fleet.sims[index + 2])
        if index + 1 < end:
            expect_landing(&fleet.sims[index + 1])
        step_one(fleet, index)

cdef inline void branch_some(void* owner, int64_t first, int64_t end, int64_t lane) noexcept nogil:
    cdef int64_t index
    for index in range(first, end):
        branch_one(<Fleet*>owner, index, lane)

cdef inline void observe_some(void* owner, int64_t first, int64_t end, int64_t lane) noexcept nogil:
    cdef int64_t index
    for index in range(first, end):
        observe_one(<Fleet*>owner, index, lane)
