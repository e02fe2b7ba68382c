"""What we set out to reach, and whether a run of the benchmarks reached it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["GOALS", "Goal", "rows"]


@dataclass(frozen=True)
class Goal:
    """A figure of one party of a case, and what it should be."""

    what: str
    case: str
    party: str  # the start of its name
    figure: str
    goal: float
    at_most: bool = False  # else at least


RATE, CLOCK = "events_per_cpu_s", "events_per_wall_s"
GOALS = (
    Goal("replay in memory, nothing to do", "idle", "mmbt", RATE, 150e6),
    Goal("two quotes each 100 ms, compiled", "quotes", "mmbt, columns prepared", RATE, 100e6),
    Goal("the same, strategy in Python", "python-timer", "mmbt, columns prepared", RATE, 30e6),
    Goal("Python woken on every event", "python-event", "mmbt", RATE, 6e6),
    Goal("Parquet to result, two quotes each 100 ms", "disk", "mmbt, Parquet", RATE, 25e6),
    Goal("the same by the clock", "disk", "mmbt, Parquet", CLOCK, 30e6),
    Goal("hot store to result, nothing to do", "hot", "mmbt, hot store, no quotes", RATE, 100e6),
    Goal("raw CSV to store, rows", "csv", "mmbt", RATE, 1.5e6),
    Goal("steps of many simulators, by the clock", "steps", "mmbt, 128 simulators, two threads", CLOCK, 1e6),
    Goal("process start to first event, s", "startup", "mmbt", "first_event_s", 0.6, at_most=True),
)


def rows(cases: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """One row a goal whose case was run: what, the goal, what was measured, and how far that is off."""
    found = []
    for goal in GOALS:
        party = next((party for party in cases.get(goal.case, {"parties": ()})["parties"]
                      if party["party"].startswith(goal.party) and goal.figure in party), None)
        if party is None:
            continue
        value = party[goal.figure]
        reached = value <= goal.goal if goal.at_most else value >= goal.goal
        verdict = "reached" if reached else f"missed by {abs(value - goal.goal) / goal.goal:.0%}"
        found.append((goal.what, _text(goal.goal), _text(value), verdict))
    return found


def _text(value: float) -> str:
    return f"{value:.2f}" if value < 1e3 else f"{value / 1e6:.3g} M"
