"""The exact market: imbalance foretells the mid, the spread changes, and every answer is known.

Letters: Q inventory, I imbalance, s = S spread, w half-spread and skew in spreads, M mid, a offer, b bid, A market ask,
p chances of a fill, f fills, r cost of risk, D delay, V value, rho stationary law.

    a-M = (w+skew) S      p(a) = min(1, exp(k (A-a)/S)),  A-M = S/2
    M-b = (w-skew) S      p(b) its mirror; fills are independent, none beyond -q_max..q_max
    reward = f_a (a-M) + f_b (M-b) + Q+ dM - r|Q+|,  Q+ = Q + f_b - f_a,  dM of mean drift I

Then I and s move, each by its own chances. Risk is charged on the inventory after the fills. A learned policy is scored
by its exact value, never by simulation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.exact_models import ExactMarketParams
from mmbt.theory.inventory import Problem, fills
from mmbt.theory.scores import Score, regret_of, score_of
from mmbt.theory.solver import Solution, solve
from mmbt.theory.values import evaluate, stationary

__all__ = ["PARAMS", "ExactMarket", "Score", "answer", "fill_probability", "make_problem"]

PARAMS = ExactMarketParams


@dataclass(frozen=True)
class ExactMarket:
    """The market with its best policy, computed once, and scores of others.

    States are arrays [Q, X, a1..aD]: inventory from -q_max up; the market's levels, imbalance by imbalance, in each of
    them spread by spread; then the actions under way, the oldest first. Actions are numbered skew by skew, in each of
    them half-spread by half-spread.
    """

    params: ExactMarketParams
    problem: Problem
    best: Solution
    law: NDArray[np.float64]  # rho, how often the best policy meets each state

    @classmethod
    def solved(cls, params: ExactMarketParams | None = None) -> ExactMarket:
        """Solve a market; without parameters the standard one."""
        params = params or ExactMarketParams()
        problem = make_problem(params)
        best = solve(problem)
        return cls(params, problem, best, stationary(problem, best.policy))

    @property
    def start(self) -> tuple[int, ...]:
        """Where the start stands in arrays over states."""
        return (self.params.q_max, self.params.start_level, *(self.params.pending_action,) * self.params.delay)

    def evaluate(self, policy: ArrayLike) -> NDArray[np.float64]:
        """The exact value, in each state, of a policy given as an action for each state."""
        return evaluate(self.problem, policy)

    def score(self, policy: ArrayLike) -> Score:
        """How much of the optimal value a policy earns."""
        return self.score_value(self.evaluate(policy))

    def score_value(self, value: NDArray[np.float64]) -> Score:
        """The score of what earns `value` in each state. Where the optimal value is not positive a share is NaN."""
        return score_of(value, self.best.value, self.law, self.start)

    def regret(self, policy: ArrayLike, within: int | None = None) -> float:
        """What a policy loses to the best one, as a share of what the best constant quote loses (`theory.scores`)."""
        return regret_of(self.evaluate(policy), self.best.value, self.problem, self.params.pending_action, within)


def make_problem(params: ExactMarketParams) -> Problem:
    """The market's means and chances as arrays."""
    levels, actions = np.array(params.levels), np.array(params.actions)
    imbalance, spread = levels[:, 0], levels[:, 1]
    ask_edge, bid_edge = actions[:, 1] + actions[:, 0], actions[:, 1] - actions[:, 0]
    ask, bid = fill_probability(ask_edge, params.k), fill_probability(bid_edge, params.k)
    chain = np.kron(np.array(params.imbalance_moves), np.array(params.spread_moves))
    moves, earned = fills(ask, bid, ask_edge, bid_edge)
    held = np.arange(-params.q_max, params.q_max + 1.0)
    return Problem(
        q_max=params.q_max,
        beta=params.beta,
        delay=params.delay,
        chain=chain,
        moves=moves,
        gain=earned[:, None, :] * spread[:, None],
        before=np.zeros_like(held),
        carry=held[:, None] * params.drift * imbalance - params.r * np.abs(held)[:, None],
    )


def fill_probability(edge: ArrayLike, k: float) -> NDArray[np.float64]:
    """p = min(1, exp(k (1/2 - edge))) of a quote `edge` spreads away from the mid."""
    return np.asarray(np.exp(np.minimum(k * (0.5 - np.asarray(edge, np.float64)), 0.0)))


def answer(params: ExactMarketParams) -> dict[str, Any]:
    """The best quote of every state, with the pending action under way, as plain lists."""
    problem = make_problem(params)
    best = solve(problem)
    value, policy = (problem.while_pending(each, params.pending_action) for each in (best.value, best.policy))
    levels, actions = np.array(params.levels), np.array(params.actions)
    held = np.arange(-params.q_max, params.q_max + 1)
    return {
        "Q": np.repeat(held, len(levels)).tolist(),
        "I": np.tile(levels[:, 0], len(held)).tolist(),
        "s": np.tile(levels[:, 1], len(held)).tolist(),
        "V": value.ravel().tolist(),
        "skew": actions[policy.ravel(), 0].tolist(),
        "half_spread": actions[policy.ravel(), 1].tolist(),
        "start": float(value[params.q_max, params.start_level]),
    }
