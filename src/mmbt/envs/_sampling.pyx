"""One step of many sampled markets, and of each what every action would have led to.

A market is a place in a chain of levels; the maker has an inventory and, with a delay of D, D actions under way. The
law of one step, with the draws of that market and step, the same whatever is done:

    fills      an offer of action a is filled iff u_ask <= its chance, a bid iff u_bid <= its chance; none past a limit
    governed   by the action itself without a delay, by the oldest under way with one
    earned     edges of the fills in spreads of the level, + inventory after them x dM, - risk x |inventory|, which is
               the inventory after the fills or before them
    reward     what is earned in the step that the action governs, D steps on; what is earned before is decided already
    next       the level by its chances; without a delay one state for each inventory that some action leads to, in the
               order in which the actions lead there, with a delay one for each action that is tried
    tried      all actions; with a delay only as many as there is room for states, drawn for each row, the one taken
               among them: the others count as inadmissible in that row

Every draw is a function of (seed, stream, step, market): nothing depends on what was drawn before, and what a market
will do in the next D steps can be looked up. The memory belongs to the arrays that were handed in.
"""

cimport cython
from libc.math cimport fabs
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset

from cysim.draws cimport draw_key, normal, uniform

cdef enum Stream:
    FILLS = 1
    MOVE = 2
    RELABEL = 3
    TRY = 4


@cython.final
cdef class Sampler:
    """Steps all markets; see `envs/_sampling.pyi`."""

    cdef const double[::1] ask_chance, bid_chance  # [A] of a fill
    cdef const double[::1] ask_edge, bid_edge      # [A] spreads from the mid
    cdef const double[::1] spread, drift           # [X] of the level
    cdef const double[:, ::1] chain                # [X, X] chances of the next level, added up
    cdef const uint8_t[:, ::1] allowed             # [3, A] at the lower limit, inside, at the upper limit
    cdef const float[:, ::1] level_features        # [X, m]
    cdef const float[:, ::1] action_features       # [A, 2]

    cdef int32_t[::1] inventory                    # [n] lots
    cdef int32_t[::1] level                        # [n]
    cdef int16_t[:, ::1] pending                   # [n, D] oldest first

    cdef float[:, ::1] seen_market                 # [n, m]
    cdef float[:, ::1] seen_private                # [n, p]
    cdef uint8_t[:, ::1] seen_admissible           # [n, A]

    cdef float[:, ::1] market                      # [N, m]
    cdef float[:, ::1] private                     # [N, p]
    cdef uint8_t[:, ::1] admissible                # [N, A]
    cdef int16_t[::1] action                       # [N]
    cdef float[:, ::1] reward                      # [N, A]
    cdef uint8_t[:, ::1] outcome                   # [N, A]
    cdef float[:, ::1] next_market                 # [N, m]
    cdef float[:, :, ::1] next_private             # [N, K, p]
    cdef uint8_t[:, :, ::1] next_admissible        # [N, K, A]

    cdef double[:, :, ::1] draw                    # [n, D + 1, 3] u_ask, u_bid, dM of this step and the next
    cdef int32_t[:, ::1] ahead                     # [n, D + 2] the levels then, from this step's on
    cdef int16_t[::1] way                          # [D + 1] scratch: what is under way in one row
    cdef int16_t[::1] tried                        # [K] scratch: actions of one row

    cdef double risk, sd
    cdef bint risk_after
    cdef int q_max, delay, actions, features, own, outcomes
    cdef Py_ssize_t n, rows

    def __init__(self, law, place, seen, learned, scratch):
        self.ask_chance, self.bid_chance = law.ask_chance, law.bid_chance
        self.ask_edge, self.bid_edge = law.ask_edge, law.bid_edge
        self.spread, self.drift, self.chain = law.spread, law.drift, law.chain
        self.allowed = law.allowed.view("u1")
        self.level_features, self.action_features = law.level_features, law.action_features
        self.risk, self.sd, self.risk_after, self.q_max = law.risk, law.sd, law.risk_after, law.q_max
        self.inventory, self.level, self.pending = place.inventory, place.level, place.pending
        self.seen_market, self.seen_private = seen.market, seen.private
        self.seen_admissible = seen.admissible.view("u1")
        self.market, self.private = learned.market, learned.private
        self.admissible, self.next_admissible = learned.admissible.view("u1"), learned.next_admissible.view("u1")
        self.action, self.reward, self.outcome = learned.action, learned.reward, learned.outcome
        self.next_market, self.next_private = learned.next_market, learned.next_private
        self.draw, self.ahead, self.way = scratch.draw, scratch.ahead, scratch.way
        self.tried = scratch.tried
        self.n, self.rows = self.inventory.shape[0], self.action.shape[0]
        self.delay, self.actions = <int>self.pending.shape[1], <int>self.ask_chance.shape[0]
        self.features, self.own = <int>self.market.shape[1], <int>self.private.shape[1]
        self.outcomes = <int>self.next_private.shape[1]

    def observe(self):
        """Fill the observation from where the markets stand."""
        cdef Py_ssize_t i
        with nogil:
            for i in range(self.n):
                self._look(i)

    def step(self, const int16_t[::1] actions, uint64_t seed, int64_t step):
        """Take one action a market. Returns the first market whose action is not admissible, and then does nothing."""
        cdef Py_ssize_t i, row, source
        cdef Py_ssize_t count = self.rows - self.n
        cdef Py_ssize_t first = 0
        cdef int d
        if actions.shape[0] != self.n:
            raise ValueError(f"{actions.shape[0]} actions for {self.n} markets")
        if count:
            first = <Py_ssize_t>((<uint64_t>step * <uint64_t>count) % <uint64_t>self.n)
        with nogil:
            for i in range(self.n):
                if not (0 <= actions[i] < self.actions) or not self.allowed[self._kind(self.inventory[i]), actions[i]]:
                    break
            else:
                i = -1
            if i < 0:
                for i in range(self.n):
                    self.ahead[i, 0] = self.level[i]
                    for d in range(self.delay + 1):
                        self._throw(i, d, seed, step + d)
                for i in range(self.n):
                    self._load(i)
                    self._learn(i, i, self.inventory[i], actions[i], draw_key(seed, TRY, step, i))
                for row in range(self.n, self.rows):
                    source = (first + row - self.n) % self.n
                    self._learn(row, source, self._relabel(draw_key(seed, RELABEL, step, row - self.n)), -1,
                                draw_key(seed, TRY, step, row))
                for i in range(self.n):
                    self._move(i, actions[i])
                    self._look(i)
                i = -1
        return i

    # The draws of a market for the step `d` steps on, and the level after it.
    cdef void _throw(self, Py_ssize_t i, int d, uint64_t seed, int64_t step) noexcept nogil:
        cdef uint64_t h = draw_key(seed, FILLS, step, i)
        cdef Py_ssize_t here = self.ahead[i, d]
        cdef Py_ssize_t there = 0
        cdef double u = uniform(h, 3)
        self.draw[i, d, 0] = uniform(h, 1)
        self.draw[i, d, 1] = uniform(h, 2)
        self.draw[i, d, 2] = self.drift[here]
        if self.sd != 0.0:
            self.draw[i, d, 2] += self.sd * normal(draw_key(seed, MOVE, step, i))
        while there + 1 < self.chain.shape[1] and u > self.chain[here, there]:
            there += 1
        self.ahead[i, d + 1] = <int32_t>there

    cdef inline Py_ssize_t _kind(self, int inventory) noexcept nogil:
        return 2 if inventory >= self.q_max else 0 if inventory <= -self.q_max else 1

    cdef inline void _load(self, Py_ssize_t i) noexcept nogil:
        cdef int d
        for d in range(self.delay):
            self.way[d] = self.pending[i, d]

    # A uniform private state: its pending actions go to `way`, its inventory is returned.
    cdef int _relabel(self, uint64_t h) noexcept nogil:
        cdef int d
        for d in range(self.delay):
            self.way[d] = <int16_t>((1.0 - uniform(h, 2 + d)) * self.actions)
        return <int>((1.0 - uniform(h, 1)) * (2 * self.q_max + 1)) - self.q_max

    # What inventory, and what is under way from the place `skip` of `way` on, look like to a network.
    cdef inline void _private(self, float* to, int inventory, int skip) noexcept nogil:
        cdef int d
        cdef float share = <float>(<double>inventory / self.q_max)
        to[0] = share
        to[1] = -share if share < 0 else share
        for d in range(self.delay):
            to[2 + 2 * d] = self.action_features[self.way[d + skip], 0]
            to[3 + 2 * d] = self.action_features[self.way[d + skip], 1]

    # By one action, in the step `d` steps on.
    cdef inline double _earned(self, Py_ssize_t i, int d, Py_ssize_t a, bint sold, bint bought, int was,
                               int q) noexcept nogil:
        cdef double edge = 0.0
        if sold:
            edge += self.ask_edge[a]
        if bought:
            edge += self.bid_edge[a]
        return (edge * self.spread[self.ahead[i, d]] + q * self.draw[i, d, 2]
                - self.risk * fabs(q if self.risk_after else was))

    # A row of what can be learned: the interval of market i, begun with an inventory and with what `way` holds.
    cdef void _learn(self, Py_ssize_t row, Py_ssize_t i, int q, int16_t action, uint64_t h) noexcept nogil:
        cdef Py_ssize_t kind = self._kind(q)
        cdef size_t mask = self.actions * sizeof(uint8_t)
        cdef size_t width = self.features * sizeof(float)
        self.action[row] = action
        if width:
            memcpy(&self.market[row, 0], &self.level_features[self.level[i], 0], width)
            memcpy(&self.next_market[row, 0], &self.level_features[self.ahead[i, 1], 0], width)
        memcpy(&self.admissible[row, 0], &self.allowed[kind, 0], mask)
        self._private(&self.private[row, 0], q, 0)
        if self.delay:
            self._choose(h, action)
            self._learn_delayed(row, i, q)
        else:
            self._learn_at_once(row, i, q, kind)

    cdef void _learn_at_once(self, Py_ssize_t row, Py_ssize_t i, int q, Py_ssize_t kind) noexcept nogil:
        cdef int slots[3]
        cdef int reached[3]
        cdef int used = 0
        cdef int a, j, k, after
        cdef bint sold, bought
        cdef double ask_draw = self.draw[i, 0, 0] if kind != 0 else 2.0  # a side at its limit is never filled
        cdef double bid_draw = self.draw[i, 0, 1] if kind != 2 else 2.0
        for j in range(3):
            slots[j] = -1
        for a in range(self.actions):
            if not self.allowed[kind, a]:
                self.reward[row, a] = 0
                self.outcome[row, a] = 0
                continue
            sold = ask_draw <= self.ask_chance[a]
            bought = bid_draw <= self.bid_chance[a]
            j = bought - sold
            after = q + j
            self.reward[row, a] = <float>self._earned(i, 0, a, sold, bought, q, after)
            if slots[j + 1] < 0:
                slots[j + 1] = used
                reached[used] = after
                used += 1
            self.outcome[row, a] = <uint8_t>slots[j + 1]
        for k in range(self.outcomes):
            after = reached[k if k < used else 0]
            self._private(&self.next_private[row, k, 0], after, 0)
            memcpy(&self.next_admissible[row, k, 0], &self.allowed[self._kind(after), 0], self.actions)

    # The inventory after the step `d` steps on, which an action governs.
    cdef inline int _after(self, Py_ssize_t i, int d, Py_ssize_t governing, int q) noexcept nogil:
        return q + (
            (q < self.q_max and self.draw[i, d, 1] <= self.bid_chance[governing])
            - (q > -self.q_max and self.draw[i, d, 0] <= self.ask_chance[governing])
        )

    # Which actions a row tries: a uniform set (Floyd 1987), with the one taken if there is one.
    cdef void _choose(self, uint64_t h, int16_t taken) noexcept nogil:
        cdef int count = self.outcomes
        cdef int found = 0
        cdef int others = self.actions
        cdef int j, k
        cdef int16_t a
        if count == self.actions:
            for j in range(count):
                self.tried[j] = <int16_t>j
            return
        if taken >= 0:  # the others are drawn from the actions without it
            self.tried[0] = taken
            found, others, count = 1, others - 1, count - 1
        for j in range(others - count, others):
            a = <int16_t>((1.0 - uniform(h, <uint64_t>j + 1)) * (j + 1))
            a += taken >= 0 and a >= taken
            for k in range(found):
                if self.tried[k] == a:
                    a = <int16_t>(j + (taken >= 0 and j >= taken))
                    break
            self.tried[found] = a
            found += 1

    cdef void _learn_delayed(self, Py_ssize_t row, Py_ssize_t i, int q) noexcept nogil:
        cdef int D = self.delay
        cdef int after = self._after(i, 0, self.way[0], q)
        cdef int held = after                      # when the action governs
        cdef int d, a, k
        cdef bint sold, bought
        for d in range(1, D):
            held = self._after(i, d, self.way[d], held)
        if self.outcomes < self.actions:
            memset(&self.admissible[row, 0], 0, self.actions)
            memset(&self.reward[row, 0], 0, self.actions * sizeof(float))
            memset(&self.outcome[row, 0], 0, self.actions)
        for k in range(self.outcomes):
            a = self.tried[k]
            sold = held > -self.q_max and self.draw[i, D, 0] <= self.ask_chance[a]
            bought = held < self.q_max and self.draw[i, D, 1] <= self.bid_chance[a]
            self.admissible[row, a] = 1
            self.reward[row, a] = <float>self._earned(i, D, a, sold, bought, held, held + bought - sold)
            self.outcome[row, a] = <uint8_t>k
            self.way[D] = <int16_t>a
            self._private(&self.next_private[row, k, 0], after, 1)
            memcpy(&self.next_admissible[row, k, 0], &self.allowed[self._kind(after), 0], self.actions)

    # Where a market is after its action.
    cdef void _move(self, Py_ssize_t i, int16_t action) noexcept nogil:
        cdef Py_ssize_t governing = self.pending[i, 0] if self.delay else action
        cdef int d
        self.inventory[i] = self._after(i, 0, governing, self.inventory[i])
        self.level[i] = self.ahead[i, 1]
        if self.delay:
            for d in range(self.delay - 1):
                self.pending[i, d] = self.pending[i, d + 1]
            self.pending[i, self.delay - 1] = action

    # What is seen of a market as it stands.
    cdef void _look(self, Py_ssize_t i) noexcept nogil:
        self._load(i)
        if self.features:
            memcpy(&self.seen_market[i, 0], &self.level_features[self.level[i], 0], self.features * sizeof(float))
        memcpy(&self.seen_admissible[i, 0], &self.allowed[self._kind(self.inventory[i]), 0], self.actions)
        self._private(&self.seen_private[i, 0], self.inventory[i], 0)
