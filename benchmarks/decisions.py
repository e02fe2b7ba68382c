"""What a learned strategy costs: decisions of 1 s by `dqn` beside a fixed spread written in Python, Parquet to result.

    python -m benchmarks.decisions [--events N] [--rounds 5] [--store STORE] [--model PATH] [--json FILE]

The stream is the pinned one, converted, unless a store is named; the model one of random weights with all features and
the usual grid, unless one is named. The runs take turns; of each the least CPU time counts, so that what the machine's
other work adds is left out. Apart from the runs stand the parts of a decision: the forward pass alone (32-64-64-25, and
the model's own), one look at the features, the whole of `decide` as Python calls it, and the callback, which is what is
left of a decision.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.processes import note
from mmbt.strategies import Strategy

if TYPE_CHECKING:
    from cysim import Context

__all__ = ["PythonFixed", "measure", "show"]

EVENTS = 2_000_000
HALF_SPREAD = 0.5  # ticks
CALLS = 20_000  # of a part of a decision
SHAPE = (32, 64, 64, 25)


class PythonFixed(Strategy):
    """`fixed-spread`, written in Python, every second."""

    interval = "1s"

    def on_timer(self, ctx: Context) -> None:
        """State both quotes around the mid."""
        if not ctx.valid:
            return
        bid, ask = ctx.bid, ctx.ask
        mid = (bid + ask) / 2
        lower, upper = mid - HALF_SPREAD, mid + HALF_SPREAD
        ctx.quote(lower if lower < ask else ask - 1, upper if upper > bid else bid + 1)


class Woken(Strategy):
    """Woken every second, and does nothing."""

    interval = "1s"

    def on_timer(self, ctx: Context) -> None:
        """Nothing."""


def looking(strategy: Strategy) -> Strategy:
    """Woken every second, and looks at the features that another strategy looks at."""

    class Looking(Strategy):
        interval, features, max_position = "1s", strategy.features, strategy.max_position

        def on_timer(self, ctx: Context) -> None:
            _ = ctx.features

    return Looking()


def measure(store: Path, model: Path, rounds: int) -> dict[str, Any]:
    """CPU seconds of the runs and ns of the parts of a decision."""
    from mmbt import BacktestConfig
    from mmbt.backtest import NoSink, run_backtest
    from mmbt.store import open_store
    from mmbt.strategies.dqn import DQN

    catalog = open_store(store)
    config = BacktestConfig(instruments=(catalog.default_instrument(),))
    names = list(config.instruments)

    def replay(strategy: Strategy) -> dict[str, Any]:
        with catalog.select(names) as market:
            return run_backtest(market, strategy, config, NoSink()).summary

    kinds: dict[str, Callable[[], Strategy]] = {
        "dqn": lambda: DQN(model=str(model)), "fixed spread in Python": PythonFixed, "woken": Woken,
        "looking": lambda: looking(DQN(model=str(model))), "nothing to do": Strategy}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    summaries: dict[str, dict[str, Any]] = {}
    for turn in range(rounds + 1):  # the first one warms up
        note(f"round {turn} of {rounds}")
        for name, kind in kinds.items():
            strategy = kind()
            begin = time.process_time()
            summaries[name] = replay(strategy)
            if turn:
                seconds[name].append(time.process_time() - begin)
    cpu = {name: min(values) for name, values in seconds.items()}
    decisions = summaries["dqn"]["decisions"]

    def each(name: str, other: str) -> float:
        return (cpu[name] - cpu[other]) / decisions * 1e9

    dqn = kinds["dqn"]()
    shape = (len(dqn.model.info.inputs), *dqn.model.info.layers, dqn.model.info.actions)
    decide, forward = decide_ns(dqn), forward_ns(shape)
    return {
        "events": summaries["dqn"]["events"], "decisions": decisions, "shape": shape, "cpu_s": cpu,
        "fills": {name: summary["fills"] for name, summary in summaries.items()},
        "ratio": cpu["dqn"] / cpu["fixed spread in Python"],
        "parts_ns": {
            f"forward pass, {'-'.join(map(str, SHAPE))}": forward_ns(SHAPE),
            f"forward pass, {'-'.join(map(str, shape))}": forward,
            "decide, as Python calls it": decide,
            "features": each("looking", "woken"),
            "callback, quoting and what the orders cause": each("dqn", "looking") - decide,
            "a whole decision": each("dqn", "nothing to do"),
            "a whole decision of the fixed spread": each("fixed spread in Python", "nothing to do"),
        },
    }


def forward_ns(shape: tuple[int, ...]) -> float:
    """The native forward pass of one state."""
    from mmbt.learn._forward import ForwardPass

    rng = np.random.default_rng(0)
    layers = [rng.normal(size=size).astype(np.float32)
              for a, b in itertools.pairwise(shape) for size in ((a, b), (b,))]
    net, states = ForwardPass(layers), rng.normal(size=(CALLS, shape[0])).astype(np.float32)
    return _best(lambda: net.values(states))


def decide_ns(dqn: Any) -> float:
    """A call of `Policy.decide`: inputs, mask, forward pass, choice, and the prices that follow."""
    policy = dqn.new_policy()
    features = np.random.default_rng(0).uniform(-1, 1, len(dqn.features))

    def calls() -> None:
        decide = policy.decide
        for place in range(CALLS):
            decide(features, 60_000, 60_000 + place % 5, place % 7 - 3, 2**40)

    return _best(calls)


def _best(run: Callable[[], object], times: int = 7) -> float:
    """ns a call of the fastest of several turns of CALLS calls."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        run()
        found.append(time.process_time() - begin)
    return min(found) / CALLS * 1e9


def show(report: dict[str, Any]) -> str:
    """The report as people read it."""
    lines = [f"{report['events']:,} events, {report['decisions']:,} decisions of 1 s; CPU seconds, Parquet to result"]
    lines += [f"  {name:<46}{value:>10.3f}   {report['fills'][name]:,} fills" for name, value in
              report["cpu_s"].items()]
    lines += [f"  dqn / fixed spread in Python{report['ratio']:>28.2f}", "nanoseconds"]
    return "\n".join([*lines, *(f"  {name:<46}{value:>10,.0f}" for name, value in report["parts_ns"].items())])


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions",
                                     description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="length of the stream")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each strategy")
    parser.add_argument("--store", type=Path, help="a converted store instead of the stream")
    parser.add_argument("--model", type=Path, help="a model instead of random weights")
    parser.add_argument("--json", type=Path, help="where the report goes as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmbt-bench-") as folder:
        store, model = options.store or Path(folder) / "store", options.model or Path(folder) / "model"
        if options.store is None:
            from benchmarks.ours import convert, write_raw

            note(f"making a stream of about {options.events:,} events")
            write_raw(Path(folder) / "raw", options.events)
            convert(Path(folder) / "raw", store)
        if options.model is None:
            make_model(store, model)
        report = measure(store, model, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(show(report))


def make_model(store: Path, path: Path) -> None:
    """A model of random weights that sees everything."""
    from mmbt import BacktestConfig
    from mmbt.envs.features import PRIVATE_FEATURES
    from mmbt.envs.options import MarketOptions
    from mmbt.store import open_store
    from mmbt.testing.models import random_model

    catalog = open_store(store)
    config = BacktestConfig(instruments=(catalog.default_instrument(),))
    with catalog.select(list(config.instruments)) as market:
        random_model([market], config, MarketOptions(private=PRIVATE_FEATURES)).save(path)


if __name__ == "__main__":
    main()
