"""The exact market, sampled: an imbalance that foretells the mid, a spread that changes.

Actions, rewards and levels are those of `mmbt.exact_models.ExactMarketParams`, numbered as there. The market's part of
the input names the imbalance and the spread (one-hot); an action under way is seen as its skew and half-spread.
"""

from __future__ import annotations

import numpy as np

from mmbt.envs.sampled import TRIES, Law, SampledWorld, Start, added_up, one_hot
from mmbt.exact_models import ExactMarketParams

__all__ = ["ExactMarketWorld"]


class ExactMarketWorld(SampledWorld):
    """n exact markets.

    Parameters
    ----------
    params
        The market; without them the standard one.
    n
        Markets, stepped together.
    relabel
        The share of rows that start from a uniformly drawn inventory (and uniformly drawn actions under way) instead
        of the behaved one, 0 <= relabel < 1.
    tries
        With a delay, where every action leads to a state of its own: how many of them, drawn for each row, are tried.
    """

    name = "exact-market"

    def __init__(self, params: ExactMarketParams | None = None, *, n: int = 1, relabel: float = 0.0, tries: int = TRIES) -> None:
        self.params = params = params or ExactMarketParams()
        levels, actions = np.array(params.levels), np.array(params.actions)
        ask_edge, bid_edge = actions[:, 1] + actions[:, 0], actions[:, 1] - actions[:, 0]
        law = Law(
            ask_chance=np.exp(np.minimum(params.k * (0.5 - ask_edge), 0.0)),
            bid_chance=np.exp(np.minimum(params.k * (0.5 - bid_edge), 0.0)),
            ask_edge=ask_edge,
            bid_edge=bid_edge,
            allowed=np.ones((3, len(actions)), np.bool_),
            spread=levels[:, 1].copy(),
            drift=params.drift * levels[:, 0],
            chain=added_up(np.kron(np.array(params.imbalance_moves), np.array(params.spread_moves))),
            sd=params.sd,
            risk=params.r,
            risk_after=True,
            q_max=params.q_max,
            level_features=one_hot(params.imbalances, params.spreads),
            action_features=actions.astype(np.float32),
        )
        start = Start(params.start_level, (params.pending_action,) * params.delay)
        super().__init__(law, start, params.beta, n, relabel, tries)
