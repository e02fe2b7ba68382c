"""Markets drawn from a known law, as a `World`: what the two exact models have in common.

There is nothing here that knows what is best, nor any mean: only a law to draw from, one step at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.envs._sampling import Sampler
from mmbt.envs.world import Intervals, Observation, Sizes
from mmbt.errors import UsageError

__all__ = ["Law", "Place", "TRIES", "SampledWorld", "Scratch"]

_MOST_DELAYED_ACTIONS = 256  # each leads to a state of its own, numbered in a byte
_MOST_ACTIONS = 2**15 - 1
TRIES = 255


class Law(NamedTuple):
    """What one step is drawn from; A actions, X levels of the market, lengths in spreads but for `drift` and `sd`."""

    ask_chance: NDArray[np.float64]  # [A] of a fill
    bid_chance: NDArray[np.float64]  # [A]
    ask_edge: NDArray[np.float64]  # [A] offer - mid
    bid_edge: NDArray[np.float64]  # [A] mid - bid
    allowed: NDArray[np.bool_]  # [3, A] at the lower limit, inside, at the upper limit
    spread: NDArray[np.float64]  # [X]
    drift: NDArray[np.float64]  # [X] mean move of the mid
    chain: NDArray[np.float64]  # [X, X] chances of the next level, added up
    sd: float  # of the mid's move
    risk: float  # cost of a lot and step
    risk_after: bool  # charged on the inventory after the fills, else before
    q_max: int
    level_features: NDArray[np.float32]  # [X, m]
    action_features: NDArray[np.float32]  # [A, 2]


class Place(NamedTuple):
    """Where the markets are."""

    inventory: NDArray[np.int32]  # [n]
    level: NDArray[np.int32]  # [n]
    pending: NDArray[np.int16]  # [n, D] oldest first


class Scratch(NamedTuple):
    """Working memory of a step."""

    draw: NDArray[np.float64]  # [n, D + 1, 3]
    ahead: NDArray[np.int32]  # [n, D + 2]
    way: NDArray[np.int16]  # [D + 1]
    tried: NDArray[np.int16]  # [K]


@dataclass(frozen=True)
class Start:
    """Where every market starts."""

    level: int
    pending: tuple[int, ...]


class SampledWorld:
    """n markets that follow one law. They never end: the discount is the same in every row.

    The private part of the input is inventory / q_max, its magnitude, and two numbers for each action under way, the
    oldest first; the market's part names its level.
    """

    name = "sampled"

    def __init__(self, law: Law, start: Start, beta: float, n: int, relabel: float, tries: int) -> None:
        actions, delay = len(law.ask_chance), len(start.pending)
        levels, features = law.level_features.shape
        if n < 1:
            raise UsageError(f"a world needs at least one market, not {n}")
        if not 0 <= relabel < 1:
            raise UsageError(f"relabel is the share of rows with other inventories, 0 <= relabel < 1, not {relabel}")
        if tries < 2:
            raise UsageError(f"tries must be at least 2: actions are compared within a row; not {tries}")
        if actions > (_MOST_DELAYED_ACTIONS if delay else _MOST_ACTIONS):
            raise UsageError(f"{actions:,} actions are too many to learn {'with a delay' if delay else ''}: take a "
                             "coarser list of quotes")
        self._law, self._start, self._levels = law, start, levels
        rows = n + round(n * relabel / (1 - relabel))
        self.sizes = Sizes(n, actions, features, 2 + 2 * delay, min(tries, actions) if delay else 3)
        self._place = Place(np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros((n, delay), np.int16))
        self._seen = _observation(self.sizes, n)
        self._learned = _intervals(self.sizes, rows, beta)
        scratch = Scratch(np.empty((n, delay + 1, 3)), np.empty((n, delay + 2), np.int32), np.empty(delay + 1, np.int16),
                          np.empty(self.sizes.outcomes, np.int16))
        self._sampler = Sampler(law, self._place, self._seen, self._learned, scratch)
        self._seed = self._step = 0
        self.reset(0)

    def reset(self, seed: int) -> Observation:
        """Start all markets anew; the same seed gives the same bits."""
        if not 0 <= seed < 2**64:
            raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1, not {seed}")
        self._seed, self._step = int(seed), 0
        self._place.inventory[:] = 0
        self._place.level[:] = self._start.level
        self._place.pending[:] = self._start.pending
        self._sampler.observe()
        return self._seen

    def step(self, actions: NDArray[np.int16]) -> tuple[Observation, Intervals]:
        """Take one action a market: the observation after, and what can be learned from the interval.

        Raises
        ------
        ValueError
            When an action is not admissible; then nothing has changed.
        """
        wrong = self._sampler.step(actions, self._seed, self._step)
        if wrong >= 0:
            raise ValueError(f"action {actions[wrong]} of market {wrong} is not admissible there")
        self._step += 1
        return self._seen, self._learned

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything, for exact resumption."""
        return {
            "seed": np.array(self._seed, np.uint64),
            "step": np.array(self._step, np.int64),
            **{name: array.copy() for name, array in self._place._asdict().items()},
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`, exactly.

        Raises
        ------
        ValueError
            When the state is that of another world.
        """
        mine = self._place._asdict()
        limits = {"inventory": (-self._law.q_max, self._law.q_max), "level": (0, self._levels - 1),
                  "pending": (0, self.sizes.actions - 1)}
        for name, array in mine.items():
            theirs, (low, high) = state[name], limits[name]
            if theirs.shape != array.shape or theirs.dtype != array.dtype:
                raise ValueError(f"{name}: {theirs.dtype}{theirs.shape} is not of this world, which has "
                                 f"{array.dtype}{array.shape}")
            if theirs.size and not (theirs.min() >= low and theirs.max() <= high):
                raise ValueError(f"{name}: a number outside {low}..{high} is not of this world")
        for name, array in mine.items():
            array[:] = state[name]
        self._seed, self._step = int(state["seed"]), int(state["step"])
        self._sampler.observe()

    def every_state(self) -> Observation:
        """What is seen in each state there is: inventories from -q_max up, in each the market's levels, in each the
        actions under way, the oldest changing slowest. A policy over these rows can be scored exactly.
        """
        inventories = range(-self._law.q_max, self._law.q_max + 1)
        under_way = [range(self.sizes.actions)] * len(self._start.pending)
        table = np.array(list(product(inventories, range(self._levels), *under_way)), np.int64)
        return self.encode(table[:, 0], table[:, 1], table[:, 2:])

    def encode(self, inventory: ArrayLike, level: ArrayLike, pending: ArrayLike) -> Observation:
        """What is seen where these are the inventories [N], the levels [N] and the actions under way [N, D]."""
        held, way = np.asarray(inventory), np.asarray(pending)
        share = (held / self._law.q_max).astype(np.float32)
        own = np.concatenate([share[:, None], np.abs(share)[:, None],
                              self._law.action_features[way].reshape(len(held), -1)], axis=1)
        kind = 1 + (held >= self._law.q_max).astype(np.int64) - (held <= -self._law.q_max)
        return Observation(self._law.level_features[np.asarray(level)], own, self._law.allowed[kind])


def added_up(chances: ArrayLike) -> NDArray[np.float64]:
    """Chances of the next level, added up; the last is 1 whatever rounding says."""
    chain = np.cumsum(np.asarray(chances, np.float64), axis=1)
    chain[:, -1] = 1.0
    return chain


def one_hot(*places: Sequence[float]) -> NDArray[np.float32]:
    """A row for each combination of places, with a 1 for each of them."""
    rows = list(product(*(range(len(place)) for place in places)))
    return np.array([[float(at == k) for at, place in zip(row, places, strict=True) for k in range(len(place))]
                     for row in rows], np.float32)


def _observation(sizes: Sizes, n: int) -> Observation:
    return Observation(np.zeros((n, sizes.market), np.float32), np.zeros((n, sizes.private), np.float32),
                       np.zeros((n, sizes.actions), np.bool_))


def _intervals(sizes: Sizes, rows: int, beta: float) -> Intervals:
    seen = _observation(sizes, rows)
    return Intervals(
        market=seen.market,
        private=seen.private,
        admissible=seen.admissible,
        action=np.zeros(rows, np.int16),
        reward=np.zeros((rows, sizes.actions), np.float32),
        outcome=np.zeros((rows, sizes.actions), np.uint8),
        next_market=np.zeros((rows, sizes.market), np.float32),
        next_private=np.zeros((rows, sizes.outcomes, sizes.private), np.float32),
        next_admissible=np.zeros((rows, sizes.outcomes, sizes.actions), np.bool_),
        discount=np.full(rows, beta, np.float32),
    )
