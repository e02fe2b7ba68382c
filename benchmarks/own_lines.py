"""What the lines of a Python strategy take by themselves, beside an engine that takes no time.

    python -m benchmarks.own_lines

prints one JSON line: nanoseconds of CPU of one `on_timer` of the case `python-timer`, its context an object that holds
three numbers, its `quote` the cheapest thing that takes two named arguments.
"""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from benchmarks.ours import strategy

__all__ = ["measure"]

CALLS = 200_000
RUNS = 7


def measure(calls: int = CALLS) -> float:
    """Nanoseconds of a call, the least of several runs."""
    context: Any = SimpleNamespace(bid=6_000_100, ask=6_000_101, position=3, quote=dict)
    hook = strategy("python-timer").on_timer
    times = []
    for _ in range(RUNS):
        start = time.process_time_ns()
        for _ in range(calls):
            hook(context)
        called = time.process_time_ns() - start
        start = time.process_time_ns()
        for _ in range(calls):
            pass
        times.append((called - (time.process_time_ns() - start)) / calls)
    return min(times)


if __name__ == "__main__":
    print(json.dumps({"ns": measure()}))
