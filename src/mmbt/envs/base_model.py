"""The base model, sampled: quotes around a market that stands still.

Actions and rewards are those of `mmbt.exact_models.BaseModelParams`, numbered as there. The market has nothing to show:
its part of the input is empty. At a limit of the inventory the shift of the side that is not quoted does not matter;
without a delay the first of the actions that differ by it alone is admissible, the rest is not.
"""

from __future__ import annotations

import numpy as np

from mmbt.envs.sampled import TRIES, Law, SampledWorld, Start
from mmbt.exact_models import BaseModelParams

__all__ = ["BaseModelWorld"]


class BaseModelWorld(SampledWorld):
    """n makers of the base model.

    Parameters
    ----------
    params
        The model. Every pair of shifts is an action: name a short list.
    n
        Makers, stepped together.
    relabel
        The share of rows that start from a uniformly drawn inventory (and uniformly drawn actions under way) instead
        of the behaved one, 0 <= relabel < 1.
    tries
        With a delay, where every action leads to a state of its own: how many of them, drawn for each row, are tried.
    """

    name = "base-model"

    def __init__(self, params: BaseModelParams, *, n: int = 1, relabel: float = 0.0, tries: int = TRIES) -> None:
        self.params = params
        actions = np.array(params.actions)
        allowed = np.ones((3, len(actions)), np.bool_)
        if params.delay == 0:
            allowed[0] = actions[:, 0] == params.asks[0]
            allowed[2] = actions[:, 1] == params.bids[0]
        chance = np.exp(np.minimum(np.log(params.p0) - params.k * actions, 0.0))
        law = Law(
            ask_chance=chance[:, 0].copy(),
            bid_chance=chance[:, 1].copy(),
            ask_edge=0.5 + actions[:, 0],
            bid_edge=0.5 + actions[:, 1],
            allowed=allowed,
            spread=np.ones(1),
            drift=np.zeros(1),
            chain=np.ones((1, 1)),
            sd=0.0,
            risk=params.r,
            risk_after=False,
            q_max=params.q_max,
            level_features=np.zeros((1, 0), np.float32),
            action_features=actions.astype(np.float32),
        )
        super().__init__(law, Start(0, (params.pending_action,) * params.delay), params.beta, n, relabel, tries)
