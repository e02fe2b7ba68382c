"""Models with random weights: networks that have learned nothing, and decide many things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmbt.backtest import BacktestConfig
from mmbt.envs.days import Day
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.learn.model import Model, ModelInfo
from mmbt.market import MarketData

__all__ = ["random_model"]


def random_model(
    days: Sequence[Day | MarketData], config: BacktestConfig, options: MarketOptions | None = None, *,
    layers: Sequence[int] = (64, 64), seed: int = 0, **changes: Any,
) -> Model:
    """A model of these days and conditions.

    Parameters
    ----------
    layers
        Widths of the hidden layers.
    seed
        Of the weights.
    changes
        Fields of `ModelInfo`, instead of those of the world.
    """
    world = MarketWorld(days, config, options, n=1, backup="taken")
    metadata = world.metadata()
    fields: dict[str, Any] = {
        "kind": "market", "inputs": (*metadata["frozen"]["names"], *metadata["private"]),
        "actions": world.sizes.actions, "layers": tuple(layers), "world": metadata, "learner": {},
        "conditions": config.model_dump(mode="json"), "provenance": {"weights": f"random, seed {seed}"}, "scores": {}}
    info, rng = ModelInfo(**(fields | changes)), np.random.default_rng(seed)
    return Model(info, [rng.normal(0, 1 / shape[0] ** 0.5, shape).astype(np.float32) for shape in info.shapes])
