"""What a learned network does at a decision of a backtest: features become inputs, an action is chosen, and it quotes.

Features and prices are made by the code that makes them in training (cysim/features.pxd, decisions.pxd), and of actions
that come to the same the first is admissible, as there. With a delay of D decisions the action chosen now is done D
decisions later; those under way, at first the grid's first one, are among the inputs, and no action is masked: what
coincides is known when it is done.
"""

import numpy as np

from collections import namedtuple

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy, memmove, memset

from cysim.decisions cimport Action, Rules, Wanted, is_same, limited, priced_at
from cysim.grid cimport read_actions
from mmbt.learn._forward cimport ForwardPass, best_action, forward

cdef enum:
    PARTS = 5                            # numbers that tell of an action under way

Decision = namedtuple("Decision", ("action", "values", "admissible", "inputs"))
Decision.__doc__ = """A decision: the number of the action chosen, all Q-values, what could be chosen, what was seen."""


@cython.final
cdef class Policy:
    """The greedy policy of a network on recorded markets.

    Parameters
    ----------
    layers
        As `ForwardPass` takes them.
    actions : float64 array of (actions, 6)
        As the vector engine takes them.
    mean, scale
        Of each feature of the market: an input is (feature - mean) / scale.
    private
        How many private features follow those of the market.
    max_position, unit
        As the vector engine takes them.
    under_way : float32 array of (actions, 5)
        What tells of an action under way; with a delay only.
    delay
        Decisions between choosing and doing.

    Raises
    ------
    ValueError
        When these do not fit each other.
    """

    cdef ForwardPass _net
    cdef Action* _actions
    cdef Rules _rules
    cdef Wanted* _wants                  # what actions come to at the last decision
    cdef int32_t _known                  # of how many, the first ones, that is known
    cdef uint8_t* _open                  # by action: whether it may still be the best
    cdef double* _mean                   # of the market's features, then their scales
    cdef float* _state
    cdef float* _under_way               # by action
    cdef int32_t* _pending               # actions under way, the next one first
    cdef const float* _values            # of the last decision; NULL: none yet
    cdef double _bid                     # at the last decision, ticks
    cdef double _ask
    cdef int64_t _position
    cdef int64_t _price_limit            # ticks
    cdef int64_t _market
    cdef int64_t _private
    cdef int64_t _delay
    cdef int32_t _action                 # that was chosen last
    cdef object _array                   # what `_features` looks at
    cdef const double[::1] _features

    def __cinit__(self, layers, const double[:, ::1] actions not None, *, mean, scale, int64_t private,
                  int64_t max_position, str unit, const float[:, ::1] under_way=None, int64_t delay=0):
        cdef int64_t place, count = actions.shape[0]
        self._net = ForwardPass(layers)
        self._market, self._private, self._delay = len(mean), private, delay
        if delay and (under_way is None or under_way.shape[0] != count or under_way.shape[1] != PARTS):
            raise ValueError(f"under_way must have a row of {PARTS} numbers for each of the {count} actions")
        if delay < 0 or private < 0 or len(scale) != len(mean) or self._net.actions != count \
                or self._net.inputs != self._market + private + PARTS * delay:
            raise ValueError(
                f"a network of {self._net.inputs} inputs and {self._net.actions} actions does not fit {len(mean)} "
                f"features of the market with {len(scale)} scales, {private} private ones, {delay} actions under way "
                f"and a grid of {count}")
        if unit not in ("spread", "tick") or max_position < 1:
            raise ValueError(f"unit must be spread or tick, max_position positive, not {unit!r} and {max_position}")
        self._rules.max_position = max_position
        self._rules.in_ticks = unit == "tick"
        self._actions = read_actions(actions, 1)
        self._wants = <Wanted*>PyMem_Calloc(count, sizeof(Wanted))
        self._open = <uint8_t*>PyMem_Calloc(count, 1)
        self._mean = <double*>PyMem_Calloc(2 * self._market + 1, sizeof(double))
        self._state = <float*>PyMem_Calloc(self._net.inputs, sizeof(float))
        self._under_way = <float*>PyMem_Calloc(count * PARTS, sizeof(float))
        self._pending = <int32_t*>PyMem_Calloc(delay + 1, sizeof(int32_t))
        if self._wants == NULL or self._open == NULL or self._mean == NULL or self._state == NULL \
                or self._under_way == NULL or self._pending == NULL:
            raise MemoryError
        for place in range(self._market):
            self._mean[place] = mean[place]
            self._mean[self._market + place] = scale[place]
        if delay:
            memcpy(self._under_way, &under_way[0, 0], <size_t>(count * PARTS) * sizeof(float))

    def __dealloc__(self):
        PyMem_Free(self._actions)
        PyMem_Free(self._wants)
        PyMem_Free(self._open)
        PyMem_Free(self._mean)
        PyMem_Free(self._state)
        PyMem_Free(self._under_way)
        PyMem_Free(self._pending)

    def decide(self, features, double bid, double ask, int64_t position, int64_t price_limit):
        """Choose an action, and say what the one that is due now comes to.

        Parameters
        ----------
        features : float64 array
            The market's, then the private ones.
        bid, ask
            The market's, ticks.
        position
            Lots.
        price_limit
            Ticks that prices of orders stay below.

        Returns
        -------
        (bid, ask, qty, hedge) : the quotes in ticks, None for none; lots of each; lots to deal at the market, signed.
        """
        cdef int32_t due
        cdef Wanted wanted
        if features is not self._array:
            self._features = features
            self._array = features
            if self._features.shape[0] != self._market + self._private:
                self._array = None
                raise ValueError(f"{self._market + self._private} features, not {self._features.shape[0]}")
        self._bid, self._ask, self._position, self._price_limit = bid, ask, position, price_limit
        self._known = 0
        self._see()
        self._values = forward(&self._net.net, self._state, self._net.scratch)
        self._action = self._best()
        due = self._action
        if self._delay:
            due = self._pending[0]
            memmove(self._pending, self._pending + 1, <size_t>(self._delay - 1) * sizeof(int32_t))
            self._pending[self._delay - 1] = self._action
        wanted = self._wanted(due)
        return (wanted.bid_px if wanted.bid_px != 0 else None, wanted.offer_px if wanted.offer_px != 0 else None,
                self._actions[due].size, wanted.hedge)

    # Fills the network's inputs.
    cdef void _see(self) noexcept:
        cdef int64_t place
        cdef float* state = self._state
        cdef const double* features = &self._features[0]
        for place in range(self._market):
            state[place] = <float>((features[place] - self._mean[place]) / self._mean[self._market + place])
        for place in range(self._market, self._market + self._private):
            state[place] = <float>(features[place] + 0.0)       # no negative zero, as in training
        state += self._market + self._private
        for place in range(self._delay):
            memcpy(state + PARTS * place, self._under_way + PARTS * self._pending[place], PARTS * sizeof(float))

    # The first of the admissible actions with the highest value. Few are looked at: most often the first one tried is.
    cdef int32_t _best(self) noexcept:
        cdef int32_t action
        memset(self._open, 1, <size_t>self._net.net.actions)
        while True:
            action = best_action(self._values, self._open, self._net.net.actions)
            if self._is_admissible(action):
                return action
            self._open[action] = False

    # Whether no action before it comes to the same. With a delay it is not known yet what an action comes to.
    cdef bint _is_admissible(self, int32_t action) noexcept:
        cdef int32_t earlier
        if self._delay:
            return True
        while self._known <= action:
            self._wants[self._known] = self._wanted(self._known)
            self._known += 1
        for earlier in range(action):
            if is_same(&self._wants[earlier], &self._wants[action]):
                return False
        return True

    cdef Wanted _wanted(self, int32_t action) noexcept:
        return limited(
            priced_at(self._bid, self._ask, 1, self._price_limit, &self._rules, &self._actions[action]),
            &self._rules, &self._actions[action], self._position)

    def last(self):
        """The last decision (`Decision`): why it was made.

        Raises
        ------
        RuntimeError
            Before the first.
        """
        if self._values == NULL:
            raise RuntimeError("nothing has been decided yet")
        cdef Py_ssize_t actions = self._net.net.actions, inputs = self._net.inputs
        return Decision(
            self._action, np.array(<const float[:actions]>self._values),
            np.array([self._is_admissible(action) for action in range(actions)]),
            np.array(<float[:inputs]>self._state))
