"""Stable-Baselines3's DQN on the exact market, in this process; what it says last is a line of JSON.

    python -m benchmarks.peers.sb3 '{"ratio": 1, "steps": 60000}'

The same markets, stepped together as a vector environment that costs a third of a microsecond a market; the same
network and batch; `ratio` intervals learned a step. Its error is Huber's and it learns the action taken: that is what
it offers. With `every` the greedy policy is scored exactly on the way, outside the clock, and training ends at a start
value of `until` or after `limit_s` seconds by the clock.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.learning_run import exact_world

MARKETS = BATCH = 256  # a gradient step for each interval a step
RATE = 1e-3  # of Adam


class Markets(VecEnv):
    """Exact markets; they never end."""

    def __init__(self, world: Any) -> None:
        self.world, self.render_mode = world, None
        width = world.sizes.market + world.sizes.private
        super().__init__(world.sizes.n, Box(-1, 1, (width,), np.float32), Discrete(world.sizes.actions))
        self.never, self.told = np.zeros(world.sizes.n, np.bool_), [{} for _ in range(world.sizes.n)]
        self.everyone = np.arange(world.sizes.n)

    def reset(self) -> Any:
        return self._joined(self.world.reset(1))

    def step_async(self, actions: Any) -> None:
        self.actions = actions.astype(np.int16)

    def step_wait(self) -> Any:
        seen, learned = self.world.step(self.actions)
        return self._joined(seen), learned.reward[self.everyone, self.actions], self.never, self.told

    @staticmethod
    def _joined(seen: Any) -> Any:
        return np.concatenate([seen.market, seen.private], 1)

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


class Watch(BaseCallback):
    """Starts the clock after warm-up, scores on the way, and ends."""

    def __init__(self, score: Any, job: dict[str, Any]) -> None:
        super().__init__()
        self.score, self.job, self.curve = score, job, []
        self.began_wall, self.began_cpu = time.perf_counter(), time.process_time()
        self.aside_wall = self.aside_cpu = 0.0
        self.first: tuple[int, int, float, float] | None = None

    def spent(self) -> tuple[float, float]:
        return (time.perf_counter() - self.began_wall - self.aside_wall,
                time.process_time() - self.began_cpu - self.aside_cpu)

    def _on_step(self) -> bool:
        if self.first is None and self.model._n_updates >= 20:
            self.first = (self.num_timesteps, self.model._n_updates, *self.spent())
        every = self.job.get("every")
        if every and self.num_timesteps // every > len(self.curve):
            wall, cpu = self.spent()
            before = time.perf_counter(), time.process_time()
            self.curve.append({"steps": self.num_timesteps, "wall_s": wall, "cpu_s": cpu, **self.score(self.model)})
            self.aside_wall += time.perf_counter() - before[0]
            self.aside_cpu += time.process_time() - before[1]
            return self.curve[-1]["start"] < self.job.get("until", 2) and wall < self.job.get("limit_s", np.inf)
        return True


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Train as the job says; rates, and scores on the way."""
    torch.set_num_threads(job.get("threads", 1))
    world, exact = exact_world("exact-market", {}, 0.0, MARKETS)
    states = world.every_state()
    inputs = torch.as_tensor(np.concatenate([states.market, states.private], 1))

    def score(model: DQN) -> Any:
        with torch.no_grad():
            return exact(model.q_net(inputs).numpy().argmax(1))

    model = DQN(
        "MlpPolicy", Markets(world), learning_rate=lambda left: RATE * left, buffer_size=200_000, batch_size=BATCH,
        learning_starts=5_000, train_freq=1, gradient_steps=job["ratio"] * MARKETS // BATCH, gamma=0.99,
        target_update_interval=100 * MARKETS, exploration_fraction=0.2, exploration_initial_eps=0.2,
        exploration_final_eps=0.1, policy_kwargs={"net_arch": [64, 64]}, seed=job.get("seed", 0), device="cpu")
    watch = Watch(score, job)
    model.learn(job["steps"], callback=watch)
    wall, cpu = watch.spent()
    assert watch.first is not None
    steps, updates, first_wall, first_cpu = watch.first
    found = {"steps": model.num_timesteps - steps, "learned": (model._n_updates - updates) * BATCH,
             "wall_s": wall - first_wall, "cpu_s": cpu - first_cpu, "compile_s": 0.0, "curve": watch.curve}
    if watch.curve:  # seconds to where it came, from the first step on
        found |= {"score": max(watch.curve, key=lambda at: at["start"]), "wall_s": wall, "cpu_s": cpu}
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
