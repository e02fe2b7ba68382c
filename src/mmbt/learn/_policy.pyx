"""What a learned network does at a decision of a backtest: features become inputs, an action is chosen, and it quotes.

Inputs, masks and prices are made by the code that makes them in training (cysim/observation.pxd, decisions.pxd). With a
delay of D decisions the action chosen now is done D decisions later; those under way, at first the grid's first one,
are among the inputs, and no action is masked: what coincides is known when it is done.
"""

import numpy as np

from collections import namedtuple

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.string cimport memcpy, memmove, memset

from cysim.decisions cimport Action, Rules, Wanted, limited, priced_at
from cysim.grid cimport read_actions
from cysim.observation cimport Wants, free_wants, make_wants, mask_at
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
    cdef Wants _wants
    cdef Rules _rules
    cdef int8_t* _admissible
    cdef double* _mean                   # of the market's features, then their scales
    cdef float* _state
    cdef float* _under_way               # by action
    cdef int32_t* _pending               # actions under way, the next one first
    cdef const float* _values            # of the last decision; NULL: none yet
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
        self._admissible = <int8_t*>PyMem_Calloc(count, 1)
        self._mean = <double*>PyMem_Calloc(2 * self._market + 1, sizeof(double))
        self._state = <float*>PyMem_Calloc(self._net.inputs, sizeof(float))
        self._under_way = <float*>PyMem_Calloc(count * PARTS, sizeof(float))
        self._pending = <int32_t*>PyMem_Calloc(delay + 1, sizeof(int32_t))
        if not make_wants(&self._wants, count) or self._admissible == NULL or self._mean == NULL \
                or self._state == NULL or self._under_way == NULL or self._pending == NULL:
            raise MemoryError
        for place in range(self._market):
            self._mean[place] = mean[place]
            self._mean[self._market + place] = scale[place]
        if delay:
            memcpy(self._under_way, &under_way[0, 0], <size_t>(count * PARTS) * sizeof(float))

    def __dealloc__(self):
        free_wants(&self._wants)
        PyMem_Free(self._actions)
        PyMem_Free(self._admissible)
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
        self._look(bid, ask, position, price_limit)
        self._values = forward(&self._net.net, self._state, self._net.scratch)
        self._action = best_action(self._values, <const uint8_t*>self._admissible, self._net.net.actions)
        due = self._action
        if self._delay:
            due = self._pending[0]
            memmove(self._pending, self._pending + 1, <size_t>(self._delay - 1) * sizeof(int32_t))
            self._pending[self._delay - 1] = self._action
        wanted = limited(priced_at(bid, ask, 1, price_limit, &self._rules, &self._actions[due]), &self._rules,
                         &self._actions[due], position)
        return (wanted.bid_px if wanted.bid_px != 0 else None, wanted.offer_px if wanted.offer_px != 0 else None,
                self._actions[due].size, wanted.hedge)

    # Fills the network's inputs and the mask.
    cdef void _look(self, double bid, double ask, int64_t position, int64_t price_limit) noexcept:
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
        if self._delay:
            memset(self._admissible, 1, <size_t>self._net.net.actions)
            return
        for place in range(self._net.net.actions):
            self._wants.priced[place] = priced_at(bid, ask, 1, price_limit, &self._rules, &self._actions[place])
        mask_at(position, &self._rules, self._actions, self._net.net.actions, &self._wants, self._admissible)

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
            np.array(<int8_t[:actions]>self._admissible).view(np.bool_), np.array(<float[:inputs]>self._state))
