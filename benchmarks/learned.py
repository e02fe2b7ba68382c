"""A learner trained in this process, and what it learned as a strategy that a backtest runs like any other."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from mmbt import BacktestConfig, Strategy, StrategyParams
from mmbt.market import MarketData

if TYPE_CHECKING:
    from cysim import Context
    from mmbt.evaluate.policy import PolicyTable

__all__ = ["LearnedQuotes", "train"]

SNAP = 1e-9
FILE = "learned.npz"


def train(
    days: Sequence[MarketData], config: BacktestConfig, market: Mapping[str, Any], learner: Mapping[str, Any],
    folder: Path, told: Callable[[str], None], *, simulators: int = 128, score: Callable[[], float] | None = None,
    checks: int = 8,
) -> dict[str, float]:
    """Learn on the days, leave what was learned in the folder, and say what it took.

    With `score`, which judges what lies in the folder by validation days, the best of `checks` looks is left there.
    """
    from mmbt.envs.market import MarketWorld
    from mmbt.envs.options import MarketOptions
    from mmbt.learn.options import LearnerOptions
    from mmbt.learn.training import Trainer

    wall, cpu = time.perf_counter(), time.process_time()
    options = LearnerOptions.model_validate(learner)
    world = MarketWorld(days, config, MarketOptions.model_validate(market), n=simulators, relabel=options.relabel)
    steps = learned = 0
    with Trainer(world, options) as trainer:
        best, due = -math.inf, 1
        kept = trainer.result
        for barrier in trainer.run():
            steps, learned = barrier.steps, barrier.learned
            told(f"{steps:,} of {options.steps:,} steps, reward {barrier.reward:.4f}")
            if score is not None and steps >= due * options.steps / checks and learned:
                due += 1
                _save(folder, trainer.result, world.metadata())
                if (found := score()) > best:
                    best, kept = found, trainer.result
        if score is None:
            kept = trainer.result
    _save(folder, kept, world.metadata())
    return {"steps": steps, "intervals": learned, "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu, "validation": best if score is not None else math.nan}


def _save(folder: Path, layers: Sequence[Any], metadata: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {f"layer_{place}": layer for place, layer in enumerate(layers)}
    np.savez(folder / FILE, meta=json.dumps(metadata), **arrays)


class LearnedQuotes(Strategy):
    """Quote what a trained network values most."""

    class Params(StrategyParams):
        """Where what was learned lies."""

        model: str = Field(description="folder of `train`")

    def __init__(self, params: StrategyParams | None = None, **values: Any) -> None:
        from mmbt.envs.options import MarketOptions
        from mmbt.learn._forward import ForwardPass

        super().__init__(params, **values)
        with np.load(Path(self.params.model) / FILE) as file:
            meta = json.loads(str(file["meta"]))
            self._network = ForwardPass([file[f"layer_{place}"] for place in range(len(file.files) - 1)])
        self._world, options = meta, MarketOptions.model_validate(meta["options"])
        self._actions, self._in_ticks = options.actions.actions, options.actions.unit == "tick"
        self._mean, self._scale = (np.array(meta["frozen"][name]) for name in ("mean", "scale"))
        self._admissible = np.zeros(len(self._actions), np.uint8)
        self.features = (*meta["frozen"]["names"], *meta["private"])
        self.interval, self.max_position = options.interval, options.max_position

    def table(self, title: str) -> PolicyTable:
        """What it does over inventory and imbalance."""
        from mmbt.evaluate.policy import market_policy

        return market_policy(title, self._network.values, self._world)

    def on_timer(self, ctx: Context) -> None:
        """Look, ask the network, and quote."""
        if not ctx.valid:
            return
        told, known = ctx.features, len(self._mean)
        state = np.concatenate([(told[:known] - self._mean) / self._scale, told[known:]]).astype(np.float32)
        wanted = [self._wanted(ctx, place) for place in range(len(self._actions))]
        first = {what: place for place, what in reversed(list(enumerate(wanted)))}
        self._admissible[:] = 0
        self._admissible[list(first.values())] = 1
        bid, ask, hedge, size = wanted[self._network.decide(state, self._admissible)]
        ctx.quote(bid=bid, ask=ask, qty=max(size, 1))
        if hedge:
            ctx.hedge(hedge)

    def _wanted(self, ctx: Context, place: int) -> tuple[int | None, int | None, int, int]:
        """What an action comes to (docs: the vector engine)."""
        action, position, limit = self._actions[place], ctx.position, self.max_position
        assert limit is not None
        unit = 1 if self._in_ticks or ctx.ask == ctx.bid else ctx.ask - ctx.bid
        middle, half = (ctx.bid + ctx.ask) / 2 + action.skew * unit, action.half_spread * unit
        bid = ask = None
        if action.bid and position < limit:
            bid = min(math.floor(middle - half + SNAP), ctx.ask - 1)
            bid = bid if bid >= 1 else None
        if action.offer and position > -limit:
            ask = max(math.ceil(middle + half - SNAP), ctx.bid + 1)
            ask = None if bid is not None and ask <= bid else ask
        hedge = math.floor(action.hedge * abs(position) + 0.5)
        return bid, ask, -hedge if position > 0 else hedge, action.size if bid or ask else 0
