"""The problem of a maker whose inventory Q moves by one lot and whose market X moves by itself.

Letters: Q inventory, X state of the market, A actions, D steps of delay, T chances of the market's moves, V value.

    V(Q, X, a1..aD) = before(Q) + gain(Q, X, a1) + max over a of  sum over j of m_j(Q, a1) U(Q+j, X, a2..aD, a)
    U(Q, X, b1..bD) = carry(Q, X) + beta  sum over X' of T(X, X') V(Q, X', b1..bD)

a1 is the oldest action under way and governs this step's fills, j = -1, 0, +1; a is chosen now. Without a delay a is a1
itself. `gain` is what the fills of a step earn on average, `before` and `carry` what inventory earns before and after
them. `mmbt.theory.solver` finds the best policy, `mmbt.theory.values` the exact value of any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "Indices", "Problem", "expand", "fills", "mixed", "scale"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


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

    @property
    def width(self) -> int:
        """States of one inventory."""
        return math.prod(self.shape[1:])

    def after(self, value: Floats) -> Floats:
        """U of the module's formula: what is expected right after the fills."""
        inventories, levels = self.shape[:2]
        moved: Floats = np.matmul(self.chain, value.reshape(inventories, levels, -1)).reshape(value.shape)
        return self.carry.reshape(self.carry.shape + (1,) * self.delay) + self.beta * moved

    def while_pending(self, states: NDArray[Any], action: int) -> NDArray[Any]:
        """[Q, X]: what an array over states says where one action fills all places under way."""
        place = sum(action * self.moves.shape[1] ** d for d in range(self.delay))
        return states.reshape(*self.shape[:2], -1)[:, :, place]


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


def scale(value: Floats) -> float:
    """The size against which values are told apart."""
    return max(1.0, float(np.abs(value).max()))
