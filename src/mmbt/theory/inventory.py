"""Best policies and exact values of a maker whose inventory Q moves by one lot and whose market X moves by itself.

Letters: Q inventory, X state of the market, A actions, D steps of delay, T chances of the market's moves, V value.

    V(Q, X, a1..aD) = before(Q) + gain(Q, X, a1) + max over a of  sum over j of m_j(Q, a1) U(Q+j, X, a2..aD, a)
    U(Q, X, b1..bD) = carry(Q, X) + beta  sum over X' of T(X, X') V(Q, X', b1..bD)

a1 is the oldest action under way and governs this step's fills, j = -1, 0, +1; a is chosen now. Without a delay a is a1
itself. `gain` is what the fills of a step earn on average, `before` and `carry` what inventory earns before and after
them. Policies are improved until nothing is gained (Howard 1960); the value of a policy is one linear system, solved
block by block along Q where the blocks are small, else by GMRES (Saad and Schultz 1986) to the last digits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.errors import NumericError, UsageError

__all__ = ["Problem", "Solution", "constant_values", "evaluate", "expand", "fills", "mixed", "solve", "stationary"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_MOST_STATES = 4_000_000
_MOST_CHOICES = 2_000_000_000  # comparisons of one improvement
_MOST_BLOCK = 256  # rows of a dense block; larger systems are solved by GMRES
_TIE = 1e-11  # of the largest value: what is nearer than this is equal
_GAIN = 1e-13
_SWEEPS = 100
_MOST_KEPT = 50_000_000  # numbers of the vectors that GMRES keeps


@dataclass(frozen=True)
class Problem:
    """A maker's problem. The first axis of `moves` and `gain` is the inventory's kind: at -q_max, inside, at q_max."""

    q_max: int
    beta: float
    delay: int
    chain: Floats  # [X, X] chances of the market's moves
    moves: Floats  # [3, A, 3] chances of Q-1, Q, Q+1
    gain: Floats  # [3, X, A] mean earnings of a step's fills
    before: Floats  # [Q] earned by inventory before the fills
    carry: Floats  # [Q, X] earned by inventory after them

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a value or policy: Q from -q_max up, X, then the actions under way, oldest first."""
        return (2 * self.q_max + 1, self.chain.shape[0], *(self.moves.shape[1],) * self.delay)

    @cached_property
    def kinds(self) -> Indices:
        """The kind of each inventory."""
        kinds = np.ones(2 * self.q_max + 1, np.int64)
        kinds[0], kinds[-1] = 0, 2
        return kinds


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
    exact = _is_small(problem)
    for _ in range(1000):
        value = _evaluate(problem, policy, value) if exact else _approach(_Step(problem, policy), value)
        better, gained = _improve(problem, value, policy)
        settled = gained <= _GAIN * _scale(value) or np.array_equal(better, policy)
        if settled and exact:
            return Solution(value, _improve(problem, value, None)[0])
        policy, exact = better, settled or _is_small(problem)
    raise NumericError("the best policy was not found in 1,000 improvements: the parameters are at the edge of what "
                       "64-bit numbers can tell apart")


def evaluate(problem: Problem, policy: ArrayLike) -> Floats:
    """The exact value of a deterministic policy.

    Parameters
    ----------
    problem
        The problem.
    policy
        The action of each state, of the problem's shape, or one that NumPy spreads over it.
    """
    return _evaluate(problem, expand(problem, policy), np.zeros(problem.shape))


def expand(problem: Problem, policy: ArrayLike) -> Indices:
    """A policy as an array of the problem's shape, checked."""
    given = np.asarray(policy)
    actions = problem.moves.shape[1]
    if not np.issubdtype(given.dtype, np.integer):
        raise ValueError(f"a policy is an array of whole numbers, not of {given.dtype}")
    try:
        spread = np.broadcast_to(given, problem.shape)
    except ValueError:
        raise ValueError(f"the policy's shape {given.shape} does not fit the states' {problem.shape}") from None
    if given.size and not (given.min() >= 0 and given.max() < actions):
        raise ValueError(f"the policy holds actions outside 0..{actions - 1}")
    return spread.astype(np.int64)


def fills(ask: Floats, bid: Floats, ask_edge: Floats, bid_edge: Floats) -> tuple[Floats, Floats]:
    """`moves` [3, A, 3] and mean earnings [3, A] of actions whose two quotes fill independently, one lot each.

    Parameters
    ----------
    ask, bid
        [A] chances that the offer and the bid are filled; at its limit a side is not there.
    ask_edge, bid_edge
        [A] what a fill earns.
    """
    sells = np.stack([np.zeros_like(ask), ask, ask])
    buys = np.stack([bid, bid, np.zeros_like(bid)])
    down, up = sells * (1 - buys), buys * (1 - sells)
    stay = sells * buys + (1 - sells) * (1 - buys)
    return np.stack([down, stay, up], axis=-1), sells * ask_edge + buys * bid_edge


def constant_values(problem: Problem, pending: int = 0) -> Floats:
    """[A, Q, X]: the value of each action taken for ever, after the `pending` one has run its time."""
    undelayed = _without_delay(problem)
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


def mixed(problem: Problem, chances: ArrayLike) -> Problem:
    """The problem of one who draws each action with these chances: it has a single action. Only without a delay."""
    if problem.delay:
        raise ValueError("a drawn action with a delay is no single action: it is known while it is under way")
    weights = np.asarray(chances, np.float64)
    return Problem(
        problem.q_max, problem.beta, 0, problem.chain,
        np.einsum("a,kaj->kj", weights, problem.moves)[:, None, :],
        np.einsum("a,kxa->kx", weights, problem.gain)[:, :, None],
        problem.before, problem.carry,
    )  # fmt: skip


def stationary(problem: Problem, policy: ArrayLike, tolerance: float = 1e-13, most: int = 1_000_000) -> Floats:
    """How often each state is met in the long run under a policy, by repeated steps from where it stands.

    Raises
    ------
    NumericError
        When it has not settled after `most` steps.
    """
    step = _Step(problem, expand(problem, policy))
    law = np.full(problem.shape, 1.0 / np.prod(problem.shape))
    for count in range(most):
        following = step.forward(law)
        if count % 16 == 0 and np.abs(following - law).sum() < tolerance:
            return following / following.sum()
        law = following
    raise NumericError(f"the stationary law has not settled in {most:,} steps: the inventory moves too slowly")


def _check_size(problem: Problem) -> None:
    states = float(np.prod([float(size) for size in problem.shape]))
    actions = problem.moves.shape[1]
    if states > _MOST_STATES or (actions <= _MANY and states * actions > _MOST_CHOICES):
        raise UsageError(
            f"a delay of {problem.delay} steps with {actions:,} actions makes {states:,.0f} states, and at most "
            f"{_MOST_STATES:,} are solved: take a coarser list of quotes, a smaller q_max or a shorter delay"
        )


def _scale(value: Floats) -> float:
    return max(1.0, float(np.abs(value).max()))


def _without_delay(problem: Problem) -> Problem:
    return Problem(problem.q_max, problem.beta, 0, problem.chain, problem.moves, problem.gain, problem.before,
                   problem.carry)


# Improvement ------------------------------------------------------------------------------------------------------


_MANY = 200  # actions; above it those that can never be best are left out of the comparison first


def _improve(problem: Problem, value: Floats, policy: Indices | None) -> tuple[Indices, float]:
    """The best actions against a value, and the most that is gained.

    Where `policy` is given its actions stay unless another is better; else ties go to the first.
    """
    shape = problem.shape
    inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
    after = _after(problem, value).reshape(inventories, -1)
    padded = np.pad(after, ((1, 1), (0, 0)))
    best = np.empty((inventories, int(np.prod(shape[1:]))), np.int64)
    gained = 0.0
    tie = _TIE * _scale(value)
    for place in range(inventories):
        kind = problem.kinds[place]
        weights, outlook = problem.moves[kind], padded[place : place + 3]
        old = None if policy is None else policy[place]
        if problem.delay == 0:
            worth = problem.gain[kind] + (weights @ outlook).T  # [X, A]
            row, more = _choose(worth, old, tie)
        elif actions <= _MANY:
            tails = outlook.reshape(3, levels, 1, -1, actions)
            worth = sum(  # type: ignore[assignment]
                weights[:, j][None, :, None, None] * tails[j] for j in range(3)
            )  # [X, A, tail, A]
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


# Values of a policy -----------------------------------------------------------------------------------------------


def _after(problem: Problem, value: Floats) -> Floats:
    """U: what is expected right after the fills."""
    inventories, levels = problem.shape[:2]
    moved = np.matmul(problem.chain, value.reshape(inventories, levels, -1)).reshape(value.shape)
    return problem.carry.reshape(problem.carry.shape + (1,) * problem.delay) + problem.beta * moved


class _Step:
    """One step under a policy: backwards from values, forwards from chances."""

    def __init__(self, problem: Problem, policy: Indices) -> None:
        self.problem = problem
        shape = problem.shape
        inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
        width = int(np.prod(shape[1:]))
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
        return (self.earned + self._gather(_after(self.problem, value))).reshape(value.shape)

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
        return np.matmul(self.problem.chain.T, inside).reshape(law.shape)


def _is_small(problem: Problem) -> bool:
    return problem.delay == 0 or int(np.prod(problem.shape[1:])) <= _MOST_BLOCK


def _evaluate(problem: Problem, policy: Indices, guess: Floats) -> Floats:
    if _is_small(problem):
        return _solve_blocks(problem, policy)
    step = _Step(problem, policy)
    earned = step.back(np.zeros(problem.shape))
    return _gmres(lambda value: value - step.back_linear(value), earned, _approach(step, guess))


def _approach(step: _Step, value: Floats) -> Floats:
    """Nearer to the value of a policy: some steps, then what they still add to all states alike (MacQueen 1966)."""
    beta = step.problem.beta
    added = np.zeros(1)
    for _ in range(_SWEEPS):
        earlier = step.back(value)
        added, value = earlier - value, earlier
        if np.ptp(added) <= _GAIN * _scale(value):
            break
    return value + beta / (1.0 - beta) * 0.5 * (added.max() + added.min())


def _solve_blocks(problem: Problem, policy: Indices) -> Floats:
    """The value of policies [..., *shape] by elimination along Q: each step moves it by one at most."""
    shape = problem.shape
    inventories, levels, actions = shape[0], shape[1], problem.moves.shape[1]
    width = int(np.prod(shape[1:]))
    chosen = policy.reshape(*policy.shape[: policy.ndim - len(shape)], inventories, width)
    cells = np.arange(width)
    tails = max(1, width // (levels * actions))  # of what is under way behind the oldest
    level = cells if problem.delay == 0 else cells // (actions * tails)
    identity = np.eye(width)
    upper, known = [], []
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
