"""Intervals of a world of recorded days over the pinned stream: decisions of 1 s, random admissible actions out of 30.

A row is an interval with what every action that differs would have come to, behaved or from another position. With
`taken` it is a step with the observation after it, and nothing else is tried.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import repeat

__all__ = ["measure"]

SEED = 7
STEPS = 20  # of all simulators in one measurement


def measure(
    directory: Path, seconds: float, *, simulators: int, threads: int, relabel: float = 0.5, taken: bool = False
) -> dict[str, Any]:
    """Rows, CPU and wall seconds; windows that begin anew are part of it."""
    from benchmarks.stream import load
    from mmbt import BacktestConfig
    from mmbt.envs.market import MarketWorld

    stream = load(directory)
    world = MarketWorld(
        [stream.market], BacktestConfig(instruments=(stream.instrument.name,)), n=simulators, threads=threads,
        **({"backup": "taken"} if taken else {"relabel": relabel}))
    seen, rng = world.reset(SEED), np.random.default_rng(SEED)
    weights = rng.random((STEPS, simulators, world.sizes.actions), np.float32)
    rows = tried = 0

    def steps() -> None:
        nonlocal seen, rows, tried
        for line in weights:
            seen, learned = world.step((line * seen.admissible).argmax(axis=1).astype(np.int16))
            rows += len(learned.action)
            tried += int(learned.admissible.sum())

    steps()  # memory grows to what it will be
    rows = tried = 0
    measured = repeat(steps, seconds)
    return {"events": rows / measured["repeats"], "actions_a_row": 1 if taken else tried / rows, **measured}
