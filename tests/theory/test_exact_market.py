"""The exact market: known answers, the table of simple policies, and what a score is.

The published figures of delayed markets come from value iteration stopped at changes of 1e-7, so they lie up to 1e-5
below the exact ones, which are stated here to all digits.
"""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.exact_models import ExactMarketParams
from mmbt.theory.exact_market import ExactMarket, answer
from mmbt.theory.inventory import Indices, mixed
from mmbt.theory.values import constant_values, evaluate

EXACT = {0: 142.19295359011, 1: 140.06260271238, 2: 138.23145063217}
PUBLISHED = {0: 142.192954, 1: 140.062593, 2: 138.231441}


@pytest.fixture(scope="module")
def market() -> ExactMarket:
    return ExactMarket.solved()


@pytest.mark.parametrize("delay", EXACT)
def test_known_answers(delay: int) -> None:
    found = ExactMarket.solved(ExactMarketParams(delay=delay))
    value = found.best.value[found.start]
    assert value == pytest.approx(EXACT[delay], abs=5e-10)
    assert 0 <= value - PUBLISHED[delay] + 5e-7 < 1.05e-5
    assert found.score(found.best.policy) == pytest.approx((1, 1, 1), abs=1e-12)
    assert found.law.sum() == pytest.approx(1)


def test_value_iteration_stopped_early_gives_the_published_digits_of_a_delay() -> None:
    problem = ExactMarket.solved(ExactMarketParams(delay=1)).problem
    value, change = np.zeros(problem.shape), 1.0
    while change >= 1e-7:
        after = np.pad(problem.after(value), ((1, 1), (0, 0), (0, 0)))
        earlier = np.empty_like(value)
        for place, kind in enumerate(problem.kinds):
            best = np.einsum("bj,jxa->xba", problem.moves[kind], after[place : place + 3]).max(axis=-1)
            earlier[place] = problem.gain[kind] + best
        change, value = float(np.abs(earlier - value).max()), earlier
    assert round(float(value[10, 2, 11]), 6) == PUBLISHED[1]


def percent(score: tuple[float, float, float]) -> list[float]:
    return [round(100 * share, 1) for share in score]


def test_the_best_constant_quote(market: ExactMarket) -> None:
    values = constant_values(market.problem)
    best = max(range(25), key=lambda action: values[(action, *market.start)])
    assert market.params.actions[best] == (0.0, 0.5)
    assert percent(market.score_value(values[best])) == [92.3, 87.9, 77.3]
    assert percent(market.score(best)) == [92.3, 87.9, 77.3]


def linear_skew(market: ExactMarket, half_spread: int, slope: float) -> Indices:
    skews = np.array(market.params.skews)
    wanted = -slope * np.arange(-10, 11)
    near = np.abs(skews - np.clip(wanted, skews[0], skews[-1])[:, None]).argmin(axis=1)
    return (near * len(market.params.half_spreads) + half_spread)[:, None]


def test_the_best_linear_skew(market: ExactMarket) -> None:
    found = {(w, slope): market.score(linear_skew(market, w, slope)) for w in range(5) for slope in (0.05, 0.1, 0.2)}
    best = max(found, key=lambda rule: found[rule].start)
    assert best == (2, 0.1)
    assert percent(found[best]) == [92.7, 91.8, 89.2]


def test_the_myopic_quote(market: ExactMarket) -> None:
    problem = market.problem
    reward = problem.gain[problem.kinds] + np.einsum(
        "qaj,jqx->qxa", problem.moves[problem.kinds],
        np.stack([np.pad(problem.carry, ((1, 1), (0, 0)))[j : j + 21] for j in range(3)]),
    )  # fmt: skip
    assert percent(market.score(reward.argmax(axis=-1))) == [93.9, 93.4, 90.7]


def test_a_uniformly_random_quote(market: ExactMarket) -> None:
    value = evaluate(mixed(market.problem, np.full(25, 1 / 25)), 0)
    score = market.score_value(value)
    assert [round(100 * share, 1) for share in (score.start, score.worst)] == [59.5, 51.4]


def test_the_best_policy_is_antisymmetric(market: ExactMarket) -> None:
    value = market.best.value.reshape(21, 3, 2)
    assert value == pytest.approx(value[::-1, ::-1], abs=1e-9)


def test_the_skew_falls_with_inventory_on_average(market: ExactMarket) -> None:
    skews = np.array(market.params.actions)[market.best.policy, 0].mean(axis=1)
    assert skews[:7].mean() > skews[7:14].mean() > skews[14:].mean()


def test_the_answer_lists_every_state() -> None:
    found = answer(ExactMarketParams(delay=1))
    assert set(found) == {"Q", "I", "s", "V", "skew", "half_spread", "start"}
    assert {len(column) for name, column in found.items() if name != "start"} == {126}
    start = list(zip(found["Q"], found["I"], found["s"], strict=True)).index((0, 0, 1))
    assert found["V"][start] == found["start"] == pytest.approx(EXACT[1], abs=5e-10)


def test_a_share_of_nothing_is_nan() -> None:
    poor = ExactMarket.solved(ExactMarketParams(half_spreads=(1.0,), skews=(0.0,), r=5.0, drift=0.0, q_max=2))
    assert np.isnan(poor.score(0).worst)


@pytest.mark.parametrize(
    ("policy", "message"),
    [(np.zeros((21, 5), int), "does not fit"), (np.zeros((21, 6)), "whole numbers"), (25, "outside 0..24"),
     (-1, "outside 0..24")],
)
def test_what_is_no_policy_is_refused(market: ExactMarket, policy: Indices, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        market.evaluate(policy)
