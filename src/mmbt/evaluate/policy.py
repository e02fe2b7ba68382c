"""What a policy does, as a table over inventory and imbalance: learned ones, and exact ones to put beside them.

Distances are of quotes from the mid in spreads, NaN where a side is not quoted:

    skew = (ask - bid) / 2        half spread = (ask + bid) / 2

Of a learned policy on recorded days all other features of the market are at their means, and we have no orders and no
gains: what is seen beside the inventory is the imbalance, and the microprice that goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import UsageError
from mmbt.exact_models import BaseModelParams, ExactMarketParams, PlantedEdgeParams

__all__ = ["PolicyTable", "exact_policy", "market_policy"]

Floats = NDArray[np.float64]
Values = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class PolicyTable:
    """Arrays [inventory, imbalance]."""

    title: str
    inventory: Floats  # lots
    imbalance: Floats
    bid: Floats  # spreads from the mid
    ask: Floats
    closes: NDArray[np.bool_]  # whether some of the inventory is dealt at the market

    @property
    def skew(self) -> Floats:
        """How far both quotes are moved."""
        return (self.ask - self.bid) / 2

    @property
    def half_spread(self) -> Floats:
        """Half of the distance between them."""
        return (self.ask + self.bid) / 2


def market_policy(title: str, values: Values, world: Mapping[str, Any], imbalances: int = 21) -> PolicyTable:
    """The greedy policy of a network that was trained on recorded days.

    Parameters
    ----------
    values
        The value of each action in states of the network's inputs, [N, inputs] -> [N, actions].
    world
        The metadata of the world it was trained in.
    imbalances
        Columns of the table, from -1 to 1.

    Raises
    ------
    UsageError
        When the network does not see the imbalance, has actions under way, or quotes in ticks.
    """
    from mmbt.envs.actions import ActionGrid

    frozen, options, private = world["frozen"], world["options"], list(world["private"])
    names = list(frozen["names"])
    limit, grid = options["max_position"], ActionGrid.model_validate(options["actions"])
    if "imbalance" not in names or options["delay"] or grid.unit != "spread":
        raise UsageError("a picture over inventory and imbalance needs a model that sees the imbalance, has no delay "
                         "and quotes in spreads")
    lots = min(grid.sizes)
    held = lots * np.arange(-(limit // lots), limit // lots + 1.0)
    shown = np.linspace(-1, 1, imbalances)
    states = np.zeros((len(held), len(shown), len(names) + len(private)), np.float32)
    for name, seen in (("imbalance", shown), ("microprice", shown / 2)):
        if name in names:
            place = names.index(name)
            states[:, :, place] = (seen - frozen["mean"][place]) / frozen["scale"][place]
    for name, own in (("inventory", held / limit), ("abs_inventory", np.abs(held) / limit)):
        if name in private:
            states[:, :, len(names) + private.index(name)] = own[:, None]
    rows = grid.rows()
    worth = values(states.reshape(-1, states.shape[-1])).reshape(len(held), len(shown), -1).astype(np.float64)
    worth[held == 0] = np.where(rows[:, 2] > 0, -np.inf, worth[held == 0])  # there is nothing to deal
    chosen = rows[worth.argmax(axis=2)]
    skew, half, hedge, bid, offer = (chosen[:, :, column] for column in range(5))
    return PolicyTable(
        title, held, shown,
        np.where((bid > 0) & (held < limit)[:, None], half - skew, np.nan),
        np.where((offer > 0) & (held > -limit)[:, None], half + skew, np.nan), hedge > 0)


def exact_policy(params: ExactMarketParams | BaseModelParams | PlantedEdgeParams) -> PolicyTable:
    """The best policy of a market that is known exactly; with a delay, while the usual action is under way."""
    if isinstance(params, PlantedEdgeParams):
        from mmbt.theory.planted_edge import best_policy

        best, spread = best_policy(params), float(params.spread)
        held = np.arange(-params.q_max, params.q_max + 1.0)
        bid, ask = (np.where(np.isfinite(quote), quote / spread, np.nan) for quote in (best.bid, best.ask))
        return PolicyTable("exact", held, np.array([-1.0, 0.0, 1.0]), bid, ask, best.close != 0)
    if isinstance(params, ExactMarketParams):
        from mmbt.theory.exact_market import ExactMarket

        market = ExactMarket.solved(params)
        chosen = market.problem.while_pending(market.best.policy, params.pending_action)
        narrow = chosen[:, :: len(params.spreads)]  # at the first of the spreads
        quotes, levels = np.array(params.actions)[narrow], np.array(params.imbalances)
        return _limited("exact", params.q_max, levels, quotes[:, :, 1] - quotes[:, :, 0], quotes.sum(axis=2))
    from mmbt.theory.base_model import BaseModel

    model = BaseModel.solved(params)
    shifts = np.array(params.actions)[model.at_start(model.best.policy)][:, None, :]
    return _limited("exact", params.q_max, np.zeros(1), 0.5 + shifts[:, :, 1], 0.5 + shifts[:, :, 0])


def _limited(title: str, limit: int, imbalance: Floats, bid: Floats, ask: Floats) -> PolicyTable:
    held = np.arange(-limit, limit + 1.0)
    return PolicyTable(
        title, held, imbalance, np.where((held < limit)[:, None], bid, np.nan),
        np.where((held > -limit)[:, None], ask, np.nan), np.zeros(bid.shape, np.bool_))
