from libc.stdint cimport int8_t, int64_t

from cysim.copies cimport copy_simulation
from cysim.decisions cimport (
    BREAKS, DECIDES, Action, Outcome, Result, Rules, Wanted, decide, is_same, known_position, run_to_decision, wanted,
)
from cysim.fetch cimport expect, expect_landing, expect_parts
from cysim.state cimport Simulation
from cysim.types cimport OK, OUT_OF_MEMORY
from cysim.windows cimport put_down

# Many simulations that do the same thing, each for itself: what one thread does of a call.

cdef struct Call:                # what the caller lent for one call
    const int64_t* indices       # reset: by place
    const int64_t* start_ts
    const int64_t* end_ts
    const int64_t* chosen        # step: actions by simulator
    double* pnl                  # step: by simulator; step_all: by simulator and action
    double* held
    int64_t* ts
    int64_t* position
    int8_t* done
    int8_t* admissible           # step_all

cdef struct Fleet:
    const Simulation* template   # as every simulation begins
    Simulation* sims
    Simulation* branches         # one a thread
    int64_t* end_ts              # by simulator: no decision at or after it
    int8_t* outcomes             # by simulator
    int8_t* failures             # by simulator: the status of what went wrong in this call, OK mostly
    const Action* actions
    int64_t count
    int64_t action_count
    int64_t look_back            # ns
    Rules rules
    Call call

cdef inline void reset_one(Fleet* fleet, int64_t place) noexcept nogil:
    cdef int64_t index = fleet.call.indices[place]
    cdef Simulation* sim = &fleet.sims[index]
    fleet.end_ts[index] = fleet.call.end_ts[place]
    if copy_simulation(sim, fleet.template):
        put_down(sim, fleet.call.start_ts[place], fleet.look_back)
        fleet.outcomes[index] = run_to_decision(sim, &fleet.rules, fleet.end_ts[index])
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

cdef inline void step_one(Fleet* fleet, int64_t index) noexcept nogil:
    cdef Simulation* sim = &fleet.sims[index]
    cdef Result result
    if fleet.outcomes[index] == DECIDES:
        result = decide(sim, &fleet.rules, &fleet.actions[fleet.call.chosen[index]], fleet.end_ts[index])
        fleet.outcomes[index] = result.outcome
    else:
        result.pnl = 0
        result.held = 0
        result.ts = sim.venue.now
        result.position = known_position(&sim.venue, fleet.rules.instrument)
        result.outcome = <Outcome>fleet.outcomes[index]
    fleet.failures[index] = <int8_t>sim.venue.status
    tell(&fleet.call, index, &result)

# Of actions that come to the same the first is admissible; none where the simulator does not stand at a decision.
cdef inline void mask(Fleet* fleet, int64_t index, int8_t* admissible) noexcept nogil:
    cdef int64_t action, earlier
    cdef Wanted want, other
    for action in range(fleet.action_count):
        admissible[action] = fleet.outcomes[index] == DECIDES
        if not admissible[action]:
            continue
        want = wanted(&fleet.sims[index], &fleet.rules, &fleet.actions[action])
        for earlier in range(action):
            if not admissible[earlier]:
                continue
            other = wanted(&fleet.sims[index], &fleet.rules, &fleet.actions[earlier])
            if is_same(&want, &other):
                admissible[action] = False
                break

cdef inline void branch_one(Fleet* fleet, int64_t index, Simulation* branch) noexcept nogil:
    cdef int64_t action
    cdef int8_t* admissible = &fleet.call.admissible[index * fleet.action_count]
    cdef Result result
    fleet.failures[index] = <int8_t>fleet.sims[index].venue.status
    mask(fleet, index, admissible)
    for action in range(fleet.action_count):
        if not admissible[action]:
            continue
        if not copy_simulation(branch, &fleet.sims[index]):
            fleet.failures[index] = OUT_OF_MEMORY
            return
        result = decide(branch, &fleet.rules, &fleet.actions[action], fleet.end_ts[index])
        if result.outcome == BREAKS:
            fleet.failures[index] = <int8_t>branch.venue.status
            return
        tell(&fleet.call, index * fleet.action_count + action, &result)

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
    cdef Fleet* fleet = <Fleet*>owner
    cdef int64_t index
    for index in range(first, end):
        branch_one(fleet, index, &fleet.branches[lane])
