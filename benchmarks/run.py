"""Every party on one stream in one run, each measurement in a process of its own, parties taking turns.

    python -m benchmarks [--events N] [--runs 5] [--case CASE]... [--json FILE]

Rates are events per CPU second (all threads) of each party's fastest run: the neighbours of a shared host can only slow
a run down, and the slowest is shown beside it. Compilation and imports are not in them and are reported as start-up. An
event is one quote row or one print. hftbacktest needs more events of its own for the same stream
(benchmarks/peers/events.py), so its rate is given both ways; ratios are of the time for the same stream.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.memory import LENGTHS, measure_memory
from benchmarks.processes import ROOT, note, python
from benchmarks.table import show

PEER_PYTHON = ROOT / ".bench-venv" / "bin" / "python"
OURS = "mmbt"
TITLES = {
    "idle": "replay in memory, nothing to do",
    "quotes": "two quotes re-set every 100 ms, compiled strategy",
    "python-timer": "the same, strategy in Python",
    "python-event": "Python strategy woken on every event, reading bid and ask",
    "disk": "from disk to result, two quotes every 100 ms",
    "hot": "from the hot store to result, two quotes every 100 ms",
    "csv": "raw CSV to store",
    "steps": "many simulators at once, steps of 1 s with random actions",
    "startup": "process start to first event",
}


@dataclass(frozen=True)
class Job:
    """One party's way of running a case."""

    party: str
    arguments: tuple[str, ...]  # after `python -m`, with the folder's name in place of {stream}, {store} ...
    peer: bool = False


def ours(case: str, folder: str, label: str = OURS, *options: str) -> Job:
    """Our side of a case."""
    return Job(label, ("benchmarks.ours", case, folder, *options))


def hft(case: str, *options: str, label: str, folder: str = "stream") -> Job:
    """hftbacktest's side of a case."""
    return Job(f"hftbacktest, {label}", ("benchmarks.peers.hft", case, folder, *options), peer=True)


def plain(case: str, label: str) -> Job:
    """A plain Python loop."""
    return Job(f"plain Python, {label}", ("benchmarks.peers.plain", case, "stream"))


JOBS: dict[str, tuple[Job, ...]] = {
    "idle": (
        ours("idle", "stream"),
        ours("prepared", "stream", "mmbt, columns prepared"),
        hft("idle", "--depth", "hashmap", label="HashMap depth"),
        hft("idle", "--depth", "roi", label="ROIVector depth"),
    ),
    "quotes": (
        ours("quotes-counted", "stream", "mmbt, columns prepared"),
        ours("quotes-prepared", "stream", "mmbt, fills hashed too"),
        ours("quotes", "stream", "mmbt, columns checked too"),
        ours("recorded", "stream", "mmbt, all recorded"),
        hft("quotes", "--depth", "hashmap", label="HashMap depth"),
        hft("quotes", "--depth", "roi", label="ROIVector depth"),
    ),
    "python-timer": (
        ours("python-counted", "stream", "mmbt, columns prepared"),
        ours("python-timer", "stream", "mmbt, columns checked, fills hashed"),
        hft("python-timer", label="without njit"),
        plain("python-timer", "quotes written into the loop"),
    ),
    "python-event": (
        ours("python-event", "stream"),
        hft("python-event", label="without njit"),
        plain("python-event", "a method called"),
        plain("inline-event", "nothing called"),
    ),
    "disk": (
        ours("disk", "store", "mmbt, Parquet"),
        ours("disk-idle", "store", "mmbt, Parquet, no quotes"),
        hft("disk", "--file", "hftbacktest.npz", label="npz"),
        hft("disk", "--file", "hftbacktest.npy", label="npy"),
    ),
    "hot": (
        ours("hot", "store", "mmbt, hot store"),
        ours("hot-idle", "store", "mmbt, hot store, no quotes"),
        hft("disk", "--file", "hftbacktest.npy", label="npy"),
    ),
    "csv": (ours("csv", "raw"),),
    "steps": (
        ours("steps", "stream", "mmbt, 128 simulators, one thread"),
        ours("steps", "stream", "mmbt, 128 simulators, two threads", "--threads", "2"),
        ours("steps", "stream", "mmbt, 4,096 simulators, two threads", "--threads", "2", "--simulators", "4096"),
        ours("steps", "stream", "mmbt, every action of a state, two threads", "--threads", "2", "--branches"),
    ),
    "startup": (ours("startup", "tiny-store"), hft("startup", folder="tiny", label="njit strategy")),
}


def main() -> None:
    """Run the benchmarks, print the table and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=5_000_000, help="length of the stream (default 5,000,000)")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each party (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="least CPU time of a measurement (default 1)")
    parser.add_argument("--case", action="append", choices=(*JOBS, "memory"),
                        help="only this case, may be repeated; `memory` runs only when asked for")
    parser.add_argument("--lengths", type=int, nargs="+", help="events of each market of the case `memory`")
    parser.add_argument("--json", type=Path, help="where the results go (default: benchmarks/results/latest.json, or "
                        "a file named after the cases)")
    parser.add_argument("--work", type=Path, help="where streams and stores are kept meanwhile (default: a new folder)")
    options = parser.parse_args()
    cases = options.case or list(JOBS)
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mmbt-bench-", dir=options.work) as work:
        report = run(cases, Path(work), events=options.events, runs=options.runs, seconds=options.seconds,
                     lengths=tuple(options.lengths or LENGTHS))
    name = "-".join(sorted(set(options.case))) if options.case else "latest"
    path = options.json or ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    show(report)
    note(f"written to {path}; `make -C benchmarks docs` makes docs/benchmarks.md of latest.json and memory.json")


def run(cases: Iterable[str], work: Path, *, events: int, runs: int, seconds: float,
        lengths: tuple[int, ...] = LENGTHS) -> dict[str, Any]:
    """Measure the cases; what it returns is the JSON document."""
    start = time.monotonic()
    wanted = [case for case in JOBS if case in set(cases)]
    report: dict[str, Any] = {"schema": 1, "machine": machine.describe(PEER_PYTHON), "runs": runs, "cases": {}}
    if wanted:
        report["stream"] = prepare(work, events, wanted)
    for case in wanted:
        jobs = [job for job in JOBS[case] if not job.peer or PEER_PYTHON.exists()]
        if len(jobs) < len(JOBS[case]):
            note("hftbacktest is not installed and is left out: make -C benchmarks peers")
        measured: dict[str, list[dict[str, Any]]] = {job.party: [] for job in jobs}
        for turn in range(runs):
            for job in jobs:
                note(f"{case} {turn + 1}/{runs}: {job.party}")
                measured[job.party].append(measure(job, work, seconds))
        report["cases"][case] = {"title": TITLES[case], "parties": [
            {"party": party, "peer": not party.startswith(OURS), **summary(results)}
            for party, results in measured.items()
        ]}
    if "disk" in wanted:
        note("disk: each step of the way by itself")
        report["bounds"] = json.loads(python("benchmarks.bounds", work / "store"))
    if "python-timer" in wanted:
        note("python-timer: what the strategy's own lines take")
        report["own_lines_ns"] = json.loads(python("benchmarks.own_lines"))["ns"]
    if "memory" in set(cases):
        report["memory"] = measure_memory(work, lengths)
    report["took_s"] = round(time.monotonic() - start, 1)
    return report


def prepare(work: Path, events: int, cases: list[str]) -> dict[str, Any]:
    """Make the stream, and what the cases need of it as files; each in its own process to keep this one small."""
    note(f"making a stream of about {events:,} events")
    raw = ("--raw", work / "raw") if {"disk", "hot", "csv"} & set(cases) else ()
    python("benchmarks.stream", work / "stream", events, "--peer", *raw)
    if {"disk", "hot"} & set(cases):
        note("converting it")
        python("benchmarks.ours", "convert", work / "raw", "--store", work / "store")
    if "startup" in cases:
        python("benchmarks.stream", work / "tiny", 2_000, "--peer", "--raw", work / "tiny-raw")
        python("benchmarks.ours", "convert", work / "tiny-raw", "--store", work / "tiny-store")
    return json.loads((work / "stream" / "meta.json").read_text())


def measure(job: Job, work: Path, seconds: float) -> dict[str, Any]:
    """One measurement in a process of its own."""
    module, case, folder, *rest = job.arguments
    started = time.monotonic_ns()
    output = python(module, case, work / folder, "--seconds", seconds, *rest,
                    executable=PEER_PYTHON if job.peer else Path(sys.executable))
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    if "first_event_ns" in result:
        result["first_event_s"] = (result.pop("first_event_ns") - started) / 1e9
    return result


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The fastest run, the rate of the slowest, and the most memory of any."""
    peaks = [result["peak_rss_mb"] for result in results if "peak_rss_mb" in result]
    peak = max(peaks) if peaks else None
    if "first_event_s" in results[0]:
        fastest = min(results, key=lambda r: r["first_event_s"])
        return {"first_event_s": fastest["first_event_s"], "cpu_s": fastest["cpu_s"], "peak_rss_mb": peak,
                "slowest_s": max(r["first_event_s"] for r in results)}

    def rate(result: dict[str, Any]) -> float:
        return float(result["events"] * result["repeats"] / result["cpu_s"])

    fastest = max(results, key=rate)
    kept = ("fills", "position", "position_lots", "decisions", "wakeups", "events", "start_up_cpu_s")
    return {
        **{name: fastest[name] for name in kept if name in fastest},
        "events_per_cpu_s": rate(fastest),
        "slowest_per_cpu_s": min(map(rate, results)),
        "own_events_per_cpu_s": fastest["own_events"] * fastest["repeats"] / fastest["cpu_s"],
        "events_per_wall_s": fastest["events"] * fastest["repeats"] / fastest["wall_s"],
        "cpu_s": fastest["cpu_s"] / fastest["repeats"],
        "peak_rss_mb": peak,
    }


if __name__ == "__main__":
    main()
