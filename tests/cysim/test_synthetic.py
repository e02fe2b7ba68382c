"""The native synthetic top of book against a slow twin in fractions, and its laws."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import NamedTuple

import pytest

from cysim import SyntheticBook
from mmbt.synthetic import LadderLeg, synthetic_ladder

NEAR = 1e-12  # relative: a few roundings a leg, at most eight legs


class Display(NamedTuple):
    ts: int
    bid_px: int
    bid_qty: int
    ask_px: int
    ask_qty: int


class Leg(NamedTuple):
    name: str
    unit: str
    lot: str
    inverse: bool = False
    quote_sized: bool = False
    fee: int = 0  # 1e-8


def book_of(legs, displays, max_age=None):
    book = SyntheticBook([tuple(leg) for leg in legs], max_age)
    for leg, display in zip(legs, displays, strict=True):
        book.update(leg.name, *display)
    return book


def twin(legs, displays, max_age, now):
    """(state, bid, bid size, ask, ask size, mid, age) from the definition; sizes by what one unit takes of each leg."""
    sell, buy = [Fraction(1)], [Fraction(1)]  # per unit of base currency, after so many legs
    sizes_bid, sizes_ask, clean_bid, clean_ask = [], [], Fraction(1), Fraction(1)
    for leg, display in zip(legs, displays, strict=True):
        if display.bid_qty == 0 or display.ask_qty == 0:
            return ("absent",)
        if display.bid_px > display.ask_px:
            return ("crossed",)
        bid, ask = (px * Fraction(leg.unit) for px in (display.bid_px, display.ask_px))
        bid_base, ask_base = (qty * Fraction(leg.lot) for qty in (display.bid_qty, display.ask_qty))
        if leg.quote_sized:
            bid_base, ask_base = bid_base / bid, ask_base / ask
        if leg.inverse:  # to sell the book's quote currency is to buy its base
            bid_base, ask_base = ask_base * ask, bid_base * bid
            bid, ask = 1 / ask, 1 / bid
        sizes_bid.append(bid_base / sell[-1])
        sizes_ask.append(ask_base / buy[-1])
        fee = Fraction(leg.fee, 10**8)
        sell.append(sell[-1] * bid * (1 - fee))
        buy.append(buy[-1] * ask * (1 + fee))
        clean_bid, clean_ask = clean_bid * bid, clean_ask * ask
    age = max([0, *(now - display.ts for display in displays)])
    if max_age is not None and age > max_age:
        return ("old",)
    return "quoted", sell[-1], min(sizes_bid), buy[-1], min(sizes_ask), (clean_bid + clean_ask) / 2, age


def told(book):
    if book.state != "quoted":
        return (book.state,)
    return book.state, book.bid, book.bid_size, book.ask, book.ask_size, book.mid, book.age


def random_legs(rng, count=None, *, fees=True):
    return [
        Leg(f"L{place}", rng.choice(["0.01", "0.5", "1", "0.00001"]), rng.choice(["0.001", "1", "100"]),
            rng.random() < 0.5, rng.random() < 0.3, rng.choice([0, 10_000, -2_500, 100_000]) if fees else 0)
        for place in range(count or rng.randint(1, 8))
    ]


def random_displays(rng, legs, *, sound=False):
    found = []
    for _ in legs:
        bid = rng.randint(1, 10**rng.randint(1, 8))
        ask = bid + rng.randint(0, 3) if sound or rng.random() < 0.95 else max(1, bid - 1)
        display = Display(rng.randint(0, 100), bid, rng.randint(1, 10**6), ask, rng.randint(1, 10**6))
        if not sound and rng.random() < 0.03:
            display = display._replace(bid_px=0, bid_qty=0)
        found.append(display)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_every_top_is_the_twins(seed):
    rng = random.Random(seed)
    states = set()
    for _ in range(400):
        legs = random_legs(rng)
        displays = random_displays(rng, legs)
        max_age, now = rng.choice([None, 60, 95]), rng.randint(100, 130)
        book = book_of(legs, displays, max_age)
        book.refresh(now)
        state, *numbers = told(book)
        expected, *exact = twin(legs, displays, max_age, now)
        states.add(state)
        assert state == expected
        assert numbers == pytest.approx([float(number) for number in exact], rel=NEAR)
    assert states == {"quoted", "absent", "crossed", "old"}


def test_the_top_is_the_first_level_of_the_exact_ladder():
    rng = random.Random(11)
    for _ in range(200):
        legs = [leg._replace(quote_sized=False) for leg in random_legs(rng)]
        displays = random_displays(rng, legs, sound=True)
        book = book_of(legs, displays)
        ladder = synthetic_ladder([
            LadderLeg([(d.bid_px * Fraction(leg.unit), d.bid_qty * Fraction(leg.lot))],
                      [(d.ask_px * Fraction(leg.unit), d.ask_qty * Fraction(leg.lot))], Fraction(leg.fee, 10**8),
                      leg.inverse)
            for leg, d in zip(legs, displays, strict=True)
        ])
        assert (book.bid, book.bid_size) == pytest.approx(tuple(map(float, ladder.bids[0])), rel=NEAR)
        assert (book.ask, book.ask_size) == pytest.approx(tuple(map(float, ladder.asks[0])), rel=NEAR)


def test_btc_rub_of_the_known_answers():
    legs = [Leg("BTC/USD", "10", "0.1", fee=100_000), Leg("USD/RUB", "0.05", "1", fee=50_000)]
    displays = [Display(0, 1999, 5, 2000, 4), Display(0, 1224, 20000, 1225, 10000)]
    free = book_of([leg._replace(fee=0) for leg in legs], displays)
    assert told(free)[1:] == pytest.approx((1223388, 0.5, 1225000, 0.4, 1224194, 0), rel=NEAR)
    dear = book_of(legs, displays)
    assert dear.ask == pytest.approx(1226838.1125, rel=NEAR)
    assert dear.bid == pytest.approx(1221553.5297, abs=5e-5)
    assert dear.mid == pytest.approx(1224194, rel=NEAR)


def test_one_leg_is_the_book_itself():
    book = book_of([Leg("X", "0.01", "0.001")], [Display(5, 6183763, 3788, 6183764, 1546)])
    assert told(book)[1:] == pytest.approx((61837.63, 3.788, 61837.64, 1.546, 61837.635, 0), rel=NEAR)


@pytest.mark.parametrize(("display", "state"), [
    pytest.param(Display(0, 0, 0, 61, 5), "absent", id="no_bid"),
    pytest.param(Display(0, 60, 5, 0, 0), "absent", id="no_ask"),
    pytest.param(Display(0, 0, 0, 0, 0), "absent", id="empty"),
    pytest.param(Display(0, 62, 5, 61, 5), "crossed", id="crossed"),
    pytest.param(Display(0, 61, 5, 61, 5), "quoted", id="locked"),
])
def test_a_leg_at_fault_gives_no_quote(display, state):
    legs = [Leg("A", "1", "1"), Leg("B", "1", "1", inverse=True)]
    book = book_of(legs, [Display(0, 60, 5, 61, 5), display])
    assert book.state == state
    if state != "quoted":
        assert all(math.isnan(value) for value in (book.bid, book.bid_size, book.ask, book.ask_size, book.mid))
        assert book.age is None


def test_a_leg_never_quoted_is_absent():
    book = SyntheticBook([tuple(Leg("A", "1", "1")), tuple(Leg("B", "1", "1"))])
    assert book.state == "absent"
    book.update("A", 0, 60, 5, 61, 5)
    assert book.state == "absent"
    book.update("B", 0, 60, 5, 61, 5)
    assert book.state == "quoted"


def test_a_quote_counts_up_to_the_limit_and_any_row_makes_it_young():
    legs = [Leg("A", "1", "1"), Leg("B", "1", "1")]
    book = book_of(legs, [Display(0, 60, 5, 61, 5), Display(90, 60, 5, 61, 5)], 100)
    book.refresh(100)
    assert (book.state, book.age) == ("quoted", 100)
    book.refresh(101)
    assert book.state == "old"
    book.update("A", 101, 60, 5, 61, 5)
    assert (book.state, book.age) == ("quoted", 11)


def test_relative_spreads_add_to_first_order():
    rng = random.Random(3)
    for _ in range(200):
        legs = random_legs(rng, fees=False)
        displays = [Display(0, bid, 10, bid + rng.randint(1, 100), 10)
                    for bid in (rng.randint(10**6, 10**8) for _ in legs)]
        book = book_of(legs, displays)
        each = [2 * (d.ask_px - d.bid_px) / (d.ask_px + d.bid_px) for d in displays]
        assert (book.ask - book.bid) / book.mid == pytest.approx(sum(each), rel=3 * sum(each))


def test_the_mid_is_not_the_product_of_mids():
    legs = [Leg("A", "1", "1"), Leg("B", "1", "1")]
    book = book_of(legs, [Display(0, 90, 1, 110, 1), Display(0, 80, 1, 120, 1)])
    assert book.mid == pytest.approx((90 * 80 + 110 * 120) / 2)
    assert book.mid - 100 * 100 == pytest.approx(200)  # half spread x half spread


def test_an_inverse_of_an_inverse_is_the_book():
    rng = random.Random(4)
    for _ in range(200):
        legs = random_legs(rng, fees=False)
        displays = random_displays(rng, legs, sound=True)
        there = book_of(legs, displays)
        back = book_of([leg._replace(inverse=not leg.inverse) for leg in legs[::-1]], displays[::-1])
        assert back.bid == pytest.approx(1 / there.ask, rel=NEAR)
        assert back.ask == pytest.approx(1 / there.bid, rel=NEAR)
        assert back.bid_size == pytest.approx(there.ask_size * there.ask, rel=NEAR)
        assert back.ask_size == pytest.approx(there.bid_size * there.bid, rel=NEAR)


def test_nobody_gains_by_going_round():
    rng = random.Random(5)
    for _ in range(200):
        legs = [leg._replace(fee=abs(leg.fee)) for leg in random_legs(rng)]
        displays = random_displays(rng, legs, sound=True)
        book = book_of(legs, displays)
        assert book.bid <= book.mid * (1 + NEAR)
        assert book.mid <= book.ask * (1 + NEAR)
        back = book_of([leg._replace(inverse=not leg.inverse) for leg in legs[::-1]], displays[::-1])
        assert book.bid * back.bid <= 1 + NEAR
        assert book.ask * back.ask >= 1 - NEAR


def test_more_fee_is_never_better():
    rng = random.Random(6)
    for _ in range(100):
        legs = random_legs(rng)
        displays = random_displays(rng, legs, sound=True)
        place = rng.randrange(len(legs))
        dearer = [leg._replace(fee=leg.fee + 50_000 * (i == place)) for i, leg in enumerate(legs)]
        cheap, dear = book_of(legs, displays), book_of(dearer, displays)
        assert dear.ask > cheap.ask
        assert dear.bid < cheap.bid
        assert dear.ask_size <= cheap.ask_size


@pytest.mark.parametrize(("side", "qty", "direct", "legs", "route"), [
    pytest.param("buy", 1, (99, 5, 101, 5), (99, 5, 100, 5), "legs", id="buys_along_the_legs_at_the_lower_ask"),
    pytest.param("buy", 1, (99, 5, 100, 5), (99, 5, 101, 5), "direct", id="buys_direct_at_the_lower_ask"),
    pytest.param("buy", 1, (99, 5, 100, 5), (99, 5, 100, 5), "direct", id="equal_is_direct"),
    pytest.param(-1, 1, (98, 5, 101, 5), (99, 5, 101, 5), "legs", id="sells_along_the_legs_at_the_higher_bid"),
    pytest.param(-1, 1, (99, 5, 101, 5), (98, 5, 101, 5), "direct", id="sells_direct_at_the_higher_bid"),
    pytest.param("buy", 3, (99, 5, 101, 3), (99, 5, 100, 2), "direct", id="the_better_price_shows_too_little"),
    pytest.param("buy", 3, (99, 5, 101, 1), (99, 5, 102, 2), "legs", id="neither_shows_enough_and_legs_show_more"),
    pytest.param("buy", 3, (99, 5, 101, 2), (99, 5, 100, 2), "direct", id="neither_shows_enough_and_both_the_same"),
    pytest.param("buy", 9, (99, 5, 101, 5), (0, 0, 100, 9), "direct", id="no_synthetic"),
    pytest.param("buy", 9, (0, 0, 100, 9), (99, 5, 101, 5), "legs", id="no_direct_book"),
    pytest.param("buy", 1, (0, 0, 100, 9), (102, 5, 101, 5), None, id="neither_is_quoted"),
])
def test_the_cheapest_route(side, qty, direct, legs, route):
    alone = book_of([Leg("D", "1", "1")], [Display(0, *direct)])
    chain = book_of([Leg("A", "1", "1"), Leg("B", "1", "1")], [Display(0, *legs), Display(0, 1, 10**6, 1, 10**6)])
    assert chain.route(alone, side, qty) == route


def test_fees_decide_the_route():
    alone = book_of([Leg("D", "1", "1")], [Display(0, 9999, 5, 10001, 5)])
    displays = [Display(0, 9999, 5, 10000, 5), Display(0, 1, 10**6, 1, 10**6)]
    for fee, route in ((4_999, "legs"), (5_001, "direct")):  # two legs, 1e-8: just less and more than 1 bp together
        legs = [Leg("A", "1", "1", fee=fee), Leg("B", "1", "1", fee=fee)]
        assert book_of(legs, displays).route(alone, "buy", 1) == route


def test_the_orders_leave_nothing_in_between():
    rng = random.Random(8)
    for _ in range(300):
        legs = [leg._replace(lot="0.00000001") for leg in random_legs(rng, rng.randint(1, 4))]
        displays = [Display(0, bid, 10**9, bid + 2, 10**9) for bid in (rng.randint(50, 150) for _ in legs)]
        legs = [leg._replace(unit="0.01") for leg in legs]
        side = rng.choice([1, -1])
        orders = book_of(legs, displays).orders(side, 1.5)
        flows: dict[int, float] = {}
        for place, (leg, display, (name, own, lots)) in enumerate(zip(legs, displays, orders, strict=True)):
            assert name == leg.name
            assert own == (-side if leg.inverse else side)
            price = (display.ask_px if own > 0 else display.bid_px) * 0.01
            amount = lots * 1e-8 / (price if leg.quote_sized else 1)  # base currency of the book
            begins, ends = (amount * price, amount) if leg.inverse else (amount, amount * price)
            flows[place] = flows.get(place, 0) + side * begins
            flows[place + 1] = -side * ends * (1 + side * leg.fee * 1e-8)
        assert flows[0] == pytest.approx(side * 1.5, rel=1e-5)
        assert [flows[place] for place in range(1, len(legs))] == pytest.approx([0] * (len(legs) - 1), abs=1e-5)


def test_orders_are_whole_lots():
    legs = [Leg("A", "1", "1"), Leg("B", "1", "100", inverse=True, quote_sized=True)]
    book = book_of(legs, [Display(0, 240, 9, 241, 9), Display(0, 6000, 9, 6001, 9)])
    assert book.orders("buy", 2) == [("A", 1, 2), ("B", -1, 5)]  # 482 of its quote currency, 4.82 contracts of 100
    assert book.orders("sell", 0.2) == [("A", -1, 0), ("B", 1, 0)]


@pytest.mark.parametrize(("legs", "message"), [
    pytest.param([], "1 to 8 legs", id="none"),
    pytest.param([Leg(str(i), "1", "1") for i in range(9)], "1 to 8 legs", id="nine"),
    pytest.param([Leg("A", "1", "1"), Leg("A", "1", "1")], "two legs", id="twice"),
    pytest.param([Leg("A", "0", "1")], "must be positive", id="no_price_unit"),
    pytest.param([Leg("A", "1", "nan")], "must be positive", id="a_lot_that_is_no_number"),
    pytest.param([Leg("A", "1", "1", fee=10**8)], "less than the whole value", id="a_fee_of_everything"),
])
def test_a_chain_that_cannot_be(legs, message):
    with pytest.raises(ValueError, match=message):
        SyntheticBook([tuple(leg) for leg in legs])


@pytest.mark.parametrize(("values", "message"), [
    pytest.param(("B", 0, 1, 1, 2, 1), "'B' is not a leg", id="another_instrument"),
    pytest.param(("A", 0, 0, 1, 2, 1), "absent together", id="a_quantity_without_price"),
    pytest.param(("A", 0, 1, 1, 2, -1), "0 to 2", id="a_negative_quantity"),
    pytest.param(("A", 0, 1, 1, 2**40, 1), "0 to 2", id="a_price_too_large"),
])
def test_an_impossible_quote_changes_nothing(values, message):
    book = book_of([Leg("A", "1", "1")], [Display(0, 60, 5, 61, 5)])
    before = told(book)
    with pytest.raises(ValueError, match=message):
        book.update(*values)
    assert told(book) == before


def test_wrong_arguments_of_trades():
    book = book_of([Leg("A", "1", "1")], [Display(0, 60, 5, 61, 5)])
    for qty in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="qty must be"):
            book.orders("buy", qty)
        with pytest.raises(ValueError, match="qty must be"):
            book.route(book, "buy", qty)
    with pytest.raises(ValueError, match="side must be"):
        book.orders("long", 1)
    with pytest.raises(OverflowError, match="lots"):
        book.orders("buy", 1e30)
    with pytest.raises(ValueError, match="max_age"):
        SyntheticBook([tuple(Leg("A", "1", "1"))], -1)
    book.update("A", 1, 0, 0, 61, 5)
    with pytest.raises(ValueError, match="a leg is absent"):
        book.orders("buy", 1)
