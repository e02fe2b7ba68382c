"""Synthetic quotes as people declare them for a run."""

from __future__ import annotations

import pytest

from mmbt.errors import UsageError
from mmbt.market import Instrument
from mmbt.synthetic import declared, direct_of


def instrument(name: str) -> Instrument:
    base, _, quote = name.partition("_")[0].partition("/")
    return Instrument(name, "1", "1", "1", base=base, quote=quote)


KNOWN = [instrument(name) for name in ("BTC/RUB_T+0", "BTC/RUB_T+1", "BTC/USD_T+0", "USD/RUB_T+0")]


def test_a_pair_alone_goes_through_others() -> None:
    (found,) = declared(["BTC/RUB"], KNOWN)
    assert str(found) == "BTC/RUB = BTC/USD_T+0 * USD/RUB_T+0"
    assert str(declared([str(found)], KNOWN)[0]) == str(found)


def test_a_name_may_have_a_suffix() -> None:
    first, second = declared(["BTC/RUB_T+1", "BTC/RUB_2 = BTC/USD * USD/RUB"], KNOWN)
    assert str(first) == "BTC/RUB_T+1 = BTC/USD_T+0 * USD/RUB_T+0"
    assert (second.name, second.chain) == ("BTC/RUB_2", first.chain)


def test_the_instrument_of_the_pair() -> None:
    named, plain = declared(["BTC/RUB_T+1", "BTC/RUB"], KNOWN)
    assert direct_of(named, KNOWN) == KNOWN[1]
    assert direct_of(plain, KNOWN[1:]) == KNOWN[1]
    assert direct_of(plain, KNOWN[2:]) is None
    with pytest.raises(UsageError, match=r"'BTC/RUB' may stand beside BTC/RUB_T\+0 or BTC/RUB_T\+1: give it the name"):
        direct_of(plain, KNOWN)


def test_an_instrument_of_the_pair_may_be_the_leg() -> None:
    (found,) = declared(["BTC/RUB = BTC/RUB_T+0"], KNOWN)
    assert direct_of(found, KNOWN) == KNOWN[1]


@pytest.mark.parametrize(("texts", "message"), [
    (["BTC"], "'BTC' is not a pair"),
    (["BTC/RUB", "BTC/RUB"], "two synthetic quotes are called 'BTC/RUB'"),
    (["BTC/XYZ"], "no instrument to go through has the currency XYZ"),
    (["BTC/RUB = EUR/RUB"], "no instrument 'EUR/RUB'"),
])
def test_what_cannot_be_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        declared(texts, KNOWN)
