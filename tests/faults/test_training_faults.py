"""Faults of training that are not those of a file: ends that are none, and a learner that learns nothing.

R1 to R8 and R10 stand with what they are about: test_training_files.py and test_training_kill.py beside this one,
tests/learn/test_session.py, test_checkpoint.py, test_journal.py and test_model.py, tests/envs/test_split.py,
tests/cli/test_train.py and test_train_faults.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.synth import generate_market, make_config


def test_R9_only_the_end_of_a_day_has_no_future() -> None:
    """Where a window is cut off the value goes on; a day that is over has none."""
    market = generate_market(make_config("triangle", {"seed": 1, "duration": "60s"}))
    options = MarketOptions(window=9)
    world = MarketWorld([market], BacktestConfig(instruments=("BTC/USD_T+0",)), options, n=32, relabel=0.5)
    world.reset(1)
    cut = ended = 0
    for _ in range(60):
        _, learned = world.step(np.zeros(32, np.int16))
        told = world.behaviour
        assert (learned.discount[:32][told.truncated] == np.float32(options.beta)).all()
        assert not learned.discount[:32][told.ended].any()
        assert np.abs(learned.next_market[:32][told.truncated]).any(axis=1).all()
        cut, ended = cut + told.truncated.sum(), ended + told.ended.sum()
    assert min(cut, ended) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("k", "best"), [(1.0, 0.5), (4.0, 0.0)])
def test_R11_it_beats_constant_and_random_quotes_where_the_best_is_known(k: float, best: float, seed: int) -> None:
    """Without a price of risk: at M + S/k while that is beyond the touch, else, for k > 2, at the touch."""
    pytest.importorskip("tensorflow")
    from mmbt.learn.training import Trainer
    from mmbt.theory.base_model import BaseModel
    from mmbt.theory.inventory import mixed
    from mmbt.theory.values import evaluate
    from mmbt.training.models import exact_score, make_world
    from mmbt.training.settings import parse_settings

    chosen = [f"k={k}", "r=0", "q_max=4", "shifts=0,.25,.5,1,2", f"seed={seed}", "steps=300000", "learn_start=5000",
              "markets=128", "layers=32,32"]
    settings = parse_settings("base-model", chosen)
    world, model = make_world(settings), BaseModel.solved(settings.params)
    with Trainer(world, settings.learner) as trainer:
        for _ in trainer.run():
            pass
        found: dict[str, Any] = exact_score(settings, world, trainer.result)
    start = (4, 0)
    highest = model.best.value[start]
    actions = np.array(settings.params.actions)
    assert (actions[model.best.policy[start]] == best).all()
    constant = model.evaluate(int(np.flatnonzero((actions == 1.0).all(axis=1))[0]))[start] / highest
    chances = np.full(len(actions), 1 / len(actions))
    at_random = evaluate(mixed(model.problem, chances), 0)[start] / highest
    assert found["start"] > max(constant, at_random)
    assert min(found["start"], found["occupancy"]) >= 0.99
