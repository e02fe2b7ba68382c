"""Holdings and conversions through the books: by hand, and never a number where the way is not known."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbt import ArrayMarket, BacktestConfig, Instrument, run_backtest
from mmbt.errors import UsageError
from mmbt.portfolio import Converter, holdings, rounded
from mmbt.testing.markets import book, tables_of
from mmbt.testing.scripts import script

S = 10**9


def pair(name: str, contract: str | None = "spot", **more: str) -> Instrument:
    base, quote = name.partition("_")[0].split("/")
    return Instrument(name, "1", "1", "1", base, quote, contract, **more)


def names(converter: Converter, source: str, target: str) -> list[str]:
    return [leg.instrument for leg in converter.path(source, target)]


# --- paths ------------------------------------------------------------------------------------------------------------


def test_the_path_with_fewest_legs_wins() -> None:
    converter = Converter([pair("BTC/USD"), pair("USD/RUB"), pair("BTC/RUB"), pair("ETH/BTC")])
    assert names(converter, "BTC", "RUB") == ["BTC/RUB"]
    assert names(converter, "RUB", "USD") == ["USD/RUB"]
    assert names(converter, "ETH", "USD") == ["ETH/BTC", "BTC/USD"]
    assert names(converter, "USD", "USD") == []


def test_among_paths_of_one_length_names_decide_by_their_bytes() -> None:
    both = [pair("A/C_2"), pair("A/C_1"), pair("A/x"), pair("x/Z"), pair("A/B"), pair("B/Z")]
    for order in (both, both[::-1]):
        assert names(Converter(order), "A", "C") == ["A/C_1"]
        assert names(Converter(order), "A", "Z") == ["A/B", "B/Z"]
        assert names(Converter(order), "Z", "A") == ["B/Z", "A/B"]


def test_an_unknown_path_is_an_error_that_says_what_to_watch() -> None:
    converter = Converter([pair("BTC/USD"), pair("EUR/RUB"), Instrument("nameless", "1", "1", "1")])
    with pytest.raises(UsageError, match=r"converts BTC into RUB: add an instrument between one of BTC, USD and RUB "
                                         r"with --watch, such as BTC/RUB"):
        converter.path("BTC", "RUB")
    with pytest.raises(UsageError, match="did you mean 'RUB'"):
        converter.path("EUR", "RUR")


def test_rates_are_exact_and_unknown_before_a_mid() -> None:
    converter = Converter([pair("BTC/USD"), pair("USD/RUB")])
    prices = {"BTC/USD": Fraction(30_000), "USD/RUB": Fraction(125, 2)}
    assert converter.rate("BTC", "RUB", prices) == 1_875_000
    assert converter.rate("RUB", "BTC", prices) == Fraction(1, 1_875_000)
    assert converter.rate("RUB", "RUB", {}) == 1
    assert converter.rate("RUB", "BTC", {**prices, "BTC/USD": None}) is None


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20), st.integers(0, 15))
def test_rounding_is_half_away_from_zero(numerator: int, denominator: int, digits: int) -> None:
    value = Fraction(numerator, denominator)
    found = Fraction(rounded(value, digits)) * 10**digits
    assert found.denominator == 1
    assert abs(found - value * 10**digits) <= Fraction(1, 2)
    assert rounded(-value, digits) == rounded(value, digits).copy_negate()


def test_halves() -> None:
    assert [str(rounded(Fraction(n, 8), 2)) for n in (1, -1, 3, 4)] == ["0.13", "-0.13", "0.38", "0.50"]


# --- holdings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contract", "expected"), [
    ("spot", (("BTC", Fraction(6, 5)), ("USD", Fraction(-70)))),
    ("linear", (("USD", Fraction(5)),)),
    (None, (("USD", Fraction(5)),)),
    ("inverse", (("BTC", Fraction(5)),)),
])
def test_what_an_account_holds(contract: str | None, expected: Any) -> None:
    instrument = Instrument("BTC/USD", "1", "1", "0.1", "BTC", "USD", contract, "3")
    assert holdings(instrument, 4, Fraction(-70), Fraction(5)) == expected


# --- runs -------------------------------------------------------------------------------------------------------------


def market(*parts: tuple[Instrument, list[Any]]) -> ArrayMarket:
    return ArrayMarket([(instrument, *tables_of(rows)) for instrument, rows in parts])


def buyer(**lots: int) -> Any:
    """Buys in its first call for each instrument."""
    waiting = {name.replace("_", "/"): qty for name, qty in lots.items()}

    def on_tob(ctx: Any) -> None:
        if (qty := waiting.pop(ctx.instrument, 0)) != 0:
            ctx.hedge(qty)

    return script(on_tob=on_tob)


BTC = (pair("BTC/USD"), [book(1 * S, 29_990, 30_000), book(3 * S, 30_100, 30_110)])
EUR = (pair("EUR/RUB"), [book(1 * S, 98, 100), book(3 * S, 102, 104)])
RUB = (pair("USD/RUB", None), [book(2 * S, 59, 61), book(3 * S, 62, 63)])


def summary(*parts: Any, watch: tuple[str, ...] = (), lots: dict[str, int] | None = None, **options: Any) -> Any:
    traded = tuple(part[0].name for part in parts if part[0].name not in watch)
    config = BacktestConfig(instruments=traded, watch=watch, **options)
    return run_backtest(market(*parts), buyer(**(lots or {"BTC_USD": 2, "EUR_RUB": 3})), config).summary


def test_M5_several_currencies_have_no_total_unless_one_is_chosen() -> None:
    found = summary(BTC, EUR)
    assert (found["pnl"], found["report_currency"], found["pnl_total"]) == (
        {"BTC/USD": "210", "EUR/RUB": "9"}, None, None)
    assert found["holdings"] == {"BTC": "2", "EUR": "3", "RUB": "-300", "USD": "-60000"}
    assert "conversion" not in found


def test_M5_totals_in_a_reporting_currency_by_hand() -> None:
    # USD/RUB stands at 62.5: 9 RUB are 0.144 USD. EUR 3 x 103 - 300 = 9 RUB too, by the same book.
    found = summary(BTC, EUR, RUB, watch=("USD/RUB",), report_currency="USD", taker_fee_flat="1")
    assert found["conversion"] == {
        "digits": 12,
        "paths": {"BTC": ["BTC/USD"], "USD": [], "EUR": ["EUR/RUB", "USD/RUB"], "RUB": ["USD/RUB"]},
        "rates": {"BTC": "30105", "USD": "1", "EUR": "1.648", "RUB": "0.016"},
    }
    assert (found["pnl"], found["pnl_total"]) == ({"BTC/USD": "209", "EUR/RUB": "8"}, "209.128")
    assert found["fees_total"] == "1.016"
    assert found["hedge_cost_total"] == "10.048"
    assert found["pnl_inventory_total"] == "220.192"
    assert found["holdings_value_total"] == "209.128"


def test_M5_converted_totals_are_rounded_once_and_still_add_up() -> None:
    found = summary(BTC, EUR, RUB, watch=("USD/RUB",), report_currency="BTC", taker_fee="1.2345", maker_fee="1")
    parts = {key: Decimal(found[f"{key}_total"]) for key in
             ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees")}
    assert all(-part.as_tuple().exponent <= 12 for part in parts.values())
    assert parts["pnl"] == parts["pnl_spread"] + parts["pnl_inventory"] - parts["hedge_cost"] - parts["fees"]
    exact = sum(Fraction(found["pnl"][name]) * rate for name, rate in
                (("BTC/USD", Fraction(1, 30105)), ("EUR/RUB", Fraction(2, 125 * 30105))))
    assert parts["pnl"] == rounded(exact)


def test_M5_one_currency_needs_no_conversion_and_totals_are_exact() -> None:
    eth = (pair("ETH/USD"), [book(1 * S, 1_000, 1_001), book(3 * S, 1_010, 1_011)])
    found = summary(BTC, eth, lots={"BTC_USD": 2, "ETH_USD": -1}, taker_fee="0.0001")
    assert found["report_currency"] == "USD"
    assert Decimal(found["pnl_total"]) == sum(map(Decimal, found["pnl"].values()))
    assert found["pnl_total"] == "199.49939"


def test_M5_currencies_without_a_name_are_never_added() -> None:
    parts = [(Instrument(name, "1", "1", "1"), rows) for name, (_, rows) in (("a", BTC), ("b", EUR))]
    found = summary(*parts, lots={"a": 1, "b": 1})
    assert (found["pnl_total"], found["holdings"]) == (None, None)
    alone = summary(parts[0], lots={"a": 1})
    assert alone["pnl_total"] == alone["pnl"] == "105"


def test_M5_a_total_is_null_while_a_mid_on_the_way_is_unknown() -> None:
    dark = (RUB[0], [book(2 * S, 59), book(3 * S, 62)])
    found = summary(BTC, EUR, dark, watch=("USD/RUB",), report_currency="USD")
    assert (found["pnl_total"], found["holdings_value_total"]) == (None, None)
    assert found["conversion"]["rates"]["RUB"] is None


def test_M5_an_unknown_path_stops_the_run_before_it_starts() -> None:
    with pytest.raises(UsageError, match=r"converts EUR into USD.*--watch"):
        summary(BTC, EUR, report_currency="USD")
    nameless = (Instrument("a", "1", "1", "1"), BTC[1])
    with pytest.raises(UsageError, match="state them with --currencies a=BASE/QUOTE"):
        summary(nameless, report_currency="USD", lots={})
    stated = summary(nameless, report_currency="USD", lots={"a": 1}, currencies={"a": "X/USD"})
    assert stated["pnl_total"] == "105"


def test_M5_an_inverse_contract_is_valued_through_its_own_book() -> None:
    # 100 contracts of 100 USD bought at 10,000 gain 1 - 10,000 / 12,500 = 0.2 BTC, which are 2,500 USD.
    perpetual = Instrument("BTC/USD", "1", "1", "1", "BTC", "USD", "inverse", "100")
    rows = [book(1 * S, 9_990, 10_000, 500, 500), book(3 * S, 12_499, 12_501)]
    found = summary((perpetual, rows), lots={"BTC_USD": 100}, report_currency="USD")
    assert (found["pnl"], found["pnl_total"], found["holdings"]) == ("0.2", "2500", {"BTC": "0.2"})
