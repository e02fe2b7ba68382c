"""What a policy earns beside the best one, from exact values.

| score       | is                                                                                     |
|-------------|----------------------------------------------------------------------------------------|
| `start`     | V_pi / V* at the start                                                                 |
| `occupancy` | sum rho V_pi / sum rho V*, rho the law of the states that the best policy meets         |
| `worst`     | min V_pi / V*, over all states                                                         |
| regret      | sum (V* - V_pi) / sum (V* - V_const), over inventories; V_const the best constant quote |

A share of what is not positive says nothing, and is NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbt.theory.inventory import Floats, Problem
from mmbt.theory.values import constant_values

__all__ = ["Score", "best_constant", "regret_of", "score_of"]

_IGNORED = 2  # levels at each limit: there policies differ by what the limit does to them


class Score(NamedTuple):
    """A policy's value as shares of the optimal one."""

    start: float  # at the start: no inventory, the market's start, the pending action
    occupancy: float  # over the states as the optimal policy meets them, sum rho V_pi / sum rho V*
    worst: float  # the least share of any state, min V_pi / V*


def score_of(value: Floats, best: Floats, law: Floats, start: tuple[int, ...]) -> Score:
    """The score of what earns `value` in each state, where `best` could be earned."""

    def share(mine: float, its: float) -> float:
        return float(mine / its) if its > 0 else float("nan")

    worst = float((value / best).min()) if (best > 0).all() else float("nan")
    return Score(share(value[start], best[start]), share((law * value).sum(), (law * best).sum()), worst)


def best_constant(problem: Problem, pending: int, within: int | None = None) -> tuple[int, Floats]:
    """The action that is best for ever, by its sum of V over |Q| <= within, and its value [Q, X]."""
    values = constant_values(problem, pending)
    best = int(values[:, _inside(problem, within)].sum(axis=(1, 2)).argmax())
    return best, values[best]


def regret_of(value: Floats, best: Floats, problem: Problem, pending: int, within: int | None = None) -> float:
    """The regret of what earns `value` in each state; infinite where a constant quote is the best already, and lost to.

    Parameters
    ----------
    within
        The inventories compared; without it all but the last two levels at each limit.
    """
    inside = _inside(problem, within)
    highest = problem.while_pending(best, pending)[inside]
    lost = float((highest - problem.while_pending(value, pending)[inside]).sum())
    span = float((highest - best_constant(problem, pending, within)[1][inside]).sum())
    noise = 1e-9 * max(1.0, float(np.abs(highest).sum()))
    if span <= noise:
        return 0.0 if lost <= noise else float("inf")
    return lost / span


def _inside(problem: Problem, within: int | None) -> NDArray[np.bool_]:
    limit = max(0, problem.q_max - _IGNORED) if within is None else within
    return np.abs(np.arange(-problem.q_max, problem.q_max + 1)) <= limit
