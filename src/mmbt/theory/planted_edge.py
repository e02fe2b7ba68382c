"""The planted edge: a market whose imbalance foretells its moves, and the most that can be earned in it.

Letters: Q inventory, I imbalance, S spread, d distance of a quote from the mid, p(d) chance that it fills, c lots that
are closed at the touch, e = move * edge, n steps that are left, V value; prices in ticks.

    V_0(Q, I) = -|Q| S/2                                                            liquidation at the opposite touch
    V_n(Q, I) = max over c, a, b of  -|c| S/2 + p(a) a + p(b) b + sum over fills of chance ((Q+) e I + E V_n-1(Q+, I+))

The most is over everything that, once a second, closes any part of the inventory at the touch and then quotes at most
one lot a side at a whole tick: no learner and no rule that does the same can earn more on average.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.exact_models import PlantedEdgeParams

__all__ = ["PARAMS", "Policy", "answer", "best_day", "best_policy", "fill_probability", "value_of_day"]

PARAMS = PlantedEdgeParams

Floats = NDArray[np.float64]
_IMBALANCES = np.array([-1.0, 0.0, 1.0])
_SETTLED = 300  # steps without a change after which the end of the day is out of sight
_SAME = 1e-11  # ticks x lots: a day has fewer than 1e5 steps
_FARTHEST = 6  # spreads from the mid: a quote that far away fills once in thousands of steps


@dataclass(frozen=True)
class Policy:
    """What is done in each state, arrays [Q, I], Q from -q_max up: the same at all times of the day."""

    bid: Floats  # ticks below the mid; infinite: no bid
    ask: Floats  # ticks above the mid; infinite: no ask
    close: NDArray[np.int64]  # lots sold at the touch before, negative if bought


def fill_probability(params: PlantedEdgeParams, distance: ArrayLike) -> Floats:
    """The chance that a quote so many ticks from the mid fills within a step."""
    beyond = np.asarray(distance, np.float64) - params.spread / 2
    return np.asarray(params.fill * np.exp(np.minimum(-params.k * beyond / params.spread, 0.0)))


def best_day(params: PlantedEdgeParams) -> float:
    """The most that a day earns on average, ticks x lots, from no inventory and an imbalance of 0."""
    steps = _Steps(params)
    return _day(params, steps, lambda value: steps.best(value)[0])


def best_policy(params: PlantedEdgeParams) -> Policy:
    """What is best long before the end of a day."""
    steps = _Steps(params)
    value = steps.liquidated
    policy, unchanged = None, 0
    for _ in range(params.steps):
        value, found = steps.best(value)
        same = policy is not None and all(
            np.array_equal(getattr(found, name), getattr(policy, name)) for name in ("bid", "ask", "close"))
        policy, unchanged = found, unchanged + 1 if same else 0
        if unchanged >= _SETTLED:
            break
    assert policy is not None
    return policy


def value_of_day(params: PlantedEdgeParams, policy: Policy) -> float:
    """What a day earns on average by a policy, ticks x lots, exactly."""
    steps = _Steps(params)
    return _day(params, steps, lambda value: steps.one(value, policy))


def _day(params: PlantedEdgeParams, steps: _Steps, earlier: Callable[[Floats], Floats]) -> float:
    """A day step by step, from its end; once each step adds the same everywhere, all that are left at once."""
    value = steps.liquidated
    for left in range(params.steps, 0, -1):
        before, value = value, earlier(value)
        added = value - before
        if np.ptp(added) < _SAME:
            value = value + (left - 1) * added.mean()
            break
    return float(value[params.q_max, 1])


class _Steps:
    """Values one step earlier."""

    def __init__(self, params: PlantedEdgeParams) -> None:
        self._params, half = params, params.spread // 2
        self._held = np.arange(-params.q_max, params.q_max + 1)
        self._chain = np.array(params.imbalance_moves)
        self._drift = params.move * params.edge * _IMBALANCES
        quoted = np.arange(1 - half, _FARTHEST * params.spread + 1)
        self._distance = np.append(quoted, np.inf)  # ties go to the nearest quote, and to one rather than none
        self._chance = np.append(fill_probability(params, quoted), 0.0)
        self._edge = np.append(quoted * self._chance[:-1], 0.0)
        self.liquidated: Floats = np.repeat(-half * np.abs(self._held)[:, None].astype(np.float64), 3, axis=1)

    def _after(self, value: Floats) -> Floats:
        """What is expected right after the fills."""
        expected: Floats = self._held[:, None] * self._drift + value @ self._chain.T
        return expected

    def best(self, value: Floats) -> tuple[Floats, Policy]:
        """The value and the best policy of a step after which `value` is left."""
        after, chance, count = self._after(value), self._chance, len(self._held)
        quoted, asks, bids = np.empty_like(after), np.empty((count, 3), np.int64), np.empty((count, 3), np.int64)
        none = np.zeros_like(chance)
        for place in range(count):
            sell, buy = (chance if place > 0 else none), (chance if place < count - 1 else none)
            sold, bought, stay = after[max(place - 1, 0)], after[min(place + 1, count - 1)], after[place]
            # The two fills are independent: the chance of both is the only thing that ties the quotes together.
            alone_ask = (self._edge * (sell > 0))[:, None] + sell[:, None] * (sold - stay)
            alone_bid = (self._edge * (buy > 0))[:, None] + buy[:, None] * (bought - stay)
            both = np.multiply.outer(sell, buy)[:, :, None] * (2 * stay - sold - bought)
            total = alone_ask[:, None, :] + alone_bid[None, :, :] + both
            choice = total.reshape(-1, 3).argmax(axis=0)
            asks[place], bids[place] = choice // len(chance), choice % len(chance)
            quoted[place] = stay + total.reshape(-1, 3)[choice, np.arange(3)]
        kept = self._closed(quoted)
        rows = kept, np.arange(3)[None, :]
        closed = self._held[:, None] - self._held[kept]
        limit = self._params.q_max
        bid = np.where(self._held[kept] < limit, self._distance[bids[rows]], np.inf)
        ask = np.where(self._held[kept] > -limit, self._distance[asks[rows]], np.inf)
        policy = Policy(bid, ask, closed)
        return quoted[rows] - self._params.spread / 2 * np.abs(closed), policy

    def _closed(self, quoted: Floats) -> NDArray[np.int64]:
        """The place of the inventory that is kept: any between what is held and none."""
        middle, count = self._params.q_max, len(self._held)
        kept = np.repeat(np.arange(count)[:, None], 3, axis=1)
        for place in range(count):
            there = np.arange(min(place, middle), max(place, middle) + 1)
            there = there[np.argsort(np.abs(there - place), kind="stable")]  # of equals the one that closes least
            worth = quoted[there] - self._params.spread / 2 * np.abs(there - place)[:, None]
            kept[place] = there[worth.argmax(axis=0)]
        return kept

    def one(self, value: Floats, policy: Policy) -> Floats:
        """The value of a step by a policy after which `value` is left."""
        after, params = self._after(value), self._params
        kept = self._held[:, None] - policy.close
        place, level = kept + params.q_max, np.arange(3)[None, :]
        sell = np.where((kept > -params.q_max) & np.isfinite(policy.ask), fill_probability(params, policy.ask), 0.0)
        buy = np.where((kept < params.q_max) & np.isfinite(policy.bid), fill_probability(params, policy.bid), 0.0)
        sold, bought = after[np.maximum(place - 1, 0), level], after[np.minimum(place + 1, 2 * params.q_max), level]
        earned = sum(chance * np.where(np.isfinite(quote), quote, 0.0)
                     for chance, quote in ((sell, policy.ask), (buy, policy.bid)))
        stay = (sell * buy + (1 - sell) * (1 - buy)) * after[place, level]
        total: Floats = earned + stay + sell * (1 - buy) * sold + buy * (1 - sell) * bought
        return total - params.spread / 2 * np.abs(policy.close)


def answer(params: PlantedEdgeParams) -> dict[str, Any]:
    """What is best in each state long before the end of a day, as plain lists, and what a day earns; None: no quote."""
    policy = best_policy(params)
    held = np.arange(-params.q_max, params.q_max + 1)

    def told(distances: Floats) -> list[float | None]:
        return [float(each) if np.isfinite(each) else None for each in distances.ravel()]

    return {
        "Q": np.repeat(held, 3).tolist(),
        "I": np.tile(_IMBALANCES, len(held)).tolist(),
        "bid_distance": told(policy.bid),
        "ask_distance": told(policy.ask),
        "close": policy.close.ravel().tolist(),
        "day": best_day(params),
    }
