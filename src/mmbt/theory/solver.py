"""The best policy: it is improved until nothing is gained (Howard 1960), then valued exactly.

Large problems are improved against values that are only near (Puterman and Shin 1978): the last ones are exact. Where
there are many actions those that can never be best are left out of the comparison first. Letters as in
`mmbt.theory.inventory`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmbt.errors import NumericError, UsageError
from mmbt.theory.inventory import Floats, Indices, Problem, scale
from mmbt.theory.values import EQUAL, Step, approach, evaluate, is_small

__all__ = ["Solution", "solve"]

_MOST_STATES = 4_000_000
_MOST_CHOICES = 2_000_000_000  # comparisons of one improvement
_MANY = 200  # actions
_TIE = 1e-11  # of the largest value: actions that are nearer are equally good


@dataclass(frozen=True)
class Solution:
    """What is best: arrays of the problem's shape."""

    value: Floats
    policy: Indices


def solve(problem: Problem) -> Solution:
    """The best policy and its value; of actions that are equally good the first.

    Raises
    ------
    UsageError
        When the delay makes the problem too large.
    NumericError
        When the numbers do not settle.
    """
    _check_size(problem)
    value = np.zeros(problem.shape)
    policy = _improve(problem, value, None)[0]
    exact = is_small(problem)
    for _ in range(1000):
        value = evaluate(problem, policy, value) if exact else approach(Step(problem, policy), value)
        better, gained = _improve(problem, value, policy)
        settled = gained <= EQUAL * scale(value) or np.array_equal(better, policy)
        if settled and exact:
            return Solution(value, _improve(problem, value, None)[0])
        policy, exact = better, settled or is_small(problem)
    raise NumericError("the best policy was not found in 1,000 improvements: the parameters are at the edge of what "
                       "64-bit numbers can tell apart")


def _check_size(problem: Problem) -> None:
    states = math.prod(problem.shape)
    actions = problem.moves.shape[1]
    if states > _MOST_STATES or (actions <= _MANY and states * actions > _MOST_CHOICES):
        raise UsageError(
            f"a delay of {problem.delay} steps with {actions:,} actions makes {states:,.0f} states, and at most "
            f"{_MOST_STATES:,} are solved: take a coarser list of quotes, a smaller q_max or a shorter delay"
        )


def _improve(problem: Problem, value: Floats, policy: Indices | None) -> tuple[Indices, float]:
    """The best actions against a value, and the most that is gained.

    Where `policy` is given its actions stay unless another is better; else ties go to the first.
    """
    shape = problem.shape
    inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
    after = problem.after(value).reshape(inventories, -1)
    padded = np.pad(after, ((1, 1), (0, 0)))
    best = np.empty((inventories, problem.width), np.int64)
    gained = 0.0
    tie = _TIE * scale(value)
    for place in range(inventories):
        kind = problem.kinds[place]
        weights, outlook = problem.moves[kind], padded[place : place + 3]
        old = None if policy is None else policy[place]
        if problem.delay == 0:
            worth = problem.gain[kind] + (weights @ outlook).T  # [X, A]
            row, more = _choose(worth, old, tie)
        elif actions <= _MANY:
            worth = np.tensordot(weights, outlook.reshape(3, levels, -1, actions), (1, 0)).swapaxes(0, 1)
            row, more = _choose(worth, None if old is None else old.reshape(worth.shape[:-1]), tie)
        else:
            row, more = _choose_of_many(weights, outlook.reshape(3, levels, -1, actions), old, tie)
        best[place] = row.reshape(-1)
        gained = max(gained, more)
    return best.reshape(shape), gained


def _choose(worth: Floats, old: Indices | None, tie: float) -> tuple[Indices, float]:
    most = worth.max(axis=-1, keepdims=True)
    if old is None:
        return np.argmax(worth >= most - tie, axis=-1), 0.0
    lost = most[..., 0] - np.take_along_axis(worth, old[..., None], -1)[..., 0]
    return np.where(lost > 0, worth.argmax(axis=-1), old), float(lost.max())


def _choose_of_many(weights: Floats, outlook: Floats, old: Indices | None, tie: float) -> tuple[Indices, float]:
    """As `_choose` for [X, A, tail] states, one market and tail at a time and without the actions that never win."""
    _, levels, tails, actions = outlook.shape
    chosen = np.empty((levels, actions, tails), np.int64)
    gained = 0.0
    before = None if old is None else old.reshape(chosen.shape)
    for level in range(levels):
        for tail in range(tails):
            points = outlook[:, level, tail]
            able = _undominated(points, tie)
            kept = None if before is None else before[level, :, tail]
            for first in range(0, actions, 4096):
                part = slice(first, first + 4096)
                worth = weights[part] @ points[:, able]
                row, _ = _choose(worth, None, tie)
                found = able[row]
                if kept is not None:
                    lost = worth.max(axis=1) - np.einsum("aj,ja->a", weights[part], points[:, kept[part]])
                    found = np.where(lost > 0, found, kept[part])
                    gained = max(gained, float(lost.max()))
                chosen[level, part, tail] = found
    return chosen, gained


def _undominated(points: Floats, tie: float) -> Indices:
    """Which actions no other one matches after each of the three moves and beats after one; of equal ones the first."""
    noise = 0.01 * tie
    keep = []
    order = np.argsort(-points.sum(axis=0), kind="stable")
    left = points[:, order]
    while order.size:
        leader = left[:, :1]
        equal = (np.abs(left - leader) <= tie).all(axis=0)
        keep.append(order[equal].min())
        stays = (left > leader + noise).any(axis=0) & ~equal
        order, left = order[stays], left[:, stays]
    return np.sort(np.array(keep))
