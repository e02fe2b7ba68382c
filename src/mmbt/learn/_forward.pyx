"""The Q-network's forward pass in plain C: no TensorFlow, no GIL, the same bits on every machine.

A network is kernels [inputs][outputs] and biases of layers in turn, ReLU between them. The inner loop runs over
outputs, which are padded to whole registers, so that it vectorises without reordering any sum. An object holds its own
scratch: one thread at a time.
"""

import numpy as np

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strchr
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t

from cysim.draws cimport draw_key, uniform

cdef enum:
    EXPLORE = 0x45585052                 # stream of the draws of exploration

# The memory of a contiguous array of so many numbers of one of the formats.
cdef int borrow(object array, Py_buffer* view, const char* formats, int count, str name) except -1:
    PyObject_GetBuffer(array, view, PyBUF_ND | PyBUF_FORMAT)
    if view.ndim == 1 and view.shape[0] == count and view.format[1] == 0 and strchr(formats, view.format[0]) != NULL:
        return 0
    told = f"{view.ndim} axes, {view.len // view.itemsize} numbers of format {view.format.decode()}"
    PyBuffer_Release(view)
    raise ValueError(f"{name}: an array of {count} numbers of format {' or '.join(formats.decode())}, not {told}")


cdef class ForwardPass:
    """Q-values and greedy actions of a network.

    Parameters
    ----------
    layers
        Kernel [inputs, outputs] and bias [outputs] of each layer in turn, float32; they are copied.

    Raises
    ------
    ValueError
        For shapes that do not follow on one another, and for numbers that are not finite.
    """

    def __cinit__(self, layers):
        arrays = [np.ascontiguousarray(array, np.float32) for array in layers]
        if not arrays or len(arrays) % 2 or len(arrays) > 2 * MOST_LAYERS:
            raise ValueError(f"layers: 1 to {MOST_LAYERS} kernels, each with its bias, not {len(arrays)} arrays")
        width = arrays[0].shape[0]
        for kernel, bias in zip(arrays[::2], arrays[1::2]):
            if kernel.ndim != 2 or kernel.shape[0] != width or bias.shape != kernel.shape[1:] or not kernel.size:
                raise ValueError(f"layers: a kernel {kernel.shape} with bias {bias.shape} cannot follow {width} values")
            if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                raise ValueError("layers: a weight is not finite")
            width = kernel.shape[1]
        self.inputs, self.actions = arrays[0].shape[0], width
        self.net.layers, self.net.actions = len(arrays) // 2, width
        self._copy(arrays)

    cdef int _copy(self, list arrays) except -1:
        cdef size_t total = 0
        cdef int32_t layer, row, outputs
        cdef const float[:, ::1] kernel
        cdef const float[::1] bias
        cdef float* place
        for layer in range(self.net.layers):
            kernel = arrays[2 * layer]
            self.net.inputs[layer] = kernel.shape[0]
            self.net.padded[layer] = (kernel.shape[1] + LANES - 1) // LANES * LANES
            self.net.widest = max(self.net.widest, self.net.padded[layer])
            total += <size_t>(self.net.inputs[layer] + 1) * <size_t>self.net.padded[layer]
        total += 2 * <size_t>self.net.widest + <size_t>self.inputs
        self.block = <float*>malloc(total * sizeof(float))
        if self.block == NULL:
            raise MemoryError
        memset(self.block, 0, total * sizeof(float))
        place = self.block
        for layer in range(self.net.layers):
            kernel, bias, outputs = arrays[2 * layer], arrays[2 * layer + 1], self.net.padded[layer]
            self.net.kernel[layer] = place
            for row in range(self.net.inputs[layer]):
                memcpy(place, &kernel[row, 0], <size_t>kernel.shape[1] * sizeof(float))
                place += outputs
            self.net.bias[layer] = place
            memcpy(place, &bias[0], <size_t>kernel.shape[1] * sizeof(float))
            place += outputs
        self.scratch = place
        return 0

    def __dealloc__(self):
        free(self.block)

    def values(self, const float[:, ::1] states not None):
        """Q-values [n, actions] of states [n, inputs]."""
        if states.shape[1] != self.inputs:
            raise ValueError(f"states: {states.shape[1]} inputs, the network has {self.inputs}")
        values = np.empty((states.shape[0], self.actions), np.float32)
        cdef float[:, ::1] out = values
        cdef Py_ssize_t row
        for row in range(states.shape[0]):
            memcpy(&out[row, 0], forward(&self.net, &states[row, 0], self.scratch),
                   <size_t>self.net.actions * sizeof(float))
        return values

    def decide(self, state, admissible):
        """The admissible action of the highest value: the first of equals.

        Parameters
        ----------
        state : float32 array [inputs]
        admissible : uint8 or bool array [actions]
        """
        cdef Py_buffer seen, mask               # a typed argument would take longer than the network
        cdef int32_t action
        borrow(state, &seen, b"f", self.inputs, "state")
        try:
            borrow(admissible, &mask, b"B?", self.actions, "admissible")
        except BaseException:
            PyBuffer_Release(&seen)
            raise
        action = best_action(
            forward(&self.net, <const float*>seen.buf, self.scratch), <const uint8_t*>mask.buf, self.net.actions)
        PyBuffer_Release(&mask)
        PyBuffer_Release(&seen)
        if action < 0:
            raise ValueError("no action is admissible")
        return action

    def act(self, const float[:, :] market not None, const float[:, :] private not None,
            const uint8_t[:, :] admissible not None, int16_t[::1] actions not None, *, double epsilon=0.0,
            uint64_t seed=0, int64_t step=0):
        """Write an action for each of n markets: random with chance epsilon, else the best admissible one.

        Parameters
        ----------
        market, private
            [n, m] and [n, p], together the network's inputs.
        admissible
            [n, actions] bytes, 0 or 1.
        actions
            [n], written.
        epsilon, seed, step
            Random actions are a function of (seed, step, market); one call a step.
        """
        cdef Py_ssize_t n = actions.shape[0], row
        cdef int worst = 0
        if not (market.shape[0] == private.shape[0] == admissible.shape[0] == n):
            raise ValueError("market, private, admissible and actions must have as many rows")
        if market.shape[1] + private.shape[1] != self.inputs or admissible.shape[1] != self.actions:
            raise ValueError(f"the network has {self.inputs} inputs and {self.actions} actions")
        cdef float* state = self.scratch + 2 * self.net.widest
        with nogil:
            for row in range(n):
                worst |= self._act_one(market, private, admissible, actions, row, state, epsilon,
                                       draw_key(seed, EXPLORE, step, <uint64_t>row))
        if worst:
            raise ValueError("a market has no admissible action")

    cdef int _act_one(self, const float[:, :] market, const float[:, :] private, const uint8_t[:, :] admissible,
                      int16_t[::1] actions, Py_ssize_t row, float* state, double epsilon,
                      uint64_t key) noexcept nogil:
        cdef Py_ssize_t i, m = market.shape[1]
        cdef int32_t count = 0, nth, action, chosen = -1
        cdef const float* q
        if epsilon > 0 and uniform(key, 1) <= epsilon:
            for action in range(self.net.actions):
                count += admissible[row, action] != 0
            nth = <int32_t>(uniform(key, 2) * count)
            if nth == count:
                nth -= 1
            for action in range(self.net.actions):
                if admissible[row, action]:
                    if nth == 0:
                        chosen = action
                        break
                    nth -= 1
        else:
            for i in range(m):
                state[i] = market[row, i]
            for i in range(private.shape[1]):
                state[m + i] = private[row, i]
            q = forward(&self.net, state, self.scratch)
            for action in range(self.net.actions):
                if admissible[row, action] and (chosen < 0 or q[action] > q[chosen]):
                    chosen = action
        actions[row] = <int16_t>chosen
        return chosen < 0
