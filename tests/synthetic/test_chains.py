"""Chains read and found: orientation, order, ties, and errors that say what is missing."""

from __future__ import annotations

import itertools
import random

import pytest

from mmbt.errors import UsageError
from mmbt.market import Instrument
from mmbt.synthetic import Chain, Leg, find_chain, find_instrument, parse_chain
from mmbt.synthetic.chains import pair_of


def instruments(*names):
    return [Instrument(name, "1", "1", "1", *(pair_of(name) if "/" in name else ())) for name in names]


FOUR = instruments("BTC/USDT_T+0", "BTC/USD_T+0", "ETH/USDT_T+0", "ETH/USD_T+0")
THROUGH = (Leg("ETH/USD_T+0"), Leg("BTC/USD_T+0", inverse=True), Leg("BTC/USDT_T+0"))


@pytest.mark.parametrize("text", [
    "ETH/USDT = ETH/USD * BTC/USDT / BTC/USD",
    "ETH/USDT = ETH/USD / BTC/USD * BTC/USDT",
    "ETH/USDT_T+0 = ETH/USD_T+0 * BTC/USDT_T+0 / BTC/USD_T+0",
    "  ETH/USDT=BTC/USDT  *  ETH/USD_T+0 / BTC/USD  ",
    "ETH/USDT = BTC/USD, ETH/USD,BTC/USDT",
    "ETH/USDT = / BTC/USD * ETH/USD * BTC/USDT",
    "ETH/USDT = 1 / BTC/USD * ETH/USD * BTC/USDT",
])
def test_a_chain_is_read_however_it_is_written(text):
    assert parse_chain(text, FOUR) == Chain("ETH", "USDT", THROUGH)


def test_the_chain_of_the_ruble():
    chain = parse_chain("BTC/RUB = BTC/USD * USD/RUB", instruments("BTC/USD", "USD/RUB"))
    assert chain.legs == (Leg("BTC/USD"), Leg("USD/RUB"))
    assert str(chain) == "BTC/RUB = BTC/USD * USD/RUB"


def test_what_is_printed_is_read_back():
    rng = random.Random(2)
    currencies = ["A", "B", "C", "D", "E"]
    pairs = instruments(*(f"{a}/{b}" if rng.random() < 0.5 else f"{b}/{a}_T+1"
                          for a, b in itertools.combinations(currencies, 2)))
    for base, quote in itertools.permutations(currencies, 2):
        direct = [each for each in pairs if {each.base, each.quote} == {base, quote}]
        chain = find_chain(base, quote, [each for each in pairs if each not in direct])
        assert len(chain.legs) == 2
        assert parse_chain(str(chain), pairs) == chain
    assert str(Chain("B", "A", (Leg("A/B", inverse=True),))) == "B/A = 1 / A/B"


@pytest.mark.parametrize(("text", "message"), [
    pytest.param("ETH/USDT", "is no chain", id="no_formula"),
    pytest.param("ETHUSDT = ETH/USD", "is not a pair", id="no_pair"),
    pytest.param("ETH/USDT =", "a leg is missing", id="nothing"),
    pytest.param("ETH/USDT = ETH/USD *  / BTC/USD", "a leg is missing|no instrument", id="nothing_between"),
    pytest.param("ETH/USDT = ETH/USD, ", "a leg is missing", id="nothing_after_the_comma"),
    pytest.param("ETH/USDT = ETH/EUR * BTC/USDT", "no instrument 'ETH/EUR'; did you mean", id="unknown"),
    pytest.param("ETH/USDT = ETH/USD * BTC/USDT * BTC/USD", "BTC/USD_T.0 must be divided by", id="not_divided"),
    pytest.param("ETH/USD = ETH/USDT / BTC/USDT / BTC/USD", "BTC/USD_T.0 must be multiplied with", id="divided"),
    pytest.param("ETH/USDT = ETH/USD * BTC/USDT", "do not lead from ETH to USDT.*BTC/USDT_T.0 joins", id="a_gap"),
    pytest.param("ETH/USDT = ETH/USD * BTC/USDT / BTC/USD * ETH/USDT", "do not lead", id="one_too_many"),
    pytest.param("ETH/USDT = ETH/USD * ETH/USD_T+0", "stands twice", id="twice"),
])
def test_a_chain_that_cannot_be_read(text, message):
    with pytest.raises(UsageError, match=message):
        parse_chain(text, FOUR)


def test_a_pair_of_two_instruments_must_be_named_whole():
    two = instruments("BTC/USD_T+0", "BTC/USD_T+1")
    assert find_instrument("BTC/USD_T+1", two).name == "BTC/USD_T+1"
    with pytest.raises(UsageError, match=r"'BTC/USD' may be BTC/USD_T\+0 or BTC/USD_T\+1"):
        find_instrument("BTC/USD", two)
    assert find_instrument("AIG", instruments("AIG")).name == "AIG"
    with pytest.raises(UsageError, match="AIG does not name its currencies"):
        parse_chain("BTC/USD = AIG", instruments("AIG"))


def test_the_shortest_chain_is_found():
    assert find_chain("ETH", "USDT", FOUR).legs == (Leg("ETH/USDT_T+0"),)
    assert find_chain("ETH", "USDT", [each for each in FOUR if each.name != "ETH/USDT_T+0"]).legs == THROUGH
    assert find_chain("USDT", "ETH", FOUR).legs == (Leg("ETH/USDT_T+0", inverse=True),)


def test_ties_go_by_name_from_the_first_leg_on():
    pairs = instruments("A/Y", "Y/B", "A/X_2", "A/X_1", "X/B", "B/X")
    assert find_chain("A", "B", pairs).legs == (Leg("A/X_1"), Leg("B/X", inverse=True))


def brute_force(base, quote, pairs):
    """The shortest chain of different legs, of several the first by the bytes of their names."""
    for count in range(1, len(pairs) + 1):
        found = []
        for legs in itertools.permutations(pairs, count):
            at = base
            for each in legs:
                at = each.quote if at == each.base else each.base if at == each.quote else None
            if at == quote:
                found.append([each.name.encode() for each in legs])
        if found:
            return min(found)
    return None


@pytest.mark.parametrize("seed", range(30))
def test_found_chains_are_those_of_brute_force(seed):
    rng = random.Random(seed)
    pairs = instruments(*sorted({"/".join(rng.sample("ABCDEF", 2)) + rng.choice(["", "_T+0"]) for _ in range(6)}))
    rng.shuffle(pairs)
    base, quote = rng.sample("ABCDEF", 2)
    expected = brute_force(base, quote, pairs)
    if expected is None:
        with pytest.raises(UsageError, match="needed"):
            find_chain(base, quote, pairs)
        return
    assert [leg.instrument.encode() for leg in find_chain(base, quote, pairs).legs] == expected


def test_a_gap_says_what_would_close_it():
    with pytest.raises(UsageError, match="no chain leads from ETH to RUB: an instrument is needed that joins one of "
                                         "ETH, USD with one of EUR, RUB, such as ETH/EUR"):
        find_chain("ETH", "RUB", instruments("ETH/USD", "EUR/RUB"))
    with pytest.raises(UsageError, match=r"has the currency RUB; one is needed that joins RUB with ETH or USD"):
        find_chain("ETH", "RUB", instruments("ETH/USD"))
    with pytest.raises(UsageError, match="did you mean 'USDT'"):
        find_chain("ETH", "USDTT", FOUR)
    with pytest.raises(UsageError, match="joins ETH with another currency"):
        find_chain("ETH", "RUB", [])
    with pytest.raises(UsageError, match="two currencies"):
        find_chain("ETH", "ETH", FOUR)


def test_more_than_eight_legs_are_refused():
    names = [f"{a}/{b}" for a, b in itertools.pairwise("ABCDEFGHIJ")]
    assert len(find_chain("A", "I", instruments(*names)).legs) == 8
    with pytest.raises(UsageError, match="9 legs, more than 8"):
        find_chain("A", "J", instruments(*names))
    with pytest.raises(UsageError, match="9 legs are more than 8"):
        parse_chain("A/J = " + ", ".join(names), instruments(*names))
