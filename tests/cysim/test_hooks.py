"""The boundary to strategies in Python: what is shown may be kept, and what a hook leaves behind when it raises."""

from __future__ import annotations

import inspect
import threading
import traceback

import numpy as np
import pytest

import cysim
from tests.cysim.test_simulator import GOOD, SPEC, Rows, feeder, prints, quotes, run

PRINTS = [(3, 100, 1, 1), (4, 102, 2, -1), (5, 104, 3, 0), (6, 106, 4, 1)]


def test_every_print_kept_stays_what_it_was():
    kept = []
    run([quotes(GOOD)], [prints(PRINTS)], {"on_trade": lambda ctx, trade: kept.append(trade)})
    assert [(t.ts, t.px * 2, t.qty, t.side, t.instrument) for t in kept] == [(*row, "X") for row in PRINTS]


def test_a_print_kept_now_and_then_stays_what_it_was():
    kept, seen = [], []

    def on_trade(ctx, trade):
        seen.append((trade.ts, trade.px * 2, trade.qty, trade.side))
        if trade.qty % 2:
            kept.append(trade)

    run([quotes(GOOD)], [prints(PRINTS)], {"on_trade": on_trade})
    assert seen == PRINTS
    assert [(t.ts, t.px * 2, t.qty, t.side) for t in kept] == PRINTS[::2]


def test_a_print_kept_by_an_attribute_of_another_object_stays_what_it_was():
    class Keeper:
        last = None

    keeper, pairs = Keeper(), []

    def on_trade(ctx, trade):
        if keeper.last is not None:
            pairs.append((keeper.last.ts, trade.ts))
        keeper.last = trade

    run([quotes(GOOD)], [prints(PRINTS)], {"on_trade": on_trade})
    assert pairs == [(3, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize("hook", ["on_tob", "on_trade", "on_timer", "on_fill", "on_order"])
def test_commands_end_with_the_hook_that_raised(hook):
    contexts = []

    def place(ctx):
        contexts.append(ctx)
        ctx.place("buy", 52, kind="ioc")

    def fail(ctx, *told):
        raise ZeroDivisionError("on purpose")

    hooks = {"on_tob": place, hook: fail}
    simulator = cysim.Simulator([SPEC], interval=1)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        simulator.run(hooks, feeder([quotes(GOOD)], [prints(PRINTS)]), Rows())
    assert simulator.failed_hook == hook
    for ctx in contexts:
        with pytest.raises(RuntimeError, match="only inside a hook"):
            ctx.place("buy", 50)


def test_a_fee_is_worked_out_when_it_is_asked_for():
    fees = []
    spec = (*SPEC[:6], 0)

    def on_tob(ctx):
        ctx.place("buy", 52, 3, kind="ioc")

    simulator = cysim.Simulator([spec], taker_rate=-12_345)
    simulator.run({"on_tob": on_tob, "on_fill": lambda ctx, fill: fees.append((fill.px, fill.qty, fill))},
                  feeder([quotes(GOOD)]), Rows())
    assert fees
    for px, qty, fill in fees:
        assert fill.fee == -12_345 * px * SPEC[4] * qty * SPEC[3]


def test_other_threads_run_beside_a_strategy_that_is_woken_often():
    steps, wanted, parts = [], 3, 10_000
    begun, rows = threading.Event(), np.arange(1, 3001, dtype=np.int64)

    def other():
        begun.wait()
        for step in range(wanted):       # each blocks, and takes the interpreter anew
            threading.Event().wait(1e-3)
            steps.append(step)

    def feed(name, table):
        nonlocal parts
        begun.set()
        if table == "trades" or parts == 0 or len(steps) == wanted:
            return None
        parts -= 1
        start = (10_000 - parts) * 3000
        return tuple(np.ascontiguousarray(c) for c in (rows + start, *(np.full(3000, v) for v in (100, 5, 102, 5))))

    thread = threading.Thread(target=other)
    thread.start()
    cysim.Simulator([SPEC], interval=3, equity_interval=10**9).run({"on_timer": lambda ctx: ctx.bid}, feed, Rows())
    thread.join()
    assert parts > 0                     # the run ended because the other thread had done its work


@pytest.mark.parametrize("value", [True, 0, -1, 0.5, float("nan"), float("inf"), "1", None, 2**40, 2**70, -(2**70)])
def test_strange_quantities_are_refused_as_ever(value):
    caught = []

    def on_tob(ctx):
        with pytest.raises((ValueError, OverflowError), match="qty") as error:
            ctx.quote(50, 52, qty=value)
        caught.append(error.type)

    run([quotes(GOOD)], (), {"on_tob": on_tob})
    assert caught == [OverflowError if value in (2**40, 2**70) else ValueError] * 2


@pytest.mark.parametrize("value", [0, -1, 0.999, float("nan"), float("inf"), -float("inf"), "1", 2**40, 2**70, 1e300])
def test_strange_prices_are_refused_as_ever(value):
    caught = []

    def on_tob(ctx):
        with pytest.raises((ValueError, OverflowError), match="bid") as error:
            ctx.quote(value, 52)
        caught.append(error.type)

    run([quotes(GOOD)], (), {"on_tob": on_tob})
    assert caught == [OverflowError if value in (2**40, 2**70, 1e300) else ValueError] * 2


@pytest.mark.parametrize(("bid", "units"), [
    (50, 100), (50.9999999999, 102), (50.5, 100), (np.float64(51), 102), (np.int32(51), 102),
])
def test_prices_of_every_type_are_rounded_alike(bid, units):
    sink = Rows()
    cysim.Simulator([SPEC]).run({"on_tob": lambda ctx: ctx.quote(bid)}, feeder([quotes(GOOD[:1])]), sink)
    placed = np.frombuffer(b"".join(sink.kept["orders"]), dtype=cysim.ORDER_DTYPE)
    assert placed["px"][0] * SPEC[4] == units


@pytest.mark.parametrize("latencies", [{}, {"place_latency": 1, "response_latency": 2, "feed_latency": 1}])
def test_a_lone_instrument_shows_what_one_of_several_shows(latencies):
    """Bid, ask and position come another way there."""
    rng = np.random.default_rng(7)
    middle = 200 + rng.integers(-2, 3, 300).cumsum()
    tob = [(2 * i + 2, 2 * m - 2, 5, 2 * m, 5) if i % 9 else (2 * i + 2, 0, 0, 2 * m, 5) for i, m in enumerate(middle)]
    trades = [(2 * i + 3, 2 * m + 2 * int(rng.integers(-2, 3)), 3, 0) for i, m in enumerate(middle)]

    def looks(*specs):
        seen = []

        def look(ctx, *told):
            ctx = ctx["X"]
            seen.append((ctx.time, len(told), ctx.bid, ctx.ask, ctx.position, ctx["X"] is ctx))

        def act(ctx, *told):
            look(ctx)
            if ctx.valid:
                ctx.quote(ctx.bid, ctx.ask)
            look(ctx)

        hooks = dict.fromkeys(("on_start", "on_fill", "on_order", "on_trade", "on_end"), look)
        cysim.Simulator(specs, interval=7, trade_touch=True, **latencies).run(
            hooks | {"on_tob": act, "on_timer": act},
            feeder_of({"X": {"tob": [quotes(tob)], "trades": [prints(trades)]}}), Rows())
        return seen

    alone = looks(SPEC)
    assert alone == looks(SPEC, ("Y", *SPEC[1:5], False, 0))
    assert len({look[4] for look in alone}) > 3
    assert len({look[2] for look in alone}) > 3


def feeder_of(tables):
    return lambda name, table: tables[name][table].pop(0) if name in tables and tables[name][table] else None


def test_what_is_shown_cannot_be_written():
    def write(ctx):
        for name in ("bid", "ask", "position"):
            with pytest.raises(AttributeError, match="readonly"):
                setattr(ctx, name, 1)
            with pytest.raises(AttributeError, match="readonly"):
                delattr(ctx, name)
            assert type(ctx).__dict__[name].__doc__ == getattr(cysim.Context, name).__doc__
            assert isinstance(ctx, cysim.Context)

    run([quotes(GOOD)], (), {"on_tob": write})


CALLS = {
    "in order": lambda ctx: ctx.quote(50, 52),
    "by name": lambda ctx: ctx.quote(bid=50.0, ask=52.5),
    "the second by name": lambda ctx: ctx.quote(50.9, ask=52),
    "a size": lambda ctx: ctx.quote(50, 52, 3),
    "a size by name": lambda ctx: ctx.quote(bid=50, ask=52, qty=3),
    "names in another order": lambda ctx: ctx.quote(qty=3, ask=52, bid=50.0000000001),
    "one side": lambda ctx: ctx.quote(None, 52.9999999999),
    "the other side": lambda ctx: ctx.quote(49.5, None, 2),
    "nothing": lambda ctx: ctx.quote(),
    "only a bid": lambda ctx: ctx.quote(50),
    "only an ask": lambda ctx: ctx.quote(ask=52),
    "may take": lambda ctx: ctx.quote(52, 53, 3, False),
    "may take, by name": lambda ctx: ctx.quote(bid=52, ask=53, post_only=False),
    "NumPy": lambda ctx: ctx.quote(np.float64(50.5), np.int64(52), np.int32(2)),
    "truth": lambda ctx: ctx.quote(True, 52),
    "too many": lambda ctx: ctx.quote(50, 52, 1, True, 5),
    "twice": lambda ctx: ctx.quote(50, 52, bid=51),
    "no such name": lambda ctx: ctx.quote(50, price=2),
    "a name made anew": lambda ctx: ctx.quote(**{"".join(("b", "id")): 50, "ask": 52}),
    "text": lambda ctx: ctx.quote("50", 52),
    "a size of no lot": lambda ctx: ctx.quote(50, 52, 0),
    "half a lot": lambda ctx: ctx.quote(50, 52, 0.5),
    "a size that is too large": lambda ctx: ctx.quote(50, 52, 2**40),
    "no price": lambda ctx: ctx.quote(50, float("nan")),
    "beyond all prices": lambda ctx: ctx.quote(float("inf"), 52),
    "the largest price": lambda ctx: ctx.quote(50, 2**39 - 1),
    "too large": lambda ctx: ctx.quote(50, 2**39),
    "beyond 64 bits": lambda ctx: ctx.quote(50, 2**64 + 52),
    "below 64 bits": lambda ctx: ctx.quote(-(2**64), 52),
    "kept aside": lambda ctx: getattr(ctx, "quote")(50, ask=52),  # noqa: B009
}


@pytest.mark.parametrize("name", CALLS)
def test_a_lone_instrument_takes_quotes_as_one_of_several_does(name):
    """The usual calls come another way there; orders, errors and their tracebacks are the same."""

    def outcome(*specs):
        sink, raised = Rows(), []

        def on_tob(ctx):
            try:
                assert CALLS[name](ctx["X"]) is None
            except Exception as error:
                frames = [(frame.name, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
                raised.append((type(error), str(error), frames))

        cysim.Simulator(specs).run({"on_tob": on_tob}, feeder_of({"X": {"tob": [quotes(GOOD)], "trades": []}}), sink)
        orders = np.frombuffer(b"".join(sink.kept["orders"]), dtype=cysim.ORDER_DTYPE)
        return [row[:-1] for row in orders.tolist()], raised      # but for the padding

    alone = outcome(SPEC)
    assert alone == outcome(SPEC, ("Y", *SPEC[1:5], False, 0))
    assert name == "nothing" or any(alone)


def test_quotes_of_a_lone_instrument_are_refused_outside_hooks_and_explain_themselves():
    kept = []
    run([quotes(GOOD)], (), {"on_tob": kept.append})
    with pytest.raises(RuntimeError, match="only inside a hook"):
        kept[0].quote(50, 52)
    assert inspect.signature(kept[0].quote) == inspect.signature(cysim.Context.quote.__get__(kept[0]))
    assert inspect.getdoc(kept[0].quote) == inspect.getdoc(cysim.Context.quote)
