"""What a policy does, as a table over inventory and imbalance: learned ones, and exact ones to put beside them.

Distances are of quotes from the mid in spreads, NaN where a side is not quoted:

    skew = (ask - bid) / 2        half spread = (ask + bid) / 2

Of a learned policy each cell is a decision of its own, prices rounded and limits kept as in a backtest: in a book of
the usual spread, with all other features of the market at their means, and neither orders of ours nor gains. What is
seen beside the inventory is the imbalance, and the microprice that goes with it; if the model sees no imbalance, the
first feature that it sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbt.exact_models import BaseModelParams, ExactMarketParams, PlantedEdgeParams

if TYPE_CHECKING:
    from mmbt.strategies.dqn import DQN

__all__ = ["IMBALANCE", "PolicyTable", "exact_policy", "market_policy"]

Floats = NDArray[np.float64]

IMBALANCE = "imbalance"
_ROWS = 41  # of inventories, at most
_NO_LIMIT = 2**40  # ticks


@dataclass(frozen=True)
class PolicyTable:
    """Arrays [inventory, signal]."""

    title: str
    inventory: Floats  # lots
    signal: Floats
    bid: Floats  # spreads from the mid
    ask: Floats
    closes: NDArray[np.bool_]  # whether some of the inventory is dealt at the market
    signal_name: str = IMBALANCE

    @property
    def skew(self) -> Floats:
        """How far both quotes are moved."""
        return (self.ask - self.bid) / 2

    @property
    def half_spread(self) -> Floats:
        """Half of the distance between them."""
        return (self.ask + self.bid) / 2


def market_policy(title: str, strategy: DQN, *, bid: int, ask: int, columns: int = 21) -> PolicyTable:
    """What a model that was trained on recorded days does.

    Parameters
    ----------
    strategy
        The strategy that runs it.
    bid, ask
        Of a usual book, ticks.
    columns
        Of the table.

    Notes
    -----
    With a delay a cell is what is done once its state has lasted so long that all actions under way are its own.
    """
    world = strategy.model.info.world
    frozen, options, names = world["frozen"], world["options"], strategy.features
    limit, lots = int(options["max_position"]), min(options["actions"]["sizes"])
    step = lots * -(-2 * (limit // lots) // (_ROWS - 1))
    held = step * np.arange(-(limit // step), limit // step + 1.0)
    usual = dict.fromkeys(names, 0.0) | dict(zip(frozen["names"], frozen["mean"], strict=True))
    name, shown = _signal(frozen, columns)
    quotes, closes = np.full((2, len(held), len(shown)), np.nan), np.zeros((len(held), len(shown)), np.bool_)
    policy = strategy.new_policy()
    for row, position in enumerate(held.tolist()):
        own = {"inventory": position / limit, "abs_inventory": abs(position) / limit}
        for column, signal in enumerate(shown.tolist()):
            seen = usual | own | {name: signal} | ({"microprice": signal / 2} if name == IMBALANCE else {})
            features = np.array([seen[each] for each in names])
            for _ in range(2 * options["delay"] + 1):
                *found, _, dealt = policy.decide(features, bid, ask, int(position), _NO_LIMIT)
            quotes[:, row, column] = [np.nan if price is None else price for price in found]
            closes[row, column] = dealt != 0
    mid, spread = (bid + ask) / 2, ask - bid
    return PolicyTable(title, held, shown, (mid - quotes[0]) / spread, (quotes[1] - mid) / spread, closes, name)


def _signal(frozen: dict[str, Any], columns: int) -> tuple[str, Floats]:
    """The feature that is shown, and its values."""
    if IMBALANCE in frozen["names"]:
        return IMBALANCE, np.linspace(-1, 1, columns)
    return frozen["names"][0], frozen["mean"][0] + frozen["scale"][0] * np.linspace(-2, 2, columns)


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
