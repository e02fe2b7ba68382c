"""Stable-Baselines3 trains on the single environment and on the vector."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    stable_baselines3 = pytest.importorskip("stable_baselines3")

from mmbt import BacktestConfig
from mmbt.envs.days import prepare_day
from mmbt.envs.gym import MarketEnv, MarketVectorEnv
from mmbt.envs.options import MarketOptions
from mmbt.envs.sb3 import StableVectorEnv
from mmbt.errors import UsageError
from mmbt.synth import generate_market, make_config

CONFIG = BacktestConfig(instruments=("BTC/USD_T+0",))
OPTIONS = MarketOptions(window=12)


@pytest.fixture(scope="module")
def days() -> list[Any]:
    return [prepare_day(generate_market(make_config("triangle", {"seed": seed, "duration": "60s"})), CONFIG, 10**9)
            for seed in (1, 2)]


@pytest.fixture(autouse=True)
def its_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("kind", ["single", "vector"])
def test_it_trains_and_decides(days: list[Any], kind: str) -> None:
    env = MarketEnv(days, CONFIG, OPTIONS) if kind == "single" else StableVectorEnv(
        MarketVectorEnv(days, CONFIG, OPTIONS, num_envs=4))
    model = stable_baselines3.DQN(
        "MlpPolicy", env, learning_starts=40, train_freq=1, buffer_size=1000, batch_size=16, seed=1, device="cpu")
    before = model.policy.state_dict()["q_net.q_net.0.weight"].clone()
    model.learn(200)
    assert model.num_timesteps >= 200
    assert model._n_updates > 30
    assert (model.policy.state_dict()["q_net.q_net.0.weight"] != before).any()
    seen = env.reset()[0] if kind == "single" else env.reset()
    action, _ = model.predict(seen)
    assert env.action_space.contains(np.asarray(action).reshape(-1)[0])


def test_the_vector_tells_ends_as_the_library_expects_them(days: list[Any]) -> None:
    envs, plain = (MarketVectorEnv(days, CONFIG, OPTIONS, num_envs=4) for _ in range(2))
    wrapped = StableVectorEnv(envs)
    wrapped.seed(7)
    assert (wrapped.reset() == plain.reset(seed=7)[0]).all()
    cut = over = 0
    for step in range(60):
        actions = np.full(4, step % 30)
        seen, rewards, done, told = wrapped.step(actions)
        expected, paid, ended, truncated, info = plain.step(actions)
        assert (seen == expected).all()
        assert rewards == pytest.approx(paid, rel=1e-6)
        assert (done == (ended | truncated)).all()
        for place, what in enumerate(told):
            assert bool(what) == done[place]
            if what:
                assert (what["terminal_observation"] == info["final_obs"][place]).all()
                assert what["TimeLimit.truncated"] == (truncated[place] and not ended[place])
                cut, over = cut + what["TimeLimit.truncated"], over + ended[place]
    assert cut > 0
    assert over > 0
    assert wrapped.get_attr("num_envs", [0, 2]) == [4, 4]
    assert wrapped.env_is_wrapped(object) == [False] * 4
    for refused in (lambda: wrapped.set_attr("num_envs", 1), lambda: wrapped.env_method("reset")):
        with pytest.raises(UsageError, match="cannot be"):
            refused()


def test_another_kind_of_vector_is_refused(days: list[Any]) -> None:
    envs = MarketVectorEnv(days, CONFIG, OPTIONS, num_envs=1)
    envs.metadata = {"autoreset_mode": None}
    with pytest.raises(UsageError, match="same step"):
        StableVectorEnv(envs)
