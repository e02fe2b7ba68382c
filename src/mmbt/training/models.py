"""Exact models as worlds to learn in, and the exact score of what was learned there.

The score is computed after the training, from the model's own law, which the learner never sees.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.envs.base_model import BaseModelWorld
from mmbt.envs.exact_market import ExactMarketWorld
from mmbt.envs.sampled import SampledWorld
from mmbt.exact_models import ExactMarketParams
from mmbt.learn._forward import ForwardPass
from mmbt.training.settings import Settings

__all__ = ["exact_score", "input_names", "make_world"]


def make_world(settings: Settings) -> SampledWorld:
    """The world of a model."""
    learner, params = settings.learner, settings.params
    relabel = learner.relabel if learner.backup == "all" else 0.0
    if isinstance(params, ExactMarketParams):
        return ExactMarketWorld(params, n=settings.markets, relabel=relabel)
    return BaseModelWorld(params, n=settings.markets, relabel=relabel)


def input_names(settings: Settings) -> list[str]:
    """What a network reads, the market's part first."""
    params = settings.params
    if isinstance(params, ExactMarketParams):
        market = [f"imbalance_{level:g}" for level in params.imbalances] + [f"spread_{s:g}" for s in params.spreads]
        sides = ("skew", "half_spread")
    else:
        market, sides = [], ("ask_shift", "bid_shift")
    way = [f"{side}_under_way_{place + 1}" for place in range(params.delay) for side in sides]
    return [*market, "inventory", "abs_inventory", "inventory_sign", *way]


def exact_score(settings: Settings, world: SampledWorld, layers: list[NDArray[np.float32]]) -> dict[str, Any]:
    """What the greedy policy of a network earns beside the best one; None for a share of what is not positive."""
    from mmbt.theory.base_model import BaseModel
    from mmbt.theory.exact_market import ExactMarket

    params = settings.params
    exact = ExactMarket.solved(params) if isinstance(params, ExactMarketParams) else BaseModel.solved(params)
    states = world.every_state()
    values = ForwardPass(layers).values(np.concatenate([states.market, states.private], axis=1))
    policy = np.where(states.admissible, values, -np.inf).argmax(axis=1).reshape(exact.best.policy.shape)
    found = {**exact.score(policy)._asdict(), "regret": exact.regret(policy)}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
