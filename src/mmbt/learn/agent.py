"""A deep Q-network on TensorFlow and Keras 3: network, targets, gradient steps, averaged weights. All of it is here.

One call of `Agent.update` makes U gradient steps on U batches in one compiled program. Each step, for a batch of
intervals that began in state s, with the K private states s'_k that the actions could lead to, computed once each:

    v_k = Q_target(s'_k, argmax over admissible a of Q_online(s'_k, a))      double; else both by Q_target
    y_a = reward_a - centre + discount v_outcome(a)                          for every action, or the one taken
    e_a = y_a - Q(s, a),  e = mean of e_a over admissible a
    loss = mean over intervals of weight x (mean over admissible a of (e_a - e)^2 + u (e - m)^2 + v m^2)

What the market does to the inventory moves all e_a alike: nearly all of the noise is in e, none of the choice between
actions is. Where a batch has several inventories of each interval, m is the mean of their e: what the market does by
itself, on which no choice depends; else m = e. Any positive weights have their minimum at the same Q: with u = v = 1
the loss is the plain mean of e_a^2. With `balance` no part's noise drowns the first: p, q, r being running means of
the three squares,

    u = shared_weight (p / (p + q))^2             v = shared_weight (p / (p + r))^2, a tenth of it where m is a mean

without it u = v = shared_weight.

Quantile regression replaces the square by the pinball loss between all pairs of quantiles (Dabney et al. 2018). The
centre is a mean reward, subtracted so that values stay near 0 (Naik et al. 2024); it changes no preference, since
neither time nor the end of a market depends on actions. Adam's step size falls along its schedule, the target follows
the online weights, and the averaged weights, which are the result, follow slower still.

The same seed gives the same bits on the same TensorFlow build, processor and number of threads (`runtime`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is loaded: no greetings on stderr

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mmbt.errors import UsageError
from mmbt.learn.options import LearnerOptions

__all__ = ["Agent", "Batches", "Metrics", "build_network", "plain_layers", "prepare_tensorflow", "runtime"]

Floats = NDArray[np.float32]
Tensors = list[Any]  # of tf.Tensor or tf.Variable, in the order of the network's weights

_NEVER = -1e30  # the value of an inadmissible action inside a maximum
_FOLLOW = 0.01  # how fast running mean squares follow, a gradient step
_MARKET = 0.1  # of the weight of what the market does by itself: it need only stay near
_DECAY_1, _DECAY_2, _EPSILON = 0.9, 0.999, 1e-7  # of Adam (Kingma & Ba 2015)


class Batches(NamedTuple):
    """U batches of B intervals, A columns of actions (1 when only the action taken is backed up)."""

    state: Floats  # [U, B, inputs]
    mask: NDArray[np.bool_]  # [U, B, A] what is backed up: the admissible actions, or the one taken
    action: NDArray[np.int32]  # [U, B] what was done; read only when one action is backed up
    reward: Floats  # [U, B, A]
    mass: Floats  # [U, B] how often the centre is subtracted: 1, or the discounted count of n steps
    outcome: NDArray[np.uint8]  # [U, B, A] which of the K next states
    next_state: Floats  # [U, B, K, inputs]
    next_mask: NDArray[np.bool_]  # [U, B, K, actions] admissible there
    discount: Floats  # [U, B]
    weight: Floats  # [U, B] correction of the sampling bias


class Metrics(NamedTuple):
    """What U gradient steps met."""

    loss: Floats  # [U]
    td: Floats  # [U] mean |TD error|
    value: Floats  # [U] mean Q of what was backed up, the centre's part left out
    norm: Floats  # [U] of the gradient, before clipping
    priority: Floats  # [U, B] mean |TD error| of each interval over its actions


class _Kept(NamedTuple):
    """All that learning goes on from, as variables or as the tensors of one step."""

    online: Tensors
    target: Tensors
    average: Tensors
    first: Tensors  # moments of the gradient
    second: Tensors
    done: Any  # gradient steps
    centre: Any
    squares: Any  # [3] running means of the parts of the squared error


def prepare_tensorflow(threads: int = 1) -> None:
    """Make TensorFlow deterministic and bound its threads; to be called before it computes anything."""
    if keras.backend.backend() != "tensorflow":
        raise UsageError(f"Keras runs on {keras.backend.backend()}, not on TensorFlow: set KERAS_BACKEND=tensorflow")
    config = tf.config.threading
    if (config.get_intra_op_parallelism_threads(), config.get_inter_op_parallelism_threads()) != (threads, 1):
        try:
            config.set_intra_op_parallelism_threads(threads)
            config.set_inter_op_parallelism_threads(1)
        except RuntimeError as error:
            raise UsageError("TensorFlow already computes with other threads: learn in a process of its own") from error
    tf.config.experimental.enable_op_determinism()


def runtime() -> dict[str, str]:
    """What the bits of a result depend on beside seed and options."""
    import platform

    return {"tensorflow": tf.__version__, "keras": keras.__version__, "git": tf.version.GIT_VERSION,
            "processor": platform.processor() or platform.machine(),
            "threads": str(tf.config.threading.get_intra_op_parallelism_threads())}


def build_network(inputs: int, actions: int, options: LearnerOptions) -> keras.Model:
    """Inputs [batch, inputs] to Q-values [batch, actions], or to quantiles [batch, actions, quantiles]."""
    quantiles = max(1, options.quantiles)
    seeds = iter(range(2 * len(options.layers) + 4))

    def dense(width: int, name: str, activation: str | None = None) -> keras.layers.Dense:
        start = keras.initializers.GlorotUniform(seed=(options.seed * 64 + next(seeds)) % 2**31)
        if activation is None:  # a head: what it began with would have to be unlearned, slowly where it is smooth
            start = keras.initializers.Zeros()
        return keras.layers.Dense(width, activation=activation, kernel_initializer=start, name=name)

    state = keras.Input((inputs,), name="state")
    hidden = state
    for place, width in enumerate(options.layers):
        hidden = dense(width, f"hidden_{place}", "relu")(hidden)
    advantage = keras.layers.Reshape((actions, quantiles), name="per_action")(
        dense(actions * quantiles, "action")(hidden))
    if options.dueling:
        value = keras.layers.Reshape((1, quantiles), name="per_state")(dense(quantiles, "value")(hidden))
        advantage = value + advantage - keras.ops.mean(advantage, axis=1, keepdims=True)
    outputs = advantage if options.quantiles else keras.layers.Reshape((actions,), name="q_values")(advantage)
    return keras.Model(state, outputs, name="q_network")


def plain_layers(weights: list[Floats], actions: int, options: LearnerOptions) -> list[Floats]:
    """The network as kernels and biases of plain layers in turn: heads and mean over quantiles folded into one layer.

    All that follows the last hidden layer is linear, so `ForwardPass` needs matrices only.
    """
    quantiles, heads = max(1, options.quantiles), 2 * len(options.layers)

    def mean(array: Floats, count: int) -> NDArray[np.float64]:
        averaged: NDArray[np.float64] = array.astype(np.float64).reshape(-1, count, quantiles).mean(axis=2)
        return averaged

    kernel, bias = (mean(array, actions) for array in weights[-2:])
    if options.dueling:
        value, value_bias = (mean(array, 1) for array in weights[heads : heads + 2])  # Keras puts this head first
        kernel = kernel - kernel.mean(axis=1, keepdims=True) + value
        bias = bias - bias.mean(axis=1, keepdims=True) + value_bias
    return [*weights[:heads], kernel.astype(np.float32), bias[0].astype(np.float32)]


class Agent:
    """A Q-network and what it needs to learn.

    Parameters
    ----------
    inputs, actions
        Width of a state, and of the grid of actions.
    options
        How to learn.
    total
        Gradient steps until the end: schedules run along them.
    group
        Rows of a batch in turn that tell of one interval.
    """

    def __init__(self, inputs: int, actions: int, options: LearnerOptions, total: int, group: int = 1) -> None:
        prepare_tensorflow()
        self.options, self.actions, self.total, self.group = options, actions, max(1, total), group
        self.network = build_network(inputs, actions, options)
        start = [variable.numpy() for variable in self.network.trainable_variables]
        heads = 2 * len(options.layers)
        sigmas = [np.full(array.shape, 0.5 / np.sqrt(start[heads].shape[0]), np.float32) for array in start[heads:]]
        self._sigmas = len(sigmas) if options.noisy else 0
        start += sigmas[: self._sigmas]
        self._online, self._target, self._average = ([tf.Variable(array) for array in start] for _ in range(3))
        self._first, self._second = ([tf.Variable(tf.zeros_like(array)) for array in start] for _ in range(2))
        self._done, self._centre, self._squares = tf.Variable(0), tf.Variable(0.0), tf.Variable([1.0] * 3)
        self._call = tf.function(self._steps, jit_compile=True, autograph=False)

    # ---- acting

    def weights(self, which: str = "online") -> list[Floats]:
        """Weights of the `online`, `target` or `average` network, in the order of the Keras model, sigmas last."""
        chosen = {"online": self._online, "target": self._target, "average": self._average}[which]
        return [variable.numpy() for variable in chosen]

    def layers(self, which: str = "average", draw: int | None = None) -> list[Floats]:
        """Kernels and biases for `ForwardPass`; with noisy layers, `draw` is the noise to act with, None for none."""
        weights = self.weights(which)
        if draw is None:
            weights = weights[: len(weights) - self._sigmas]
        else:
            weights = [np.asarray(tensor) for tensor in self._perturbed(weights, [draw, 1])]
        return plain_layers(weights, self.actions, self.options)

    def q_values(self, state: Floats, which: str = "average") -> Floats:
        """Q-values [batch, actions] by Keras itself; `ForwardPass` is what acts."""
        outputs = self.model(which)(tf.constant(state))
        values: Floats = (tf.reduce_mean(outputs, 2) if self.options.quantiles else outputs).numpy()
        return values

    def model(self, which: str = "average") -> keras.Model:
        """The Keras model itself, with these weights; without noise."""
        weights = self.weights(which)
        self.network.set_weights(weights[: len(weights) - self._sigmas])
        return self.network

    @property
    def gradient_steps(self) -> int:
        """Gradient steps made."""
        return int(self._done.numpy())

    @property
    def centre(self) -> float:
        """The mean reward that is subtracted."""
        return float(self._centre.numpy())

    @centre.setter
    def centre(self, value: float) -> None:
        self._centre.assign(value)

    # ---- learning

    def update(self, batches: Batches) -> Metrics:
        """Make one gradient step on each of the batches, in turn, in one compiled call."""
        return Metrics(*(tensor.numpy() for tensor in self._call(Batches(*map(tf.constant, batches)))))

    def _steps(self, batches: Batches) -> tuple[Any, ...]:
        count, size = batches.reward.shape[:2]
        arrays = [tf.TensorArray(tf.float32, count, element_shape=shape) for shape in [()] * 4 + [(size,)]]

        def body(i: Any, carried: Any, arrays: Any) -> Any:
            carried, found = self._step(carried, Batches(*(column[i] for column in batches)))
            return i + 1, carried, [array.write(i, value) for array, value in zip(arrays, found, strict=True)]

        kept = self._kept()
        start = tf.nest.map_structure(tf.identity, kept)
        _, end, arrays = tf.while_loop(lambda i, *_: i < count, body, (0, start, arrays))
        tf.nest.map_structure(lambda variable, tensor: variable.assign(tensor), kept, end)
        return tuple(array.stack() for array in arrays)

    def _step(self, kept: _Kept, batch: Batches) -> tuple[_Kept, list[Any]]:
        """One gradient step, and what it met."""
        options, step, online = self.options, kept.done, kept.online
        goal = self._goal(self._perturbed(online, [step, 2]), self._perturbed(kept.target, [step, 3]), kept.centre,
                          batch)
        count = tf.maximum(tf.reduce_sum(tf.cast(batch.mask, tf.float32), 1), 1.0)

        def over_actions(values: Any) -> Any:
            return tf.reduce_sum(tf.where(batch.mask, values, 0.0), 1) / count

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(online)
            learned = self._forward(self._perturbed(online, [step, 4]), batch.state)
            if options.backup == "taken":
                learned = tf.reduce_sum(learned * tf.one_hot(batch.action, self.actions)[..., None], 1, keepdims=True)
            losses, squares = self._loss(learned, goal, over_actions, kept.squares)
            loss = tf.reduce_mean(batch.weight * losses)
        gradient = tape.gradient(loss, online)
        error = tf.reduce_mean(goal, 2) - tf.reduce_mean(learned, 2)
        priority = over_actions(tf.abs(error))

        norm = tf.linalg.global_norm(gradient)
        if options.clip_norm:
            gradient = [part * (options.clip_norm / tf.maximum(norm, options.clip_norm)) for part in gradient]
        done = step + 1
        count_done = tf.cast(done, tf.float32)
        first = _follow(kept.first, gradient, 1 - _DECAY_1)
        second = _follow(kept.second, [tf.square(part) for part in gradient], 1 - _DECAY_2)
        size = self._learning_rate(step) * tf.sqrt(1 - _DECAY_2**count_done) / (1 - _DECAY_1**count_done)
        online = [weight - size * a / (tf.sqrt(b) + _EPSILON)
                  for weight, a, b in zip(online, first, second, strict=True)]
        rate = options.target_rate
        if options.target == "periodic":
            rate = tf.cast(done % options.target_period == 0, tf.float32)
        target = _follow(kept.target, online, rate)
        average = _follow(kept.average, online, tf.maximum(options.average_rate, 1 / count_done))
        found = [loss, tf.reduce_mean(priority), tf.reduce_mean(over_actions(tf.reduce_mean(learned, 2))), norm,
                 priority]
        squares = kept.squares + _FOLLOW * (squares - kept.squares)
        return _Kept(online, target, average, first, second, done, kept.centre, squares), found

    def _goal(self, online: Tensors, target: Tensors, centre: Any, batch: Batches) -> Any:
        """What Q should have been: [B, A, quantiles]."""
        size, outcomes, inputs = batch.next_state.shape
        state = tf.reshape(batch.next_state, (size * outcomes, inputs))
        valued = self._forward(target, state)
        chosen = self._forward(online, state) if self.options.double else valued
        admissible = tf.reshape(batch.next_mask, (size * outcomes, self.actions))
        best = tf.argmax(tf.where(admissible, tf.reduce_mean(chosen, 2), _NEVER), 1)
        value = tf.reduce_sum(valued * tf.one_hot(best, self.actions)[..., None], 1)
        value = tf.reshape(value, (size, outcomes, -1)) * batch.discount[:, None, None]
        reward = (batch.reward - centre * batch.mass[:, None])[..., None]
        followed = tf.zeros(())  # one outcome after the other: a gather would be slower
        for k in range(outcomes):
            followed += tf.where((batch.outcome == k)[..., None], value[:, k : k + 1], 0.0)
        return tf.stop_gradient(reward + followed)

    def _loss(self, learned: Any, goal: Any, over_actions: Callable[[Any], Any], squares: Any) -> tuple[Any, Any]:
        """Of each interval; and the mean squares of its parts."""
        options, count = self.options, self.options.quantiles
        if count:
            share = ((tf.range(count, dtype=tf.float32) + 0.5) / count)[:, None]
            error = goal[..., None, :] - learned[..., :, None]
            return over_actions(tf.reduce_mean(tf.maximum(share * error, (share - 1.0) * error), (2, 3))), squares
        error = (goal - learned)[..., 0]
        if options.loss == "huber":
            return over_actions(tf.where(tf.abs(error) <= 1.0, 0.5 * tf.square(error), tf.abs(error) - 0.5)), squares
        if options.backup == "taken":
            return over_actions(tf.square(error)), squares
        shared = over_actions(error)
        apart = over_actions(tf.square(error - shared[:, None]))
        common = tf.repeat(tf.reduce_mean(tf.reshape(shared, (-1, self.group)), 1), self.group)
        parts = [apart, tf.square(shared - common), tf.square(common)]
        between = moved = options.shared_weight
        if options.balance:
            between, moved = (options.shared_weight * (squares[0] / (squares[0] + squares[k])) ** 2 for k in (1, 2))
            moved *= _MARKET if self.group > 1 else 1.0
        return parts[0] + between * parts[1] + moved * parts[2], tf.stack([tf.reduce_mean(each) for each in parts])

    def _forward(self, weights: Tensors, state: Any) -> Any:
        """[batch, actions, quantiles], quantiles = 1 when only the mean is learned."""
        outputs = self.network.stateless_call(weights, [], state)[0]
        return outputs if self.options.quantiles else outputs[..., None]

    def _perturbed(self, weights: Tensors, key: list[Any]) -> Tensors:
        """The weights of a network; with noisy layers the heads' moved by factorised noise of this key."""
        if not self._sigmas:
            return weights
        plain, sigmas = weights[: -self._sigmas], weights[-self._sigmas :]
        moved = []
        for place, (weight, sigma) in enumerate(zip(plain[-self._sigmas :], sigmas, strict=True)):
            head = place // 2  # a kernel and its bias share the noise of their outputs
            noise = _noise(weight.shape[-1], [self.options.seed, head, 0, *key])
            if len(weight.shape) == 2:
                noise = _noise(weight.shape[0], [self.options.seed, head, 1, *key])[:, None] * noise
            moved.append(weight + sigma * noise)
        return [*plain[: -self._sigmas], *moved]

    def _learning_rate(self, step: Any) -> Any:
        start, end = self.options.learning_rate, self.options.learning_rate * self.options.learning_rate_end
        part = tf.minimum(tf.cast(step, tf.float32) / self.total, 1.0)
        match self.options.decay:
            case "cosine":
                return end + (start - end) * 0.5 * (1 + tf.cos(np.pi * part))
            case "linear":
                return start + (end - start) * part
            case _:
                return start

    # ---- resuming

    def _kept(self) -> _Kept:
        return _Kept(self._online, self._target, self._average, self._first, self._second, self._done, self._centre,
                     self._squares)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that learning goes on from: all weights, Adam's moments, the number of steps, the centre."""
        return {name: np.asarray(variable.numpy()) for name, variable in self._named()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`, exactly."""
        for name, variable in self._named():
            variable.assign(state[name])

    def _named(self) -> Iterator[tuple[str, Any]]:
        for name, kept in self._kept()._asdict().items():
            for place, variable in enumerate(kept if isinstance(kept, list) else [kept]):
                yield f"{name}.{place}", variable


def _follow(slow: Tensors, fast: Tensors, rate: Any) -> Tensors:
    return [a + rate * (b - a) for a, b in zip(slow, fast, strict=True)]


def _noise(count: int, key: list[Any]) -> Any:
    """f(x) = sign(x) sqrt |x| of standard normal numbers that are a function of the key (Fortunato et al. 2018)."""
    seed = tf.zeros(2, tf.int32)
    for part in key:
        seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(part, tf.int32))
    x = tf.random.stateless_normal((count,), seed)
    return tf.sign(x) * tf.sqrt(tf.abs(x))
