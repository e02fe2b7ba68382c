"""U3, M1, O7: multipliers, inverse contracts and the kinds of fees, by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.cases import AMOUNTS
from mmbt.testing.markets import book, market_of, random_market
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

S = 10**9
SHARE = Instrument("X", "0.01", "0.01", "1")
# A contract of 1 dollar, settled in bitcoin; prices in half dollars: a money unit is 2e-20 bitcoin.
PERP = Instrument("X", "0.5", "0.5", "1", "BTC", "USD", contract="inverse")
RISE = [book(1 * S, 19_998, 20_000, 9999, 9999), book(2 * S, 24_999, 25_001, 9999, 9999)]  # 9,999 / 10,000 to 12,500


def run(simulate, spec, acts, rows, prints=(), **options):
    return simulate(market_of(spec, rows, prints), script(on_tob=nth(acts)), **options)


def totals(outcome):
    (found,) = outcome.totals.values()
    return {key: plain(value) if isinstance(value, Decimal) else value for key, value in found.items()}


def plain(value):
    return format(value.normalize(), "f")


def fees(outcome):
    return [plain(row["fee"]) for row in outcome.fills]


def buy(qty):
    return {0: lambda ctx: ctx.hedge(qty)}


# --- U3: multipliers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", [None, "spot", "linear"])
def test_U3_a_multiplier_multiplies_money_and_nothing_else(simulate, contract):
    # Sold 2 at 61.25 with the mid at 61.235; then the mid is 61.35: all by 0.1.
    spec = replace(SHARE, contract=contract, multiplier="0.1")
    acts = {0: lambda ctx: ctx.place("sell", 6125, 2)}
    outcome = run(simulate, spec, acts, [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)], maker_fee=10_000)
    found = totals(outcome)
    assert (found["position"], found["spread"], found["inventory"]) == (-2, "0.003", "-0.023")
    assert (found["fees"], found["pnl"]) == ("0.001225", "-0.021225")
    assert [(row["px"], row["mid2"]) for row in outcome.fills] == [(6125, 12247)]


def test_U3_a_contract_of_ten_is_worth_ten_of_one(simulate):
    one = run(simulate, PERP, buy(1000), RISE, taker_fee=50_000)
    ten = run(simulate, replace(PERP, multiplier="10"), buy(100), RISE, taker_fee=50_000)
    assert [totals(ten)[key] for key in ("pnl", "fees")] == [totals(one)[key] for key in ("pnl", "fees")]
    assert totals(one)["fees"] == "0.00005"


# --- U3, M1: inverse contracts ----------------------------------------------------------------------------------------


def test_U3_an_inverse_contract_pays_in_its_base_currency(simulate):
    # 1000 dollars are 0.1 bitcoin at 10,000 and 0.08 at 12,500.
    seen = []
    acts = buy(1000) | {1: lambda ctx: seen.append(ctx.cash)}
    outcome = run(simulate, PERP, acts, RISE)
    assert seen == [Decimal("0.1")]
    assert outcome.totals["X"]["pnl"] == Decimal("0.02")


def test_M1_a_taker_of_an_inverse_contract(simulate):
    # The mid before was 9,999.5, where 1000 dollars are 0.10000500025001250062(5) bitcoin: 5000250012500625031 units.
    found = totals(run(simulate, PERP, buy(1000), RISE))
    assert found["hedge_cost"] == "0.00000500025001250062"
    assert found["inventory"] == "0.02000500025001250062"
    assert (found["spread"], found["pnl"]) == ("0", "0.02")


def test_M1_a_maker_of_an_inverse_contract(simulate):
    # Sold 1000 at 10,002 while the mid was 10,000; bought back by a bid at 9,998 while the mid was 10,000 again.
    rows = [book(1 * S, 19_990, 20_010), book(3 * S, 19_980, 20_020), book(5 * S, 19_980, 20_020)]
    acts = {0: lambda ctx: ctx.place("sell", 20_004, 1000), 1: lambda ctx: ctx.place("buy", 19_996, 1000)}
    outcome = run(simulate, PERP, acts, rows, [(2 * S, 20_010, 1000, 1), (4 * S, 19_990, 1000, -1)])
    unit = Fraction("2e-20")
    sold, bought, middle = (round(Fraction(1000 * 10**20, px)) for px in (20_004, 19_996, 20_000))
    found = outcome.totals["X"]
    assert [row["qty"] for row in outcome.fills] == [1000, 1000]
    assert Fraction(found["spread"]) == (middle - sold + bought - middle) * unit
    assert (found["inventory"], found["hedge_cost"], found["position"]) == (0, 0, 0)
    assert Fraction(found["pnl"]) == (bought - sold) * unit > 0


def test_M1_a_short_inverse_position_loses_when_the_price_rises(simulate):
    found = totals(run(simulate, PERP, {0: lambda ctx: ctx.hedge(-9999)}, RISE))
    # Sold at 9,999: 1 bitcoin; 9,999 dollars are 0.79992 at 12,500.
    assert (found["position"], found["pnl"]) == (-9999, "-0.20008")


def test_M1_an_inverse_position_brought_in_earns_from_the_first_mid_on(simulate):
    rows = [book(1 * S, 19_999, 20_001), book(2 * S, 24_999, 25_001)]
    found = totals(run(simulate, PERP, {}, rows, position=500))
    assert (found["inventory"], found["pnl"]) == ("0.01", "0.01")


def test_M1_before_any_mid_an_inverse_position_stands_at_cost(simulate):
    # Bought 1000 at 10,000 from a one-sided book; the first mid is 12,500.
    rows = [book(1 * S, 0, 20_000, ask_qty=9999), book(2 * S, 24_999, 25_001)]
    outcome = run(simulate, PERP, buy(1000), rows)
    found = totals(outcome)
    assert (found["hedge_cost"], found["inventory"], found["pnl"]) == ("0", "0.02", "0.02")
    assert [row["pnl"] for row in outcome.equity] == [0, Decimal("0.02")]


@pytest.mark.parametrize(("side", "cash"), [(1, "0.000047683715820313"), (-1, "-0.000047683715820313")])
def test_U3_half_a_money_unit_is_rounded_away_from_zero(simulate, side, cash):
    # 10^20 / 2^21 = 47683715820312.5
    spec = Instrument("X", "1", "1", "1", contract="inverse", multiplier="100")
    seen = []
    acts = {0: lambda ctx: ctx.hedge(side), 1: lambda ctx: seen.append(ctx.cash)}
    run(simulate, spec, acts, [book(t * S, 2**21, 2**21) for t in (1, 2)])
    assert seen == [Decimal(cash)]


def test_M1_what_rounding_leaves_is_inventory(simulate):
    # Two buys of 1 at 2^21: each is rounded up, the position of 2 is exact.
    spec = Instrument("X", "1", "1", "1", contract="inverse", multiplier="100")
    acts = {0: lambda ctx: [ctx.hedge(1), ctx.hedge(1)]}
    found = totals(run(simulate, spec, acts, [book(t * S, 2**21, 2**21) for t in (1, 2)]))
    one = "0.000000000000000001"
    assert (found["inventory"], found["hedge_cost"], found["pnl"]) == (one, "0", one)


@pytest.mark.parametrize("seed", range(12))
def test_M1_the_split_is_exact_for_every_contract_and_fee(simulate, seed):
    market = random_market(seed, 200, contracts=True)
    amounts = [AMOUNTS[(seed + i) % len(AMOUNTS)] for i in range(4)]
    outcome = simulate(market, RandomOrders(seed), maker_fee=-12_345, taker_fee=54_321, maker_fee_qty=amounts[0],
                       taker_fee_qty=amounts[1], maker_fee_flat=amounts[2], taker_fee_flat=amounts[3],
                       fee_currency=("settlement", "other")[seed % 2])
    assert outcome.fills
    for found in outcome.totals.values():
        pnl, spread, inventory, hedge_cost, paid = (
            Fraction(found[key]) for key in ("pnl", "spread", "inventory", "hedge_cost", "fees"))
        assert pnl == spread + inventory - hedge_cost - paid
    for name, found in outcome.totals.items():
        assert Fraction(found["fees"]) == sum(Fraction(r["fee"]) for r in outcome.fills if r["instrument"] == name)


@pytest.mark.parametrize("seed", range(6))
def test_M4_contracts_and_fees_change_money_and_no_fill(simulate, seed):
    linear = random_market(seed, 200)
    market = ArrayMarket([(replace(spec, contract="inverse", multiplier="10"), next(iter(linear.tob(spec.name))),
                           next(iter(linear.trades(spec.name)))) for spec in linear.instruments])
    columns = ("ts", "order_id", "side", "px", "qty", "position", "mid2", "mid2_1s")
    first, second = (simulate(tape, RandomOrders(seed), **options) for tape, options in (
        (linear, {}), (market, {"maker_fee_flat": "1", "taker_fee_qty": "0.5", "fee_currency": "other"})))
    assert [[row[key] for key in columns] for row in first.fills] == [
        [row[key] for key in columns] for row in second.fills]


# --- U3: kinds of fees ------------------------------------------------------------------------------------------------

HALVES = Instrument("X", "0.01", "0.01", "0.5", "BTC", "USD", contract="linear")
QUOTES = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]
# Sold 2 lots, which are 1.0, at 61.25.
LINEAR_FEES = {
    "rate": ({"maker_fee": 10_000}, "0.006125"),
    "per_quantity": ({"maker_fee_qty": "0.002"}, "0.002"),
    "flat": ({"maker_fee_flat": "0.01"}, "0.01"),
    "all": ({"maker_fee": 10_000, "maker_fee_qty": "0.002", "maker_fee_flat": "0.01"}, "0.018125"),
    "rebates": ({"maker_fee": -10_000, "maker_fee_qty": "-0.002", "maker_fee_flat": "0.001"}, "-0.007125"),
    "per_quantity_in_base": ({"maker_fee_qty": "0.0001", "fee_currency": "other"}, "0.006125"),
    "flat_in_base": ({"maker_fee_flat": "0.001", "fee_currency": "other"}, "0.06125"),
    "a_rate_has_no_currency": ({"maker_fee": 10_000, "fee_currency": "other"}, "0.006125"),
    "of_takers_only": ({"taker_fee": 1, "taker_fee_qty": "1", "taker_fee_flat": "1"}, "0"),
}


@pytest.mark.parametrize("case", LINEAR_FEES)
def test_U3_fees_of_a_linear_contract(simulate, case):
    options, fee = LINEAR_FEES[case]
    outcome = run(simulate, HALVES, {0: lambda ctx: ctx.place("sell", 6125, 2)}, QUOTES, **options)
    assert fees(outcome) == [fee]
    assert totals(outcome)["fees"] == fee


# Bought 1000 dollars, 0.1 bitcoin, at 10,000.
INVERSE_FEES = {
    "rate": ({"taker_fee": 10_000}, "0.00001"),
    "per_quantity": ({"taker_fee_qty": "0.00000001"}, "0.00001"),
    "flat": ({"taker_fee_flat": "0.00002"}, "0.00002"),
    "all": ({"taker_fee": 10_000, "taker_fee_qty": "0.00000001", "taker_fee_flat": "0.00002"}, "0.00004"),
    "rebates": ({"taker_fee": -10_000, "taker_fee_flat": "-0.00002"}, "-0.00003"),
    "per_quantity_in_quote": ({"taker_fee_qty": "0.0005", "fee_currency": "other"}, "0.00005"),
    "flat_in_quote": ({"taker_fee_flat": "1", "fee_currency": "other"}, "0.0001"),
    "of_makers_only": ({"maker_fee": 1, "maker_fee_qty": "1", "maker_fee_flat": "1"}, "0"),
}


@pytest.mark.parametrize("case", INVERSE_FEES)
def test_U3_fees_of_an_inverse_contract(simulate, case):
    options, fee = INVERSE_FEES[case]
    outcome = run(simulate, PERP, buy(1000), RISE, **options)
    assert fees(outcome) == [fee]
    assert Fraction(outcome.totals["X"]["pnl"]) == Fraction("0.02") - Fraction(fee)


def test_U3_a_multiplier_does_not_multiply_amounts_per_quantity(simulate):
    spec = replace(HALVES, multiplier="10")
    acts = {0: lambda ctx: ctx.place("sell", 6125, 2)}
    outcome = run(simulate, spec, acts, QUOTES, maker_fee=10_000, maker_fee_qty="0.002", maker_fee_flat="0.01")
    assert fees(outcome) == ["0.07325"]  # 0.06125 of the value, 0.002 for 1.0, 0.01


def test_U3_amounts_are_paid_at_each_fill(simulate):
    prints = [(2 * S, 6126, 3, 1), (3 * S, 6126, 1, 1)]
    outcome = run(simulate, SHARE, {0: lambda ctx: ctx.place("sell", 6125, 9)}, QUOTES[:1], prints, size="displayed",
                  maker_fee_qty="0.5", maker_fee_flat="1")
    assert fees(outcome) == ["2.5", "1.5"]


# A money unit of this one is 1e-6.
COARSE = Instrument("X", "1", "1", "1", contract="linear", multiplier="100")


@pytest.mark.parametrize(("qty", "flat", "fee"), [
    pytest.param("0.0000004", "0.0000004", "0.000001", id="parts_are_added_before_they_are_rounded"),
    pytest.param("0.0000002", "0.0000002", "0", id="less_than_half_a_unit"),
    pytest.param("0", "0.0000005", "0.000001", id="half_a_unit_goes_up"),
    pytest.param("0", "-0.0000005", "-0.000001", id="half_a_unit_of_rebate_goes_down"),
    pytest.param("0.0000025", "-0.000001", "0.000002", id="a_unit_and_a_half_goes_up"),
])
def test_U3_a_fee_is_rounded_once_half_away_from_zero(simulate, qty, flat, fee):
    acts = {0: lambda ctx: ctx.hedge(1)}
    (row,) = run(simulate, COARSE, acts, [book(1 * S, 60, 61)], taker_fee_qty=qty, taker_fee_flat=flat).fills
    assert row["fee"] == Decimal(fee)


# --- O7: liquidation --------------------------------------------------------------------------------------------------


def test_O7_liquidation_pays_the_whole_fee_of_a_taker(simulate):
    # Bought 2 lots, 1.0, at 61.27; dealt at 61.20: 0.07 lost, 0.01 for each 1.0 and 0.05 for each fill, twice.
    options = {"taker_fee_qty": "0.01", "taker_fee_flat": "0.05"}
    found = totals(run(simulate, HALVES, buy(2), [book(1 * S, 6120, 6127)], **options))
    assert found["liquidation_pnl"] == "-0.19"


def test_O7_a_flat_position_pays_nothing_more(simulate):
    acts = {0: lambda ctx: [ctx.hedge(2), ctx.hedge(-2)]}
    found = totals(run(simulate, HALVES, acts, [book(1 * S, 6120, 6127)], taker_fee_flat="0.05"))
    assert found["liquidation_pnl"] == found["pnl"] == "-0.17"


def test_O7_liquidation_of_an_inverse_position(simulate):
    # Bought 1000 at 10,000; dealt at the bid of 12,500: 0.1 - 0.08 - 0.0008 by rate - 0.0001 flat, and 0.0011 at first.
    rows = [RISE[0], book(2 * S, 25_000, 25_001)]
    found = totals(run(simulate, PERP, buy(1000), rows, taker_fee=10**6, taker_fee_flat="0.0001"))
    assert found["liquidation_pnl"] == "0.018"
