"""The conformance suite: the built-in strategies keep its rules, and each kind of bad strategy breaks its own rule."""

from __future__ import annotations

import math
import random
from typing import Any, ClassVar

import pytest
from pydantic import ConfigDict

from mmbt import Strategy, StrategyParams
from mmbt.errors import StrategyError
from mmbt.strategies.avellaneda_stoikov import AvellanedaStoikov
from mmbt.strategies.base_model import BaseModelQuotes
from mmbt.strategies.cartea_jaimungal import CarteaJaimungal
from mmbt.strategies.fixed_spread import FixedSpread
from mmbt.strategies.imbalance_skew import ImbalanceSkew
from mmbt.strategies.ladder import Ladder
from mmbt.strategies.linear_skew import LinearSkew
from mmbt.strategies.no_quotes import NoQuotes
from mmbt.strategies.random_quotes import RandomQuotes
from mmbt.testing.conformance import StrategyConformance, small_market
from mmbt.testing.reference import ReferenceQuoter

TWO = ("BTC/USD_T+0", "A/B")


class TestFixedSpread(StrategyConformance):
    strategy = FixedSpread


class TestLinearSkew(StrategyConformance):
    strategy = LinearSkew
    values: ClassVar = {"skew_ticks_per_lot": 0.3, "size": 2, "max_position": 6, "interval": "30ms"}
    instruments = TWO
    watch = ("USD/RUB",)


class TestLadder(StrategyConformance):
    strategy = Ladder
    values: ClassVar = {"levels": 5, "step_ticks": 0.5, "skew_ticks_per_lot": 0.1, "half_spread_ticks": 0}


class TestImbalanceSkew(StrategyConformance):
    strategy = ImbalanceSkew
    values: ClassVar = {"skew_ticks_per_lot": 0.3, "lean_ticks": 2, "size": 2, "max_position": 6, "interval": "30ms"}
    instruments = TWO


class TestAvellanedaStoikov(StrategyConformance):
    strategy = AvellanedaStoikov
    values: ClassVar = {"interval": "30ms", "gamma": 0.1, "horizon": "20s", "sigma": 0.5, "max_position": 6}

    def make_reference(self) -> Strategy:
        # a skew of 0.1 * 0.5^2 * 20, around it half of that and ln(1 + 0.1 / 0.5) / 0.1
        return ReferenceQuoter(interval=30_000_000, skew_ticks_per_lot=0.5, max_position=6,
                               half_spread_ticks=0.25 + math.log1p(0.2) / 0.1)


class TestCarteaJaimungal(StrategyConformance):
    strategy = CarteaJaimungal
    values: ClassVar = {"interval": "30ms", "size": 2, "max_position": 6}
    instruments = TWO


class TestBaseModelQuotes(StrategyConformance):
    strategy = BaseModelQuotes
    values: ClassVar = {"interval": "30ms", "max_position": 3, "shifts": "0,0.5,1"}


class TestNoQuotes(StrategyConformance):
    strategy = NoQuotes


class Wide(Strategy):
    """Reads features and a synthetic quote, quotes by them, and hedges the cheaper way."""

    interval, max_position = "40ms", 5
    features = ("inventory", "imbalance", "synthetic_mid", "has_synthetic", "bid_age", "return_1s")

    def on_timer(self, ctx):
        if ctx.instrument != "A/C" or not ctx.valid:
            return
        lean = ctx.feature("imbalance") - ctx.feature("inventory")
        if abs(lean) < 1.5:
            ctx.quote(max(ctx.bid + lean, 1), ctx.ask + lean)
        elif ctx.position and ctx.synthetic("A/C").state == "quoted":
            ctx.hedge(-ctx.position, through="A/C")


class TestFeaturesAndSyntheticQuotes(StrategyConformance):
    strategy = Wide
    instruments = ("A/C", "A/B", "B/C")
    watch = ("C/D",)
    synthetic = ("A/C = A/B * B/C",)


class TestRandomQuotes(StrategyConformance):
    strategy = RandomQuotes
    values: ClassVar = {"seed": 5, "interval": "60ms"}
    instruments = TWO


class Everything(Strategy):
    """Uses every hook, every command, and another instrument's book."""

    interval = "40ms"

    def on_start(self, ctx: Any) -> None:
        self.seen = 0

    def on_timer(self, ctx: Any) -> None:
        if ctx.valid:
            ctx.quote_levels([ctx.bid - 1, ctx.bid - 3], [ctx.ask + 1, ctx.ask + 3], 2)

    def on_tob(self, ctx: Any) -> None:
        self.seen += 1
        if self.seen % 17 == 0 and ctx.instrument in ctx.instruments and ctx.bid > 2:
            ctx.place("buy", ctx.bid - 2, 3, "gtc")
        if self.seen % 29 == 0 and ctx[TWO[0]].orders:
            oldest = ctx[TWO[0]].orders[0]
            ctx[TWO[0]].replace(oldest.id, max(1, oldest.px - 1), 1)

    def on_trade(self, ctx: Any, trade: Any) -> None:
        if trade.qty > 5 and ctx.orders:
            ctx.cancel(ctx.orders[-1].id)

    def on_fill(self, ctx: Any, fill: Any) -> None:
        if abs(fill.position) > 4:
            ctx.hedge(-fill.position)

    def on_order(self, ctx: Any, order: Any) -> None:
        self.seen += order.status == "rejected"


class TestEverything(StrategyConformance):
    strategy = Everything
    instruments = TWO


# --- the suite finds what it is for -----------------------------------------------------------------------------------


class Quoting(Strategy):
    interval = "50ms"

    def spread(self, ctx: Any) -> float:
        return 2

    def on_timer(self, ctx: Any) -> None:
        if ctx.valid:
            spread = self.spread(ctx)
            ctx.quote(max(1, ctx.mid - spread), ctx.mid + spread)


class Unseeded(Quoting):
    def spread(self, ctx: Any) -> float:
        return random.randint(1, 4)


class Sharing(Quoting):
    memory: ClassVar[list[int]] = []

    def spread(self, ctx: Any) -> float:
        self.memory.append(1)
        return 1 if len(self.memory) < 60 else 3


class Seeing(Quoting):
    tables: ClassVar[Any] = None

    def spread(self, ctx: Any) -> float:
        (_, tob, _), = self.tables
        later = tob.bid_px[tob.ts > ctx.time]
        return 1 + int(later[:3].sum()) % 4


class Careless(Quoting):
    def on_tob(self, ctx: Any) -> None:
        _ = 1 / ctx.bid_qty


class Melting(Quoting):
    class Params(StrategyParams):
        model_config = ConfigDict(frozen=False)
        size: int = 1


class Loose(Quoting):
    class Params(StrategyParams):
        model_config = ConfigDict(extra="ignore")
        size: int = 1


class Lossy(Quoting):
    class Params(StrategyParams):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        value: Any = object()


class Unreferenced(Quoting):
    """Trades otherwise where it meets the reference simulator's view."""

    def spread(self, ctx: Any) -> float:
        return 1 if type(ctx).__name__.startswith("Reference") else 2


def suite(cls: type[Strategy]) -> StrategyConformance:
    class Suite(StrategyConformance):
        strategy = cls

    return Suite()


@pytest.mark.parametrize(("cls", "test", "said"), [
    (Unseeded, "test_two_runs_are_the_same", "two runs on one market"),
    (Unseeded, "test_batches_change_nothing", "batches of"),
    (Sharing, "test_instances_share_nothing", "another instance"),
    (Melting, "test_params_are_frozen", "can be changed"),
    (Loose, "test_unknown_params_are_refused", "does not know"),
    (Unreferenced, "test_engine_and_reference_agree", "reference and engine"),
])
def test_a_bad_strategy_breaks_its_rule(cls: type[Strategy], test: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(suite(cls), test)()


def test_params_that_cannot_be_stored_are_found() -> None:
    with pytest.raises(Exception, match="serialize"):
        suite(Lossy).test_params_survive_a_round_trip()


def test_a_strategy_that_sees_the_future_is_found() -> None:
    class Suite(StrategyConformance):
        strategy = Seeing

        def _run(self, tables: Any, *args: Any, **values: Any) -> Any:
            Seeing.tables = tables
            return super()._run(tables, *args, **values)

    with pytest.raises(AssertionError, match="another future"):
        Suite().test_the_future_is_unknown()


def test_a_division_by_an_absent_side_is_found_with_the_users_line() -> None:
    with pytest.raises(StrategyError, match="ZeroDivisionError") as caught:
        suite(Careless).test_odd_markets_do_no_harm()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_good_strategy_trades_enough_to_be_tested() -> None:
    for seed in StrategyConformance.seeds:
        trace = suite(Quoting)._run(small_market(seed))
        assert len(trace.fills) > 15
        assert {fill["reason"] for fill in trace.fills} == {"cross", "trade"}
        assert {order["status"] for order in trace.orders} >= {"accepted", "cancelled"}


def test_the_small_market_has_what_breaks_strategies() -> None:
    for seed in StrategyConformance.seeds:
        [(instrument, tob, trades)] = small_market(seed)
        assert instrument.tick_units == 2
        assert (tob.ts[1:] == tob.ts[:-1]).any()
        assert ((tob.bid_qty == 0) | (tob.ask_qty == 0)).any()
        assert ((tob.bid_px > tob.ask_px) & (tob.ask_qty > 0)).any()
        assert (trades.px % 2 == 1).any()
        assert set(trades.side.tolist()) == {-1, 0, 1}
        assert (tob.ts[1:] >= tob.ts[:-1]).all()
        assert (trades.ts[1:] >= trades.ts[:-1]).all()
