"""Recorded days for gymnasium: `gymnasium.make("mmbt/Market-v0", days=..., config=...)`, and the same as a vector.

An observation is what the network reads, the market's part first; an action is a number of the grid. An action that
`info["action_mask"]` rules out does the same as an earlier one that it allows. The end of a day terminates, the end of
a window truncates. Importing this module registers the environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

import cysim
from mmbt.backtest import BacktestConfig
from mmbt.envs.days import Day
from mmbt.envs.features import Frozen
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.envs.world import Observation
from mmbt.market import MarketData

__all__ = ["MarketEnv", "MarketVectorEnv"]

Inputs = NDArray[np.float32]

_BOUNDS = {feature.name: (feature.low, feature.high) for feature in cysim.FEATURES}


class MarketEnv(gymnasium.Env[Inputs, np.int64]):
    """One simulator over recorded days.

    Parameters
    ----------
    days, config, options, frozen
        As `MarketWorld` takes them.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own way)

    def __init__(
        self, days: Sequence[Day | MarketData], config: BacktestConfig, options: MarketOptions | None = None, *,
        frozen: Frozen | None = None,
    ) -> None:
        self._world = MarketWorld(days, config, options, n=1, backup="taken", frozen=frozen)
        self.observation_space = _space(self._world)
        self.action_space = gymnasium.spaces.Discrete(self._world.sizes.actions)
        self._next: Observation | None = None  # a window that the world has begun by itself

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Inputs, dict[str, Any]]:
        """A new window; a seed starts the draws anew."""
        super().reset(seed=seed)
        if seed is not None or self._next is None:
            self._next = self._world.reset(int(self.np_random.integers(2**63)))
        seen, self._next = self._next, None
        return _joined(seen.market, seen.private)[0], {"action_mask": seen.admissible[0].astype(np.int8)}

    def step(self, action: np.int64) -> tuple[Inputs, float, bool, bool, dict[str, Any]]:
        """Do it, and see the next decision."""
        seen, learned = self._world.step(np.array([action], np.int16))
        told = self._world.behaviour
        ended, truncated = bool(told.ended[0]), bool(told.truncated[0])
        self._next = seen if ended or truncated else None
        info = {"action_mask": learned.next_admissible[0, learned.outcome[0, action]].astype(np.int8),
                "pnl": float(told.pnl[0]), "position": int(told.position[0])}
        after = _joined(learned.next_market, learned.next_private[np.arange(1), learned.outcome[:1, action]])
        return after[0], float(learned.reward[0, action]), ended, truncated, info


class MarketVectorEnv(VectorEnv[Inputs, NDArray[np.int64], NDArray[Any]]):
    """Many simulators over recorded days; those that are done begin anew in the same step.

    What was seen last is then `info["final_obs"]`, where `info["_final_obs"]` says so.

    Parameters
    ----------
    days, config, options, frozen, threads
        As `MarketWorld` takes them.
    num_envs
        Simulators.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(
        self, days: Sequence[Day | MarketData], config: BacktestConfig, options: MarketOptions | None = None, *,
        num_envs: int = 1, threads: int = 1, frozen: Frozen | None = None,
    ) -> None:
        self._world = MarketWorld(days, config, options, n=num_envs, backup="taken", threads=threads, frozen=frozen)
        self.num_envs = num_envs
        self.single_observation_space = _space(self._world)
        self.single_action_space = gymnasium.spaces.Discrete(self._world.sizes.actions)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Inputs, dict[str, Any]]:
        """New windows for all; of a list of seeds the first counts."""
        super().reset(seed=seed[0] if isinstance(seed, list) else seed)
        seen = self._world.reset(int(self.np_random.integers(2**63)))
        return _joined(seen.market, seen.private), {"action_mask": seen.admissible.astype(np.int8)}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Inputs, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Do them, and see the next decisions."""
        chosen, everyone = np.asarray(actions).astype(np.int16), np.arange(self.num_envs)
        seen, learned = self._world.step(chosen)
        told = self._world.behaviour
        done = told.ended | told.truncated
        info: dict[str, Any] = {"action_mask": seen.admissible.astype(np.int8), "pnl": told.pnl.copy(),
                                "position": told.position.copy()}
        if done.any():
            private = learned.next_private[everyone, learned.outcome[everyone, chosen]]
            info |= {"final_obs": _joined(learned.next_market, private), "_final_obs": done}
        rewards = learned.reward[everyone, chosen].astype(np.float64)
        return _joined(seen.market, seen.private), rewards, told.ended.copy(), told.truncated.copy(), info


def _joined(market: Inputs, private: Inputs) -> Inputs:
    return np.concatenate([market, private], axis=1)


def _space(world: MarketWorld) -> gymnasium.spaces.Box[Any]:
    """Bounds of all inputs: those of the features, scaled, and 1 for what tells of actions under way."""
    frozen = world.frozen
    bounds = [((low - mean) / scale, (high - mean) / scale) for (low, high), mean, scale in zip(
        (_BOUNDS[name] for name in frozen.names), frozen.mean, frozen.scale, strict=True)]
    bounds += [_BOUNDS.get(name, (-1.0, 1.0)) for name in world.private_names]
    low, high = np.array(bounds, np.float64).T
    slack = 1e-5 * (1 + np.abs(low) + np.abs(high))  # for rounding, and for the zeros after a day's end
    return gymnasium.spaces.Box(
        (np.minimum(low, 0) - slack).astype(np.float32), (np.maximum(high, 0) + slack).astype(np.float32))


gymnasium.register("mmbt/Market-v0", entry_point="mmbt.envs.gym:MarketEnv",
                   vector_entry_point="mmbt.envs.gym:MarketVectorEnv")
