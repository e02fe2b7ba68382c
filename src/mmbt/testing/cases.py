"""A differential case for every number: a market, a strategy and options, all drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmbt.market import ArrayMarket
from mmbt.strategies.base import HOOKS, Strategy
from mmbt.testing.differential import Options, compare
from mmbt.testing.markets import SILENCE, STEP, random_market
from mmbt.testing.pairs import paired
from mmbt.testing.random_orders import random_orders
from mmbt.testing.reference.features import FEATURE_NAMES

__all__ = ["Case", "differential_steps", "random_case"]

LATENCIES = (0, 0, 1, STEP - 1, STEP, 2 * STEP, 5 * STEP, 30 * STEP)
INTERVALS = (None, STEP, 5 * STEP, 5 * STEP, 10 * STEP, 3 * STEP + 1)
CLOCKS = True  # whether cases have latencies of feed and responses, and drawn ones
DRAWN = ("lognormal:median=20ms,sigma=1", "lognormal:median=1ns,sigma=2", "lognormal:median=5ms,sigma=0.5,floor=10ms")
FEES = (0, 0, 20_000, -10_000, 12_345, 10**8)
EVERY_EVENT = (HOOKS, HOOKS, ("on_tob",), ("on_trade", "on_fill"), ("on_tob", "on_timer", "on_end"),
               ("on_trade", "on_order", "on_fill"))
TIMED = (("on_timer",), ("on_timer", "on_order"), ("on_timer", "on_fill"),
         ("on_timer", "on_fill", "on_order", "on_end"))
TIMED_INTERVALS = (STEP, 5 * STEP, 25 * STEP, 70 * STEP + 1)

# Families that are drawn, each from a stream of its own: what a seed draws beside them stays the same.
QUEUES = True
CONTRACTS = True
FEES_BY_SIZE = True
FEATURES = True
SYNTHETICS = True
POWERS = (2.0, 2.0, 1.0, 0.5, 3.0, 20.0)
AMOUNTS = ("0", "0", "0.5", "-0.25", "0.00012345", "-0.00000001", "3")


@dataclass(frozen=True)
class Case:
    """One run of both simulators; `strategy()` makes a fresh one; `prepared`: the engine's market is made ready."""

    market: ArrayMarket
    strategy: Callable[[], Strategy]
    options: Options
    prepared: bool

    def compare(self) -> tuple[str, int]:
        """The first difference, empty when there is none, and the steps compared."""
        return compare(self.market, self.strategy, self.options, self.prepared)


def random_case(seed: int, rows: int = 300) -> Case:
    """The case of that number."""
    rng = np.random.default_rng([seed, 1])
    batch_rows = [None, 1, 7, 64][rng.integers(4)]
    queue = _queue(np.random.default_rng([seed, 6])) if QUEUES else {}
    market = random_market(seed, rows, batch_rows=batch_rows, queues=bool(queue), contracts=CONTRACTS, local=CLOCKS)
    names = [instrument.name for instrument in market.instruments]
    traded = names[: rng.integers(1, len(names) + 1)]
    place, cancel = (LATENCIES[i] for i in rng.integers(0, len(LATENCIES), 2))
    maker, taker = (FEES[i] for i in rng.integers(0, len(FEES), 2))
    options = Options(
        instruments=tuple(traded),
        watch=tuple(names[len(traded):]) if rng.random() < 0.7 else (),
        cross=("through", "touch")[rng.integers(2)],
        trade=("through", "touch")[rng.integers(2)],
        aggressor=("auto", "ignore")[rng.integers(2)],
        size=("full", "displayed")[rng.integers(2)],
        place_latency=place,
        cancel_latency=cancel,
        maker_fee=maker,
        taker_fee=taker,
        session_gap=(None, SILENCE, SILENCE, 100 * STEP)[rng.integers(4)],
        ties=("prints-first", "tob-first")[rng.integers(2)],
        equity_interval=(10**9, 10 * STEP, 7 * STEP + 1)[rng.integers(3)],
        position=int(rng.integers(-9, 10)) if len(traded) == 1 and rng.random() < 0.3 else 0,
    )
    options = replace(options, **queue, **(_fees_by_size(np.random.default_rng([seed, 7])) if FEES_BY_SIZE else {}))
    if CLOCKS:
        options = _with_clocks(options, np.random.default_rng([seed, 8]))
    senses = np.random.default_rng([seed, 10])
    features = _features(senses) if FEATURES and senses.random() < 0.15 else ()
    if SYNTHETICS and len(names) == 3 and senses.random() < 0.7:
        market, chain = paired(market, seed)
        options = _with_synthetic(options, chain, names, senses)
    timed = bool(rng.random() < 0.5)  # nobody looks at single events: the engine may leap over most of them
    intervals, hook_sets = (TIMED_INTERVALS, TIMED) if timed else (INTERVALS, EVERY_EVENT)
    interval = intervals[rng.integers(len(intervals))]
    hooks = tuple(hook for hook in hook_sets[rng.integers(len(hook_sets))] if interval or hook != "on_timer")
    activity = float(rng.choice([0.25, 0.6, 0.9] if timed else [0.05, 0.25, 0.6]))
    synthetics = tuple(text.partition(" = ")[0] for text in options.synthetic)
    prepared = bool(np.random.default_rng([seed, 11]).random() < 0.4)
    return Case(market, lambda: random_orders(seed, hooks, interval, activity, features, synthetics), options, prepared)


def _features(rng: np.random.Generator) -> tuple[str, ...]:
    """Some of the features, in any order."""
    count = rng.integers(1, len(FEATURE_NAMES) + 1)
    return tuple(str(name) for name in rng.permutation(list(FEATURE_NAMES))[:count])


def _with_synthetic(options: Options, chain: str, names: list[str], rng: np.random.Generator) -> Options:
    """The options with a synthetic quote; mostly all instruments are traded then, so that hedges may go through it."""
    if rng.random() < 0.8:
        options = replace(options, instruments=tuple(names), position=0)
    watch = tuple(name for name in names if name not in options.instruments)
    ages = (0, STEP, 10 * STEP, 10**10, None)
    fee = min(options.taker_fee, 20_000)  # a chain has no price where a leg costs its whole value
    return replace(options, watch=watch, taker_fee=fee, synthetic=(chain,),
                   synthetic_max_age=ages[rng.integers(len(ages))])


def _with_clocks(options: Options, rng: np.random.Generator) -> Options:
    """The options with clocks of the strategy's own."""
    feeds: tuple[int | str, ...] = ("local", "local", *LATENCIES, *DRAWN)
    responses: tuple[int | str, ...] = (*LATENCIES, *DRAWN)
    options = replace(options, feed_latency=feeds[rng.integers(len(feeds))],
                      response_latency=responses[rng.integers(len(responses))], seed=int(rng.integers(2**32)))
    if rng.random() < 0.3:
        options = replace(options, place_latency=DRAWN[rng.integers(len(DRAWN))])
    if rng.random() < 0.3:
        options = replace(options, cancel_latency=DRAWN[rng.integers(len(DRAWN))])
    return options


def _queue(rng: np.random.Generator) -> dict[str, Any]:
    """The fill options of two cases in three; nothing for the others."""
    if rng.random() < 1 / 3:
        return {}
    model = ("front", "back", "back", "prob", "prob", "prob")[rng.integers(6)]
    return {"trade": "queue", "queue": model, "power": POWERS[rng.integers(len(POWERS))]}


def _fees_by_size(rng: np.random.Generator) -> dict[str, Any]:
    names = ("maker_fee_qty", "taker_fee_qty", "maker_fee_flat", "taker_fee_flat")
    amounts = {name: AMOUNTS[rng.integers(len(AMOUNTS))] for name in names}
    return {**amounts, "fee_currency": ("settlement", "other")[rng.integers(2)]}


def differential_steps(first_seed: int, steps: int, rows: int = 300) -> tuple[int, int, str]:
    """Cases from `first_seed` on until that many steps are compared, or until two simulators part.

    Returns
    -------
    Steps compared, the next seed, and the first difference (empty when there is none).
    """
    done, seed = 0, first_seed
    while done < steps:
        case = random_case(seed, rows)
        text, count = case.compare()
        if text:
            return done, seed, f"case {seed}, {case.options}\n{text}"
        done += count
        seed += 1
    return done, seed, ""
