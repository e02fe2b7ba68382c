"""The solver against a dense one that is written from the formula, state by state, and shares no code with it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mmbt.errors import NumericError, UsageError
from mmbt.exact_models import BaseModelParams, ExactMarketParams
from mmbt.theory import base_model, exact_market
from mmbt.theory.inventory import Problem
from mmbt.theory.solver import solve
from mmbt.theory.values import Step, constant_values, evaluate, stationary


def dense(params: ExactMarketParams) -> tuple[np.ndarray, np.ndarray]:
    """Rewards [states, A] and transitions [states, A, states], by enumeration of what may happen."""
    actions, levels, top = params.actions, params.levels, params.q_max
    states = list(product(range(-top, top + 1), range(len(levels)), *([range(len(actions))] * params.delay)))
    place = {state: at for at, state in enumerate(states)}
    reward = np.zeros((len(states), len(actions)))
    moves = np.zeros((len(states), len(actions), len(states)))
    for at, (held, level, *way) in enumerate(states):
        imbalance, spread = levels[level]
        for action in range(len(actions)):
            skew, half_spread = actions[[*way, action][0]]
            ask, bid = (half_spread + skew) * spread, (half_spread - skew) * spread
            p_ask = min(1, np.exp(params.k * (spread / 2 - ask) / spread)) * (held > -top)
            p_bid = min(1, np.exp(params.k * (spread / 2 - bid) / spread)) * (held < top)
            for sold, bought in product((0, 1), (0, 1)):
                chance = (p_ask if sold else 1 - p_ask) * (p_bid if bought else 1 - p_bid)
                after = held + bought - sold
                if chance == 0:
                    continue
                earned = sold * ask + bought * bid + after * params.drift * imbalance - params.r * abs(after)
                reward[at, action] += chance * earned
                for i, j in product(range(len(params.imbalances)), range(len(params.spreads))):
                    next_level = i * len(params.spreads) + j
                    here = divmod(level, len(params.spreads))
                    moved = params.imbalance_moves[here[0]][i] * params.spread_moves[here[1]][j]
                    moves[at, action, place[(after, next_level, *[*way, action][1:])]] += chance * moved
    return reward, moves


def iterate(reward: np.ndarray, moves: np.ndarray, beta: float) -> np.ndarray:
    value = np.zeros(len(reward))
    for _ in range(4000):
        value = (reward + beta * moves @ value).max(axis=1)
    return value


CASES = {
    "at_once": ExactMarketParams(q_max=2, beta=0.9),
    "a_step_later": ExactMarketParams(q_max=2, beta=0.9, delay=1, skews=(-0.5, 0.5), half_spreads=(0.25, 1)),
    "two_steps_later": ExactMarketParams(q_max=1, beta=0.9, delay=2, skews=(-0.25, 0.5), half_spreads=(0.5,)),
    "another_law": ExactMarketParams(
        q_max=3, beta=0.8, k=2.5, r=0.3, drift=-0.4, imbalances=(-2, 1), imbalance_moves=((0.2, 0.8), (0.6, 0.4)),
        spreads=(0.5, 1, 3), spread_moves=((0, 1, 0), (0.5, 0, 0.5), (0.1, 0.1, 0.8)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["blocks", "krylov"])
def test_the_solver_agrees_with_enumeration(case: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    params = CASES[case]
    if way == "krylov":
        monkeypatch.setattr("mmbt.theory.values._MOST_BLOCK", 0)
    reward, moves = dense(params)
    problem = exact_market.make_problem(params)
    best = solve(problem)
    assert best.value.ravel() == pytest.approx(iterate(reward, moves, params.beta), abs=1e-10)
    policy = np.random.default_rng(7).integers(0, len(params.actions), problem.shape)
    rows = np.arange(len(reward))
    chosen = moves[rows, policy.ravel()]
    value = np.linalg.solve(np.eye(len(rows)) - params.beta * chosen, reward[rows, policy.ravel()])
    assert evaluate(problem, policy).ravel() == pytest.approx(value, abs=1e-10)
    law = stationary(problem, policy).ravel()
    assert law @ chosen == pytest.approx(law, abs=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 2])
def test_constant_values_are_those_of_constant_policies(delay: int) -> None:
    params = ExactMarketParams(q_max=3, delay=delay, skews=(-0.25, 0.25), half_spreads=(0.5, 1))
    problem = exact_market.make_problem(params)
    values = constant_values(problem, 2)
    for action in range(4):
        assert values[action] == pytest.approx(problem.while_pending(evaluate(problem, action), 2), abs=1e-10)


def test_a_step_forward_is_the_transpose_of_a_step_back() -> None:
    problem = exact_market.make_problem(ExactMarketParams(q_max=2, delay=1))
    rng = np.random.default_rng(1)
    step = Step(problem, rng.integers(0, 25, problem.shape))
    value, law = rng.normal(size=problem.shape), rng.random(problem.shape)
    assert (step.forward(law) * value).sum() == pytest.approx((law * step.back_linear(value)).sum() / problem.beta)


def test_a_delay_that_makes_too_many_states_is_refused() -> None:
    with pytest.raises(UsageError, match=r"2,185,268,421 states.*coarser list"):
        solve(base_model.make_problem(BaseModelParams(delay=2)))


def test_a_law_with_a_rhythm_is_found_and_one_that_does_not_settle_is_told() -> None:
    frozen = Problem(1, 0.5, 0, np.eye(2)[::-1], np.tile([0.0, 1, 0], (3, 1, 1)), np.zeros((3, 2, 1)), np.zeros(3),
                     np.zeros((3, 2)))
    step = Step(frozen, np.zeros(frozen.shape, np.int64))
    assert step.forward(np.array([[1.0, 0], [0, 0], [0, 0]])).tolist() == [[0, 1], [0, 0], [0, 0]]
    assert stationary(frozen, 0) == pytest.approx(np.full((3, 2), 1 / 6))
    slow = exact_market.make_problem(ExactMarketParams(q_max=400))
    with pytest.raises(NumericError, match="has not settled in 30 steps"):
        stationary(slow, 0, most=30)
