"""One measurement, the same for every party. Standard library only: the peers' environments import it too."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["WARM_UP_EVENTS", "peak_rss_mb", "repeat"]

WARM_UP_EVENTS = 20_000


def repeat(run: Callable[[], object], seconds: float) -> dict[str, float]:
    """Run until `seconds` of CPU time were measured: repeats, CPU seconds of all threads, wall seconds.

    Garbage of the run before is collected outside the clock, so that the peak memory is that of one run.
    """
    repeats, cpu, wall = 0, 0.0, 0.0
    while not repeats or cpu < seconds:
        gc.collect()
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        run()
        cpu += time.process_time() - cpu_start
        wall += time.perf_counter() - wall_start
        repeats += 1
    return {"repeats": repeats, "cpu_s": cpu, "wall_s": wall}


def peak_rss_mb() -> float:
    """Peak resident memory of this program in MiB.

    Linux keeps `ru_maxrss` across exec, so that a small child of a large parent looks large; VmHWM starts anew.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
