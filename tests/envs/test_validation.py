"""Policies judged on whole days."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.envs.days import prepare_day
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.envs.validation import Validation
from mmbt.synth import generate_market, make_config

SECOND = 10**9
CONFIG = BacktestConfig(instruments=("BTC/USD_T+0",))


@pytest.fixture(scope="module")
def days():
    return [prepare_day(generate_market(make_config("triangle", {"seed": seed, "duration": "100s"})), CONFIG, SECOND)
            for seed in (1, 2)]


def always(action):
    return lambda seen: np.full(len(seen.admissible), action, np.int16)


@pytest.mark.parametrize(("longest", "windows"), [(10**6, 2), (50, 4), (7, 30)])
def test_all_decisions_are_made_once_in_windows_of_equal_length(days, longest, windows):
    options = MarketOptions()
    frozen = MarketWorld(days, CONFIG, options, n=1).frozen
    validation = Validation(days, CONFIG, options, frozen, longest=longest)
    assert validation.windows == windows
    found = validation.score(always(0))
    assert found == {"F": 0.0, "pnl": 0.0, "position": 0.0, "quoting": 0.0, "decisions": found["decisions"]}
    timers = sum(int((day.tape.valid & (day.end_ts > 0)).sum()) for day in days)
    assert timers - windows <= found["decisions"] <= timers
    busy = validation.score(always(13))
    assert busy["quoting"] == 1
    assert busy["position"] > 0
    assert busy["pnl"] != 0
    assert validation.score(always(13)) == busy  # whatever was judged between


def test_a_window_is_what_a_world_makes_of_the_day(days):
    """From its first decision to its end, where the position is closed."""
    options = MarketOptions(window=10**4)
    world = MarketWorld(days[:1], CONFIG, options, n=1, backup="taken")
    world.restore(world.state() | {"start": days[0].starts[:1], "steps": np.zeros(1, np.int64)})
    found = Validation(days[:1], CONFIG, options, world.frozen).score(always(13))
    paid = pnl = steps = 0.0
    while not (steps and world.behaviour.ended[0]):
        _, learned = world.step(np.full(1, 13, np.int16))
        paid, pnl, steps = paid + learned.reward[0, 13], pnl + world.behaviour.pnl[0], steps + 1
    assert (found["pnl"], found["decisions"]) == (pytest.approx(pnl), steps)
    assert found["F"] == pytest.approx(paid / steps, rel=1e-5)


def test_threads_change_nothing(days):
    options = MarketOptions(delay=1)
    frozen = MarketWorld(days, CONFIG, options, n=1).frozen
    one, two = (Validation(days, CONFIG, options, frozen, longest=20, threads=k).score(always(9)) for k in (1, 2))
    assert one == two
