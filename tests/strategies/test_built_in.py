"""The built-in strategies: their native quotes against a plain restatement of the rule (A4, A6), and `random`'s draws.

Prices in ticks: B and A are the market's touches, Q our position, h the half spread and c the skew.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmbt import BacktestConfig, FillRules, Strategy, run_backtest
from mmbt.market import ArrayMarket, Instrument
from mmbt.strategies.random_quotes import _fnv1a, uniforms
from mmbt.strategies.registry import make
from mmbt.testing.markets import tables_of

NAME = "BTC/USD_T+0"
T0 = 1_663_718_400 * 10**9
STEP = 100_000_000


class Rule(NamedTuple):
    h: float = 1.0
    c: float = 0.0
    levels: int = 1
    step: float = 1.0
    limit: int | None = None

    def strategy(self, size: int = 1) -> Strategy:
        values: dict[str, Any] = {"half_spread_ticks": self.h, "max_position": self.limit, "size": size}
        if self.levels == 1 and self.c == 0:
            return make("fixed-spread", values)
        if self.levels == 1:
            return make("linear-skew", {**values, "skew_ticks_per_lot": self.c})
        return make("ladder", {**values, "skew_ticks_per_lot": self.c, "levels": self.levels, "step_ticks": self.step})


def market(books: list[tuple[int, int, int, int]], tick_units: int = 1) -> ArrayMarket:
    """Books (bid, bid quantity, ask, ask quantity), one every 100 ms."""
    instrument = Instrument(NAME, tick_size=f"0.{tick_units}", price_unit="0.1", lot_size="1")
    rows = [(T0 + k * STEP, bid * tick_units, bid_qty, ask * tick_units, ask_qty)
            for k, (bid, bid_qty, ask, ask_qty) in enumerate(books)]
    return ArrayMarket([(instrument, *tables_of(rows))])


def orders(rule: Rule, books: list[tuple[int, int, int, int]], q: int = 0, tick_units: int = 1) -> list[dict[str, Any]]:
    config = BacktestConfig(instruments=(NAME,), position=q)
    rows: list[dict[str, Any]] = run_backtest(market(books, tick_units), rule.strategy(), config).orders.to_pylist()
    return rows


def quotes(rule: Rule, b: int, a: int, q: int = 0, tick_units: int = 1) -> tuple[list[int], list[int]]:
    """The bids and the offers that the engine quotes at the first timer, in the order sent."""
    rows = [row for row in orders(rule, [(b, 5, a, 5)], q, tick_units) if row["reason"] != "end"]
    assert {row["status"] for row in rows} <= {"accepted"}
    assert [row["order_id"] for row in rows] == list(range(1, len(rows) + 1))
    sides = [row["side"] for row in rows]
    assert sides == sorted(sides, reverse=True), "bids go before offers"
    return ([row["px"] for row in rows if row["side"] > 0], [row["px"] for row in rows if row["side"] < 0])


def whole(x: float) -> float:
    """A price within 1e-9 of an integer is that integer."""
    below = math.floor(x)
    if x - below <= 1e-9:
        return below
    return below + 1 if below + 1 - x <= 1e-9 else x


def restated(rule: Rule, b: int, a: int, q: int) -> tuple[dict[int, int], dict[int, int]]:
    """The wanted price of each level that is quoted: bids, offers."""
    r = (b + a) / 2 - rule.c * q
    bids: dict[int, int] = {}
    offers: dict[int, int] = {}
    for level in range(rule.levels):
        half = rule.h + level * rule.step
        bid = math.floor(whole(r - half))
        bid = bid if bid < a - 1 else a - 1
        offer = math.ceil(whole(r + half))
        offer = offer if offer > b + 1 else b + 1
        if (rule.limit is None or q < rule.limit) and bid >= 1 and bid not in bids.values():
            bids[level] = bid
        if (rule.limit is None or q > -rule.limit) and offer >= 1 and offer not in offers.values():
            offers[level] = offer
    best = max(bids.values(), default=0)
    return bids, {level: offer for level, offer in offers.items() if offer > best}


# --- one look at the market, by name ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "b", "a", "q", "bids", "offers"), [
    pytest.param(Rule(h=2), 100, 102, 0, [99], [103], id="symmetric_about_a_whole_mid"),
    pytest.param(Rule(h=0.5), 100, 103, 0, [101], [102], id="half_way_mid_and_half_way_spread_need_no_rounding"),
    pytest.param(Rule(h=0), 100, 103, 0, [101], [102], id="half_way_mid_rounds_outwards"),
    pytest.param(Rule(h=1), 100, 101, 0, [99], [102], id="half_way_mid_of_a_one_tick_market_rounds_outwards"),
    pytest.param(Rule(h=0), 100, 102, 0, [101], [], id="an_offer_at_our_own_bid_is_dropped"),
    pytest.param(Rule(h=0), 100, 101, 0, [100], [101], id="no_spread_joins_both_touches"),
    pytest.param(Rule(h=0), 100, 100, 0, [99], [101], id="a_locked_book_is_valid_and_bounds_both"),
    pytest.param(Rule(h=1), 102, 100, 0, [], [], id="a_crossed_book_is_not_quoted"),
    pytest.param(Rule(h=1, c=1), 100, 102, 5, [95], [101], id="long_leans_down_and_the_offer_stays_above_their_bid"),
    pytest.param(Rule(h=1, c=1), 100, 102, -5, [101], [107], id="short_leans_up_and_the_bid_stays_below_their_ask"),
    pytest.param(Rule(h=1, c=-1), 100, 102, 5, [101], [107], id="a_negative_skew_leans_the_other_way"),
    pytest.param(Rule(h=0.7, c=0.1), 100, 102, 3, [100], [102], id="snap_99_99999999999999_is_100"),
    pytest.param(Rule(h=0.3, c=0.1), 100, 102, 3, [100], [101], id="snap_of_the_offer"),
    pytest.param(Rule(h=1 + 0.9e-9), 100, 102, 0, [100], [102], id="nine_tenths_of_1e_9_off_is_exact"),
    pytest.param(Rule(h=1 + 1.1e-9), 100, 102, 0, [99], [103], id="more_than_1e_9_off_rounds_outwards"),
    pytest.param(Rule(h=1 - 0.9e-9), 100, 102, 0, [100], [102], id="nine_tenths_of_1e_9_inside_is_exact"),
    pytest.param(Rule(h=1 - 1.1e-9), 100, 102, 0, [100], [102], id="more_than_1e_9_inside_rounds_outwards_to_the_same"),
    pytest.param(Rule(h=1, limit=3), 100, 102, 3, [], [102], id="no_bid_at_the_limit"),
    pytest.param(Rule(h=1, limit=3), 100, 102, -3, [100], [], id="no_offer_at_the_negative_limit"),
    pytest.param(Rule(h=1, limit=3), 100, 102, 2, [100], [102], id="both_sides_below_the_limit"),
    pytest.param(Rule(h=1, limit=3), 100, 102, 9, [], [102], id="no_bid_beyond_the_limit"),
    pytest.param(Rule(h=0, limit=3), 100, 102, 3, [], [101], id="an_offer_is_dropped_only_for_a_bid_that_is_quoted"),
    pytest.param(Rule(h=5), 4, 6, 0, [], [10], id="a_bid_at_zero_is_not_quoted"),
    pytest.param(Rule(h=4), 4, 6, 0, [1], [9], id="a_bid_at_one_tick_is_quoted"),
    pytest.param(Rule(h=1, levels=3, step=2), 100, 102, 0, [100, 98, 96], [102, 104, 106], id="ladder_inner_first"),
    pytest.param(Rule(h=1, levels=4, step=0.5), 100, 102, 0, [100, 99, 98], [102, 103, 104], id="ladder_repeats"),
    pytest.param(Rule(h=1, c=1, levels=3), 100, 102, 2, [98, 97, 96], [101, 102], id="ladder_repeats_at_the_bound"),
    pytest.param(Rule(h=0, levels=3), 100, 102, 0, [101, 100, 99], [102, 103], id="ladder_offer_at_our_bid"),
    pytest.param(Rule(h=1, levels=3, limit=1), 100, 102, 1, [], [102, 103, 104], id="ladder_limit_stops_a_side"),
    pytest.param(Rule(h=1, levels=4), 3, 5, 0, [3, 2, 1], [5, 6, 7, 8], id="ladder_ends_above_zero"),
])
def test_a6_quotes(rule: Rule, b: int, a: int, q: int, bids: list[int], offers: list[int]) -> None:
    assert quotes(rule, b, a, q) == (bids, offers)
    assert b > a or tuple([*side.values()] for side in restated(rule, b, a, q)) == (bids, offers)


@pytest.mark.parametrize("book", [(0, 0, 102, 5), (100, 5, 0, 0), (0, 0, 0, 0)])
def test_a6_a_one_sided_or_empty_book_is_not_quoted(book: tuple[int, int, int, int]) -> None:
    assert orders(Rule(), [book]) == []


@pytest.mark.parametrize("later", [(0, 0, 102, 5), (100, 5, 0, 0), (0, 0, 0, 0), (103, 5, 102, 5)])
def test_a6_quotes_stay_while_there_is_no_valid_book(later: tuple[int, int, int, int]) -> None:
    rows = orders(Rule(h=5), [(100, 5, 102, 5), later, later])
    assert [(row["status"], row["reason"]) for row in rows] == [("accepted", "")] * 2 + [("cancelled", "end")] * 2


@pytest.mark.parametrize("h", [2.0**39, 2.0**40 - 1])
def test_a6_quotes_that_are_no_possible_price_are_left_out(h: float) -> None:
    assert quotes(Rule(h=h), 100, 102, tick_units=5) == ([], [])


@pytest.mark.parametrize("size", [1, 7, 2**40 - 1])
def test_every_quote_has_the_size_and_is_post_only(size: int) -> None:
    config = BacktestConfig(instruments=(NAME,))
    result = run_backtest(market([(100, 5, 102, 5)]), Rule(levels=2).strategy(size), config)
    rows = result.orders.to_pylist()
    assert {(row["qty"], row["kind"], row["purpose"]) for row in rows} == {(size, "post_only", "quote")}


numbers = st.one_of(
    st.integers(0, 400).map(lambda k: k / 4),
    st.integers(0, 1000).map(lambda k: k / 10),
    st.floats(0, 1e3, allow_subnormal=False),
)


@given(
    b=st.integers(1, 3000), gap=st.integers(0, 40), q=st.integers(-40, 40), h=numbers,
    c=st.one_of(numbers.map(lambda x: x / 20), numbers.map(lambda x: -x / 20)), levels=st.integers(1, 8),
    step=st.one_of(st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.0]), st.floats(0.01, 20)),
    limit=st.none() | st.integers(1, 45), off=st.sampled_from([0.0, 0.0, 9e-10, -9e-10, 1.1e-9, 3e-9]),
    tick_units=st.sampled_from([1, 2, 5]),
)
@example(b=2**36, gap=1, q=3, h=0.3, c=0.1, levels=3, step=0.1, limit=None, off=0.0, tick_units=5)
@settings(max_examples=300)
def test_a6_native_quotes_are_the_restated_ones(
    b: int, gap: int, q: int, h: float, c: float, levels: int, step: float, limit: int | None, off: float,
    tick_units: int,
) -> None:
    rule = Rule(max(h + off, 0.0), c, levels, step, limit)
    bids, offers = restated(rule, b, b + gap, q)
    assert quotes(rule, b, b + gap, q, tick_units) == (list(bids.values()), list(offers.values()))


# --- many looks: each level keeps its order while its price stays (A4) -----------------------------------------------


sizes = st.sampled_from([*[3] * 9, 0])
books = st.tuples(st.integers(20, 32), st.integers(-1, 6), sizes, sizes)


@given(
    looks=st.lists(books, min_size=1, max_size=25), h=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    size=st.sampled_from([1, 2, 5]), c=st.sampled_from([0.0, 0.3, 1.0]), levels=st.integers(1, 4),
    step=st.sampled_from([0.5, 1.0, 2.0]), limit=st.sampled_from([None, 1, 4]),
    rules=st.sampled_from(["seed", "conservative", "optimistic"]),
)
@settings(max_examples=200)
def test_a4_each_level_is_a_slot_that_keeps_its_order(
    looks: list[tuple[int, int, int, int]], h: float, size: int, c: float, levels: int, step: float, limit: int | None,
    rules: str,
) -> None:
    shown = [(b if bq else 0, bq, b + gap if aq else 0, aq) for b, gap, bq, aq in looks]
    rule = Rule(h, c, levels, step, limit)
    config = BacktestConfig(instruments=(NAME,), fills=FillRules.parse(rules))
    result = run_backtest(market(shown), rule.strategy(size), config)
    fills = result.fills.to_pylist()
    slots: dict[tuple[int, int], tuple[int, int]] = {}  # (side, level) -> order id, price
    expected: list[tuple[int, str, int, int, int]] = []
    last_id = 0
    for k, (b, bq, a, aq) in enumerate(shown):
        now = T0 + k * STEP
        if not (bq and aq and b <= a):
            continue
        known = [fill for fill in fills if fill["ts"] <= now]
        q = sum(fill["side"] * fill["qty"] for fill in known)
        for slot, (held, _) in list(slots.items()):
            if sum(fill["qty"] for fill in known if fill["order_id"] == held) == size:
                del slots[slot]
        bids, offers = restated(rule, b, a, q)
        wanted = {(1, level): px for level, px in bids.items()} | {(-1, level): px for level, px in offers.items()}
        in_order = [(side, level) for side in (1, -1) for level in range(levels)]
        for slot in in_order:
            if slot in slots and slots[slot][1] != wanted.get(slot):
                order, px = slots.pop(slot)
                expected.append((now, "cancelled", order, px, slot[0]))
        for slot in in_order:
            if slot in wanted and slot not in slots:
                last_id += 1
                slots[slot] = (last_id, wanted[slot])
                expected.append((now, "accepted", last_id, wanted[slot], slot[0]))
    found = [(row["ts"], row["status"], row["order_id"], row["px"], row["side"]) for row in result.orders.to_pylist()
             if row["reason"] != "end"]
    assert found == expected


# --- random ----------------------------------------------------------------------------------------------------------


def test_fnv1a_known_answers() -> None:
    assert _fnv1a(b"") == 0xCBF29CE484222325
    assert _fnv1a(b"a") == 0xAF63DC4C8601EC8C
    assert _fnv1a(b"foobar") == 0x85944171F73967E8


def test_random_draws_are_the_published_splitmix64() -> None:
    outputs = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]  # of seed 1234567
    seed = (1234567 - 0x9E3779B97F4A7C15 * _fnv1a("é/RUB".encode())) % 2**64
    drawn = [*uniforms(seed, "é/RUB", 0), *uniforms(seed, "é/RUB", 1)]
    assert drawn == [(output >> 11) / 2**53 for output in outputs]


@given(seed=st.integers(0, 2**64 - 1), name=st.text(max_size=20), call=st.integers(0, 10**9))
def test_random_draws_lie_in_the_unit_interval_and_differ(seed: int, name: str, call: int) -> None:
    first, second = uniforms(seed, name, call)
    assert 0 <= first < 1
    assert 0 <= second < 1
    assert (first, second) != uniforms(seed, name, call + 1)


def _random_orders(seed: int, **values: Any) -> list[dict[str, Any]]:
    strategy = make("random", {"seed": seed, **values})
    shown = [(1000 + k % 3, 5, 1002 + k % 3, 5) for k in range(200)]
    result = run_backtest(market(shown), strategy, BacktestConfig(instruments=(NAME,)))
    rows: list[dict[str, Any]] = result.orders.to_pylist()
    return rows


def test_random_repeats_for_a_seed_and_differs_between_seeds() -> None:
    assert _random_orders(1) == _random_orders(1)
    assert _random_orders(1) != _random_orders(2)


@pytest.mark.parametrize("hash_seed", ["0", "77"])
def test_random_is_the_same_in_any_process(hash_seed: str) -> None:
    code = "from mmbt.strategies.random_quotes import uniforms; print(uniforms(7, 'BTC/USD_T+0', 3))"
    child = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed},
                           capture_output=True, text=True, check=True)
    assert child.stdout.strip() == str(uniforms(7, "BTC/USD_T+0", 3)) == "(0.7064946665283626, 0.0397607796679299)"


def test_one_random_strategy_used_twice_begins_again() -> None:
    strategy = make("random")
    shown = [(1000, 5, 1002, 5)] * 20
    config = BacktestConfig(instruments=(NAME,))
    first, second = (run_backtest(market(shown), strategy, config).orders.to_pylist() for _ in range(2))
    assert first == second


def test_random_quotes_keep_within_their_bounds() -> None:
    rows = [row for row in _random_orders(3, max_half_spread_ticks=4, max_skew_ticks=2) if row["status"] == "accepted"]
    assert len(rows) > 300
    for row in rows:
        k = (row["ts"] - T0) // STEP
        middle = 1001 + k % 3
        assert abs(row["px"] - middle) <= 7
        assert row["px"] <= middle if row["side"] > 0 else row["px"] >= middle


def test_random_keeps_its_limit() -> None:
    strategy = make("random", {"max_position": 2, "max_half_spread_ticks": 1})
    shown = [(1000 + 7 * (k % 5), 5, 1002 + 7 * (k % 5), 5) for k in range(300)]
    result = run_backtest(market(shown), strategy, BacktestConfig(instruments=(NAME,)))
    positions = result.fills.column("position").to_pylist()
    assert positions
    assert max(map(abs, positions)) <= 2
