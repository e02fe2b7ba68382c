"""The replay: intervals in a ring, sampled by a sum tree or uniformly, gathered into batches, all without the GIL.

Row `seq`, counted from 0, stands at seq % capacity. Rows from `written - live` are there; those of the block that is
being collected are not sampled before `commit`, and `reserve` takes the rows they will overwrite out of the sample. So
a block may be pushed by one thread while another samples, and what is sampled does not depend on their timing.

    reserve(rows)    at a barrier: the next block will push at most so many
    push(...)        the collecting thread, any number of times
    commit()         at the next barrier: the block can be sampled

Sampling is a function of (seed, number of the update, place in it). In groups, the rows that tell of one interval are
drawn together: each push has as many rows of every market, market by market in turn. With priorities, place i of n
looks for the mass (i + u) / n of the tree, in which a leaf is priority ** alpha, and a new row has the highest
priority met so far.

A path of n steps runs along rows of one market, for as long as the state that a row's action led to is, bit for bit,
the state the next row began in: it ends where a market ended or was cut off, and where nothing newer is known.
"""

import numpy as np

from libc.math cimport pow
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from cysim.draws cimport draw_key, uniform
from mmbt.learn._tree cimport find_leaf, set_leaf, set_range

cdef enum:
    SAMPLE = 0x53414D50                  # stream of the draws of sampling


cdef inline void pack(const uint8_t* flags, Py_ssize_t count, uint8_t* bits) noexcept nogil:
    cdef Py_ssize_t i
    for i in range((count + 7) // 8):
        bits[i] = 0
    for i in range(count):
        bits[i >> 3] |= <uint8_t>((flags[i] != 0) << (i & 7))


cdef inline void unpack(const uint8_t* bits, Py_ssize_t count, uint8_t* flags) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        flags[i] = (bits[i >> 3] >> (i & 7)) & 1


cdef class Replay:
    """Intervals to learn from.

    Parameters
    ----------
    market, private, actions, outcomes
        Widths of a row: features of the market (there may be none), private features, actions, and next private states.
    capacity
        Rows; more overwrite the oldest.
    taken
        Keep and back up only the action taken: rows without one are left out.
    n_step
        Steps of reward before the bootstrap, with `taken`.
    alpha
        Exponent of priorities; 0 samples uniformly, without a tree.
    group
        Rows of each interval, drawn together: row j * behaved + i of a push is the j-th of market i.
    """

    cdef readonly int market_width, private_width, actions, outcomes, n_step, group
    cdef readonly bint taken
    cdef readonly double alpha
    cdef readonly int64_t capacity, written, committed, reserved
    cdef int64_t leaves, last_push, link_from, link_to
    cdef int mask_bytes, last_count, link_count
    cdef double highest
    cdef float[:, ::1] market, private, reward, next_market
    cdef float[:, :, ::1] next_private
    cdef float[::1] discount
    cdef uint8_t[:, ::1] admissible, outcome
    cdef uint8_t[:, :, ::1] next_admissible
    cdef int16_t[::1] action
    cdef int64_t[::1] follows            # the row after, of the same path; -1 for none
    cdef double[::1] tree
    cdef dict columns                    # the arrays themselves, by name

    def __init__(self, int market, int private, int actions, int outcomes, int64_t capacity, *, bint taken=False,
                 int n_step=1, double alpha=0.0, int group=1):
        if min(private, actions, outcomes, capacity, n_step) < 1 or market < 0 or not 0 <= alpha <= 1:
            raise ValueError("widths, capacity and n_step must be positive, alpha between 0 and 1")
        if n_step > 1 and not taken:
            raise ValueError("n_step: only the path of the action taken is known")
        self.market_width, self.private_width, self.actions, self.outcomes = market, private, actions, outcomes
        if group < 1 or (group > 1 and (taken or alpha)):
            raise ValueError("group: several rows of an interval are drawn together only uniformly, with all actions")
        self.capacity, self.taken, self.n_step, self.alpha, self.group = capacity, taken, n_step, alpha, group
        self.mask_bytes = (actions + 7) // 8
        self.leaves = 1
        while self.leaves < capacity:
            self.leaves *= 2
        self.written = self.committed = self.reserved = 0
        self.last_push = self.link_from = -1
        self.last_count = 0
        self.highest = 1.0
        self._allocate()

    cdef int _allocate(self) except -1:
        rows, masks = self.capacity, self.mask_bytes
        self.columns = {
            "market": np.zeros((rows, self.market_width), np.float32),
            "private": np.zeros((rows, self.private_width), np.float32),
            "admissible": np.zeros((rows, masks), np.uint8),
            "action": np.zeros(rows, np.int16),
            "reward": np.zeros((rows, self.actions), np.float32),
            "outcome": np.zeros((rows, self.actions), np.uint8),
            "next_market": np.zeros((rows, self.market_width), np.float32),
            "next_private": np.zeros((rows, self.outcomes, self.private_width), np.float32),
            "next_admissible": np.zeros((rows, self.outcomes, masks), np.uint8),
            "discount": np.zeros(rows, np.float32),
            "follows": np.full(rows, -1, np.int64),
        }
        c = self.columns
        self.market, self.private, self.admissible, self.action = (
            c["market"], c["private"], c["admissible"], c["action"])
        self.reward, self.outcome, self.discount, self.follows = c["reward"], c["outcome"], c["discount"], c["follows"]
        self.next_market, self.next_private, self.next_admissible = (
            c["next_market"], c["next_private"], c["next_admissible"])
        self.tree = np.zeros(2 * self.leaves if self.alpha else 0)
        return 0

    def __len__(self):
        """Rows that can be sampled."""
        return self.committed - self._oldest()

    cdef int64_t _oldest(self) noexcept nogil:
        return max(0, self.committed + self.reserved - self.capacity)

    # ---- writing

    def reserve(self, int64_t rows):
        """Take the rows that a block of at most `rows` will overwrite out of the sample."""
        if self.written != self.committed:
            raise ValueError("a block is under way: commit it first")
        if not 0 < rows <= self.capacity:
            raise ValueError(f"a block of {rows} rows does not fit into a replay of {self.capacity}")
        self.reserved = rows
        if self.alpha:
            self._weigh(self.committed, self.committed + rows, 0.0)

    def push(self, intervals, int64_t behaved):
        """Store intervals, `behaved` ones first; the arrays are copied."""
        cdef const float[:, :] market = intervals.market
        cdef const float[:, :] private = intervals.private
        cdef const uint8_t[:, ::1] admissible = np.ascontiguousarray(intervals.admissible).view(np.uint8)
        cdef const int16_t[::1] action = np.ascontiguousarray(intervals.action, np.int16)
        cdef const float[:, ::1] reward = np.ascontiguousarray(intervals.reward, np.float32)
        cdef const uint8_t[:, ::1] outcome = np.ascontiguousarray(intervals.outcome, np.uint8)
        cdef const float[:, :] next_market = intervals.next_market
        cdef const float[:, :, :] next_private = intervals.next_private
        cdef const uint8_t[:, :, ::1] next_admissible = np.ascontiguousarray(intervals.next_admissible).view(np.uint8)
        cdef const float[::1] discount = np.ascontiguousarray(intervals.discount, np.float32)
        cdef int64_t count = behaved if self.taken else action.shape[0], row, at
        cdef int k, i, A = self.actions, K = self.outcomes
        cdef int64_t start = self.written
        self._check(intervals, behaved)
        if self.group > 1 and (count != behaved * self.group or self.last_count not in (0, behaved)):
            raise ValueError(f"{count} rows of {behaved} markets are not {self.group} of each, as in every push")
        if start + count > self.committed + self.reserved:
            raise ValueError(f"the block is longer than the {self.reserved} rows that were reserved for it")
        with nogil:
            for row in range(count):
                at = (start + row) % self.capacity
                for i in range(self.market_width):
                    self.market[at, i] = market[row, i]
                    self.next_market[at, i] = next_market[row, i]
                for i in range(self.private_width):
                    self.private[at, i] = private[row, i]
                pack(&admissible[row, 0], A, &self.admissible[at, 0])
                self.action[at] = action[row]
                memcpy(&self.reward[at, 0], &reward[row, 0], <size_t>A * sizeof(float))
                memcpy(&self.outcome[at, 0], &outcome[row, 0], <size_t>A)
                for k in range(K):
                    for i in range(self.private_width):
                        self.next_private[at, k, i] = next_private[row, k, i]
                    pack(&next_admissible[row, k, 0], A, &self.next_admissible[at, k, 0])
                self.discount[at] = discount[row]
                self.follows[at] = -1
            self._follow(start, <int>behaved)
        self.written += count

    def _check(self, intervals, behaved):
        rows, A, K = len(intervals.action), self.actions, self.outcomes
        shapes = {
            "market": (rows, self.market_width), "private": (rows, self.private_width), "admissible": (rows, A),
            "reward": (rows, A), "outcome": (rows, A), "next_market": (rows, self.market_width),
            "next_private": (rows, K, self.private_width), "next_admissible": (rows, K, A), "discount": (rows,)}
        for name, shape in shapes.items():
            if getattr(intervals, name).shape != shape:
                raise ValueError(f"{name}: shape {getattr(intervals, name).shape}, expected {shape}")
        if not 0 <= behaved <= rows:
            raise ValueError(f"{behaved} behaved intervals of {rows}")
        if rows and intervals.outcome.max() >= K:
            raise ValueError(f"outcome: {intervals.outcome.max()} of {K} next private states")
        if behaved and not (intervals.action[:behaved].min() >= 0 and intervals.action[:behaved].max() < A):
            raise ValueError("action: a behaved interval without an action of the grid")

    # Paths run on from the push before. A row that is already sampled is linked at the barrier, not now.
    cdef void _follow(self, int64_t start, int count) noexcept nogil:
        if self.n_step > 1 and self.last_push >= 0 and self.last_count == count:
            if self.last_push < self.committed:
                self.link_from, self.link_to, self.link_count = self.last_push, start, count
            else:
                self._link(self.last_push, start, count)
        self.last_push, self.last_count = start, count

    cdef void _link(self, int64_t before, int64_t after, int count) noexcept nogil:
        cdef int64_t a, b, i
        cdef int taken
        for i in range(count):
            a, b = (before + i) % self.capacity, (after + i) % self.capacity
            taken = self.outcome[a, self.action[a]]
            if (self.discount[a] > 0
                    and (not self.market_width or memcmp(
                        &self.next_market[a, 0], &self.market[b, 0], <size_t>self.market_width * 4) == 0)
                    and memcmp(&self.next_private[a, taken, 0], &self.private[b, 0],
                               <size_t>self.private_width * 4) == 0):
                self.follows[a] = after + i

    def commit(self):
        """Let the block that was pushed be sampled."""
        if self.link_from >= 0:
            self._link(self.link_from, self.link_to, self.link_count)
            self.link_from = -1
        if self.alpha:
            self._weigh(self.committed, self.written, pow(self.highest, self.alpha))
        self.committed, self.reserved = self.written, 0

    cdef void _weigh(self, int64_t first, int64_t last, double value) noexcept nogil:
        cdef int64_t a = first % self.capacity, count = last - first
        cdef int64_t whole = min(count, self.capacity - a)
        set_range(&self.tree[0], self.leaves, a, a + whole, value)
        set_range(&self.tree[0], self.leaves, 0, count - whole, value)

    # ---- sampling

    def sample(self, uint64_t seed, int64_t update, int64_t[::1] slots not None, float[::1] weights not None,
               int64_t batch, double beta=1.0):
        """Draw slots and the weights that correct the bias of their priorities, 1 at most within each batch.

        Parameters
        ----------
        seed, update
            What is drawn is a function of them and of the place.
        slots, weights
            [n], written.
        batch
            Places that share a largest weight; n is a multiple of it.
        beta
            1 corrects the bias whole, 0 not at all.
        """
        cdef int64_t n = slots.shape[0], i, j, oldest = self._oldest(), live = self.committed - oldest
        cdef int64_t markets = self.last_count, rows = markets * self.group, first = 0, at
        cdef uint64_t key = draw_key(seed, SAMPLE, update, 0)
        cdef double total, u
        cdef float most
        if live < 1 or weights.shape[0] != n or batch < 1 or n % batch:
            raise ValueError(f"{n} slots in batches of {batch}, {weights.shape[0]} weights, of {live} rows")
        if self.group > 1:
            first = (oldest + rows - 1) // rows
            live = self.committed // rows - first
            if live < 1 or batch % self.group:
                raise ValueError(f"batches of {batch} rows in groups of {self.group}, of {live} whole pushes")
        with nogil:
            if self.group > 1:
                live *= markets
                for i in range(n // self.group):
                    u = uniform(key, <uint64_t>i + 1)
                    at = min(<int64_t>(u * <double>live), live - 1)
                    at = (first + at // markets) * rows + at % markets
                    for j in range(self.group):
                        slots[i * self.group + j] = (at + j * markets) % self.capacity
                        weights[i * self.group + j] = 1.0
            elif self.alpha == 0:
                for i in range(n):
                    u = uniform(key, <uint64_t>i + 1)
                    slots[i] = (oldest + min(<int64_t>(u * <double>live), live - 1)) % self.capacity
                    weights[i] = 1.0
            else:
                total = self.tree[1]
                for i in range(n):
                    u = (<double>i + 1.0 - uniform(key, <uint64_t>i + 1)) / <double>n
                    slots[i] = find_leaf(&self.tree[0], self.leaves, u * total)
                    weights[i] = <float>pow(self.tree[self.leaves + slots[i]] * <double>live / total, -beta)
                for i in range(n // batch):
                    most = 0.0
                    for j in range(i * batch, (i + 1) * batch):
                        most = max(most, weights[j])
                    for j in range(i * batch, (i + 1) * batch):
                        weights[j] /= most

    def set_priorities(self, const int64_t[::1] slots not None, const float[::1] priorities not None):
        """Weigh rows by what learning from them met; of a row that stands twice the last one counts."""
        cdef int64_t i
        cdef double priority
        if slots.shape[0] != priorities.shape[0]:
            raise ValueError(f"{slots.shape[0]} slots, {priorities.shape[0]} priorities")
        if not self.alpha:
            return
        with nogil:
            for i in range(slots.shape[0]):
                priority = <double>priorities[i] + 1e-6  # none is never met again
                self.highest = max(self.highest, priority)
                set_leaf(&self.tree[0], self.leaves, slots[i], pow(priority, self.alpha))

    # ---- gathering

    def gather(self, const int64_t[::1] slots not None, float[:, ::1] state not None, uint8_t[:, ::1] mask not None,
               int32_t[::1] action not None, float[:, ::1] reward not None, float[::1] mass not None,
               uint8_t[:, ::1] outcome not None, float[:, :, ::1] next_state not None,
               uint8_t[:, :, ::1] next_mask not None, float[::1] discount not None):
        """Copy the sampled rows into a batch; with `taken` its columns of actions and outcomes are one wide."""
        cdef int64_t n = slots.shape[0], i, at
        cdef int columns = 1 if self.taken else self.actions
        cdef int nexts = 1 if self.taken else self.outcomes
        cdef int m = self.market_width, p = self.private_width, k
        if not (state.shape[0] == mask.shape[0] == action.shape[0] == reward.shape[0] == mass.shape[0] == n
                and outcome.shape[0] == next_state.shape[0] == next_mask.shape[0] == discount.shape[0] == n
                and state.shape[1] == next_state.shape[2] == m + p and next_mask.shape[2] == self.actions
                and mask.shape[1] == reward.shape[1] == outcome.shape[1] == columns
                and next_state.shape[1] == next_mask.shape[1] == nexts):
            raise ValueError("the arrays of the batch do not fit the slots and the rows of the replay")
        with nogil:
            for i in range(n):
                at = slots[i]
                if m:
                    memcpy(&state[i, 0], &self.market[at, 0], <size_t>m * sizeof(float))
                memcpy(&state[i, m], &self.private[at, 0], <size_t>p * sizeof(float))
                action[i] = self.action[at]
                if self.taken:
                    mask[i, 0], outcome[i, 0] = 1, 0
                    at = self._walk(at, &reward[i, 0], &mass[i], &discount[i])
                    self._next(at, self.outcome[at, self.action[at]], &next_state[i, 0, 0], &next_mask[i, 0, 0])
                    continue
                unpack(&self.admissible[at, 0], self.actions, &mask[i, 0])
                memcpy(&reward[i, 0], &self.reward[at, 0], <size_t>columns * sizeof(float))
                memcpy(&outcome[i, 0], &self.outcome[at, 0], <size_t>columns)
                mass[i], discount[i] = 1.0, self.discount[at]
                for k in range(nexts):
                    self._next(at, k, &next_state[i, k, 0], &next_mask[i, k, 0])

    cdef void _next(self, int64_t at, int k, float* state, uint8_t* mask) noexcept nogil:
        if self.market_width:
            memcpy(state, &self.next_market[at, 0], <size_t>self.market_width * sizeof(float))
        memcpy(state + self.market_width, &self.next_private[at, k, 0], <size_t>self.private_width * sizeof(float))
        unpack(&self.next_admissible[at, k, 0], self.actions, mask)

    # The rewards of at most n_step rows; the row that the path ends with.
    cdef int64_t _walk(self, int64_t at, float* reward, float* mass, float* discount) noexcept nogil:
        cdef int _step
        reward[0], mass[0], discount[0] = self.reward[at, self.action[at]], 1.0, self.discount[at]
        for _step in range(1, self.n_step):
            if self.follows[at] < 0:
                break
            at = self.follows[at] % self.capacity
            reward[0] += discount[0] * self.reward[at, self.action[at]]
            mass[0] += discount[0]
            discount[0] *= self.discount[at]
        return at

    # ---- resuming

    def state(self):
        """Everything, as plain arrays: rows, sum tree, counters."""
        if self.written != self.committed:
            raise ValueError("a block is under way: commit it first")
        rows = min(self.committed, self.capacity)
        kept = {name: column[:rows].copy() for name, column in self.columns.items()}
        return kept | {
            "tree": np.asarray(self.tree).copy(), "highest": np.array(self.highest),
            "counters": np.array([self.committed, self.reserved, self.last_push, self.last_count], np.int64)}

    def restore(self, state):
        """Go on from a `state`, exactly."""
        committed, reserved, last_push, last_count = (int(value) for value in state["counters"])
        if committed < 0 or not 0 <= reserved <= self.capacity or not -1 <= last_push <= committed or last_count < 0:
            raise ValueError(f"counters: {committed}, {reserved}, {last_push}, {last_count} are of no replay")
        rows = min(committed, self.capacity)
        for name, column in self.columns.items():
            if state[name].shape != (rows, *column.shape[1:]) or state[name].dtype != column.dtype:
                raise ValueError(f"{name}: {state[name].shape} {state[name].dtype} is of another replay")
        # what is looked up by: a number beyond its range would be read past the end of a row
        for name, least, most in (("outcome", 0, self.outcomes - 1), ("follows", -1, committed - 1),
                                  ("action", -1, self.actions - 1)):
            if rows and not (state[name].min() >= least and state[name].max() <= most):
                raise ValueError(f"{name}: {state[name].min()} to {state[name].max()}, not within {least} to {most}")
        if self.taken and rows and state["action"].min() < 0:
            raise ValueError("action: a row without an action")
        tree = state["tree"]
        if tree.shape != (self.tree.shape[0],):
            raise ValueError("tree: of another replay")
        if self.alpha and not (
                (tree[self.leaves:] >= 0).all() and not tree[self.leaves + self.capacity:].any()
                and (tree[1:self.leaves] == tree[2::2] + tree[3::2]).all() and np.isfinite(tree[1])):
            raise ValueError("tree: its nodes are not the sums of their leaves")
        for name, column in self.columns.items():
            column[:rows] = state[name]
        np.asarray(self.tree)[:] = tree
        self.highest = float(state["highest"])
        self.written = self.committed = committed
        self.reserved, self.last_push, self.last_count, self.link_from = reserved, last_push, last_count, -1
