"""How fast the learner goes in this process; what it says last is a line of JSON.

    python -m benchmarks.learning_speed '{"world": "exact-market", "options": {"ratio": 1}}'

A world is `exact-market`, or `days`: recorded days with every feature that there is, decisions of 1 s, made of the
pinned stream unless `store` names a converted one. Imports, the first blocks and compilation are outside the clock and
reported apart; then whole blocks run, collecting beside learning, for `seconds` by the clock. With a `ratio` of 1 one
interval is learned a step, each with all its actions.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.learning_run import MARKETS, exact_world
from benchmarks.measure import peak_rss_mb

__all__ = ["JOBS", "SB3_JOBS", "TO_98", "measure", "told"]

SECONDS = 15.0
EVENTS = 2_000_000  # of the pinned stream
WARM_BLOCKS = 3  # of learning, before the clock starts

JOBS: list[dict[str, Any]] = [
    {"name": "exact market, one interval a step", "world": "exact-market", "options": {"ratio": 1}},
    {"name": "exact market, four intervals a step", "world": "exact-market", "options": {"ratio": 4}},
    {"name": "recorded days, one interval a step", "world": "days", "options": {"ratio": 1}},
    {"name": "recorded days, orders that outlive a decision", "world": "days", "private": True,
     "options": {"ratio": 1}},
]
TO_98: dict[str, Any] = {"name": "exact market, to 98%", "world": "exact-market", "every": 25_000, "until": 0.98}
SB3_JOBS: list[dict[str, Any]] = [
    {"name": "Stable-Baselines3, one interval a step", "ratio": 1, "steps": 60_000},
    {"name": "Stable-Baselines3, four intervals a step", "ratio": 4, "steps": 60_000},
    {"name": "Stable-Baselines3, to 98%", "ratio": 4, "steps": 1_000_000, "every": 25_000, "until": 0.98,
     "limit_s": 600},
]


def days_world(job: dict[str, Any], relabel: float) -> Any:
    """Simulators over recorded days, seeing everything; with `private` their own orders too."""
    from mmbt import BacktestConfig
    from mmbt.envs.days import prepare_day
    from mmbt.envs.features import PRIVATE_FEATURES
    from mmbt.envs.market import MarketWorld
    from mmbt.envs.options import MarketOptions

    if "store" in job:
        from mmbt.store import open_store

        market = open_store(Path(job["store"]))
    else:
        from benchmarks.stream import generate

        market = generate(job.get("events", EVENTS)).market
    config = BacktestConfig(instruments=(job.get("instrument") or market.instruments[0].name,))
    options = MarketOptions(private=PRIVATE_FEATURES if job.get("private") else None)
    return MarketWorld([prepare_day(market, config, options.interval)], config, options,
                       n=job.get("markets", 128), relabel=relabel)


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Rates of whole blocks, and where their seconds go."""
    from mmbt.learn.options import LearnerOptions
    from mmbt.learn.training import Trainer

    options = LearnerOptions(**{"steps": 2**39, "learn_start": 5_000, **job["options"]})
    if job["world"] == "days":
        world = days_world(job, options.relabel)
    else:
        world, _ = exact_world(job["world"], job.get("params", {}), options.relabel, job.get("markets", MARKETS))
    with Trainer(world, options) as learner:
        told = learner.advance()
        while not told.gradient_steps:
            told = learner.advance()
        compile_s = told.learn_seconds  # the first block: nearly all of it is compilation
        for _ in range(WARM_BLOCKS):
            told = learner.advance()
        first, wall, cpu = told, time.perf_counter(), time.process_time()
        learn = collect = 0.0
        while time.perf_counter() - wall < job.get("seconds", SECONDS):
            told = learner.advance()
            learn += told.learn_seconds
            collect += told.collect_seconds
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    steps, learned = told.steps - first.steps, told.learned - first.learned
    return {"steps": steps, "learned": learned, "wall_s": wall, "cpu_s": cpu, "compile_s": compile_s,
            "learn_share": learn / wall, "collect_share": collect / wall, "peak_rss_mb": peak_rss_mb(),
            "inputs": world.sizes.market + world.sizes.private, "actions": world.sizes.actions,
            "next_states": world.sizes.outcomes}


def told(row: dict[str, Any]) -> str:
    """A result in words."""
    if row.get("score"):
        return f"{row['score']['start']:.2%} after {row['wall_s']:.1f} s by the clock, {row['cpu_s']:.1f} CPU s"
    return (f"{row['steps'] / row['wall_s']:,.0f} steps and {row['learned'] / row['wall_s']:,.0f} intervals a second "
            f"by the clock, {row['steps'] / row['cpu_s']:,.0f} and {row['learned'] / row['cpu_s']:,.0f} a CPU second; "
            f"compiled in {row['compile_s']:.1f} s")


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
