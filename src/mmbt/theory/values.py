"""Exact values of policies: one linear system, solved block by block along Q, or by GMRES where the blocks are large.

A step moves Q by one at most: that is what elimination uses. GMRES (Saad and Schultz 1986) goes on to the last digits
from where some plain steps have led (MacQueen 1966). Letters as in `mmbt.theory.inventory`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mmbt.errors import NumericError
from mmbt.theory.inventory import Floats, Indices, Problem, expand, scale

__all__ = ["EQUAL", "Step", "approach", "constant_values", "evaluate", "is_small", "stationary"]

EQUAL = 1e-13  # of the largest value: what is nearer is the same number, rounded in another way
_MOST_BLOCK = 64  # rows of a dense block; larger ones would wait for BLAS threads on a busy machine
_SWEEPS = 100
_MOST_KEPT = 50_000_000  # numbers of the vectors that GMRES keeps


def evaluate(problem: Problem, policy: ArrayLike, guess: Floats | None = None) -> Floats:
    """The exact value of a deterministic policy.

    Parameters
    ----------
    problem
        The problem.
    policy
        The action of each state, of the problem's shape, or one that NumPy spreads over it.
    guess
        What it may be near: that saves time where the problem is large.
    """
    chosen = expand(problem, policy)
    if is_small(problem):
        return _solve_blocks(problem, chosen)
    step, zero = Step(problem, chosen), np.zeros(problem.shape)
    near = approach(step, zero if guess is None else guess)
    return _gmres(lambda value: value - step.back_linear(value), step.back(zero), near)


def constant_values(problem: Problem, pending: int = 0) -> Floats:
    """[A, Q, X]: the value of each action taken for ever, after the `pending` one has run its time."""
    undelayed = replace(problem, delay=0)
    actions = problem.moves.shape[1]
    states = undelayed.shape
    chosen = np.broadcast_to(np.arange(actions)[:, None, None], (actions, *states))
    value = _solve_blocks(undelayed, chosen)
    for _ in range(problem.delay):
        after = problem.carry + problem.beta * np.einsum("xy,aqy->aqx", problem.chain, value)
        weights = problem.moves[problem.kinds, pending]
        padded = np.pad(after, ((0, 0), (1, 1), (0, 0)))
        value = problem.before[:, None] + problem.gain[problem.kinds, :, pending] + sum(
            weights[:, j, None] * padded[:, j : j + states[0]] for j in range(3)
        )
    return value


def stationary(problem: Problem, policy: ArrayLike, tolerance: float = 1e-13, most: int = 1_000_000) -> Floats:
    """How often each state is met in the long run under a policy, by repeated steps from all states alike.

    Raises
    ------
    NumericError
        When it has not settled after `most` steps.
    """
    step = Step(problem, expand(problem, policy))
    law = np.full(problem.shape, 1.0 / np.prod(problem.shape))
    for count in range(most):
        following = 0.9 * step.forward(law) + 0.1 * law  # to stay at times changes no law, and ends every rhythm
        if count % 16 == 0 and np.abs(following - law).sum() < tolerance:
            settled: Floats = following / following.sum()
            return settled
        law = following
    raise NumericError(f"the stationary law has not settled in {most:,} steps: the inventory moves too slowly")


class Step:
    """One step under a policy: backwards from values, forwards from chances."""

    def __init__(self, problem: Problem, policy: Indices) -> None:
        self.problem = problem
        shape = problem.shape
        inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
        width = problem.width
        if problem.delay == 0:
            governing = policy.reshape(inventories, levels)
            self.target = np.broadcast_to(np.arange(levels), (inventories, levels))
            level = self.target
        else:
            tails = width // (levels * actions)
            governing = np.broadcast_to(np.arange(actions)[:, None], (inventories, levels, actions, tails))
            level = np.broadcast_to(np.arange(levels)[:, None, None], governing.shape)
            tail = level * tails + np.arange(tails)
            self.target = (tail * actions + policy.reshape(governing.shape)).reshape(inventories, width)
            governing, level = governing.reshape(inventories, width), level.reshape(inventories, width)
        kinds = problem.kinds[:, None]
        self.weights = np.moveaxis(problem.moves[kinds, governing], -1, 0)  # [3, Q, width]
        self.earned = problem.gain[kinds, level, governing] + problem.before[:, None]

    def back(self, value: Floats) -> Floats:
        """What a value is worth a step earlier."""
        return (self.earned + self._gather(self.problem.after(value))).reshape(value.shape)

    def back_linear(self, value: Floats) -> Floats:
        """As `back`, of values alone: nothing is earned on the way."""
        bare = self.problem.beta * np.matmul(
            self.problem.chain, value.reshape(*self.problem.shape[:2], -1)
        )
        return self._gather(bare).reshape(value.shape)

    def _gather(self, after: Floats) -> Floats:
        rows = self.problem.shape[0]
        padded = np.pad(after.reshape(rows, -1), ((1, 1), (0, 0)))
        found = np.zeros(self.target.shape)
        for j in range(3):
            found += self.weights[j] * np.take_along_axis(padded[j : j + rows], self.target, 1)
        return found

    def forward(self, law: Floats) -> Floats:
        """Where chances are a step later."""
        rows, levels = self.problem.shape[:2]
        width = self.target.shape[1]
        flat = law.reshape(rows, width)
        landed = np.zeros((rows + 2) * width)
        for j in range(3):
            place = (np.arange(rows)[:, None] + j) * width + self.target
            landed += np.bincount(place.ravel(), (self.weights[j] * flat).ravel(), landed.size)
        inside = landed.reshape(rows + 2, width)[1:-1].reshape(rows, levels, -1)
        moved: Floats = np.matmul(self.problem.chain.T, inside)
        return moved.reshape(law.shape)


def is_small(problem: Problem) -> bool:
    """Whether values are cheap to compute exactly."""
    return problem.delay == 0 or problem.width <= _MOST_BLOCK


def approach(step: Step, value: Floats) -> Floats:
    """Nearer to the value of a policy: some steps, then what they still add to all states alike (MacQueen 1966)."""
    beta = step.problem.beta
    earlier = step.back(value)
    added, value = earlier - value, earlier
    enough = max(EQUAL * scale(value), 0.03 * np.ptp(added))  # of unevenness: the policy is not yet the best
    for _ in range(_SWEEPS):
        if np.ptp(added) <= enough:
            break
        earlier = step.back(value)
        added, value = earlier - value, earlier
    shift: float = beta / (1.0 - beta) * 0.5 * (added.max() + added.min())
    return value + shift


def _solve_blocks(problem: Problem, policy: Indices) -> Floats:
    """The value of policies [..., *shape] by elimination along Q: each step moves it by one at most."""
    shape = problem.shape
    inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
    width = problem.width
    chosen = policy.reshape(*policy.shape[: policy.ndim - len(shape)], inventories, width)
    cells = np.arange(width)
    tails = max(1, width // (levels * actions))  # of what is under way behind the oldest
    level = cells if problem.delay == 0 else cells // (actions * tails)
    identity = np.eye(width)
    upper: list[Floats] = []
    known: list[Floats] = []
    for place in range(inventories):
        kind = problem.kinds[place]
        action = chosen[..., place, :]
        if problem.delay == 0:
            governing = action
            spread = np.broadcast_to(problem.chain, (*action.shape[:-1], width, width))
        else:
            governing = np.broadcast_to(cells // tails % actions, action.shape)
            target = (cells % tails) * actions + action  # under way after this step
            lands = target[..., None] == np.arange(actions * tails)
            spread = (problem.chain[level][:, :, None] * lands[..., None, :]).reshape(*action.shape, width)
        weights = problem.moves[kind][governing]  # [..., width, 3]
        right = problem.before[place] + problem.gain[kind][level, governing]
        for j in range(3):
            if 0 <= place + j - 1 < inventories:
                right = right + weights[..., j] * problem.carry[place + j - 1][level]
        diagonal = identity - problem.beta * weights[..., 1, None] * spread
        if place:
            below = -problem.beta * weights[..., 0, None] * spread
            diagonal = diagonal - below @ upper[-1]
            right = right - (below @ known[-1][..., None])[..., 0]
        above = -problem.beta * weights[..., 2, None] * spread
        both = np.linalg.solve(diagonal, np.concatenate([above, right[..., None]], axis=-1))
        upper.append(both[..., :-1])
        known.append(both[..., -1])
    value = np.empty(chosen.shape)
    value[..., -1, :] = known[-1]
    for place in range(inventories - 2, -1, -1):
        value[..., place, :] = known[place] - (upper[place] @ value[..., place + 1, :, None])[..., 0]
    return value.reshape(policy.shape)


def _gmres(operator: Callable[[Floats], Floats], right: Floats, guess: Floats) -> Floats:
    """The solution of a linear system to the last digits: restarted until it gets no nearer."""
    found, rest = guess, right - operator(guess)
    size, nearest = float(np.linalg.norm(right)), float(np.linalg.norm(rest))
    for _ in range(200):
        if nearest <= 1e-15 * max(size, float(np.linalg.norm(found))):  # rounding of the values themselves
            break
        trial = found + _krylov(operator, rest)
        rest = right - operator(trial)
        distance = float(np.linalg.norm(rest))
        if not distance < nearest:
            break
        found, nearest = trial, distance
    if not nearest <= 1e-12 * size:
        raise NumericError("the value of a policy was not found: the linear system is at the edge of 64-bit numbers")
    return found


def _krylov(operator: Callable[[Floats], Floats], right: Floats) -> Floats:
    most = max(10, min(40, _MOST_KEPT // right.size))
    basis = np.empty((most + 1, right.size))
    image = np.zeros((most + 1, most))
    size = float(np.linalg.norm(right))
    basis[0] = right.ravel() / size
    count = most
    for place in range(most):
        vector = operator(basis[place].reshape(right.shape)).ravel()
        for _ in range(2):  # the second pass takes away what rounding left
            share = basis[: place + 1] @ vector
            vector = vector - share @ basis[: place + 1]
            image[: place + 1, place] += share
        length = float(np.linalg.norm(vector))
        image[place + 1, place] = length
        if length <= 1e-14:
            count = place + 1
            break
        basis[place + 1] = vector / length
    wanted = np.zeros(count + 1)
    wanted[0] = size
    weights = np.linalg.lstsq(image[: count + 1, :count], wanted, rcond=None)[0]
    found: Floats = (weights @ basis[:count]).reshape(right.shape)
    return found
