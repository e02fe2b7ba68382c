"""Known answers of the statistics, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmbt.evaluate.statistics import (
    crossed_interval,
    holm,
    interquartile_mean,
    stratified_interval,
    student_quantile,
    within_day_interval,
)

Tables = Callable[[np.random.Generator], Any]


@pytest.mark.parametrize(("probability", "degrees", "known"), [
    (0.975, 1, 12.7062), (0.975, 2, 4.3027), (0.975, 5, 2.5706), (0.975, 19, 2.0930), (0.975, 100, 1.9840),
    (0.95, 4, 2.1318), (0.5, 7, 0.0), (0.025, 19, -2.0930),
])
def test_quantiles_of_student(probability: float, degrees: float, known: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 5), (1, 5), (0.5, 0)])
def test_quantiles_that_do_not_exist(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match="a quantile needs"):
        student_quantile(probability, degrees)


@pytest.mark.parametrize(("scores", "known"), [
    (range(8), 3.5), ([0, 1, 2, 3, 100], 2.0), ([5], 5.0), ([[1, 9], [1, 9]], 5.0), ([1, 2, 3, 4, 5, 1000], 3.5),
])
def test_interquartile_mean(scores: Any, known: float) -> None:
    assert interquartile_mean(scores) == pytest.approx(known)


def test_interquartile_mean_cuts_a_quarter_of_the_weight_off_each_end() -> None:
    # of five scores 1.25 go at each end: three quarters of the second and of the fourth stay
    assert interquartile_mean([0, 4, 8, 16, 99]) == pytest.approx((0.75 * 4 + 8 + 0.75 * 16) / 2.5)


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.04]) == [0.04]
    assert holm([]) == []
    first, second = holm([math.nan, 0.01])
    assert math.isnan(first)
    assert second == pytest.approx(0.02)  # what could not be compared still counts as a comparison


def days(random: np.random.Generator) -> Any:
    return random.normal(0, 1, (20, 1))


def few_days(random: np.random.Generator) -> Any:
    return random.normal(0, 1, (10, 1))


def days_and_seeds(random: np.random.Generator) -> Any:
    return random.normal(0, 1, (20, 1)) + random.normal(0, 0.5, (1, 5)) + random.normal(0, 0.5, (20, 5))


def common_days(random: np.random.Generator) -> Any:
    return random.normal(0, 1, (20, 1)) + random.normal(0, 0.1, (20, 3))


@pytest.mark.parametrize(("tables", "low", "high"), [
    (days, 0.92, 0.98), (few_days, 0.92, 0.98), (days_and_seeds, 0.91, 0.98), (common_days, 0.92, 0.98)])
def test_the_crossed_interval_covers(tables: Tables, low: float, high: float) -> None:
    random, trials = np.random.default_rng(7), 400
    held = 0
    for trial in range(trials):
        found = crossed_interval(tables(random), draws=1000, seed=trial)
        held += found.low <= 0 <= found.high
    assert low <= held / trials <= high


def test_pooled_days_and_seeds_would_not_cover() -> None:
    """Why seeds are crossed with days: taken for 60 days, 3 trainings of 20 days are far too sure of themselves."""
    random, trials = np.random.default_rng(7), 200
    held = 0
    for trial in range(trials):
        found = crossed_interval(common_days(random).reshape(-1, 1), draws=1000, seed=trial)
        held += found.low <= 0 <= found.high
    assert held / trials < 0.85


def test_the_within_day_interval_covers_the_days_it_was_made_of() -> None:
    random, trials = np.random.default_rng(3), 400
    held = 0
    for trial in range(trials):
        found = within_day_interval([random.normal(0.5, 1, 30) for _ in range(2)], draws=1000, seed=trial)
        held += found.low <= 15 <= found.high
    assert found.kind == "within-day"
    assert 0.91 <= held / trials <= 0.98


def test_p_says_what_the_interval_says() -> None:
    random = np.random.default_rng(5)
    for shift in (0.0, 0.3, 0.45, 0.6, 5.0):
        for level in (0.9, 0.95):
            table = random.normal(shift, 1, (20, 1))
            found = crossed_interval(table, level, seed=1)
            assert (found.p < 1 - level) == (found.low > 0 or found.high < 0) or abs(found.p - 1 + level) < 2e-3
            mirrored = crossed_interval(-table, level, seed=1)
            assert mirrored.p == pytest.approx(found.p, rel=0.05)
            assert mirrored.low == pytest.approx(-found.high, abs=0.05)


def test_what_cannot_be_said_is_not_said() -> None:
    one = crossed_interval([[3.0]])
    assert one.mean == 3
    assert math.isnan(one.low)
    assert math.isnan(one.p)
    assert math.isnan(within_day_interval([[2.0]]).low)
    assert math.isnan(stratified_interval(np.ones((5, 1))).low)


def test_equal_contenders_differ_by_nothing_for_certain() -> None:
    assert crossed_interval(np.zeros((12, 1)))[:4] == (0, 0, 0, 1)


def test_one_seed_is_bootstrapped_by_days_alone_and_seeds_widen() -> None:
    random = np.random.default_rng(2)
    by_day, by_seed = random.normal(0, 0.1, (20, 1)), random.normal(0, 1, (1, 4))
    alone, crossed = crossed_interval(by_day, seed=1), crossed_interval(by_day + by_seed, seed=1)
    assert crossed.high - crossed.low > 5 * (alone.high - alone.low)


def test_the_stratified_interval_shows_the_noise_of_training_alone() -> None:
    random = np.random.default_rng(2)
    of_days, of_training = random.normal(0, 100, (20, 1)), random.normal(0, 1, (20, 10))
    found = stratified_interval(of_days + of_training, draws=500)
    assert 0.1 < found.high - found.low < 10
    assert found.low <= found.mean <= found.high
    assert found.kind == "across-seeds"


def test_the_same_seed_gives_the_same_bits() -> None:
    table = np.random.default_rng(2).normal(0, 1, (20, 3))
    assert crossed_interval(table, seed=4) == crossed_interval(table, seed=4)
    assert crossed_interval(table, seed=4) != crossed_interval(table, seed=5)
