"""Cartea, Jaimungal and Penalva (2015, ch. 10): quotes of a maker who pays for inventory as time goes by.

Letters: Q inventory within -q_max..q_max, lam market orders a unit of time and side, exp(-kappa d) the chance that one
reaches a quote d from the mid, phi and alpha running and final penalties of Q^2, T the time that is left.

    sup E[X_T + Q_T (S_T - alpha Q_T) - phi int Q^2]
    h = ln(w) / kappa,  w = exp(A T) z,  z_q = exp(-alpha kappa q^2),  A_qq = -phi kappa q^2,  A_{q,q+-1} = lam / e
    d_ask = 1/kappa + h(q) - h(q-1),  d_bid = 1/kappa + h(q) - h(q+1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.exact_models import CarteaJaimungalParams

__all__ = ["PARAMS", "Depths", "answer", "solve"]

PARAMS = CarteaJaimungalParams

_TERMS = 24  # of the exponential's series, for a matrix of norm 1 or less: 1/24! is far below rounding


@dataclass(frozen=True)
class Depths:
    """Over Q = -q_max..q_max at time 0: NaN where a side is not quoted."""

    h: NDArray[np.float64]
    bid_depth: NDArray[np.float64]
    ask_depth: NDArray[np.float64]


def solve(params: CarteaJaimungalParams) -> Depths:
    """The depths at time 0."""
    held = np.arange(-params.q_max, params.q_max + 1.0)
    generator = np.diag(-params.phi * params.kappa * held**2)
    beside = np.full(len(held) - 1, params.lam / math.e)
    generator += np.diag(beside, 1) + np.diag(beside, -1)
    h = _log_exponential(generator * params.T, -params.alpha * params.kappa * held**2) / params.kappa
    bid, ask = (np.full(len(held), math.nan) for _ in range(2))
    bid[:-1] = 1 / params.kappa + h[:-1] - h[1:]
    ask[1:] = 1 / params.kappa + h[1:] - h[:-1]
    return Depths(h, bid, ask)


def answer(params: CarteaJaimungalParams) -> dict[str, Any]:
    """The depths of each inventory at time 0, as plain lists; None where not quoted."""
    found = solve(params)
    bid, ask = found.bid_depth.tolist(), found.ask_depth.tolist()
    bid[-1] = ask[0] = None
    held = list(range(-params.q_max, params.q_max + 1))
    return {"Q": held, "bid_depth": bid, "ask_depth": ask, "h": found.h.tolist()}


def _log_exponential(matrix: NDArray[np.float64], log_start: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln(exp(matrix) exp(log_start)), by scaling and squaring of a shifted matrix without negative entries.

    Only positive numbers are added and multiplied, so that the smallest entries keep their digits.
    """
    shift = float(matrix.diagonal().min())
    shifted = matrix - shift * np.eye(len(matrix))
    halvings = max(0, math.ceil(math.log2(max(float(shifted.sum(axis=1).max()), 1e-300))))
    term = power = np.eye(len(matrix))
    for place in range(1, _TERMS):
        term = term @ (shifted / 2.0**halvings) / place
        power = power + term
    scale = 0.0
    for _ in range(halvings):
        power = power @ power
        largest = float(power.max())
        power, scale = power / largest, 2 * scale + math.log(largest)
    top = float(log_start.max())
    logs: NDArray[np.float64] = np.log(power @ np.exp(log_start - top)) + top + scale + shift
    return logs
