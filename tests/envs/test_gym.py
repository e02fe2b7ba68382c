"""The environments of gymnasium are the same market."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402  (only where it is installed)

from mmbt import BacktestConfig  # noqa: E402
from mmbt.envs.days import prepare_day  # noqa: E402
from mmbt.envs.gym import MarketEnv, MarketVectorEnv  # noqa: E402
from mmbt.envs.options import MarketOptions  # noqa: E402
from mmbt.synth import generate_market, make_config  # noqa: E402

CONFIG = BacktestConfig(instruments=("BTC/USD_T+0",))


@pytest.fixture(scope="module")
def days():
    return [prepare_day(generate_market(make_config("triangle", {"seed": seed, "duration": "60s"})), CONFIG, 10**9)
            for seed in (1, 2)]


@pytest.mark.parametrize("options", [{}, {"delay": 2}, {"private": ("inventory", "bid_distance", "bid_age")}])
def test_the_checker_finds_nothing(days, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("mmbt/Market-v0", days=days, config=CONFIG, options=MarketOptions(window=10, **options))
        check_env(env.unwrapped, skip_render_check=True)
    assert isinstance(env.unwrapped, MarketEnv)


def play(env, steps, seed):
    rng, found = np.random.default_rng(seed), []
    seen, info = env.reset(seed=seed)
    for _ in range(steps):
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        after, reward, ended, truncated, told = env.step(action)
        found.append((seen, action, reward, ended, truncated, told["pnl"], told["position"]))
        seen, info = (after, told) if not (ended or truncated) else env.reset()
        assert env.observation_space.contains(after)
        assert told["action_mask"].any()
    return found


def test_a_seed_says_all(days):
    first, second, other = (play(MarketEnv(days, CONFIG, MarketOptions(window=10)), 60, seed) for seed in (3, 3, 4))
    assert [row[1:] for row in first] == [row[1:] for row in second]
    assert all((a[0] == b[0]).all() for a, b in zip(first, second, strict=True))
    assert [row[2] for row in first] != [row[2] for row in other]
    assert any(row[3] for row in first) or any(row[4] for row in first)


def test_an_action_ruled_out_does_what_an_allowed_one_does(days):
    env, twin = (MarketEnv(days, CONFIG, MarketOptions(window=10)) for _ in range(2))
    (_, info), _ = env.reset(seed=1), twin.reset(seed=1)
    ruled_out = np.flatnonzero(info["action_mask"] == 0)
    assert 28 in ruled_out  # flat: to hedge half of nothing is to quote nothing
    mine, other = env.step(28), twin.step(0)
    assert (mine[0] == other[0]).all()
    assert mine[1:4] == other[1:4]


def test_the_vector_is_many_of_them(days):
    options = MarketOptions(window=12)
    vector = gymnasium.make_vec("mmbt/Market-v0", num_envs=5, vectorization_mode="vector_entry_point", days=days,
                                config=CONFIG, options=options)
    assert isinstance(vector.unwrapped, MarketVectorEnv)
    assert vector.metadata["autoreset_mode"] == gymnasium.vector.AutoresetMode.SAME_STEP
    rng = np.random.default_rng(0)
    seen, info = vector.reset(seed=7)
    assert vector.observation_space.contains(seen)
    terminated = cut = 0
    for _ in range(80):
        mask = info["action_mask"]
        assert mask.shape == (5, 30)
        actions = np.array([rng.choice(np.flatnonzero(line)) for line in mask])
        seen, rewards, ended, truncated, info = vector.step(actions)
        assert vector.observation_space.contains(seen)
        assert rewards.shape == (5,)
        done = ended | truncated
        terminated, cut = terminated + ended.sum(), cut + truncated.sum()
        assert ("final_obs" in info) == done.any()
        if done.any():
            assert (info["_final_obs"] == done).all()
            assert not (seen[done, -2:]).any()  # begun anew, flat
            assert (info["final_obs"][~done] == seen[~done]).all()
    assert terminated > 0
    assert cut > 0


def test_the_vector_of_one_is_the_single_one(days):
    options = MarketOptions(window=12)
    single, vector = MarketEnv(days, CONFIG, options), MarketVectorEnv(days, CONFIG, options, num_envs=1)
    (one, _), (many, _) = single.reset(seed=5), vector.reset(seed=5)
    rng = np.random.default_rng(0)
    for _ in range(60):
        assert (one == many[0]).all()
        action = int(rng.integers(30))
        one, reward, ended, truncated, _ = single.step(action)
        many, rewards, all_ended, all_truncated, info = vector.step(np.array([action]))
        assert (reward, ended, truncated) == (rewards[0], all_ended[0], all_truncated[0])
        if ended or truncated:
            assert (info["final_obs"][0] == one).all()
            one, _ = single.reset()


def test_worlds_do_not_need_gymnasium():
    code = "import sys, mmbt, mmbt.envs.market; assert not {'gymnasium', 'tensorflow', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
