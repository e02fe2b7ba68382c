"""docs/explanation/learning-measured.md, from what `python -m benchmarks.learning` measured."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT

__all__ = ["page"]

TOP = """
# What the learner reaches

Made by a program from what other programs measured (`make -C benchmarks sb3 learning`); every training
ran in a process of its own, on {cpu}, {cores} cores, {date}. Seconds are those of whole processes, start, imports,
compilation and scoring included; the machine was shared, so CPU seconds say more than the clock. Policies are scored
by linear algebra, never by simulation. How it learns is told in [How the learner learns](learning.md); the markets
are those of [Exact answers](../reference/theory.md).
"""

EXACT = """
## The exact market, the defaults

Shares of the optimal value: at the start, over the states as the best policy meets them, and in the worst state. The
best constant quote has 92.3, 87.9 and 77.3%, the best linear skew 92.7, 91.8 and 89.2%.
"""

BASE = """
## The base model, the defaults

Shifts 0, 0.25, 0.5, 1, 2 on either side. Regret is 0% for the best policy and 100% for the best constant quote;
with a delay it is that of the delayed model. It is strict where constant quotes are nearly the best: with beta 0.95
they earn 92 to 97% of the optimum.
"""

ABLATION = """
## One option at a time

The exact market, {seeds} seeds each, {steps:,} steps: too few to be done, so that
differences show. Mean over the seeds, and the worst seed in brackets.
"""

SPEED = """
## Speed

Rates by the clock and, in brackets, a CPU second of all threads; compilation is outside the clock. An
interval of ours is learned with all its actions, one of Stable-Baselines3 with the action taken. Both learn from
batches of 256 with two layers of 64. Recorded days are the pinned stream of the [benchmarks](../benchmarks.md),
decisions of 1 s, 30 actions.
"""


def exact_market(rows: list[dict[str, Any]]) -> list[str]:
    """A line a seed, and the least."""
    lines = _table(("seed", "start", "over states", "worst state", "CPU s", "s by the clock"))
    for row in rows:
        lines.append(_line(row["job"]["options"]["seed"], *_shares(row["score"]), f"{row['process_cpu_s']:.0f}",
                           f"{row['process_wall_s']:.0f}"))
    least = {name: min(row["score"][name] for row in rows) for name in rows[0]["score"]}
    return [*lines, _line("least", *_shares(least), "", "")]


def base_model(rows: list[dict[str, Any]]) -> list[str]:
    """A line a model, without and with a delay side by side."""
    lines = _table(("k", "r", "beta", "p0", "delay", "regret", "CPU s"))
    for row in rows:
        params = row["job"]["params"]
        lines.append(_line(*(f"{params[name]:g}" for name in ("k", "r", "beta", "p0", "delay")),
                           f"{row['score']['regret']:.2%}", f"{row['process_cpu_s']:.0f}"))
    return [*lines, _line("", "", "", "", "most", f"{max(row['score']['regret'] for row in rows):.2%}", "")]


def ablation(rows: list[dict[str, Any]]) -> list[str]:
    """A line a variant."""
    lines = _table(("what is changed", "options", "start", "over states", "worst state", "CPU s"))
    for name, group in groupby(rows, key=lambda row: row["variant"]):
        runs = list(group)
        changed = ", ".join(f"`{key} = {_word(value)}`" for key, value in runs[0]["changed"].items())
        parts = [[run["score"][part] for run in runs] for part in ("start", "occupancy", "worst")]
        cells = [f"{statistics.mean(part):.2%} ({min(part):.2%})" for part in parts]
        lines.append(_line(name, changed, *cells, f"{statistics.mean(run['process_cpu_s'] for run in runs):.0f}"))
    return lines


def speed(rows: list[dict[str, Any]]) -> list[str]:
    """Rates, then what 98% takes."""
    lines = _table(("", "steps a second", "intervals a second", "compiled in"))
    for row in rows:
        if "score" not in row:
            cells = [f"{row[what] / row['wall_s']:,.0f} ({row[what] / row['cpu_s']:,.0f})"
                     for what in ("steps", "learned")]
            lines.append(_line(row["job"]["name"], *cells, f"{row['compile_s']:.1f} s" if row["compile_s"] else ""))
    lines += ["", *_table(("", "share of the optimum at the start", "s by the clock", "CPU s", "steps"))]
    for row in rows:
        if "score" in row:
            best = max(row["curve"], key=lambda at: at["start"])
            lines.append(_line(row["job"]["name"], f"{best['start']:.2%}", f"{row['wall_s']:.0f}",
                               f"{row['cpu_s']:.0f}", f"{row['curve'][-1]['steps']:,}"))
    return lines


CASES = (("exact-market", EXACT, exact_market), ("base-model", BASE, base_model), ("ablation", ABLATION, ablation),
         ("speed", SPEED, speed))


def page(reports: dict[str, dict[str, Any]]) -> str:
    """The page as Markdown, of the cases that were measured."""
    first = next(iter(reports.values()))["machine"]
    parts = [TOP.format(**{name: first[name] for name in ("cpu", "cores", "date")}).lstrip()]
    for name, text, table in CASES:
        if name in reports:
            rows = reports[name]["rows"]
            if name == "ablation":
                used = [row["job"]["options"] for row in rows]
                text = text.format(seeds=len({each["seed"] for each in used}), steps=used[0]["steps"])
            parts.append(f"{text}\n" + "\n".join(table(rows)) + "\n")
    return "".join(parts)


def _shares(score: dict[str, float]) -> Iterable[str]:
    return (f"{score[part]:.2%}" for part in ("start", "occupancy", "worst"))


def _word(value: Any) -> str:
    return json.dumps(value).strip('"')


def _table(header: tuple[str, ...]) -> list[str]:
    return [_line(*header), _line("---", *("---:" for _ in header[1:]))]


def _line(*cells: Any) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_docs",
                                     description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "explanation" / "learning-measured.md")
    options = parser.parse_args()
    files = {name: options.results / f"learning-{name}.json" for name, *_ in CASES}
    reports = {name: json.loads(path.read_text()) for name, path in files.items() if path.exists()}
    if not reports:
        raise SystemExit(f"no learning-*.json in {options.results}: run python -m benchmarks.learning first")
    options.out.write_text(page(reports))


if __name__ == "__main__":
    main()
