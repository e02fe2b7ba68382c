"""The one interface between a learner and the markets it learns in.

A world holds n markets that are stepped together. Its `step` takes one action a market and says what followed, for the
action taken and for all others that were admissible: a price taker's market does not depend on its quotes, so one
interval of market tells of every action what would have followed. The learner sees samples only.

The network's input is concat(market, private): everything of the market that our orders cannot change, then everything
of ours (inventory, pending actions, own quotes ...). Arrays given out belong to the world and hold until the next call.
Draws are counter-based: a world's `state` is all there is to go on from, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Intervals", "Observation", "Sizes", "World"]


@dataclass(frozen=True)
class Sizes:
    """How large the arrays of a world are."""

    n: int  # markets, stepped together
    actions: int  # A
    market: int  # m, features of the market
    private: int  # p, features of what is ours
    outcomes: int  # K, most distinct next private states of one interval


@dataclass
class Observation:
    """What is seen before a decision, a row a market."""

    market: NDArray[np.float32]  # [n, m]
    private: NDArray[np.float32]  # [n, p]
    admissible: NDArray[np.bool_]  # [n, A]


@dataclass
class Intervals:
    """What can be learned from, a row an interval: N >= n rows, the n behaved ones first, then relabelled ones.

    Where N is a multiple of n, row r tells of the interval of market r % n: those of one interval are learned together.
    """

    market: NDArray[np.float32]  # [N, m] of the state it began in
    private: NDArray[np.float32]  # [N, p]
    admissible: NDArray[np.bool_]  # [N, A]
    action: NDArray[np.int16]  # [N] what was done (behaved), or -1 (relabelled)
    reward: NDArray[np.float32]  # [N, A] what each action would have earned; 0 where inadmissible
    outcome: NDArray[np.uint8]  # [N, A] which of the next private states each action would have led to
    next_market: NDArray[np.float32]  # [N, m]
    next_private: NDArray[np.float32]  # [N, K, p] rows of K beyond those used repeat row 0
    next_admissible: NDArray[np.bool_]  # [N, K, A]
    discount: NDArray[np.float32]  # [N] beta ** dt, 0 after a true end (truncation bootstraps: not 0)


class World(Protocol):
    """Markets to learn in."""

    sizes: Sizes
    name: str

    def reset(self, seed: int) -> Observation:
        """Start all markets anew; the same seed gives the same bits."""

    def step(self, actions: NDArray[np.int16]) -> tuple[Observation, Intervals]:
        """Take one action a market: the observation after, and what can be learned from the interval.

        A market that ends starts again by itself: its new start is in the observation.
        """

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything, for exact resumption."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`, exactly."""
