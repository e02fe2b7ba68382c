"""What the figures were measured on. `python -m benchmarks.machine` prints what one core reads from memory, in GB/s."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import python

__all__ = ["describe", "memory_gb_per_s"]

OURS = ("mmbt", "numpy", "pyarrow")
PEERS = ("hftbacktest", "numba", "numpy")


def describe(peer_python: Path) -> dict[str, Any]:
    """Processor, memory, system, versions of both sides, and how busy the machine was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": _cpu(), "cores": os.cpu_count(), "memory_gib": _memory_gib(),
        "memory_gb_per_s": float(python("benchmarks.machine")), "system": platform.platform(),
        "python": platform.python_version(), "compiler": _first_line("cc", "--version"), "versions": _versions(),
        "peer_versions": _peer_versions(peer_python), "load_before": load,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def memory_gb_per_s() -> float:
    """What one core reads from memory: a column of 256 MiB, which no cache holds, summed up; the best of some runs.

    In a process of its own, for Linux tells children of a large process that they were as large.
    """
    column = np.ones(1 << 25, np.int64)
    times = []
    for _ in range(5):
        start = time.process_time()
        column.sum()
        times.append(time.process_time() - start)
    return column.nbytes / min(times) / 1e9


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for name in OURS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "from the source tree"
    return found


def _peer_versions(peer_python: Path) -> dict[str, str] | None:
    if not peer_python.exists():
        return None
    code = f"import json, importlib.metadata as m; print(json.dumps({{n: m.version(n) for n in {PEERS!r}}}))"
    found: dict[str, str] = json.loads(_first_line(str(peer_python), "-c", code) or "{}")
    return found or None


def _first_line(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.partition("\n")[0]


if __name__ == "__main__":
    print(memory_gb_per_s())
