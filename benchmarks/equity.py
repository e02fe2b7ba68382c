"""Real days: models against every baseline, under the presets `seed` and `queue`, whatever comes of it.

Raw files of at least four days: all but the last two to train on, the last but one chooses (the model of each
training, the parameters of each baseline, the best baseline), the last judges, once a preset. Everything is done by the
user's commands, convert, train and evaluate, in a folder that is kept: a second run there shows what the first one
found and uses no test day again. Printed are tables; `--page FILE` writes them as a page of the documentation.

    python -m benchmarks.equity FOLDER --out WORK [--instruments AIG/USD] [--size 100] [--max-position 1000]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.commands import Workplace

__all__ = ["main", "measure", "table"]

PRESETS = ("seed", "queue")
PAGE = """\
# Real days, every contender

Made by `python -m benchmarks.equity` from real quotes and prints; what the tables say, and what they do not, is told in
[Judging a strategy](../reference/evaluate.md#measured-real-days). Quotes of {size} shares, at most {max_position:,}
held, decisions each {interval}, no fees; {seeds} trainings of {steps:,} steps, {trials} sets of parameters tried of
each baseline. Money is in dollars, the mean over the trainings for the model.
"""


def measure(
    place: Workplace, instrument: str, preset: str, options: Sequence[str], *, seeds: int, trials: int
) -> dict[str, Any]:
    """What the models and the baselines do with one instrument, with the CPU seconds that it took."""
    name = f"{instrument.replace('/', '-')}-{preset}"
    runs, trained = [f"runs/{name}-{seed}" for seed in range(1, seeds + 1)], []
    told = [word for option in ("validation=1", "test=1", *options) for word in ("-S", option)]
    for seed, run in enumerate(runs, 1):
        trained.append(place.mmbt(f"{name}-train-{seed}", "train", "--data", "store", "--instrument", instrument,
                                  "--fills", preset, "--seed", seed, *told, "--out", run))
    judged = place.mmbt(f"{name}-evaluate", "evaluate", *runs, "--trials", trials, "--out", f"runs/{name}-evaluate")
    return {**judged.document, "train_cpu_s": sum(each.cpu_s for each in trained), "evaluate_cpu_s": judged.cpu_s,
            "validation_F": [each.document["validation"]["F"] for each in trained]}


def table(found: dict[str, Any]) -> list[str]:
    """Markdown: the contenders on the test day, and the model less each of the others."""
    less = {row["baseline"]: row for row in found["comparisons"]}
    days = {part: " and ".join(names) for part, names in found["days"].items()}
    columns = ("", "PnL", "spread", "inventory", "hedge", "closing", "mean abs. position", "fills", "time quoting",
               "model less it, within-day 95%", "p (Holm)")
    uses = len(found["earlier_uses"])
    title = (
        f"## {found['instrument']}, fills `{found['config']['fills']['preset']}`\n\n"
        f"Trained on {days['train']}, chosen by {days['validate']}, judged on {days['test']}, which was used {uses} "
        f"times before; best baseline on validation: {found['best_baseline']}; "
        f"{len(found['scores'][0]['params'])} trainings, validation F "
        f"{', '.join(f'{each:.3g}' for each in found['validation_F'])}; CPU seconds: {found['train_cpu_s']:.0f} "
        f"training, {found['evaluate_cpu_s']:.0f} evaluation.")
    lines = [title, "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in found["scores"]:
        other = less.get(row["contender"])
        compared = "| |" if other is None else (
            f"{other['mean']:+,.2f} [{other['low']:+,.2f}, {other['high']:+,.2f}] | {other['p_holm']:.3f} |")
        money = " | ".join(f"{row[key]:,.2f}" for key in ("pnl", "spread", "inventory", "hedge", "closing"))
        abstains = " (abstains)" if row["abstains"] and row["contender"] != "no-quotes" else ""
        lines.append(f"| {row['contender']}{abstains} | {money} | {row['mean_position']:,.1f} | {row['fills']:,.0f} | "
                     f"{row['quoting']:.1%} | {compared}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert, measure each instrument under the presets, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.equity", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, metavar="WORK", required=True, help="work here, and keep it all")
    parser.add_argument("--instruments", nargs="+", metavar="I", help="by default all")
    parser.add_argument("--size", type=int, default=100, help="lots of a quote")
    parser.add_argument("--max-position", type=int, default=1000)
    parser.add_argument("--interval", default="1s")
    parser.add_argument("--steps", type=int, default=150_000, help="of a training")
    parser.add_argument("--seeds", type=int, default=3, help="trainings")
    parser.add_argument("--trials", type=int, default=40, help="of each baseline")
    parser.add_argument("--presets", nargs="+", default=PRESETS)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables as a page of the documentation")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    place = Workplace(given.out)
    converted = place.mmbt("convert", "convert", given.folder.resolve(), "--out", "store").document
    options = (f"steps={given.steps}", f"sizes={given.size}", f"max_position={given.max_position}",
               f"interval={given.interval}", "reward=pnl", "ratio=2", "markets=64")
    rows = []
    for instrument in given.instruments or [each["instrument"] for each in converted["instruments"]]:
        for preset in given.presets:
            rows.append(measure(place, instrument, preset, options, seeds=given.seeds, trials=given.trials))
            print("\n".join(["", *table(rows[-1])]), flush=True)
    if given.page is not None:
        tables = [line for row in rows for line in (*table(row), "")]
        given.page.write_text("\n".join([PAGE.format(**vars(given)), *tables]), "utf-8")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
