"""Features and synthetic quotes as strategies see them in a run, and hedges that go the cheaper way."""

from __future__ import annotations

import math

import numpy as np
import pytest

import cysim
from mmbt import Instrument, Strategy
from mmbt.backtest import BacktestConfig, run_backtest
from mmbt.errors import StrategyError, UsageError
from mmbt.market import ArrayMarket
from mmbt.testing.cases import random_case
from mmbt.testing.differential import run_engine
from mmbt.testing.markets import market_of, random_market, tables_of
from mmbt.testing.pairs import paired
from mmbt.testing.scripts import script

S = 10**9
NAMES = tuple(feature.name for feature in cysim.FEATURES)
MARKET = len(cysim.MARKET_FEATURES)


class Reader(Strategy):
    """Writes all features down."""

    features = NAMES
    max_position = 10
    interval = "300ms"

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_timer(self, ctx):
        self.seen.append((ctx.time, ctx.features.copy()))


@pytest.mark.parametrize("batch_rows", [None, 1, 9, 256])
def test_a_run_reads_what_columns_told_to_a_feature_state_give(batch_rows):
    market = random_market(3, 3000, 1, batch_rows)
    spec = market.instruments[0]
    reader = Reader()
    run_backtest(market, reader, BacktestConfig(instruments=(spec.name,)))
    times = np.array([now for now, _ in reader.seen])
    found = np.array([values for _, values in reader.seen])[:, :MARKET]
    expected = np.empty(found.shape)
    tob, trades = market.tables(spec.name)
    cysim.FeatureState(spec.tick_units).replay(tuple(tob[:5]), tuple(trades[:4]), times, expected)
    assert len(times) > 50
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("latency", [0, "250ms", "local"])
def test_reading_changes_no_fill_and_no_later_reading(latency):
    market = random_market(8, 2000, 1, local=True)
    config = BacktestConfig(instruments=(market.instruments[0].name,), feed_latency=latency, response_latency="90ms")

    def strategy(every):
        seen = []

        class Some(Strategy):
            features, max_position, interval = NAMES, 4, "100ms"
            calls = 0

            def on_timer(self, ctx):
                self.calls += 1
                if ctx.valid:
                    ctx.quote(ctx.bid, ctx.ask)
                if self.calls % every == 0:
                    values = ctx.features.copy()
                    if self.calls % 35 == 0:
                        seen.append(values)

        return Some(), seen

    often, seen = strategy(1)
    seldom, later = strategy(35)
    first, second = (run_backtest(market, each, config) for each in (often, seldom))
    assert first.result_hash == second.result_hash
    assert len(seen) > 5
    assert np.array(seen).tobytes() == np.array(later).tobytes()


def test_the_array_is_always_the_same_and_cannot_be_written():
    told = []

    def look(ctx):
        told.append((ctx.features, ctx.feature("spread_ratio"), ctx.features[0]))
        with pytest.raises(ValueError, match="read-only"):
            ctx.features[0] = 1
        with pytest.raises(KeyError, match=r"'imbalance' is not among the features .* spread_ratio"):
            ctx.feature("imbalance")

    strategy = script(on_start=look, on_tob=look, on_end=look)
    strategy.features = ("spread_ratio", "pending")
    market = random_market(1, 200, 2)
    run_backtest(market, strategy, BacktestConfig(instruments=tuple(i.name for i in market.instruments)))
    assert len({id(array) for array, _, _ in told}) == 2, "one for each instrument"
    assert all(one == first for _, one, first in told)


def test_undeclared_features_and_quotes_are_told_to_the_strategy():
    def features(ctx):
        with pytest.raises(RuntimeError, match=r'names no features: write features = \("imbalance", ...\)'):
            ctx.feature("imbalance")
        with pytest.raises(KeyError, match="no synthetic quote 'A/B'; it has none"):
            ctx.synthetic("A/B")
        with pytest.raises(KeyError, match="no synthetic quote 'A/B'"):
            ctx.hedge(1, through="A/B")

    market = random_market(1, 50, 1)
    run_backtest(market, script(on_tob=features), BacktestConfig(instruments=(market.instruments[0].name,)))


@pytest.mark.parametrize(("features", "limit", "message"), [
    (("imbalence",), 1, r"Script.features: unknown feature 'imbalence'; did you mean 'imbalance'"),
    (("imbalance", "imbalance"), 1, "'imbalance' stands there twice"),
    ("imbalance", 1, "must be a sequence of names"),
    (("inventory",), None, "reads inventory, which is measured in position limits: set max_position"),
    (("imbalance",), 0, "max_position must be positive"),
])
def test_wrong_declarations_are_refused_before_the_run(features, limit, message):
    strategy = script(on_tob=lambda ctx: None)
    strategy.features, strategy.max_position = features, limit
    market = random_market(1, 50, 1)
    with pytest.raises(UsageError, match=message):
        run_backtest(market, strategy, BacktestConfig(instruments=(market.instruments[0].name,)))


def test_our_own_orders_as_features():
    spec = Instrument("X", "1", "1", "1")
    market = market_of(spec, [(k * S, 100, 5, 104, 5) for k in range(1, 30)])
    seen = {}

    def act(ctx):
        now = ctx.time // S
        if now == 3:
            ctx.place("buy", 98)
            ctx.place("buy", 97)
            ctx.place("sell", 110, 3)
        if now == 10:
            ctx.replace(1, 99, 1)
        if now == 20:
            ctx.cancel(1)
        seen[now] = dict(zip(strategy.features, ctx.features.tolist(), strict=True))

    strategy = script("1s", on_timer=act)
    strategy.features, strategy.max_position = NAMES[MARKET:], 2
    config = BacktestConfig(instruments=("X",), place_latency="1500ms", response_latency="2s")
    run_backtest(market, strategy, config)

    def told(now, name):
        return [seen[now][f"{name}_{side}"] for side in ("bid", "offer")]

    def age(seconds):
        return math.log1p(seconds * 1000) / math.log(100_000)

    assert [seen[now]["pending"] for now in (2, 3, 6, 7, 9, 10, 13, 14, 19, 20, 23, 24)] == [
        0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0], "until the outcome is told, 3.5 s after sending"
    assert told(6, "pending") == [1, 2]           # 102 - 98 and 110 - 102, over a spread of 4
    assert told(7, "pending") == [0, 0]
    assert [seen[7][name] for name in ("has_bid", "bid_distance", "offer_distance")] == [1, 1, 2]
    assert seen[8]["bid_age"] == pytest.approx(age(3.5)), "since the venue took it"
    assert (seen[13]["bid_distance"], seen[14]["bid_distance"]) == (1, 0.75)
    assert seen[14]["bid_age"] == pytest.approx(age(2.5))
    assert seen[24]["bid_distance"] == 1.25       # the second one is left
    assert seen[24]["bid_age"] == pytest.approx(age(19.5))


# --- synthetic quotes ------------------------------------------------------------------------------------------------

USD = Instrument("BTC/USD", "10", "10", "0.1", base="BTC", quote="USD")
RUB = Instrument("USD/RUB", "0.05", "0.05", "1", base="USD", quote="RUB")
OWN = Instrument("BTC/RUB", "1000", "1000", "0.1", base="BTC", quote="RUB")
CHAIN = "BTC/RUB = BTC/USD * USD/RUB"
ALL = ("BTC/RUB", "BTC/USD", "USD/RUB")


def triangle(own, usd=(), rub=()):
    """Quotes of BTC/RUB, BTC/USD and USD/RUB; without others those of theory: 1,223,388 and 1,225,000."""
    usd = usd or [(1 * S, 1999, 5, 2000, 4)]
    rub = rub or [(1 * S, 1224, 20000, 1225, 10000)]
    return ArrayMarket([(OWN, *tables_of(own)), (USD, *tables_of(usd)), (RUB, *tables_of(rub))])


def hedged(market, qty=2, **options):
    """Hedges once, at 2 s; the result and what was told of the synthetic quote then."""
    told = {}

    def act(ctx):
        if ctx.instrument == "BTC/RUB" and ctx.time >= 2 * S and not told:
            quote = ctx.synthetic("BTC/RUB")
            told.update(state=quote.state, bid=quote.bid, ask=quote.ask, size=quote.ask_size, age=quote.age)
            told["ids"] = ctx.hedge(qty, through="BTC/RUB")

    options.setdefault("instruments", ALL)
    result = run_backtest(market, script(on_tob=act), BacktestConfig(synthetic=(CHAIN,), **options))
    fills = [(row["instrument"], row["side"], row["qty"], row["purpose"]) for row in result.fills.to_pylist()]
    return fills, told, result


def test_the_cheaper_way_is_taken_and_recorded():
    fills, told, result = hedged(triangle([(2 * S, 1225, 9, 1226, 9)]))
    assert told == {"state": "quoted", "bid": pytest.approx(1223388), "ask": pytest.approx(1225000),
                    "size": pytest.approx(0.4), "age": S, "ids": (1, 2)}
    assert fills == [("BTC/USD", 1, 2, "hedge"), ("USD/RUB", 1, 4000, "hedge")]
    assert result.summary["synthetic"] == {"BTC/RUB": {
        "chain": CHAIN, "direct": "BTC/RUB", "hedges_direct": 0, "hedges_through": 1}}
    fills, told, result = hedged(triangle([(2 * S, 1224, 9, 1225, 9)]))
    assert (fills, told["ids"]) == ([("BTC/RUB", 1, 2, "hedge")], (1,)), "the direct book wins ties"
    assert result.summary["synthetic"]["BTC/RUB"]["hedges_direct"] == 1


@pytest.mark.parametrize(("name", "own", "qty", "options", "through"), [
    ("selling looks at the bids", (1223, 9, 1226, 9), -2, {}, True),
    ("selling dearer directly", (1224, 9, 1226, 9), -2, {}, False),
    ("three fees make the legs dear", (1225, 9, 1226, 9), 2, {"taker_fee": 10}, False),
    ("the legs show too little", (1225, 9, 1226, 9), 5, {}, False),
    ("both show too little, the legs more", (1225, 2, 1226, 2), 5, {}, True),
    ("no offer in the direct book", (1225, 9, 0, 0), 2, {}, True),
    ("a direct book that is crossed", (1227, 9, 1226, 9), 2, {}, True),
    ("legs that are too old", (1225, 9, 1226, 9), 2, {"synthetic_max_age": "999ms"}, False),
    ("legs as old as they may be", (1225, 9, 1226, 9), 2, {"synthetic_max_age": "1s"}, True),
])
def test_where_a_hedge_goes(name, own, qty, options, through):
    fills, told, _ = hedged(triangle([(2 * S, *own)]), qty, **options)
    assert len(told["ids"]) == 1 + through, name
    assert [fill[0] for fill in fills] == (["BTC/USD", "USD/RUB"] if through else ["BTC/RUB"])
    assert all(side == (1 if qty > 0 else -1) for _, side, _, _ in fills)


def test_legs_without_a_side_leave_the_direct_book():
    for usd in ((1 * S, 1999, 5, 0, 0), (1 * S, 2001, 5, 2000, 4)):
        fills, told, _ = hedged(triangle([(2 * S, 1225, 9, 1226, 9)], [usd]))
        assert told["state"] == ("absent" if usd[3] == 0 else "crossed")
        assert math.isnan(told["bid"])
        assert told["age"] is None
        assert fills == [("BTC/RUB", 1, 2, "hedge")]


def test_a_hedge_that_nobody_quotes_is_sent_and_told():
    fills, told, result = hedged(triangle([(2 * S, 1225, 9, 0, 0)], [(1 * S, 1999, 5, 0, 0)]))
    assert (fills, told["ids"]) == ([], (1,))
    assert [row["reason"] for row in result.orders.to_pylist()] == ["", "unfilled"]


def test_what_a_leg_cannot_trade_in_lots_goes_directly():
    coarse = Instrument("USD/RUB", "0.05", "0.05", "10000", base="USD", quote="RUB")
    tables = [(OWN, *tables_of([(2 * S, 1225, 9, 1226, 9)])), (USD, *tables_of([(1 * S, 1999, 5, 2000, 4)])),
              (coarse, *tables_of([(1 * S, 1224, 2, 1225, 2)]))]
    fills, _, _ = hedged(ArrayMarket(tables), 2)
    assert fills == [("BTC/RUB", 1, 2, "hedge")]


def test_an_inverse_contract_is_hedged_by_what_it_is_worth():
    own = Instrument("BTC/RUB", "1000", "1000", "122500", base="BTC", quote="RUB", contract="inverse")
    tables = [(own, *tables_of([(2 * S, 1225, 9, 1227, 9)])), (USD, *tables_of([(1 * S, 1999, 5, 2000, 4)])),
              (RUB, *tables_of([(1 * S, 1224, 20000, 1225, 10000)]))]
    fills, _, _ = hedged(ArrayMarket(tables), 2)  # 2 contracts are worth 245000 / 1226000 BTC
    assert [fill[:3] for fill in fills] == [("BTC/USD", 1, 2), ("USD/RUB", 1, 3997)]


@pytest.mark.parametrize(("instrument", "through", "traded", "kind", "message"), [
    ("BTC/RUB", "BTC/RUB", ("BTC/RUB", "BTC/USD"), ValueError, "'USD/RUB' is only watched in this run"),
    ("BTC/USD", "BTC/RUB", ALL, ValueError, "through='BTC/RUB' does not price 'BTC/USD'"),
    ("BTC/RUB", "BTC/EUR", ALL, KeyError, "no synthetic quote 'BTC/EUR'; it has 'BTC/RUB'"),
])
def test_hedges_that_cannot_be(instrument, through, traded, kind, message):
    def act(ctx):
        ctx[instrument].hedge(1, through=through)

    with pytest.raises(StrategyError, match=message) as caught:
        run_backtest(triangle([(2 * S, 1225, 9, 1226, 9)]), script(on_tob=act),
                     BacktestConfig(instruments=traded, synthetic=(CHAIN,)))
    assert type(caught.value.__cause__) is kind


def test_a_hedge_too_large_for_a_leg_changes_nothing():
    def act(ctx):
        with pytest.raises(OverflowError, match=r"needs 2\*\*40 lots of a leg of 'BTC/RUB'"):
            ctx["BTC/RUB"].hedge(2**39, through="BTC/RUB")

    market = triangle([(1 * S, 1225, 9, 0, 0), (2 * S, 1225, 9, 0, 0)])
    strategy = script(on_timer=lambda ctx: None, on_tob=lambda ctx: act(ctx) if ctx.time > S else None, interval="1s")
    result = run_backtest(market, strategy, BacktestConfig(instruments=ALL, synthetic=(CHAIN,)))
    assert result.orders.num_rows == 0


def test_the_strategy_sees_what_is_visible_and_no_more():
    """With a latency of the feed, quote, age and features are those of the rows seen."""
    seen = []

    def look(ctx):
        quote = ctx.synthetic("BTC/RUB")
        known = ctx["BTC/RUB"].feature("has_synthetic")
        seen.append((ctx.time // 10**8, ctx.instrument, quote.state, quote.age, known))

    strategy = script(on_tob=look)
    strategy.features = ("has_synthetic", "synthetic_mid")
    market = triangle([(k * S, 1225, 9, 1226, 9) for k in (1, 4, 5)], rub=[(2 * S, 1224, 9, 1225, 9)])
    run_backtest(market, strategy, BacktestConfig(
        instruments=("BTC/RUB",), synthetic=(CHAIN,), feed_latency="300ms", synthetic_max_age="1500ms"))
    assert seen == [(13, "BTC/RUB", "absent", None, 0), (13, "BTC/USD", "absent", None, 0),
                    (23, "USD/RUB", "quoted", S, 1), (43, "BTC/RUB", "old", None, 0)]


def test_legs_are_watched_and_a_pair_alone_finds_them():
    market = triangle([(1 * S, 1225, 9, 1226, 9)])
    seen = []
    strategy = script(on_end=lambda ctx: seen.extend([ctx.synthetic("BTC/RUB").legs, ctx["USD/RUB"].bid]))
    result = run_backtest(market, strategy, BacktestConfig(instruments=("BTC/RUB",), synthetic=("BTC/RUB",)))
    assert seen == [("BTC/USD", "USD/RUB"), 1224]
    assert result.summary["watch"] == ["BTC/USD", "USD/RUB"]
    assert result.summary["synthetic"]["BTC/RUB"]["chain"] == CHAIN


@pytest.mark.parametrize(("synthetic", "message"), [
    (("BTC/EUR",), "no instrument to go through has the currency EUR"),
    (("BTC/RUB = BTC/USD * EUR/RUB",), "no instrument 'EUR/RUB'"),
    ((CHAIN, CHAIN), "two synthetic quotes are called 'BTC/RUB': tell them apart by a suffix, BTC/RUB_2"),
    (("BTC",), "'BTC' is not a pair"),
])
def test_chains_that_cannot_be_are_refused(synthetic, message):
    with pytest.raises(UsageError, match=message):
        run_backtest(triangle([(1 * S, 1225, 9, 1226, 9)]), script(on_tob=lambda ctx: None),
                     BacktestConfig(instruments=("BTC/RUB",), synthetic=synthetic))


# --- native ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def native(compile_native):
    """The module of native_senses.pyx."""
    return compile_native("native_senses")


class Looker(Strategy):
    """The twin of native_senses.Looker, and its Python side."""

    features, max_position, interval = NAMES, 5, "200ms"

    def __init__(self, code=None):
        super().__init__()
        self.code, self.seen = code, []

    def native(self):
        return self.code


class Twin(Looker):
    def on_timer(self, ctx):
        values = ctx.features.tolist()
        told = dict(zip(NAMES, values, strict=True))
        top = ctx.synthetic("A/C")
        quoted = [top.bid, top.ask_size, top.mid, top.age] if top.state == "quoted" else [STATES.index(top.state)]
        ids = ()
        if ctx.valid:
            ctx.quote(ctx.bid, ctx.ask)
        if ctx.index == 0 and ctx.position != 0 and told["imbalance"] > 0:
            ids = ctx.hedge(-ctx.position, through="A/C")
        self.seen.append((ctx.time, ctx.index, values[:MARKET], values[MARKET:], told["synthetic_mid"],
                          told["pending"], quoted, list(ids)))


STATES = ("absent", "crossed", "old")


def first_of_names(seed):
    """A market whose pair is the first instrument by name, as native code asks for it by number."""
    for more in range(100):
        market, chain = paired(random_market(seed + more, 1500, 3, local=True), seed)
        names = [spec.name for spec in market.instruments]
        if names[0] == min(names, key=str.encode):
            return market, chain, names
    raise AssertionError


@pytest.mark.parametrize("seed", [0, 100, 200, 300, 400, 500])
def test_native_strategies_see_and_hedge_alike(native, seed):
    market, chain, names = first_of_names(seed)
    config = BacktestConfig(instruments=names, synthetic=(chain,), feed_latency=("0", "local")[seed % 200 == 0],
                            response_latency="50ms" if seed > 200 else 0)
    plain, code = Twin(), native.Looker()
    expected = run_backtest(market, plain, config)
    found = run_backtest(market, Looker(code), config)
    assert len(plain.seen) > 20
    assert code.seen == plain.seen
    assert found.result_hash == expected.result_hash
    assert found.summary["synthetic"] == expected.summary["synthetic"]


@pytest.mark.parametrize(("features", "synthetic", "index", "message"), [
    ((), True, 0, "names no market feature"),
    (("imbalance",), True, 0, "names no private feature"),
    (NAMES, False, 0, "the run has no synthetic quote number 0"),
    (NAMES, True, 1, "the run has no synthetic quote number 1"),
])
def test_native_code_that_asks_for_what_was_not_declared(native, features, synthetic, index, message):
    market, chain, names = first_of_names(0)
    strategy = Looker(native.Looker(index=index))
    strategy.features = features
    with pytest.raises(StrategyError, match=rf"Looker\.on_timer raised ValueError: .*{message}"):
        run_backtest(market, strategy, BacktestConfig(instruments=names, synthetic=(chain,) if synthetic else ()))


def test_native_hedges_need_legs_that_are_traded(native):
    market, chain, names = first_of_names(0)
    with pytest.raises(StrategyError, match="only watched in this run"):
        run_backtest(market, Looker(native.Looker()), BacktestConfig(instruments=names[:1], synthetic=(chain,)))


def test_random_cases_hold_what_they_are_for():
    """The random cases of the differential tests look at features, and hedge both ways."""
    features, ways = 0, set()
    for seed in range(80):
        case = random_case(seed, 150)
        strategy = case.strategy()
        features += bool(strategy.features)
        if case.options.synthetic:
            trace = run_engine(case.market, strategy, case.options).trace
            ways |= {len(row[3]) for row in trace if row[0] == "hedge" and isinstance(row[3], tuple)}
    assert features > 5
    assert ways == {1, 2}
