"""Exact ladders: the known answers to every printed digit, and laws that any ladder obeys."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest

from mmbt.synthetic import Ladder, LadderLeg, synthetic_ladder

USD = {"bids": [("19990", ".5"), ("19985", "1")], "asks": [("20000", ".4"), ("20010", "2")]}
RUB = {"bids": [("61.20", "20000"), ("61.15", "50000")], "asks": [("61.25", "10000"), ("61.30", "30000")]}


def printed(levels):
    """Prices and sizes as people print them: the size to eight places."""
    exact = [(Decimal(price.numerator) / price.denominator, float(size)) for price, size in levels]
    return [(f"{price.normalize():f}", f"{size:.8f}".rstrip("0")) for price, size in exact]


def test_btc_rub_without_fees():
    ladder = synthetic_ladder([LadderLeg(**USD), LadderLeg(**RUB)])
    assert printed(ladder.asks) == [("1225000", "0.4"), ("1225612.5", "0.09995002"), ("1226613", "1.49925037")]
    assert printed(ladder.bids) == [("1223388", "0.5"), ("1223082", "0.50062547"), ("1222082.75", "0.49937453")]


def test_btc_rub_with_fees():
    ladder = synthetic_ladder([LadderLeg(**USD, fee=".001"), LadderLeg(**RUB, fee=".0005")])
    assert f"{float(ladder.asks[0].price):.4f}" == "1226838.1125"
    assert f"{float(ladder.bids[0].price):.4f}" == "1221553.5297"
    assert ladder.asks[0].size == Fraction("0.4")
    assert ladder.asks[1].size == (10000 - Fraction("0.4") * 20000 * Fraction("1.001")) / (20010 * Fraction("1.001"))


def test_through_an_inverse_leg():
    # ETH/BTC = ETH/USD / BTC/USD: to sell ETH is to buy BTC with the dollars it gives
    eth = LadderLeg([(2400, 3)], [(2401, 2)])
    btc = LadderLeg([(59990, 1)], [(60000, ".05"), (60010, 1)], inverse=True)
    ladder = synthetic_ladder([eth, btc])
    assert ladder.asks == ((Fraction(2401, 59990), Fraction(2)),)
    assert ladder.bids == ((Fraction(2400, 60000), Fraction("1.25")), (Fraction(2400, 60010), Fraction("1.75")))


def test_an_inverse_leg_pays_its_fee_in_the_currency_the_chain_goes_on_with():
    ladder = synthetic_ladder([LadderLeg([(4, 10)], [(5, 10)], fee=".01", inverse=True)])
    assert ladder == Ladder(((Fraction(1, 5) * Fraction("0.99"), Fraction(50)),),
                            ((Fraction(1, 4) * Fraction("1.01"), Fraction(40)),))


def random_leg(rng):
    price, levels = rng.randint(5, 50), []
    for _ in range(rng.randint(1, 5)):
        price += rng.randint(1, 3)
        levels.append((Fraction(price, 7), Fraction(rng.randint(1, 30), 11)))
    cut = rng.randint(1, len(levels)) if rng.random() < 0.5 else len(levels)
    return LadderLeg(levels[:cut][::-1], levels[cut:] or [(Fraction(price + 9, 7), Fraction(5))],
                     Fraction(rng.choice([0, 1, 5]), 1000), rng.random() < 0.5)


def worth(levels, amount):
    """What that much base currency costs or gives; None when the ladder is too short."""
    total = Fraction(0)
    for price, size in levels:
        total += price * min(size, amount)
        amount -= min(size, amount)
    return total if amount == 0 else None


def bought_leg_by_leg(legs, amount):
    """The same cost from the definition: buy in the first leg, then what that costs in the next, and so on."""
    for leg in legs:
        asks = [(1 / p, p * s) for p, s in leg.bids] if leg.inverse else leg.asks
        amount = worth(asks, amount)
        if amount is None:
            return None
        amount *= 1 + leg.fee
    return amount


@pytest.mark.parametrize("seed", range(20))
def test_any_amount_costs_what_it_costs_leg_by_leg(seed):
    rng = random.Random(seed)
    for _ in range(20):
        legs = [random_leg(rng) for _ in range(rng.randint(1, 4))]
        asks = synthetic_ladder(legs).asks
        whole = sum(size for _, size in asks)
        for share in (Fraction(1, 100), Fraction(1, 3), Fraction(9, 10), Fraction(1)):
            assert worth(asks, whole * share) == bought_leg_by_leg(legs, whole * share)
        assert bought_leg_by_leg(legs, whole * Fraction(1001, 1000)) is None
        prices = [price for price, _ in asks]
        assert prices == sorted(set(prices))


def test_reversed_and_inverted_it_is_itself_read_from_the_other_side():
    rng = random.Random(1)
    for _ in range(50):
        legs = [LadderLeg(leg.bids, leg.asks, 0, leg.inverse)
                for leg in (random_leg(rng) for _ in range(rng.randint(1, 4)))]
        back = synthetic_ladder([LadderLeg(leg.bids, leg.asks, 0, not leg.inverse) for leg in legs[::-1]])
        assert [(1 / price, price * size) for price, size in back.bids] == list(synthetic_ladder(legs).asks)
        assert [(1 / price, price * size) for price, size in back.asks] == list(synthetic_ladder(legs).bids)


def test_a_crossed_leg_gives_nothing_and_a_missing_side_none_of_its_side():
    sound = LadderLeg([(9, 1)], [(10, 1)])
    assert synthetic_ladder([sound, LadderLeg([(11, 1)], [(10, 1)])]) == Ladder((), ())
    assert len(synthetic_ladder([sound, LadderLeg([(10, 1)], [(10, 1)])]).asks) == 1
    half = synthetic_ladder([sound, LadderLeg([], [(10, 1)])])
    assert half.bids == ()
    assert half.asks == ((Fraction(100), Fraction(1, 10)),)


def test_levels_of_one_price_are_one_level():
    ladder = synthetic_ladder([LadderLeg([], [(2, 1), (3, 1)]), LadderLeg([], [(3, 2), (6, 9)], fee=0)])
    assert ladder.asks == ((Fraction(6), Fraction(1)), (Fraction(18), Fraction(1)))
    merged = synthetic_ladder([LadderLeg([], [(2, 1), (4, 1)]), LadderLeg([], [(6, 3), (12, 9)], fee=0)])
    assert [level.price for level in merged.asks] == [12, 24, 48]


def test_numbers_are_read_as_they_print():
    ladders = [synthetic_ladder([LadderLeg([(value, 1)], [])]) for value in (61.2, "61.2", Decimal("61.2"))]
    assert ladders[0] == ladders[1] == ladders[2]
    assert ladders[0].bids[0].price == Fraction(306, 5)


@pytest.mark.parametrize(("legs", "message"), [
    pytest.param([], "at least one leg", id="no_legs"),
    pytest.param([LadderLeg([(0, 1)], [])], "leg 1, bids: price 0", id="a_price_of_0"),
    pytest.param([LadderLeg([(1, 1)], []), LadderLeg([], [(1, -1)])], "leg 2, asks: price 1 and size -1", id="a_size"),
    pytest.param([LadderLeg([(1, 1), (2, 1)], [])], "the best price comes first", id="rising_bids"),
    pytest.param([LadderLeg([], [(1, 1), (1, 1)])], "the best price comes first", id="an_ask_twice"),
    pytest.param([LadderLeg([], [], fee=1)], "leg 1: fee 1", id="a_fee_of_everything"),
    pytest.param([LadderLeg([("x", 1)], [])], "'x' is not a finite number", id="no_number"),
    pytest.param([LadderLeg([(float("nan"), 1)], [])], "nan is not a finite number", id="nan"),
])
def test_a_ladder_that_cannot_be(legs, message):
    with pytest.raises(ValueError, match=message):
        synthetic_ladder(legs)
