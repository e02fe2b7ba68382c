"""The base model: quotes around a market that stands still, paid by the spread and charged for risk.

Letters: A, B, M, S market ask, bid, mid, spread (S = 1, M = 0); a, b our offer and bid; x = (a-A)/S, y = (B-b)/S their
shifts from the touch; p chances of a fill, Q inventory, r cost of risk, D delay, V value.

    p(a) = min(1, p0 exp(k (A-a)/S)),  p(b) its mirror; one lot each, independent, none beyond -q_max..q_max
    PnL = (a-M) p(a) + (M-b) p(b),     F = PnL - r|Q|,     V(Q) = max E sum_t beta^t F_t

Risk is charged on Q before the decision. Ties go to the smallest ask shift, then bid shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.exact_models import BaseModelParams
from mmbt.theory.inventory import Problem, fills
from mmbt.theory.scores import Score, best_constant, regret_of, score_of
from mmbt.theory.solver import Solution, solve
from mmbt.theory.values import evaluate, stationary

__all__ = ["PARAMS", "BaseModel", "answer", "fill_probability", "make_problem", "myopic_shift"]

PARAMS = BaseModelParams


@dataclass(frozen=True)
class BaseModel:
    """The model with its best policy, computed once, and the regret of others.

    States are arrays [Q, 1, a1..aD]: inventory from -q_max up, the market's only level, then the actions under way, the
    oldest first. Actions are numbered ask shift by ask shift, in each of them bid shift by bid shift.
    """

    params: BaseModelParams
    problem: Problem
    best: Solution

    @classmethod
    def solved(cls, params: BaseModelParams | None = None) -> BaseModel:
        """Solve the model; without parameters the standard one."""
        params = params or BaseModelParams()
        problem = make_problem(params)
        return cls(params, problem, solve(problem))

    def evaluate(self, policy: ArrayLike) -> NDArray[np.float64]:
        """The exact value, in each state, of a policy given as an action for each state."""
        return evaluate(self.problem, policy)

    def at_start(self, values: NDArray[Any]) -> NDArray[Any]:
        """What an array over states says of each inventory, the pending action being under way."""
        return self.problem.while_pending(values, self.params.pending_action)[:, 0]

    def best_constant(self, within: int | None = None) -> tuple[int, NDArray[np.float64]]:
        """The action that is best for ever, by its sum of V over |Q| <= within, and its value for each inventory."""
        best, value = best_constant(self.problem, self.params.pending_action, within)
        return best, value[:, 0]

    def regret(self, policy: ArrayLike, within: int | None = None) -> float:
        """sum (V* - V_pi) / sum (V* - V_const) over |Q| <= within: 0 is the best, 1 the best constant quote.

        Parameters
        ----------
        policy
            An action for each state.
        within
            The inventories compared; without it all but the last two levels at each limit.

        Returns
        -------
        The regret; infinite where a constant quote is the best already and the policy loses against it.
        """
        return regret_of(self.evaluate(policy), self.best.value, self.problem, self.params.pending_action, within)

    def score(self, policy: ArrayLike) -> Score:
        """How much of the optimal value a policy earns; NaN where that is not positive."""
        start = (self.params.q_max, 0, *(self.params.pending_action,) * self.params.delay)
        law = stationary(self.problem, self.best.policy)
        return score_of(self.evaluate(policy), self.best.value, law, start)


def make_problem(params: BaseModelParams) -> Problem:
    """The model's means and chances as arrays."""
    actions = np.array(params.actions)
    ask, bid = (fill_probability(actions[:, side], params.k, params.p0) for side in (0, 1))
    moves, earned = fills(ask, bid, 0.5 + actions[:, 0], 0.5 + actions[:, 1])
    held = np.arange(-params.q_max, params.q_max + 1.0)
    return Problem(
        q_max=params.q_max,
        beta=params.beta,
        delay=params.delay,
        chain=np.ones((1, 1)),
        moves=moves,
        gain=earned[:, None, :],
        before=-params.r * np.abs(held),
        carry=np.zeros((len(held), 1)),
    )


def fill_probability(shift: ArrayLike, k: float, p0: float = 1.0) -> NDArray[np.float64]:
    """p = min(1, p0 exp(-k shift)) of a quote `shift` spreads behind the touch; inside the spread it is negative."""
    return np.asarray(np.exp(np.minimum(np.log(p0) - k * np.asarray(shift, np.float64), 0.0)))


def myopic_shift(k: float, p0: float = 1.0) -> float:
    """The shift that earns most in a single step: a* - M = max(S/k, S/2 + S ln(p0)/k)."""
    return float(max(1.0 / k, 0.5 + np.log(p0) / k) - 0.5)


def answer(params: BaseModelParams) -> dict[str, Any]:
    """The best quotes of each inventory, with the pending action under way, as plain lists; None where not quoted."""
    model = BaseModel.solved(params)
    shifts = np.array(params.actions)[model.at_start(model.best.policy)]
    held = list(range(-params.q_max, params.q_max + 1))
    ask, bid = shifts[:, 0].tolist(), shifts[:, 1].tolist()
    if params.delay == 0:
        ask[0] = bid[-1] = None
    return {"Q": held, "V": model.at_start(model.best.value).tolist(), "ask_shift": ask, "bid_shift": bid}
