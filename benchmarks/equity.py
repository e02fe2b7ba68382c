"""Real days: a learner against every baseline, under the presets `seed` and `queue`, whatever comes of it.

Raw files of at least four days: all but the last two to train on, the last but one chooses (the parameters of each
baseline, the best baseline, the weights that are kept of a training), the last judges, once. The data are read where
they lie, and the store made of them is thrown away. Printed is a table for the documentation.

    python -m benchmarks.equity FOLDER [--instrument AIG/USD] [--size 100] [--max-position 1000]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.learned import train
from mmbt import BacktestConfig, FillRules
from mmbt.errors import UsageError
from mmbt.evaluate.baselines import Terms
from mmbt.evaluate.days import Contender, EvaluationDay, run_day
from mmbt.evaluate.fits import fit_market
from mmbt.evaluate.judging import judge, tune
from mmbt.store import Catalog, open_store

__all__ = ["main", "measure", "table"]

STRATEGY = "benchmarks.learned:LearnedQuotes"
PRESETS = ("seed", "queue")


def measure(
    catalog: Catalog, config: BacktestConfig, terms: Terms, *, steps: int, seeds: int, trials: int, folder: Path,
    told: Callable[[str], None],
) -> dict[str, Any]:
    """Everything under one set of conditions."""
    name = config.instruments[0]
    dates = sorted(next(each.dates for each in catalog.summaries() if each.name == name))
    if len(dates) < 4:
        raise UsageError(f"{name}: {len(dates)} days, at least four are needed")
    every = []
    for date in dates:
        with catalog.select([name], (date, date)) as market:
            every.append(EvaluationDay.of(date, market, config))
    training, (validation,), test = every[:-2], every[-2:-1], every[-1:]
    options = {"max_position": terms.max_position, "actions": {"sizes": [terms.size]}, "reward": {"kind": "pnl"},
               "interval": terms.interval}
    models, took = [], []
    for seed in range(1, seeds + 1):
        models.append({"model": str(folder / f"{config.fills.preset}-{seed}")})
        took.append(train(
            [day.market for day in training], config, options, {"seed": seed, "steps": steps, "ratio": 2.0},
            Path(models[-1]["model"]), lambda text, seed=seed: told(f"training {seed}: {text}"), simulators=64,
            score=lambda: run_day(validation, STRATEGY, models[-1], config)))
    fit = fit_market(training, name, terms.interval_ns)
    tuned = tune([validation], config, fit, terms, trials=trials, told=lambda text: told(f"tuning {text}"))
    verdict = judge(test, config, tuned, Contender("learner", STRATEGY, tuple(models)), told=told)
    return {"instrument": name, "fills": str(config.fills), "days": [day.name for day in every], "terms": terms.told(),
            "fit": asdict(fit), "trainings": took, **verdict.told()}


def table(found: dict[str, Any]) -> list[str]:
    """Markdown: the contenders on the test day, and the learner less each of the others."""
    less = {row["baseline"]: row for row in found["comparisons"]}
    first, before, choosing, judging = found["days"][0], *found["days"][-3:]
    columns = ("", "PnL", "spread", "inventory", "hedge", "closing", "mean abs. position", "fills", "time quoting",
               "learner less it, within-day 95%", "p (Holm)")
    title = (f"{found['instrument']}, fills {found['fills']}; trained on {first} to {before}, chosen on {choosing}, "
             f"judged on {judging}; best baseline on validation: {found['best_baseline']}.")
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
    """Convert, measure under both presets, and print the tables."""
    from mmbt.cli import main as mmbt

    parser = argparse.ArgumentParser(prog="python -m benchmarks.equity", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--instrument")
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--max-position", type=int, default=1000)
    parser.add_argument("--interval", default="1s")
    parser.add_argument("--steps", type=int, default=400_000, help="of a training")
    parser.add_argument("--seeds", type=int, default=3, help="trainings")
    parser.add_argument("--trials", type=int, default=40, help="of each baseline")
    parser.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as room:
        store = Path(room) / "store"
        if mmbt(["convert", str(given.folder), "--out", str(store)]):
            raise SystemExit(3)
        catalog = open_store(store)
        terms = Terms(given.interval, given.size, given.max_position)
        rows = []
        for preset in given.presets:
            config = BacktestConfig(instruments=(given.instrument or catalog.default_instrument(),),
                                    fills=FillRules.parse(preset))
            rows.append(measure(catalog, config, terms, steps=given.steps, seeds=given.seeds, trials=given.trials,
                                folder=Path(room), told=lambda text, preset=preset: _progress(f"{preset}: {text}")))
            print("\n".join(["", *table(rows[-1])]), flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<100}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
