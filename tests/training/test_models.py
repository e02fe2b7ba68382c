"""Exact scores of networks whose policy is known."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.theory.base_model import BaseModel
from mmbt.theory.exact_market import ExactMarket
from mmbt.training.models import exact_score, input_names, make_world
from mmbt.training.settings import parse_settings


def always(world, action):
    """A network that values one action most, wherever it stands."""
    inputs = world.sizes.market + world.sizes.private
    bias = np.zeros(world.sizes.actions, np.float32)
    bias[action] = 1.0
    return [np.zeros((inputs, world.sizes.actions), np.float32), bias]


def test_the_best_constant_quote_has_a_regret_of_one():
    settings = parse_settings("base-model", ["q_max=4", "shifts=0,.5,1", "r=.05", "delay=1"])
    model = BaseModel.solved(settings.params)
    world = make_world(settings)
    found = exact_score(settings, world, always(world, model.best_constant()[0]))
    assert found["regret"] == pytest.approx(1, abs=1e-9)
    assert 0 < found["start"] < 1
    assert len(input_names(settings)) == world.sizes.market + world.sizes.private


@pytest.mark.parametrize("delay", [0, 1])
def test_scores_of_the_exact_market(delay):
    settings = parse_settings("exact-market", ["q_max=4", f"delay={delay}"])
    exact, world = ExactMarket.solved(settings.params), make_world(settings)
    found = exact_score(settings, world, always(world, 7))
    policy = np.full(exact.best.policy.shape, 7)
    assert found == {**exact.score(policy)._asdict(), "regret": exact.regret(policy)}
    assert found["regret"] >= 1
    assert exact.regret(exact.best.policy) == pytest.approx(0, abs=1e-9)
    assert len(input_names(settings)) == world.sizes.market + world.sizes.private


def test_shares_of_what_is_not_positive_are_left_out():
    settings = parse_settings("base-model", ["q_max=5", "shifts=0,1", "r=5"])
    world = make_world(settings)
    assert exact_score(settings, world, always(world, 0))["worst"] is None
