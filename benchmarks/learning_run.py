"""One training on a market whose best policy is known, in this process; what it says last is a line of JSON.

    python -m benchmarks.learning_run '{"world": "exact-market", "params": {}, "options": {"seed": 0}, "every": 50000}'

`options` are those of the learner, `params` those of the market. With `every`, the averaged network is also scored
whenever so many steps were made, outside the clock; with `until`, the share of the optimal value at the start that
ends training (of the exact market). Scores come from linear algebra, never from simulation.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

MARKETS = 512  # stepped together

__all__ = ["MARKETS", "exact_world", "train"]


def exact_world(name: str, params: dict[str, Any], relabel: float, markets: int = MARKETS) -> tuple[Any, Any]:
    """The sampled world, and the function that scores a policy [state] in it: named shares, or the regret."""
    if name == "exact-market":
        from mmbt.envs.exact_market import ExactMarketWorld
        from mmbt.exact_models import ExactMarketParams
        from mmbt.theory.exact_market import ExactMarket

        chosen = ExactMarketParams(**params)
        solved = ExactMarket.solved(chosen)
        return ExactMarketWorld(chosen, n=markets, relabel=relabel), lambda policy: solved.score(
            policy.reshape(solved.best.policy.shape))._asdict()
    from mmbt.envs.base_model import BaseModelWorld
    from mmbt.exact_models import BaseModelParams
    from mmbt.theory.base_model import BaseModel

    numbers = BaseModelParams(**params)
    model = BaseModel.solved(numbers)
    return BaseModelWorld(numbers, n=markets, relabel=relabel), lambda policy: {
        "regret": model.regret(policy.reshape(model.best.policy.shape))}


def scorer(world: Any, score: Callable[[Any], dict[str, float]]) -> Callable[[Any], dict[str, float]]:
    """What the greedy policy of a network's plain layers earns, exactly."""
    from mmbt.learn._forward import ForwardPass

    states = world.every_state()
    inputs = np.concatenate([states.market, states.private], 1)

    def of(layers: Any) -> dict[str, float]:
        values = ForwardPass(layers).values(inputs)
        return score(np.where(states.admissible, values, -np.inf).argmax(1))

    return of


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train as the job says; scores, counts and seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    from mmbt.learn.options import LearnerOptions
    from mmbt.learn.training import Trainer

    options = LearnerOptions(**job.get("options", {}))
    relabel = options.relabel if options.backup == "all" else 0.0
    world, score = exact_world(job["world"], job.get("params", {}), relabel, job.get("markets", MARKETS))
    scored, every, until = scorer(world, score), job.get("every", 0), job.get("until")
    curve: list[dict[str, Any]] = []
    aside_wall = aside_cpu = 0.0  # seconds of scoring on the way
    with Trainer(world, options) as learner:
        told = learner.advance()
        while not learner.done:
            told = learner.advance()
            if every and told.gradient_steps and told.steps // every > (curve[-1]["steps"] if curve else 0) // every:
                before = time.perf_counter(), time.process_time()
                curve.append({"steps": told.steps, "wall_s": before[0] - wall - aside_wall,
                              "cpu_s": before[1] - cpu - aside_cpu, **scored(learner.result)})
                aside_wall += time.perf_counter() - before[0]
                aside_cpu += time.process_time() - before[1]
                if until is not None and curve[-1]["start"] >= until:
                    break
        found = scored(learner.result)
    return {"score": found, "steps": told.steps, "learned": told.learned, "gradient_steps": told.gradient_steps,
            "curve": curve, "wall_s": time.perf_counter() - wall - aside_wall,
            "cpu_s": time.process_time() - cpu - aside_cpu}


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
