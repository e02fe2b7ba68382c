"""All options of a training under flat names."""

from __future__ import annotations

import pytest

from mmbt.backtest import BacktestConfig
from mmbt.envs.actions import ActionGrid
from mmbt.envs.options import MarketOptions
from mmbt.envs.rewards import RewardRule
from mmbt.envs.split import SplitOptions
from mmbt.exact_models import BaseModelParams, ExactMarketParams
from mmbt.learn.options import LearnerOptions
from mmbt.learn.schedule import ScheduleOptions
from mmbt.training.settings import RECORDED, parse_settings


def test_defaults_are_those_of_the_parts():
    found = parse_settings(RECORDED)
    assert found.learner == LearnerOptions()
    assert found.options == MarketOptions()
    assert found.split == SplitOptions()
    assert found.schedule == ScheduleOptions()
    assert parse_settings("exact-market").params == ExactMarketParams()
    assert parse_settings("base-model").params == BaseModelParams()


CHANGED = {
    "layers": ("32,16", [32, 16]), "skews": ("-1,0,1", [-1.0, 0.0, 1.0]), "half_spreads": ("[0.5]", [0.5]),
    "hedges": ("[]", []), "sizes": ("1,2", [1, 2]), "reward": ("quadratic", "quadratic"), "r": (".5", 0.5),
    "interval": ("500ms", 500_000_000), "private": ("inventory,abs_inventory", ["inventory", "abs_inventory"]),
    "market": ("imbalance", ["imbalance"]), "grid": ("mine", "mine"), "unit": ("tick", "tick"),
    "neither": ("false", False),
    "embargo": ("5m", 300 * 10**9), "validation": ("1", 1.0), "patience": ("none", None), "delay": ("2", 2),
    "dueling": ("true", True), "steps": ("1000000", 1_000_000), "omega": ("variance", "variance"),
}


def test_every_part_is_reached_and_read_again():
    found = parse_settings(RECORDED, [f"{name}={text}" for name, (text, _) in CHANGED.items()])
    dumped = found.dump()
    assert {name: dumped[name] for name in CHANGED} == {name: value for name, (_, value) in CHANGED.items()}
    assert found.options.actions == ActionGrid(
        name="mine", unit="tick", skews=(-1, 0, 1), half_spreads=(0.5,), neither=False, hedges=(), sizes=(1, 2))
    assert found.options.reward == RewardRule(kind="quadratic", r=0.5, omega="variance")
    again = parse_settings(RECORDED, base=dumped)
    assert again.dump() == dumped
    assert again.hash == found.hash != parse_settings(RECORDED).hash
    assert again.options == found.options
    assert again.learner == found.learner


@pytest.mark.parametrize("market", ["exact-market", "base-model"])
def test_models_have_their_own_numbers(market):
    found = parse_settings(market, ["k=2", "r=0", "delay=1", "q_max=4", "markets=8"])
    assert (found.params.k, found.params.r, found.params.delay, found.params.q_max, found.markets) == (2, 0, 1, 4, 8)
    assert parse_settings(market, base=found.dump()).params == found.params


def test_conditions_come_back_from_a_manifest():
    config = BacktestConfig(
        instruments=("X",), watch=("Y",), place_latency="lognormal:median=1ms,sigma=0.5", cancel_latency="2ms",
        maker_fee="-0.5", session_gap="none", contract={"*": "inverse"})
    assert BacktestConfig.model_validate(config.model_dump(mode="json")) == config


def test_a_delay_takes_more_steps_unless_told_otherwise():
    usual = LearnerOptions().steps
    assert parse_settings("base-model").learner.steps == usual
    assert parse_settings("base-model", ["delay=2"]).learner.steps == 3 * usual
    assert parse_settings("base-model", ["delay=2", "steps=70000"]).learner.steps == 70_000
    assert parse_settings("base-model", base={"delay": 2, "steps": 80_000}).learner.steps == 80_000  # as it was begun
