"""Steps of the vector engine over the pinned stream: 1 s intervals, random actions out of 25, windows from anywhere.

A step is a decision of one simulator and the market up to its next: quotes withdrawn and placed, about 144 events
passed, orders filled, the result written. With `branches` every simulator tries all its actions: each that differs
counts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import repeat

__all__ = ["GRID", "measure"]

GRID = np.array([[skew, half_spread, 0, 1, 1] for skew in (-1, -0.5, 0, 0.5, 1) for half_spread in (0.5, 1, 1.5, 2, 3)])
SEED = 7
SECOND = 10**9
ROUNDS = 100  # steps of every simulator between two resets of all


def measure(
    directory: Path, seconds: float, *, simulators: int, threads: int, branches: bool = False
) -> dict[str, Any]:
    """Steps, CPU and wall seconds; a reset of all simulators in every `ROUNDS` steps is part of it."""
    from benchmarks.stream import load
    from mmbt import BacktestConfig, make_vector_engine

    stream = load(directory)
    engine = make_vector_engine(stream.market, BacktestConfig(instruments=(stream.instrument.name,)), GRID,
                                count=simulators, interval="1s", max_position=10, threads=threads)
    rng = np.random.default_rng(SEED)
    everyone, last = np.arange(simulators), int(stream.tob.ts[-1])
    shape = (simulators, len(GRID)) if branches else (simulators,)
    pnl, held, ts, position = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    done, admissible = np.zeros(shape, np.int8), np.zeros((simulators, len(GRID)), np.int8)
    taken = 0

    def rounds() -> None:
        nonlocal taken
        starts = rng.integers(stream.tob.ts[0] + SECOND, last - (ROUNDS + 2) * SECOND, simulators)
        engine.reset(everyone, starts, np.full(simulators, last))
        if branches:
            engine.step_all(pnl, held, ts, position, done, admissible)
            taken += int(admissible.sum())
            return
        for actions in rng.integers(0, len(GRID), (ROUNDS, simulators)):
            engine.step(actions, pnl, held, ts, position, done)
        taken += ROUNDS * simulators

    rounds()  # memory grows to what it will be
    taken, start_up = 0, time.process_time()
    measured = repeat(rounds, seconds)
    steps = taken / measured["repeats"]
    return {"events": steps, "own_events": steps, "start_up_cpu_s": start_up, **measured}
