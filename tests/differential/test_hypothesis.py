"""Small markets and scripts of orders, shrunk by hypothesis to the fewest rows on which the two simulators part."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.differential import Options, compare
from mmbt.testing.markets import tables_of
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

STEP = 10**6
PX = st.integers(8, 13)
QTY = st.integers(1, 4)


@st.composite
def tables(draw, tick_units):
    """Quotes and prints within a few instants and a few ticks."""
    quotes, prints = [], []
    for ts in sorted(draw(st.lists(st.integers(0, 8), min_size=1, max_size=12))):
        if draw(st.booleans()):
            bid = draw(PX) * draw(st.sampled_from([0, 1, 1, 1]))
            ask = draw(PX) * draw(st.sampled_from([0, 1, 1, 1]))
            quotes.append((ts * STEP, bid * tick_units, draw(QTY) * (bid > 0), ask * tick_units, draw(QTY) * (ask > 0)))
        else:
            px = draw(st.integers(8 * tick_units, 13 * tick_units))
            prints.append((ts * STEP, px, draw(QTY), draw(st.sampled_from([-1, 0, 1]))))
    return tables_of(quotes, prints)


@st.composite
def markets(draw):
    specs = []
    for name in draw(st.sampled_from([("X",), ("X", "Y")])):
        units = draw(st.sampled_from([1, 2]))
        specs.append((Instrument(name, f"{units}", "1", "1"), *draw(tables(units))))
    return ArrayMarket(specs, draw(st.sampled_from([None, 1, 3])))


ORDERS = st.tuples(st.sampled_from(["buy", "sell"]), PX, QTY, st.sampled_from(["gtc", "ioc", "fok", "post_only"]))
ACTS = st.one_of(
    st.tuples(st.just("place"), ORDERS),
    st.tuples(st.just("quote"), st.tuples(st.none() | PX, st.none() | PX, QTY, st.booleans())),
    st.tuples(st.just("hedge"), st.tuples(st.sampled_from([-3, -1, 1, 3]))),
    st.tuples(st.just("cancel"), st.tuples(st.integers(1, 6))),
    st.tuples(st.just("replace"), st.tuples(st.integers(1, 6), PX, QTY)),
)
OPTIONS = st.fixed_dictionaries({
    "cross": st.sampled_from(["through", "touch"]),
    "trade": st.sampled_from(["through", "touch"]),
    "aggressor": st.sampled_from(["auto", "ignore"]),
    "size": st.sampled_from(["full", "displayed"]),
    "place_latency": st.sampled_from([0, 1, STEP, 3 * STEP]),
    "cancel_latency": st.sampled_from([0, 1, STEP, 3 * STEP]),
    "maker_fee": st.sampled_from([0, -5, 70_000]),
    "taker_fee": st.sampled_from([0, 100_000]),
    "session_gap": st.sampled_from([None, 2 * STEP, 3600 * 10**9]),
    "ties": st.sampled_from(["prints-first", "tob-first"]),
    "equity_interval": st.just(STEP),
})


@given(markets(), st.dictionaries(st.integers(0, 9), st.lists(ACTS, max_size=3), max_size=5), OPTIONS)
def test_scripts_agree(market, acts, options):
    def play(commands):
        def act(ctx, *told):
            for command, arguments in commands:
                getattr(ctx, command)(*arguments)

        return act

    def strategy():
        hook = nth({call: play(commands) for call, commands in acts.items()})
        return script(on_tob=hook, on_trade=hook)

    names = tuple(instrument.name for instrument in market.instruments)
    text, _ = compare(market, strategy, Options(instruments=names, **options))
    assert not text, text


@settings(max_examples=60)
@given(markets(), st.integers(0, 2**32), OPTIONS)
def test_random_orders_agree(market, seed, options):
    names = tuple(instrument.name for instrument in market.instruments)
    strategy = lambda: RandomOrders(seed, interval=STEP, activity=0.6)  # noqa: E731
    text, _ = compare(market, strategy, Options(instruments=names[:1], watch=names[1:], **options))
    assert not text, text
