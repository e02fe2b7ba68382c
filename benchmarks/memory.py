"""Memory and cost against length: markets of 1, 10 and 100 million events, written raw, converted, and backtested by
the commands.

    python -m benchmarks --case memory          (some minutes, about 6 GB of disk meanwhile)

Peak memory and CPU time are the operating system's for the whole command, start-up and report included. What an event
costs is what the longer of two runs takes more of CPU time, by event more: start-up and report fall out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ours import HALF_SPREAD, SKEW
from benchmarks.processes import environment, note, python

__all__ = ["LENGTHS", "measure_memory"]

LENGTHS = (1_000_000, 10_000_000, 100_000_000)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    report: dict[str, Any]
    cpu_s: float
    wall_s: float
    peak_rss_mb: float


def measure_memory(work: Path, lengths: tuple[int, ...] = LENGTHS) -> list[dict[str, Any]]:
    """One row a length."""
    rows = []
    for length in lengths:
        raw, store, out = (work / f"{name}-{length}" for name in ("raw", "store", "run"))
        note(f"memory: writing {length:,} events as raw files")
        python("benchmarks.ours", "write-raw", raw, "--events", length)
        note("memory: converting")
        converted = _mmbt("convert", raw, "--out", store)
        shutil.rmtree(raw)
        note("memory: backtesting from the store")
        backtest = _mmbt("backtest", "--data", store, "--out", out, "--strategy", "linear-skew",
                         "-S", f"half_spread_ticks={HALF_SPREAD}", "-S", f"skew_ticks_per_lot={SKEW}")
        events = backtest.report["events"]
        rows.append({
            "events": events, "fills": backtest.report["fills"],
            "backtest_peak_rss_mb": backtest.peak_rss_mb, "backtest_wall_s": backtest.wall_s,
            "events_per_cpu_s": events / backtest.cpu_s, "events_per_wall_s": events / backtest.wall_s,
            "convert_peak_rss_mb": converted.peak_rss_mb, "convert_wall_s": converted.wall_s,
            "convert_rows_per_cpu_s": converted.report["rows_in"] / converted.cpu_s,
            "store_bytes": sum(path.stat().st_size for path in store.rglob("*.parquet")),
        })
        for folder in (store, out):
            shutil.rmtree(folder)
    return rows


def _mmbt(*arguments: object) -> Done:
    """Run one command of `mmbt` to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mmbt", *map(str, arguments), "--json"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"mmbt {' '.join(map(str, arguments))} failed with exit code {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Done(json.loads(output), usage.ru_utime + usage.ru_stime, time.perf_counter() - started,
                usage.ru_maxrss / unit)
