from libc.stdint cimport int8_t, int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from cysim.decisions cimport Action, Rules, Wanted, is_same, known_position, limited, priced
from cysim.features cimport PRIVATE_FEATURE_COUNT, FeatureScale, read_private_features
from cysim.sight cimport see_own
from cysim.state cimport Simulation
from cysim.stream cimport first_above

# What a learner sees at a decision. What the market shows was computed once for all simulations; here is the rest: our
# own features and the actions that differ.

cdef struct Tape:                # what the market shows at its timers
    const int64_t* instants      # ns, ascending
    const double* scale          # mid and reference spread at each, price units
    int64_t count

cdef struct Eye:                 # which private features are seen
    int32_t chosen[PRIVATE_FEATURE_COUNT]
    int64_t count

cdef struct Wants:               # room for all actions of a decision
    Wanted* priced               # what the market makes of each
    Wanted* distinct             # those that differ, at a position

cdef struct States:              # distinct states that the actions of one decision lead to, in the caller's arrays
    float* private               # by state and feature
    int8_t* admissible           # by state and action
    int64_t room
    int64_t count

cdef inline bint make_wants(Wants* wants, int64_t count) noexcept nogil:
    wants.priced = <Wanted*>calloc(<size_t>count, sizeof(Wanted))
    wants.distinct = <Wanted*>calloc(<size_t>count, sizeof(Wanted))
    return wants.priced != NULL and wants.distinct != NULL

cdef inline void free_wants(Wants* wants) noexcept nogil:
    free(wants.priced)
    free(wants.distinct)

# The instant's place in the tape, likely that after `before`; -1: it is no timer of the market's.
cdef inline int64_t row_at(const Tape* tape, int64_t ts, int64_t before) noexcept nogil:
    cdef int64_t row = before + 1
    if row >= tape.count or tape.instants[row] != ts:
        row = first_above(tape.instants, tape.count, ts) - 1
    return row if row >= 0 and tape.instants[row] == ts else -1

# The private features chosen, at the tape's instant `row`.
cdef inline void observe(
    const Simulation* sim, const Rules* rules, const Eye* eye, const Tape* tape, int64_t row, float* out,
) noexcept nogil:
    cdef double[PRIVATE_FEATURE_COUNT] values
    cdef FeatureScale scale
    cdef int64_t place
    scale.mid = tape.scale[2 * row] if row >= 0 else 0
    scale.spread = tape.scale[2 * row + 1] if row >= 0 else 1
    read_private_features(see_own(&sim.venue, rules.instrument), scale, sim.venue.now, values)
    for place in range(eye.count):
        out[place] = <float>(values[eye.chosen[place]] + 0.0)    # no negative zero: equal states have equal bytes

# What the market makes of all actions: the same for everybody at that instant.
cdef inline void price_all(
    const Simulation* sim, const Rules* rules, const Action* actions, int64_t count, Wants* wants,
) noexcept nogil:
    cdef int64_t action
    for action in range(count):
        wants.priced[action] = priced(sim, rules, &actions[action])

# Of actions that come to the same the first is admissible. They have been priced.
cdef inline void mask(
    const Simulation* sim, const Rules* rules, const Action* actions, int64_t count, Wants* wants, int8_t* admissible,
) noexcept nogil:
    cdef int64_t position = known_position(&sim.venue, rules.instrument)
    cdef int64_t action, place, found = 0
    for action in range(count):
        wants.distinct[found] = limited(wants.priced[action], rules, &actions[action], position)
        place = 0
        while not is_same(&wants.distinct[place], &wants.distinct[found]):
            place += 1
        admissible[action] = place == found
        found += place == found

# The place of a state, noted when it is new; -1 when there is no room. What is admissible in it is still to be written.
cdef inline int64_t note_state(States* states, const Eye* eye, const float* private, bint* is_new) noexcept nogil:
    cdef size_t size = <size_t>eye.count * sizeof(float)
    cdef int64_t place
    is_new[0] = False
    for place in range(states.count):
        if memcmp(&states.private[place * eye.count], private, size) == 0:
            return place
    if states.count == states.room:
        return -1
    memcpy(&states.private[states.count * eye.count], private, size)
    states.count += 1
    is_new[0] = True
    return states.count - 1

# Where nothing is decided any more: all zero, and every action is as good as another.
cdef inline void note_end(States* states, const Eye* eye, int64_t action_count) noexcept nogil:
    memset(states.private, 0, <size_t>eye.count * sizeof(float))
    memset(states.admissible, 1, <size_t>action_count)
    states.count = 1

# Rows beyond those used repeat the first.
cdef inline void fill_rest(States* states, const Eye* eye, int64_t action_count) noexcept nogil:
    cdef int64_t place
    for place in range(states.count, states.room):
        memcpy(&states.private[place * eye.count], states.private, <size_t>eye.count * sizeof(float))
        memcpy(&states.admissible[place * action_count], states.admissible, <size_t>action_count)
