"""Native strategies, compiled here as a third party would compile his, against their twins in Python."""

from __future__ import annotations

import os
from decimal import Context

import numpy as np
import pytest

from mmbt import Strategy
from mmbt.backtest import BacktestConfig, run_backtest
from mmbt.errors import StrategyError
from mmbt.market import ArrayMarket
from mmbt.testing.cases import random_case
from mmbt.testing.conformance import small_market
from mmbt.testing.differential import difference, run_engine

EXACT = Context(prec=200)
MASK = 2**64 - 1
KINDS = ("gtc", "ioc", "fok", "post_only", "market")
PURPOSES = ("quote", "client", "hedge")
REASONS = ("cross", "trade", "taker", "client")
STATUSES = ("accepted", "rejected", "cancelled", "too_late", "unknown")
STATUS_REASONS = ("", "replace", "post_only", "fok", "self_match", "user", "unfilled", "session", "end")
CASES = int(os.environ.get("MMBT_DIFF_STEPS", "60000")) // 1000


@pytest.fixture(scope="module")
def twins(compile_native):
    """The module of native_twins.pyx."""
    return compile_native("native_twins")


class Native(Strategy):
    """Whatever native code it is given."""

    def __init__(self, code, interval="50ms"):
        super().__init__()
        self.code, self.interval = code, interval

    def native(self):
        return self.code

    @property
    def trace(self):
        return self.code.trace() if hasattr(self.code, "trace") else []


class Busy(Strategy):
    """The twin of Busy."""

    def __init__(self, seed, interval):
        super().__init__()
        self.state, self.interval, self.trace, self.last_id = seed, interval, [], 0

    def see(self, *values):
        for value in values:
            self.state = (self.state * 6364136223846793005 + value + 1) & MASK

    def see_money(self, money, ctx):
        units = int(EXACT.divide(money, ctx.money_unit))
        self.see(units >> 64, units & MASK)

    def look(self, ctx, hook):
        self.see(hook, ctx.time, ctx.index, ctx.bid, ctx.ask, ctx.bid_qty, ctx.ask_qty, ctx.valid)
        self.see(-1 if np.isnan(ctx.mid) else int(ctx.mid * 64), ctx.position)
        self.see_money(ctx.cash, ctx)
        for order in ctx.orders:
            self.see(order.id, order.px, order.qty, order.remaining, order.side, KINDS.index(order.kind),
                     PURPOSES.index(order.purpose), order.status == "live")

    def act(self, ctx, chance):
        draw = self.state >> 33
        side, qty, away, kind = (1 if draw & 1 else -1), 1 + (draw >> 1) % 5, (draw >> 4) % 5, KINDS[(draw >> 7) % 5]
        self.trace.append(self.state)
        other = ctx[self.names[(draw >> 12) % len(self.names)]]
        self.see(other.bid)
        if (draw >> 16) % chance or other.instrument not in ctx.instruments or other.bid < 10 or other.ask < 10:
            return
        orders = other.orders
        match (draw >> 20) % 8:
            case 0:
                other.quote(other.bid - away / 2, other.ask + away / 3, qty)
            case 1:
                other.quote(None, other.ask - 1 + away, qty, post_only=False)
            case 2:
                self.last_id = other.place(side, None if kind == "market" else other.bid + away - 1, qty, kind)
                self.see(self.last_id)
            case 3:
                other.cancel(orders[0].id if orders else self.last_id + away - 2)
            case 4:
                other.replace(orders[0].id if orders else self.last_id, other.ask + away - 2, qty)
            case 5:
                self.see(other.hedge(side * qty))
            case 6:
                other.quote_levels([other.bid, other.bid - away], [other.ask, other.ask + 1][:1 + away % 2], qty)
            case _:
                self.see(other.place(side, other.ask if side == 1 else other.bid, qty, "ioc", "hedge"))

    def on_timer(self, ctx):
        self.look(ctx, 1)
        self.act(ctx, 2)

    def on_tob(self, ctx):
        self.look(ctx, 2)
        self.act(ctx, 6)

    def on_trade(self, ctx, trade):
        self.look(ctx, 3)
        self.see(trade.ts, int(trade.px * 64), trade.qty, trade.side)
        self.act(ctx, 4)

    def on_fill(self, ctx, fill):
        self.look(ctx, 4)
        self.see(fill.ts, fill.order_id, fill.px, fill.qty, fill.remaining, fill.position)
        self.see_money(fill.fee, ctx)
        self.see(fill.side, REASONS.index(fill.reason), PURPOSES.index(fill.purpose))
        self.act(ctx, 6)

    def on_order(self, ctx, order):
        self.look(ctx, 5)
        late = order.status in ("too_late", "unknown")
        reason = ("cancel", "replace").index(order.reason) + 9 if late else STATUS_REASONS.index(order.reason)
        self.see(order.id, STATUSES.index(order.status), reason)
        self.see(order.px, order.qty, order.remaining, order.side)
        self.act(ctx, 6)


def test_every_hook_agrees_with_python_on_random_markets(twins):
    fills = wakes = 0
    for seed in range(CASES):
        case = random_case(seed)
        interval = case.strategy().interval or 50_000_000
        plain = Busy(seed, interval)
        plain.names = sorted((*case.options.instruments, *case.options.watch), key=str.encode)
        expected = run_engine(case.market, plain, case.options)
        found = run_engine(case.market, Native(twins.Busy(seed), interval), case.options)
        text = difference(expected, found)
        assert not text, f"case {seed}, {case.options}\n{text}"
        fills += len(expected.fills)
        wakes += len(expected.trace)
    assert fills > 10 * CASES
    assert wakes > 200 * CASES


def market(names=("X",)):
    return ArrayMarket(small_market(2, names))


def run(strategy, watch=()):
    return run_backtest(market(("X", *watch)), strategy, BacktestConfig(instruments=("X",), watch=watch))


SLIPS = [
    (0, ValueError, "bid must be a positive price in ticks, not nan"),
    (1, ValueError, "bid must be a positive price in ticks, not 0.0"),
    (2, OverflowError, "ask=1e[+]300 ticks is too large"),
    (3, ValueError, "qty must be positive, not 0"),
    (4, ValueError, "side must be BUY or SELL, not 0"),
    (5, ValueError, "px must be a positive price in ticks, not 0"),
    (6, ValueError, "a market order has the price 0, not 10"),
    (7, OverflowError, "qty=1099511627776 lots is too large"),
    (8, ValueError, "kind must be GTC, .* not 7"),
    (9, ValueError, "qty of a hedge .* not 0"),
    (10, OverflowError, "px=4.6.* ticks is too large"),
    (11, ValueError, "no instrument number 2"),
    (12, ValueError, "only watched in this run, .* instrument 1"),
    (13, ValueError, "levels a side can be quoted, not 65"),
    (14, ValueError, "purpose must be .* not 1"),
    (15, KeyError, "an error of its own"),
]


@pytest.mark.parametrize(("slip", "kind", "message"), SLIPS)
def test_a_wrong_command_ends_the_run_and_says_what_and_when(twins, slip, kind, message):
    said = rf"Native\.on_timer raised {kind.__name__}: .*{message}.*time \d+ ns"
    with pytest.raises(StrategyError, match=said) as caught:
        run(Native(twins.Slip(slip)), ("Y",))
    assert type(caught.value.__cause__) is kind
    assert caught.value.exit_code == 5
    assert not caught.value.result.complete
    assert caught.value.result.orders.num_rows == 0


def test_answering_ones_own_orders_without_end_is_an_error(twins):
    with pytest.raises(StrategyError, match=r"Native\.on_order raised RuntimeError: more than 10000 rounds"):
        run(Native(twins.Endless()))


class AndFills(Native):
    def __init__(self, code):
        super().__init__(code)
        self.seen = []

    def on_start(self, ctx):
        self.seen.append("start")

    def on_fill(self, ctx, fill):
        self.seen.append(fill)

    def on_end(self, ctx):
        self.seen.append("end")


def test_a_native_timer_leaves_python_the_other_hooks(twins):
    strategy = AndFills(twins.Lean())
    result = run(strategy)
    assert strategy.seen[0] == "start"
    assert strategy.seen[-1] == "end"
    assert len(strategy.seen) - 2 == result.fills.num_rows > 0
    assert result.result_hash == run(Native(twins.Lean())).result_hash


class AndTimer(Native):
    def on_timer(self, ctx):
        pass


@pytest.mark.parametrize(("make", "message"), [
    (lambda twins: AndFills(twins.Busy(1)), "Busy answers hooks natively, so these cannot be Python's: on_fill"),
    (lambda twins: AndTimer(twins.Lean()), "Lean answers hooks natively, so these cannot be Python's: on_timer"),
    (lambda twins: Native(twins.Deaf()), "Deaf overrides no hook"),
    (lambda twins: Native(twins.Lean(), None), "Lean has on_timer but the strategy no interval"),
    (lambda twins: Native("lean"), "must return a NativeStrategy or None, not 'lean'"),
])
def test_what_does_not_fit_together_is_the_strategys_error(twins, make, message):
    with pytest.raises(StrategyError, match=rf"\.native raised (Value|Type)Error: .*{message}"):
        run(make(twins))
