"""A planted edge: does the learner find it, and does it find none where there is none?

Days of a market whose imbalance foretells its moves (`mmbt synth planted-edge`): 20 to train on, 5 to choose by, the
model as well as each baseline and the best of them, 20 to judge on. Everything is done by the user's commands, synth,
convert, train and evaluate. Printed are the paired daily difference of the model to the best baseline with its
interval, and the share of the exact optimum that both earn. With `--edge 0` nothing foretells anything: over ten
markets no win may be claimed.

    python -m benchmarks.edge                          one market with the edge
    python -m benchmarks.edge --edge 0 --markets 10    the check for false claims
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.commands import Workplace
from mmbt.evaluate.figures import draw_policy
from mmbt.evaluate.policy import exact_policy, market_policy
from mmbt.evaluate.statistics import holm
from mmbt.exact_models import PlantedEdgeParams
from mmbt.strategies.dqn import DQN
from mmbt.synth.planted import START_TICKS
from mmbt.theory.planted_edge import best_day

__all__ = ["draw", "main", "measure"]

OPTIONS = ("reward=pnl", "market=imbalance,microprice,flow_5s,return_5s", "ratio=2")
TICK = 0.01


def measure(
    place: Workplace, params: PlantedEdgeParams, market: int, *, steps: int, seeds: int, trials: int,
    days: tuple[int, int, int],
) -> dict[str, Any]:
    """Everything of one market; `market` is its seed."""
    _, validation, test = days
    raw, store = f"raw-{market}", f"store-{market}"
    place.mmbt(f"{market}-synth", "synth", "planted-edge", "--out", raw, "--seed", market, "-S", f"days={sum(days)}",
               "-S", f"steps={params.steps}", "-S", f"edge={params.edge}")
    place.mmbt(f"{market}-convert", "convert", raw, "--out", store)
    runs, trained = [f"runs/{market}-{seed}" for seed in range(1, seeds + 1)], []
    wanted = (f"steps={steps}", f"validation={validation}", f"test={test}", *OPTIONS)
    told = [word for option in wanted for word in ("-S", option)]
    for seed, run in enumerate(runs, 1):
        trained.append(place.mmbt(f"{market}-train-{seed}", "train", "--data", store, "--seed", seed, *told,
                                  "--out", run))
    judged = place.mmbt(f"{market}-evaluate", "evaluate", *runs, "--trials", trials, "--out", f"runs/{market}-evaluate")
    found, exact = judged.document, best_day(params) * TICK
    earned = {row["contender"]: row["pnl"] for row in found["scores"]}
    claim, best = found["claim"], found["best_baseline"]
    return {
        "market": market, "edge": params.edge, "exact": exact, "best_baseline": best, "model": earned["dqn"],
        "baseline": earned[best], "share": earned["dqn"] / exact, "baseline_share": earned[best] / exact,
        "difference": claim["mean"], "low": claim["low"], "high": claim["high"], "p": claim["p"],
        "wins": found["wins"], "seeds": seeds, "steps": steps, "trials": trials, "earned": earned,
        "train_cpu_s": sum(each.cpu_s for each in trained), "evaluate_cpu_s": judged.cpu_s,
        "figures": [str(place.folder / figure) for figure in found["figures"]],
    }


def draw(run: Path, params: PlantedEdgeParams, picture: Path) -> None:
    """What a model quotes beside the best there is, as PNG and SVG."""
    bid = START_TICKS - params.spread // 2
    learned = market_policy("model", DQN(model=str(run)), bid=bid, ask=bid + params.spread)
    draw_policy([learned, exact_policy(params)], picture.with_suffix(""),
                f"A market {params.spread} ticks wide whose imbalance, -1, 0 or 1, foretells its moves")


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a line a market."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=float, default=0.6)
    parser.add_argument("--markets", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each market")
    parser.add_argument("--steps", type=int, default=1_000_000, help="of a training")
    parser.add_argument("--trials", type=int, default=40, help="of each baseline")
    parser.add_argument("--seconds", type=int, default=3600, help="of a day")
    parser.add_argument("--days", type=int, nargs=3, default=(20, 5, 20), metavar="N")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="work here, and keep it all")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the first model beside the exact policy")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    given = parser.parse_args(arguments)
    params = PlantedEdgeParams(edge=given.edge, steps=given.seconds)
    rows = []
    with ExitStack() as stack:
        place = Workplace(given.out or Path(stack.enter_context(tempfile.TemporaryDirectory())))
        for market in range(1, given.markets + 1):
            rows.append(measure(place, params, market, steps=given.steps, seeds=given.seeds, trials=given.trials,
                                days=tuple(given.days)))
            print(_line(rows[-1]), flush=True)
        if given.picture is not None:
            draw(place.folder / "runs" / "1-1", params, given.picture)
    adjusted = holm([row["p"] for row in rows])
    claimed = sum(row["low"] > 0 and p < 0.05 for row, p in zip(rows, adjusted, strict=True))
    print(f"edge {given.edge:g}, {len(rows)} markets of {given.days[0]} training, {given.days[1]} validation and "
          f"{given.days[2]} test days: {sum(row['wins'] for row in rows)} wins claimed, {claimed} after Holm; the "
          f"model earns {np.mean([row['share'] for row in rows]):.1%} of the exact optimum, the best baseline "
          f"{np.mean([row['baseline_share'] for row in rows]):.1%}")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", "utf-8")


def _line(row: dict[str, Any]) -> str:
    return (f"market {row['market']}: model {row['model']:.2f} a day, {row['share']:.1%} of the exact "
            f"{row['exact']:.2f}; best baseline {row['best_baseline']} {row['baseline']:.2f}, "
            f"{row['baseline_share']:.1%}; difference {row['difference']:+.2f} "
            f"[{row['low']:+.2f}, {row['high']:+.2f}], {'a win' if row['wins'] else 'no win'} claimed; CPU seconds: "
            f"{row['train_cpu_s']:.0f} training, {row['evaluate_cpu_s']:.0f} evaluation")


if __name__ == "__main__":
    main()
