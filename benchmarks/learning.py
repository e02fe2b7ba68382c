"""How well and how fast the learner learns, where the best policy is known: every training in a process of its own.

    python -m benchmarks.learning exact-market     the defaults, five seeds: shares of the optimal value, seconds
    python -m benchmarks.learning base-model       the defaults, 24 models: regret
    python -m benchmarks.learning ablation         one option changed at a time, three seeds, a short budget
    python -m benchmarks.learning speed            intervals and steps a second, and seconds to 98% of the optimum,
                                                   beside Stable-Baselines3 (make -C benchmarks sb3)

Each prints its rows as they come and writes benchmarks/results/learning-NAME.json. Seconds are those of whole
processes, from start to exit, imports and compilation included. `python -m benchmarks.learning_docs` makes the page.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.processes import ROOT, note, python

PEER_PYTHON = ROOT / ".sb3-venv" / "bin" / "python"
RESULTS = ROOT / "benchmarks" / "results"
SHIFTS = [0, 0.25, 0.5, 1, 2]

# What the table of options changes, at a budget at which not everything is solved.
SHORT: dict[str, Any] = {"steps": 300_000}
TAKEN: dict[str, Any] = {"backup": "taken", "relabel": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "plain squared error": {"balance": False},
    "Huber": {"loss": "huber"},
    "no centering": {"centering": False},
    "one network for both maxima": {"double": False},
    "no relabelling": {"relabel": 0.0},
    "dueling": {"dueling": True},
    "quantiles": {"quantiles": 16},
    "noisy": {"noisy": True},
    "prioritized": {"prioritized": True},
    "periodic target": {"target": "periodic"},
    "only the action taken": TAKEN,
    "only the action taken, Huber": {**TAKEN, "loss": "huber"},
    "only the action taken, 3 steps": {**TAKEN, "n_step": 3},
    "only the action taken, 3 steps, prioritized, dueling": {**TAKEN, "n_step": 3, "prioritized": True,
                                                             "dueling": True},
}


def run_job(module: str, job: dict[str, Any], executable: Path = Path(sys.executable)) -> dict[str, Any]:
    """One training in a process of its own, with the seconds of that process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = python(module, json.dumps(job), executable=executable)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"job": job, **json.loads(output.splitlines()[-1]), "process_wall_s": wall, "process_cpu_s": cpu}


def train(world: str, **job: Any) -> dict[str, Any]:
    """One training of ours."""
    return run_job("benchmarks.learning_run", {"world": world, **job})


def exact_market(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every seed with the defaults."""
    rows = []
    for seed in options.seeds or range(5):
        rows.append(row := train("exact-market", options={**options.set, "seed": seed}))
        note(f"seed {seed}: {shares(row['score'])}, {seconds(row)}")
    worst = {name: min(row["score"][name] for row in rows) for name in rows[0]["score"]}
    note(f"least: {shares(worst)}")
    return rows


def base_model(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every model with the defaults."""
    from mmbt.training.settings import model_steps

    rows = []
    for delay, k, (r, beta), p0, seed in product(
            (2, 0), (0.5, 1, 2), ((0.1, 0.99), (0.02, 0.95)), (1, 0.3), options.seeds or range(1)):
        params = {"k": k, "r": r, "beta": beta, "p0": p0, "delay": delay, "shifts": SHIFTS}
        job = {"steps": model_steps(delay), **options.set, "seed": seed}
        rows.append(row := train("base-model", params=params, options=job))
        note(f"delay {delay}, k {k:g}, r {r:g}, beta {beta:g}, p0 {p0:g}, seed {seed}: "
             f"regret {row['score']['regret']:.2%}, {seconds(row)}")
    note(f"most: {max(row['score']['regret'] for row in rows):.2%}")
    return rows


def ablation(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One option changed at a time."""
    rows = []
    for name, changed in VARIANTS.items():
        if options.only and name not in options.only:
            continue
        runs = []
        for seed in options.seeds or range(3):
            job = {**SHORT, **options.set, **changed, "seed": seed}
            runs.append({"variant": name, "changed": changed, **train("exact-market", options=job)})
        rows += runs
        scores = [run["score"] for run in runs]
        note(f"{name}: " + "; ".join(
            f"{part} {statistics.mean(s[part] for s in scores):.2%}, least {min(s[part] for s in scores):.2%}"
            for part in scores[0]) + f"; {statistics.mean(run['process_cpu_s'] for run in runs):.0f} CPU s")
    return rows


def speed(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rates of ours and of the peer, then the seconds each takes to 98% of the optimum."""
    from benchmarks.learning_speed import JOBS, SB3_JOBS, TO_98, told

    jobs: list[tuple[str, dict[str, Any], Path]] = [("benchmarks.learning_speed", job, Path(sys.executable))
                                                   for job in JOBS]
    jobs.append(("benchmarks.learning_run", TO_98, Path(sys.executable)))
    if PEER_PYTHON.exists() or options.peer:
        peer = options.peer or PEER_PYTHON
        jobs += [("benchmarks.peers.sb3", job, peer) for job in SB3_JOBS]
    else:
        note("Stable-Baselines3 is not installed and is left out: make -C benchmarks sb3")
    rows = []
    for module, job, executable in jobs:
        if options.only and job["name"] not in options.only:
            continue
        rows.append(row := run_job(module, job, executable))
        note(f"{job['name']}: {told(row)}")
    return rows


def shares(score: dict[str, float]) -> str:
    """Scores of the exact market in words."""
    return ", ".join(f"{name} {value:.2%}" for name, value in score.items())


def seconds(row: dict[str, Any]) -> str:
    """Of the whole process."""
    return f"{row['process_cpu_s']:.0f} CPU s, {row['process_wall_s']:.0f} s by the clock"


CASES: dict[str, Callable[[argparse.Namespace], list[dict[str, Any]]]] = {
    "exact-market": exact_market, "base-model": base_model, "ablation": ablation, "speed": speed}


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as JSON or a word."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main(arguments: Iterable[str] | None = None) -> None:
    """Run a case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning",
                                     description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", choices=CASES, nargs="+", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of the case's own")
    parser.add_argument("-S", dest="set", type=setting, action="append", default=[], metavar="NAME=VALUE",
                        help="an option of the learner for all trainings")
    parser.add_argument("--only", action="append", help="this row of the ablation or of the speed only")
    parser.add_argument("--peer", type=Path, help="Python that has stable-baselines3 (default: .sb3-venv)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    options.set = dict(options.set)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for case in options.cases:
        report = {"machine": machine.describe(PEER_PYTHON), "case": case, "rows": CASES[case](options)}
        path = RESULTS / f"learning-{case}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")
        note(f"written to {path}")


if __name__ == "__main__":
    main()
