"""A strategy that does everything at random and writes down everything it sees.

Its draws are a function of (seed, number of the call, number of the draw): two simulators that show it the same things
get the same commands, and the first thing shown differently is the first difference of the two traces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmbt.strategies.base import HOOKS, Strategy

__all__ = ["RandomOrders", "random_orders"]

KINDS = ("gtc", "gtc", "gtc", "post_only", "post_only", "ioc", "fok", "market")
ACTIONS = ("place", "place", "place", "quote", "quote", "levels", "hedge", "cancel", "replace", "stray", "bad")
FLAGS = ("has_bid", "has_offer", "pending", "has_synthetic", "inventory")
BAD_COMMANDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("place", (1, math.nan, 1)),
    ("place", (-1, math.inf, 1)),
    ("place", (1, 0, 1)),
    ("place", (1, -3, 1)),
    ("place", (1, 10.5, 1)),
    ("place", (1, 10, 0)),
    ("place", (1, 10, -2)),
    ("place", (1, 10, 1.5)),
    ("place", (1, 10, math.nan)),
    ("place", (1, 2**40, 1)),
    ("place", (1, 10, 2**40)),
    ("place", (0, 10, 1)),
    ("place", ("up", 10, 1)),
    ("place", (1, 10, 1, "iceberg")),
    ("place", (1, 10, 1, "market")),
    ("place", (1, None, 1)),
    ("quote", (math.nan, 20)),
    ("quote", (10, math.nan)),
    ("quote", (0.5, 20)),
    ("quote", (None, -1.0)),
    ("quote", (2.0**40, None)),
    ("quote", (10, 20, 0)),
    ("quote_levels", ([10, math.nan], [20])),
    ("hedge", (0,)),
    ("hedge", (math.nan,)),
    ("hedge", (-(2**40),)),
    ("replace", (1, math.nan, 1)),
    ("replace", (1, 10, 0)),
    ("replace", (1, 0, 1)),
)


class RandomOrders(Strategy):
    """Acts at random in every hook.

    Parameters
    ----------
    seed
        Of the draws.
    interval
        Of the timer; None for none.
    activity
        Probability of acting in a call of `on_tob`, `on_trade` and `on_timer`; the other hooks act a sixth as often,
        so that the results of commands do not cause commands without end.
    features
        Names of features to look at, in one call of seven.
    synthetics
        Names of synthetic quotes to look at, and to hedge through.

    Attributes
    ----------
    trace
        One tuple for each call and each command, in order.
    """

    max_position = 7

    def __init__(self, seed: int, interval: str | int | None = "50ms", activity: float = 0.25,
                 features: Sequence[str] = (), synthetics: Sequence[str] = ()) -> None:
        super().__init__()
        self.features = features
        self.synthetics = synthetics
        self.interval = interval
        self.trace: list[tuple[Any, ...]] = []
        self._seed = seed
        self._activity = activity
        self._calls = 0
        self._draws = 0

    def on_start(self, ctx: Any) -> None:
        self.trace.append(("on_start", ctx.instrument, tuple(ctx.instruments), ctx.position, ctx.valid))

    def on_timer(self, ctx: Any) -> None:
        self._wake("on_timer", ctx, (), self._activity)

    def on_tob(self, ctx: Any) -> None:
        self._wake("on_tob", ctx, (), self._activity)

    def on_trade(self, ctx: Any, trade: Any) -> None:
        told = (trade.ts, trade.instrument, trade.px, trade.qty, trade.side)
        self._wake("on_trade", ctx, told, self._activity)

    def on_fill(self, ctx: Any, fill: Any) -> None:
        told = (fill.ts, fill.instrument, fill.order_id, fill.side, fill.px, fill.qty, fill.reason, fill.purpose,
                fill.fee, fill.remaining, fill.position)
        self._wake("on_fill", ctx, told, self._activity / 6)

    def on_order(self, ctx: Any, order: Any) -> None:
        told = (order.id, order.status, order.reason)
        if order.status not in ("unknown", "too_late"):  # of these nothing else need be known
            told += _fields(order)
        self._wake("on_order", ctx, told, self._activity / 6)

    def on_end(self, ctx: Any) -> None:
        self.trace.append(self._seen("on_end", ctx))

    # --- seeing ------------------------------------------------------------------------------------------------------

    def _wake(self, hook: str, ctx: Any, told: tuple[Any, ...], activity: float) -> None:
        self._calls += 1
        self._draws = 0
        self.trace.append((*self._seen(hook, ctx), told))
        if self._chance(activity):
            self._act(ctx)
            if self._chance(0.2):
                self._act(ctx)

    def _seen(self, hook: str, ctx: Any) -> tuple[Any, ...]:
        names = dict.fromkeys((ctx.instrument, *ctx.instruments)) if self._calls % 4 == 0 else (ctx.instrument,)
        views = tuple(_view(ctx[name]) for name in names)
        looks = self.features and self._calls % 7 == 1
        told = (Features(self.features, ctx.features),) if looks else ()
        quotes = tuple(_quoted(ctx.synthetic(name)) for name in self.synthetics)
        return (hook, ctx.time, ctx.instrument, views, *told, *quotes)

    # --- acting ------------------------------------------------------------------------------------------------------

    def _act(self, ctx: Any) -> None:
        here = ctx[self._pick(tuple(ctx.instruments))]
        orders = here.orders
        action = self._pick((*ACTIONS, "through", "through", "through") if self.synthetics else ACTIONS)
        if len(orders) > 10 and action in ("place", "levels"):
            action = "cancel"
        if action == "place":
            self._place(here)
        elif action == "quote":
            self._do(here, "quote", self._near(here, +1), self._near(here, -1), 1 + self._below(4), self._chance(0.8))
        elif action == "levels":
            bids = [self._near(here, +1) for _ in range(self._below(4))]
            asks = [self._near(here, -1) for _ in range(self._below(4))]
            self._do(here, "quote_levels", bids, asks, 1 + self._below(3), self._chance(0.8))
        elif action == "hedge":
            self._do(here, "hedge", (1 + self._below(6)) * self._pick((-1, 1)))
        elif action == "through":
            self._do(here, "hedge", (1 + self._below(9)) * self._pick((-1, 1)), self._pick(self.synthetics))
        elif action == "cancel" and orders:
            self._do(here, "cancel", self._pick(orders).id)
        elif action == "replace" and orders:
            self._replace(here, self._pick(orders))
        elif action == "stray":  # finished, of another instrument, or never issued
            order_id = self._pick((0, 10**9, *range(1, 1 + max((o.id for o in orders), default=3))))
            if self._chance(0.5):
                self._do(here, "cancel", order_id)
            else:
                self._do(here, "replace", order_id, self._tick(here), 1 + self._below(4))
        elif action == "bad":
            command, arguments = self._pick(BAD_COMMANDS)
            self._do(here, command, *arguments)

    def _place(self, ctx: Any) -> None:
        kind = self._pick(KINDS)
        px = None if kind == "market" else self._tick(ctx)
        purpose = self._pick(("quote", "quote", "hedge"))
        self._do(ctx, "place", self._pick((1, -1, "buy", "sell")), px, 1 + self._below(8), kind, purpose)

    def _replace(self, ctx: Any, order: Any) -> None:
        px = order.px if order.px and self._chance(0.4) else self._tick(ctx)
        qty = self._pick((order.remaining or 1, 1, 1 + self._below(8)))
        self._do(ctx, "replace", order.id, px, qty)

    def _tick(self, ctx: Any) -> int:
        """A whole tick near the market."""
        middle = 60 if math.isnan(ctx.mid) else int(ctx.mid)
        return max(middle - 3 + self._below(8), 1)

    def _near(self, ctx: Any, side: int) -> float | None:
        """A price to quote: now and then none, often between ticks, often the one a tick away from the touch."""
        if self._chance(0.15):
            return None
        touch = (ctx.bid if side > 0 else ctx.ask) or self._tick(ctx)
        away = self._pick((0, 0, 0, 1, 1, -1, 2, 0.5, 0.25, 1e-10, -1e-10))
        return max(float(touch - side * away), 1.0)

    def _do(self, ctx: Any, command: str, *arguments: Any) -> None:
        try:
            result = getattr(ctx, command)(*arguments)
        except (ValueError, OverflowError) as error:
            result = type(error).__name__
        shown = tuple(repr(argument) for argument in arguments)
        self.trace.append((command, ctx.instrument, shown, result, tuple(_order(o) for o in ctx.orders)))

    # --- drawing -----------------------------------------------------------------------------------------------------

    def _below(self, bound: int) -> int:
        """A whole number in 0 .. bound - 1."""
        self._draws += 1
        return _mixed(_mixed(self._seed * 0x9E3779B97F4A7C15 + self._calls) + self._draws) % bound

    def _chance(self, probability: float) -> bool:
        return self._below(10_000) < probability * 10_000

    def _pick(self, options: Sequence[Any]) -> Any:
        return options[self._below(len(options))]


class Features:
    """Features that were seen: equal to others but for the last digits; those that say 0 or 1, to the letter."""

    def __init__(self, names: Sequence[str], values: Any) -> None:
        self._told = {name: float(value) for name, value in zip(names, values, strict=True)}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Features) or self._told.keys() != other._told.keys():
            return False
        return all(
            value == other._told[name] if name in FLAGS
            else math.isclose(value, other._told[name], rel_tol=1e-11, abs_tol=1e-11)
            for name, value in self._told.items())

    __hash__ = None  # type: ignore[assignment]  # what is nearly equal has no hash

    def __repr__(self) -> str:
        return repr(self._told)


def random_orders(seed: int, hooks: Sequence[str], interval: str | int | None = "50ms", activity: float = 0.25,
                  features: Sequence[str] = (), synthetics: Sequence[str] = ()) -> RandomOrders:
    """A `RandomOrders` that overrides the given hooks only, as far as a simulator can tell."""
    silenced = {hook: getattr(Strategy, hook) for hook in HOOKS if hook not in hooks}
    kind: type[RandomOrders] = type("RandomOrders_" + "_".join(sorted(hooks)), (RandomOrders,), silenced)
    return kind(seed, interval, activity, features, synthetics)


def _view(ctx: Any) -> tuple[Any, ...]:
    mid = None if math.isnan(ctx.mid) else ctx.mid
    return (ctx.bid, ctx.bid_qty, ctx.ask, ctx.ask_qty, mid, bool(ctx.valid), ctx.position, ctx.cash,
            tuple(_order(order) for order in ctx.orders))


def _quoted(quote: Any) -> tuple[Any, ...]:
    numbers = (quote.bid, quote.bid_size, quote.ask, quote.ask_size, quote.mid)
    return (quote.state, quote.age, *(None if math.isnan(number) else number for number in numbers))


def _order(order: Any) -> tuple[Any, ...]:
    return (*_fields(order), order.status)


def _fields(order: Any) -> tuple[Any, ...]:
    return (order.id, order.instrument, order.side, order.px, order.qty, order.remaining, order.kind, order.purpose)


def _mixed(word: int) -> int:
    """One round of splitmix64."""
    word = (word + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return word ^ (word >> 31)
