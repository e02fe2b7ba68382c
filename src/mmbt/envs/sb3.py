"""A vector of gymnasium environments for Stable-Baselines3, whose learners take vectors of a kind of their own.

    model = DQN("MlpPolicy", StableVectorEnv(MarketVectorEnv(days, config, num_envs=64)))

The environments must begin anew in the same step: what was seen last is then told as that library expects it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from mmbt.errors import UsageError

__all__ = ["StableVectorEnv"]


class StableVectorEnv(VecEnv):
    """All environments of a vector, stepped together.

    Parameters
    ----------
    envs
        A vector that begins anew in the same step, as `MarketVectorEnv` does.

    Raises
    ------
    UsageError
        For a vector that begins anew otherwise.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise UsageError("the environments must begin anew in the same step: autoreset_mode = SAME_STEP")
        self.envs = envs
        self.render_mode: str | None = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self._actions: NDArray[Any] = np.zeros(envs.num_envs, np.int64)

    def reset(self) -> NDArray[Any]:
        """Begin all anew; the first seed given counts."""
        seen, _ = self.envs.reset(seed=self._seeds[0])
        self._reset_seeds()
        return np.asarray(seen)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take note of the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Do them."""
        seen, rewards, ended, truncated, info = self.envs.step(self._actions)
        done = ended | truncated
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for place in np.flatnonzero(done):
            told[place] = {"terminal_observation": info["final_obs"][place],
                           "TimeLimit.truncated": bool(truncated[place] and not ended[place])}
        return seen, rewards.astype(np.float32), done, told

    def close(self) -> None:
        """Close the environments."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the vector, once for each environment asked for."""
        value = self.render_mode if attr_name == "render_mode" else getattr(self.envs, attr_name)
        return [value] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments share their attributes."""
        raise UsageError(f"{attr_name} cannot be set: the environments of a vector share their attributes")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refused: the environments are one object."""
        raise UsageError(f"{method_name} cannot be called: the environments of a vector are one object")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """None is: wrappers of single environments do not apply."""
        return [False] * len(list(self._get_indices(indices)))
