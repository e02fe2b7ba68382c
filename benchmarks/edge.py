"""A planted edge: does the learner find it, and does it find none where there is none?

Days of a market whose imbalance foretells its moves (`mmbt.synth.planted`): 20 to train on, 5 to tune the baselines on
and to choose the best of them by, 20 to judge on. Printed are the paired daily difference of the learner to that
baseline with its interval, and the share of the exact optimum that both earn. With `--edge 0` nothing foretells
anything: over ten markets no win may be claimed.

    python -m benchmarks.edge                          one market with the edge
    python -m benchmarks.edge --edge 0 --markets 10    the check for false claims
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.learned import LearnedQuotes, train
from mmbt import BacktestConfig
from mmbt.evaluate.baselines import Terms
from mmbt.evaluate.days import Contender, EvaluationDay
from mmbt.evaluate.figures import draw_policy
from mmbt.evaluate.fits import fit_market
from mmbt.evaluate.judging import judge, tune
from mmbt.evaluate.policy import exact_policy
from mmbt.evaluate.statistics import holm
from mmbt.exact_models import PlantedEdgeParams
from mmbt.synth.planted import NAME, PlantedDays
from mmbt.theory.planted_edge import best_day

__all__ = ["main", "measure"]

TRAIN, VALIDATE, TEST = 20, 5, 20
FEATURES = ("imbalance", "microprice", "flow_5s", "return_5s")
TICK = 0.01


def measure(
    params: PlantedEdgeParams, market: int, *, steps: int, seeds: int, trials: int, days: tuple[int, int, int],
    folder: Path,
) -> dict[str, Any]:
    """Everything of one market; `market` is its seed."""
    planted = PlantedDays(params, sum(days), seed=market)
    config = BacktestConfig(instruments=(NAME,))
    every = [EvaluationDay.of(str(date), planted.market(day), config) for day, date in enumerate(planted.dates)]
    training, validation, test = every[: days[0]], every[days[0] : days[0] + days[1]], every[days[0] + days[1] :]
    took, models = [], []
    for seed in range(1, seeds + 1):
        models.append(folder / f"{market}-{seed}")
        took.append(train(
            [day.market for day in training], config, {"reward": {"kind": "pnl"}, "market": FEATURES},
            {"seed": seed, "steps": steps, "ratio": 2.0}, models[-1],
            lambda text, seed=seed: _progress(f"market {market}, training {seed}: {text}")))
    fit = fit_market(training, NAME, 10**9)
    tuned = tune(validation, config, fit, Terms(), trials=trials)
    learner = Contender("learner", "benchmarks.learned:LearnedQuotes", tuple({"model": str(each)} for each in models))
    verdict = judge(test, config, tuned, learner)
    claim, exact = verdict.claim, best_day(params) * TICK
    assert claim is not None
    earned = {scores.contender.name: float(scores.pnl.mean()) for scores in verdict.scores}
    return {
        "market": market, "edge": params.edge, "exact": exact, "best_baseline": verdict.best,
        "learner": earned["learner"], "baseline": earned[verdict.best], "share": earned["learner"] / exact,
        "baseline_share": earned[verdict.best] / exact, "difference": claim.interval.mean, "low": claim.interval.low,
        "high": claim.interval.high, "p": claim.interval.p, "wins": verdict.wins, "seeds": seeds,
        "cpu_s": sum(each["cpu_s"] for each in took), "wall_s": sum(each["wall_s"] for each in took),
        "steps": steps, "earned": earned,
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a line a market."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=float, default=0.6)
    parser.add_argument("--markets", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each market")
    parser.add_argument("--steps", type=int, default=1_200_000, help="of a training")
    parser.add_argument("--trials", type=int, default=40, help="of each baseline")
    parser.add_argument("--seconds", type=int, default=3600, help="of a day")
    parser.add_argument("--days", type=int, nargs=3, default=(TRAIN, VALIDATE, TEST), metavar="N")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the first policy beside the exact one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    params = PlantedEdgeParams(edge=given.edge, steps=given.seconds)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for market in range(1, given.markets + 1):
            row = measure(params, market, steps=given.steps, seeds=given.seeds, trials=given.trials,
                          days=tuple(given.days), folder=Path(folder))
            rows.append(row)
            if given.picture is not None and market == 1:
                learned = LearnedQuotes(model=str(Path(folder) / "1-1")).table("learned")
                draw_policy([learned, exact_policy(params)], given.picture.with_suffix(""))
            _progress("")
            print(_line(row), flush=True)
    adjusted = holm([row["p"] for row in rows])
    claimed = sum(row["low"] > 0 and p < 0.05 for row, p in zip(rows, adjusted, strict=True))
    print(f"edge {given.edge:g}, {len(rows)} markets: {sum(row['wins'] for row in rows)} wins by their own intervals, "
          f"{claimed} claimed after Holm; learner {np.mean([row['share'] for row in rows]):.1%} of the exact optimum")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def _line(row: dict[str, Any]) -> str:
    return (f"market {row['market']}: learner {row['learner']:.2f} a day, {row['share']:.1%} of the exact "
            f"{row['exact']:.2f}; best baseline {row['best_baseline']} {row['baseline']:.2f}, "
            f"{row['baseline_share']:.1%}; difference {row['difference']:+.2f} "
            f"[{row['low']:+.2f}, {row['high']:+.2f}]; trained in {row['cpu_s']:.0f} s of CPU, {row['wall_s']:.0f} s "
            "by the clock")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<100}", end="" if text else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
