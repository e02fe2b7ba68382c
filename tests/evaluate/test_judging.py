"""Verdicts: baselines tuned on validation days alone, claims only where days support them, test days written down."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.errors import StoreError, UsageError
from mmbt.evaluate.baselines import BASELINES, Terms, chosen, trials_of
from mmbt.evaluate.days import Contender, EvaluationDay, run_day
from mmbt.evaluate.fits import MarketFit, fit_market
from mmbt.evaluate.judging import judge, tune
from mmbt.evaluate.uses import FILE, earlier_uses, log_use
from mmbt.strategies.registry import BUILT_IN, make
from mmbt.synth.planted import NAME

FIT = MarketFit(spread=4.0, sigma=1.0, k=1.5, p0=0.6, lam=1.2)
GOOD = {"half_spread_ticks": 2.5, "lean_ticks": 1.8, "skew_ticks_per_lot": 0.05, "interval": "1s", "max_position": 10}
FEW = ["no-quotes", "fixed-spread", "linear-skew"]


def test_every_baseline_is_a_strategy_whose_draws_it_takes() -> None:
    for name in BASELINES:
        assert name in BUILT_IN
        for params in trials_of(name, FIT, Terms(), 20, seed=3):
            made = make(name, params)
            assert name == "no-quotes" or made.interval_ns == 10**9


def test_trials_depend_on_the_seed_the_family_and_the_trial_alone() -> None:
    few, many = (trials_of("linear-skew", FIT, Terms(), count, seed=3) for count in (3, 9))
    assert few == many[:3]
    assert trials_of("linear-skew", FIT, Terms(), 3, seed=4) != few
    assert few[0]["half_spread_ticks"] != trials_of("fixed-spread", FIT, Terms(), 1, seed=3)[0]["half_spread_ticks"]
    assert len(trials_of("no-quotes", FIT, Terms(), 9, seed=3)) == 1


def test_ranges_grow_with_the_spread() -> None:
    small, large = (trials_of("imbalance-skew", replace(FIT, spread=spread), Terms(), 5, seed=1) for spread in (1, 10))
    for mine, its in zip(small, large, strict=True):
        for name in ("half_spread_ticks", "skew_ticks_per_lot", "lean_ticks"):
            assert its[name] == pytest.approx(10 * mine[name])


def test_unknown_baselines_get_near_names() -> None:
    with pytest.raises(UsageError, match="no baseline 'liner-skew'; did you mean 'linear-skew'"):
        chosen(["liner-skew"])
    assert chosen(["random", "random"]) == ["random"]
    assert chosen(None) == list(BASELINES)


def test_tuning_finds_the_best_of_its_trials(days: list[EvaluationDay], config: BacktestConfig) -> None:
    fit = fit_market(days[:3], NAME, 10**9)
    told: list[str] = []
    tuned = tune(days[:2], config, fit, Terms(), names=["no-quotes", "fixed-spread"], trials=5, told=told.append)
    assert [each.trials for each in tuned] == [1, 5]
    assert told == ["no-quotes"] + ["fixed-spread"] * 5
    trials = trials_of("fixed-spread", fit, Terms(), 5, seed=0)
    means = [np.mean([run_day(day, "fixed-spread", params, config) for day in days[:2]]) for params in trials]
    assert tuned[1].validation_pnl == max(means)
    assert tuned[1].contender.params == (trials[int(np.argmax(means))],)
    assert tuned[0].validation_pnl == 0


def test_a_contender_that_sees_the_edge_wins(days: list[EvaluationDay], config: BacktestConfig) -> None:
    tuned = tune(days[:2], config, FIT, Terms(), names=FEW, trials=5)
    verdict = judge(days[2:], config, tuned, Contender("mine", "imbalance-skew", (GOOD,)))
    assert [scores.contender.name for scores in verdict.scores] == ["mine", *FEW]
    assert verdict.best != "no-quotes"
    claim = verdict.claim
    assert claim is not None
    assert claim.interval.kind == "across-days"
    assert claim.interval.mean == pytest.approx(
        (verdict.scores[0].pnl - verdict.scores[1 + FEW.index(verdict.best)].pnl).mean())
    assert verdict.wins == (claim.interval.low > 0)
    assert verdict.wins
    told = json.loads(json.dumps(verdict.told(), allow_nan=False))
    assert told["wins"]
    assert len(told["scores"][0]["daily_pnl"]) == 12
    assert all(row["p_holm"] >= row["p"] for row in told["comparisons"])


def test_few_days_make_no_claim(days: list[EvaluationDay], config: BacktestConfig) -> None:
    tuned = tune(days[:2], config, FIT, Terms(), names=["no-quotes"], trials=1)
    verdict = judge(days[2:5], config, tuned, Contender("mine", "imbalance-skew", (GOOD,)))
    claim = verdict.claim
    assert claim is not None
    assert claim.interval.kind == "within-day"
    assert claim.interval.low > 0
    assert not verdict.wins


def test_who_does_not_quote_abstains(days: list[EvaluationDay], config: BacktestConfig) -> None:
    tuned = tune(days[:2], config, FIT, Terms(), names=["random"], trials=1)
    verdict = judge(days[2:], config, tuned, Contender("mine", "no-quotes"))
    assert verdict.scores[0].abstains
    assert verdict.told()["scores"][0]["abstains"]
    assert not verdict.wins


def test_trainings_are_crossed_with_days(days: list[EvaluationDay], config: BacktestConfig) -> None:
    tuned = tune(days[:2], config, FIT, Terms(), names=["no-quotes"], trials=1)
    spoilt = GOOD | {"half_spread_ticks": 9.0}
    verdict = judge(days[2:], config, tuned, Contender("mine", "imbalance-skew", (GOOD, spoilt, GOOD)))
    assert verdict.scores[0].pnl.shape == (12, 3)
    alone = judge(days[2:], config, tuned, Contender("mine", "imbalance-skew", (GOOD,)))
    assert verdict.claim is not None
    assert alone.claim is not None
    many, one = verdict.claim.interval, alone.claim.interval
    assert many.high - many.low > 2 * (one.high - one.low)
    assert "training" in verdict.told()["scores"][0]
    assert "training" not in alone.told()["scores"][0]


def test_baselines_alone_can_be_judged(days: list[EvaluationDay], config: BacktestConfig) -> None:
    verdict = judge(days[2:4], config, tune(days[:2], config, FIT, Terms(), names=FEW, trials=2), None)
    assert verdict.claim is None
    assert not verdict.wins
    assert verdict.told()["comparisons"] == []


def test_the_verdict_is_the_same_whatever_was_chosen_in_between(days: list[EvaluationDay],
                                                                config: BacktestConfig) -> None:
    """Nothing of the test days reaches the choice: baselines are the same whatever the test days are."""
    tuned = tune(days[:2], config, FIT, Terms(), names=FEW, trials=3)
    first, second = (judge(part, config, tuned, None) for part in (days[2:4], days[4:6]))
    assert first.best == second.best
    assert first.told()["baselines"] == second.told()["baselines"]


# --- uses of test days ------------------------------------------------------------------------------------------------


def test_a_second_use_is_found_by_the_rows(days: list[EvaluationDay], tmp_path: Path) -> None:
    assert earlier_uses(tmp_path, days) == []
    log_use(tmp_path / "runs", days[:3], {"run": "runs/a"})
    log_use(tmp_path / "runs", days[3:4], {"run": "runs/b"})
    renamed = [replace(days[2], name="under another name")]
    assert [use["run"] for use in earlier_uses(tmp_path / "runs", renamed)] == ["runs/a"]
    assert earlier_uses(tmp_path / "runs", days[5:]) == []
    assert [use["run"] for use in earlier_uses(tmp_path / "runs", days[2:4])] == ["runs/a", "runs/b"]


@pytest.mark.parametrize("line", ["{", "[]", '{"days": 3}', '"text"'])
def test_a_damaged_log_is_told(days: list[EvaluationDay], tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(line + "\n", "utf-8")
    with pytest.raises(StoreError, match="line 1: not a use of test days"):
        earlier_uses(tmp_path, days)
