"""U3, U4, M1: contracts and fees of every kind, with answers worked out by hand, and the identities on random runs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from mmbt import ArrayMarket, BacktestConfig, Instrument, run_backtest
from mmbt.errors import NumericError, UsageError
from mmbt.testing.markets import book, market_of, random_market
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

S = 10**9
PERPETUAL = Instrument("BTC/USD", "1", "1", "1", "BTC", "USD", "inverse", "100")
FUTURE = Instrument("OIL/USD", "0.01", "0.01", "1", "OIL", "USD", "linear", "1000")
SPOT = Instrument("BTC/USD", "0.5", "0.5", "0.001", "BTC", "USD", "spot")


def run(instrument: Instrument, acts: dict[int, Any], rows: list[Any], prints: Any = (), **options: Any) -> Any:
    config = BacktestConfig(instruments=(instrument.name,), **options)
    return run_backtest(market_of(instrument, rows, prints), script(on_tob=nth(acts)), config)


def money(result: Any, *keys: str) -> list[str]:
    return [result.summary[key] for key in keys]


def half_away(value: Fraction) -> int:
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole


# --- inverse contracts ------------------------------------------------------------------------------------------------


def buys_and_sells(quantity: int) -> Any:
    rows = [book(1 * S, 9_999, 10_000, 500, 500), book(2 * S, 11_000, 11_001, 500, 500)]
    return run(PERPETUAL, {0: lambda ctx: ctx.hedge(quantity), 1: lambda ctx: ctx.hedge(-quantity)}, rows)


def test_U3_an_inverse_contract_earns_the_difference_of_the_inverses() -> None:
    # 100 contracts of 100 USD: 10,000 / 10,000 = 1 BTC received, 10,000 / 11,000 BTC paid, rounded once to 1e-18.
    result = buys_and_sells(100)
    assert money(result, "pnl", "currency", "contract") == ["0.090909090909090909", "BTC", "inverse"]
    assert result.fills["position"].to_pylist() == [100, 0]
    assert [str(row) for row in result.equity["cash"].to_pylist()][-1] == "0.090909090909090909"


def test_U3_a_short_inverse_position_loses_when_the_price_rises() -> None:
    # Sold at 9,999 and bought back at 11,001.
    result = buys_and_sells(-100)
    loss = 10**18 * 10_000
    expected = half_away(Fraction(loss, 11_001)) - half_away(Fraction(loss, 9_999))
    assert Decimal(result.summary["pnl"]) == Decimal(expected).scaleb(-18)
    assert Decimal(result.summary["pnl"]) < 0


def test_M1_the_split_of_an_inverse_maker_fill() -> None:
    # Sold 3 at 10,010 against the mid 10,000: V(10,000) = 0.03 BTC, V(10,010) = 300 / 10,010; then the mid is 10,025.
    rows = [book(1 * S, 9_990, 10_010), book(2 * S, 10_020, 10_030)]
    result = run(PERPETUAL, {0: lambda ctx: ctx.place("sell", 10_010, 3)}, rows)
    at_fill, at_mid, at_end = (half_away(Fraction(300 * 10**18, px)) for px in (10_010, 10_000, 10_025))
    spread, inventory = at_mid - at_fill, at_end - at_mid
    assert (spread, inventory) == (29970029970030, -74812967581047)
    assert money(result, "pnl_spread", "pnl_inventory", "hedge_cost", "pnl") == [
        "0.00002997002997003", "-0.000074812967581047", "0", "-0.000044842937611017"]


def test_M1_the_split_of_an_inverse_taker_fill() -> None:
    # Bought 3 at 10,010 with the mid at 10,000.
    result = run(PERPETUAL, {0: lambda ctx: ctx.hedge(3)}, [book(1 * S, 9_990, 10_010)], taker_fee="5")
    cost = half_away(Fraction(300 * 10**18, 10_000)) - half_away(Fraction(300 * 10**18, 10_010))
    fee = half_away(Fraction(300 * 10**18 * 5, 10_010 * 10**4))
    found = [Decimal(amount) for amount in money(result, "pnl_spread", "hedge_cost", "fees")]
    assert found == [0, Decimal(cost).scaleb(-18), Decimal(fee).scaleb(-18)]
    assert Decimal(result.summary["pnl"]) == Decimal(-cost - fee).scaleb(-18)


def test_M1_an_inverse_position_brought_in_earns_from_the_first_mid_on() -> None:
    rows = [book(1 * S, 9_999, 10_001), book(2 * S, 12_499, 12_501)]
    result = run(PERPETUAL, {}, rows, position=100)
    assert money(result, "pnl", "pnl_inventory") == ["0.2", "0.2"]  # 1 - 10,000 / 12,500 BTC


def test_O7_the_liquidation_value_of_an_inverse_position() -> None:
    # Long 100 from 10,000; the last bid is 12,500: 1 - 0.8 BTC, less 10 bp of 0.8 BTC and 0.001 for the fill.
    rows = [book(1 * S, 9_990, 10_000, 500, 500), book(2 * S, 12_500, 12_510, 500, 500)]
    result = run(PERPETUAL, {0: lambda ctx: ctx.hedge(100)}, rows, taker_fee="10", taker_fee_flat="0.001")
    assert money(result, "fees", "liquidation_pnl") == ["0.002", "0.1962"]


def test_U3_half_ticks_and_finer_price_units_of_an_inverse_contract() -> None:
    # A tick of 0.5, prices in 0.25, mid 10,000.25; the unit of money is 100 / 0.25 x 1e-20.
    fine = replace(PERPETUAL, tick_size="0.5", price_unit="0.25")
    rows = [book(1 * S, 40_000, 40_002), book(2 * S, 40_000, 40_002)]
    result = run(fine, {0: lambda ctx: ctx.hedge(1)}, rows)
    unit = Fraction(400, 10**20)
    bought = half_away(Fraction(100) / Fraction("10000.5") / unit)
    marked = half_away(Fraction(100) / Fraction("10000.25") / unit)
    assert Fraction(result.summary["pnl"]) == (bought - marked) * unit


def test_U3_a_price_unit_whose_inverse_is_no_decimal_is_refused() -> None:
    with pytest.raises(UsageError, match=r"1 / 0\.3 is no decimal"):
        run(replace(PERPETUAL, tick_size="0.3", price_unit="0.3"), {}, [book(1 * S, 3, 4)])


def test_U3_money_with_more_places_than_a_table_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="too fine together"):
        run(replace(PERPETUAL, multiplier="0.000000000000000001", lot_size="0.1"), {}, [book(1 * S, 3, 4)])


@pytest.mark.parametrize("seed", range(30))
def test_M1_the_identity_of_inverse_contracts_on_random_runs(seed: int) -> None:
    plain = random_market(seed, 200, 1)
    (instrument,) = plain.instruments
    inverse = replace(instrument, contract="inverse", multiplier="10", base="A", quote="B")
    market = ArrayMarket([(inverse, *plain._tables[instrument.name][1:])])
    config = BacktestConfig(
        instruments=(inverse.name,), maker_fee=("-1", "2")[seed % 2], taker_fee="3.3333", taker_fee_qty="0.007",
        taker_fee_flat="-0.3", maker_fee_flat="0.0001", fee_currency=("settlement", "other")[seed // 2 % 2])
    result = run_backtest(market, RandomOrders(seed, 10**8), config)
    unit = Fraction(inverse.lot_size) * 10 / Fraction(inverse.price_unit) / 10**20

    def value(lots: int, price2: int) -> int:
        return half_away(Fraction(2 * lots * 10**20, price2 * inverse.tick_units))

    cash = spread = cost = fees = 0
    for fill in result.fills.to_pylist():
        fee = Fraction(fill["fee"]) / unit
        assert fee.denominator == 1
        flow = fill["side"] * value(fill["qty"], 2 * fill["px"])
        at_mid = fill["side"] * value(fill["qty"], fill["mid2"] or 2 * fill["px"])
        cash, fees = cash + flow - fee, fees + fee
        spread, cost = (spread, cost + at_mid - flow) if fill["reason"] == "taker" else (spread + flow - at_mid, cost)
    summary = {key: Fraction(value) / unit for key, value in result.summary.items() if key in
               ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees")}
    last = result.equity.to_pylist()[-1]
    if last["mid2"] is not None:
        assert summary["pnl"] == cash - value(last["position"], last["mid2"])
    assert (summary["pnl_spread"], summary["hedge_cost"], summary["fees"]) == (spread, cost, fees)
    assert summary["pnl"] == spread + summary["pnl_inventory"] - cost - fees
    for row in result.equity.to_pylist():
        if row["mid2"] is not None:
            assert Fraction(row["pnl"] - row["cash"]) / unit == -value(row["position"], row["mid2"])


def test_U3_money_of_an_inverse_contract_beyond_128_bits_is_an_overflow() -> None:
    # A fee of 8 x 10^37 money units for each fill: two of them fit, three do not.
    small = replace(PERPETUAL, lot_size="0.00000001", multiplier="1")
    rows = [book(i * S, 9_999, 10_001) for i in (1, 2, 3)]
    acts = {i: lambda ctx: ctx.hedge(1) for i in range(3)}
    assert run(small, acts, rows[:2], taker_fee_flat="8000000000").summary["fees"] == "16000000000"
    with pytest.raises(NumericError, match="128 bits"):
        run(small, acts, rows, taker_fee_flat="8000000000")


# --- fees -------------------------------------------------------------------------------------------------------------


def taker_fee(instrument: Instrument, px: int, qty: int, **options: Any) -> str:
    result = run(instrument, {0: lambda ctx: ctx.hedge(qty)}, [book(1 * S, px - 1, px, 2**20, 2**20)], **options)
    fee: str = result.summary["fees"]
    return fee


FEES = {
    # 3 lots of 0.001 at 60,000.5 (a tick is 0.5): the value is 180.0015 USD
    "linear_rate": (SPOT, {"taker_fee": "10"}, "0.1800015"),
    "linear_for_each_unit_of_quantity": (SPOT, {"taker_fee_qty": "2"}, "0.006"),
    "linear_for_each_fill": (SPOT, {"taker_fee_flat": "0.25"}, "0.25"),
    "linear_all_three": (SPOT, {"taker_fee": "10", "taker_fee_qty": "2", "taker_fee_flat": "0.25"}, "0.4360015"),
    "linear_quantity_in_the_base": (SPOT, {"taker_fee_qty": "0.1", "fee_currency": "other"}, "18.00015"),
    "linear_flat_in_the_base": (SPOT, {"taker_fee_flat": "0.0001", "fee_currency": "other"}, "6.00005"),
    "linear_all_in_the_base": (
        SPOT, {"taker_fee": "10", "taker_fee_qty": "0.1", "taker_fee_flat": "0.0001", "fee_currency": "other"},
        "24.1802015"),
    # 3 contracts of 1000 barrels at 1200.01: 3,600,030 USD
    "multiplier_rate": (FUTURE, {"taker_fee": "0.01"}, "3.60003"),
    "multiplier_for_each_contract": (FUTURE, {"taker_fee_qty": "1.75"}, "5.25"),
    "multiplier_flat": (FUTURE, {"taker_fee_flat": "0.5"}, "0.5"),
    "multiplier_in_barrels_for_each_contract": (
        FUTURE, {"taker_fee_qty": "0.01", "fee_currency": "other"}, "36.0003"),
    # 3 contracts of 100 USD at 120,001: 300 / 120,001 BTC, to 1e-18
    "inverse_rate": (PERPETUAL, {"taker_fee": "10"}, "0.000002499979166840"),
    "inverse_for_each_contract": (PERPETUAL, {"taker_fee_qty": "0.00001"}, "0.00003"),
    "inverse_for_each_fill": (PERPETUAL, {"taker_fee_flat": "0.0002"}, "0.0002"),
    "inverse_for_each_contract_in_dollars": (
        PERPETUAL, {"taker_fee_qty": "0.4", "fee_currency": "other"}, "0.000009999916667361"),
    "inverse_for_each_fill_in_dollars": (
        PERPETUAL, {"taker_fee_flat": "1", "fee_currency": "other"}, "0.000008333263889468"),
    "inverse_all_in_dollars": (
        PERPETUAL, {"taker_fee": "10", "taker_fee_qty": "0.4", "taker_fee_flat": "1", "fee_currency": "other"},
        "0.000020833159723669"),
}


@pytest.mark.parametrize("case", FEES)
def test_U3_fees_of_every_kind_by_hand(case: str) -> None:
    instrument, options, expected = FEES[case]
    assert Decimal(taker_fee(instrument, 120_001, 3, **options)) == Decimal(expected)


@pytest.mark.parametrize("case", FEES)
def test_U3_a_rebate_is_the_fee_with_its_sign_flipped(case: str) -> None:
    instrument, options, _ = FEES[case]
    flipped = {key: value if key == "fee_currency" else "-" + value for key, value in options.items()}
    paid, got = (Decimal(taker_fee(instrument, 120_007, 7, **rule)) for rule in (options, flipped))
    assert got == -paid != 0


def test_U3_makers_pay_the_makers_amounts() -> None:
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]
    result = run(replace(FUTURE, multiplier="1"), {0: lambda ctx: ctx.place("sell", 6125, 2)}, rows,
                 maker_fee_qty="-0.02", maker_fee_flat="0.01", taker_fee_qty="9", taker_fee_flat="9")
    assert money(result, "fees") == ["-0.03"]


def test_U3_an_amount_is_rounded_with_the_other_parts_once() -> None:
    # Money counts 1e-8 here. 0.000000004 for each of 3 is 1.2 units, 0.000000003 for the fill 0.3: together 1.5, so 2.
    coarse = Instrument("A/B", "1", "1", "1", "A", "B", "linear")
    fees = {"taker_fee_qty": "0.000000004", "taker_fee_flat": "0.000000003"}
    assert taker_fee(coarse, 2, 3, **fees) == "0.00000002"
    assert taker_fee(coarse, 2, 3, **{key: "-" + value for key, value in fees.items()}) == "-0.00000002"
    assert taker_fee(coarse, 2, 3, taker_fee_qty="0.000000004") == "0.00000001"


def test_U3_a_fee_with_more_digits_than_money_holds_is_refused() -> None:
    odd = replace(FUTURE, multiplier="999999999989")
    with pytest.raises(UsageError, match="more digits than the instrument's money can hold"):
        run(odd, {}, [book(1 * S, 1, 2)], taker_fee_qty="0.000000000001")
    with pytest.raises(ValueError, match="at most 12 decimal places"):
        BacktestConfig(instruments=("A",), taker_fee_qty="0.0000000000001")


# --- what is stated ---------------------------------------------------------------------------------------------------


def test_U4_terms_stated_for_a_run_win_and_are_told() -> None:
    rows = [book(1 * S, 9_999, 10_000, 500, 500), book(2 * S, 11_000, 11_001, 500, 500)]
    bare = Instrument("XBTUSD", "1", "1", "1")
    acts = {0: lambda ctx: ctx.hedge(100), 1: lambda ctx: ctx.hedge(-100)}
    result = run(bare, acts, rows, contract={"*": "inverse"}, multiplier={"XBTUSD": "100.0"},
                 currencies={"XBTUSD": "XBT/USD"})
    assert money(result, "pnl", "currency", "contract", "multiplier") == [
        "0.090909090909090909", "XBT", "inverse (stated for this run)", "100"]
    plain = run(bare, acts, rows)
    assert money(plain, "pnl", "currency", "contract") == ["100000", None, "linear (not declared)"]


@pytest.mark.parametrize(("terms", "message"), [
    ({"contract": {"X": "inverse"}}, "'X', which is none of the instruments"),
    ({"contract": {"*": "inverted"}}, "did you mean 'inverse'"),
    ({"multiplier": {"*": "0"}}, "must be a positive number"),
    ({"multiplier": {"*": "ten"}}, "is not a decimal number"),
    ({"currencies": {"*": "BTCUSD"}}, "BASE/QUOTE"),
])
def test_U4_terms_are_checked(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(PERPETUAL, {}, [book(1 * S, 1, 2)], **terms)


def test_U4_a_multiplier_scales_all_money_of_a_linear_contract() -> None:
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]
    acts = {0: lambda ctx: [ctx.place("sell", 6125, 2)], 1: lambda ctx: ctx.hedge(1)}
    one = run(replace(FUTURE, multiplier="1"), dict(acts), rows, taker_fee="3", maker_fee="-1")
    many = run(FUTURE, dict(acts), rows, taker_fee="3", maker_fee="-1")
    for key in ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees", "liquidation_pnl"):
        assert Decimal(many.summary[key]) == 1000 * Decimal(one.summary[key])
    assert many.result_hash == one.result_hash
