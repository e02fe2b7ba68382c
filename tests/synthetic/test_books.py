"""Chains on the machine: units, contracts and fees of instruments, and the comparison over a market."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.errors import UsageError
from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch
from mmbt.synthetic import Chain, Leg, compare, find_chain, leg_values, make_book

ETH_USD = Instrument("ETH/USD_T+0", "0.01", "0.01", "1", "ETH", "USD", "inverse", "10")
BTC_USD = Instrument("BTC/USD_T+0", "0.1", "0.1", "1", "BTC", "USD", "inverse", "100")
BTC_USDT = Instrument("BTC/USDT_T+0", "0.01", "0.01", "0.00001", "BTC", "USDT")
ETH_USDT = Instrument("ETH/USDT_T+0", "0.01", "0.01", "0.0001", "ETH", "USDT")
LEGS = [ETH_USD, BTC_USD, BTC_USDT]
CHAIN = find_chain("ETH", "USDT", LEGS)


def test_instruments_as_the_machine_takes_them():
    assert leg_values(CHAIN, LEGS, "0.5") == [
        ("ETH/USD_T+0", "0.01", "10", False, True, 5_000),
        ("BTC/USD_T+0", "0.1", "100", True, True, 5_000),
        ("BTC/USDT_T+0", "0.01", "0.00001", False, False, 5_000),
    ]


def test_fees_may_differ():
    fees = leg_values(CHAIN, LEGS, {"BTC/USD_T+0": -1, "BTC/USDT_T+0": "7.5"})
    assert [values[-1] for values in fees] == [0, -10_000, 75_000]


def test_a_missing_instrument_is_named():
    with pytest.raises(UsageError, match=r"no instrument 'BTC/USD_T\+0'"):
        leg_values(CHAIN, [ETH_USD, BTC_USDT])


def test_contracts_of_10_and_100_dollars():
    book = make_book(CHAIN, LEGS)
    book.update("ETH/USD_T+0", 0, 250_000, 40, 250_100, 20)  # 400 and 200 dollars of ether at 2500 and 2501
    book.update("BTC/USD_T+0", 0, 600_000, 3, 600_010, 1)  # 300 and 100 dollars
    book.update("BTC/USDT_T+0", 0, 6_000_000, 10**6, 6_000_100, 10**6)  # 10 bitcoins
    assert book.bid == pytest.approx(2500 / 60001 * 60000)
    assert book.bid_size == pytest.approx(100 / 2500)  # 100 dollars' worth of bitcoin is offered
    assert book.ask == pytest.approx(2501 / 60000 * 60001)
    assert book.ask_size == pytest.approx(200 / 2501)
    assert book.orders("buy", 1) == [("ETH/USD_T+0", 1, 250), ("BTC/USD_T+0", -1, 25), ("BTC/USDT_T+0", 1, 4168)]


def market(**options):
    rows = {
        ETH_USD: [(0, 250_000, 40, 250_100, 20), (3, 250_100, 40, 250_200, 20)],
        BTC_USD: [(1, 600_000, 3, 600_010, 1)],
        BTC_USDT: [(1, 6_000_000, 9, 6_000_100, 9), (9, 6_000_000, 9, 6_000_100, 9)],
        ETH_USDT: [(0, 250_000, 9, 250_001, 9)],
    }
    none = TradeBatch(*(np.array([], np.int64) for _ in range(3)), np.array([], np.int8))
    return ArrayMarket([(each, TobBatch(*(np.array(column, np.int64) for column in zip(*quotes, strict=True))), none)
                        for each, quotes in rows.items()], **options)


@pytest.mark.parametrize("batch_rows", [None, 1])
def test_a_market_is_compared(batch_rows):
    found = compare(market(batch_rows=batch_rows), CHAIN, "ETH/USDT_T+0", interval=1)
    assert (found["quotes"], found["absent"], found["quoted"], found["both"]) == (6, 1, 8, 8)
    assert found["samples"] == 9
    mids = [(2500 * 60000 / 60001 + 2501 * 60001 / 60000) / 2] * 2 + [
        (2501 * 60000 / 60001 + 2502 * 60001 / 60000) / 2] * 7
    assert found["mean_bp"] == pytest.approx(np.mean([mid / 2500.005 - 1 for mid in mids]) * 1e4)
    assert found["dearer"] == 6  # from 3 on: 2500.96 against 2500
    assert compare(market(), CHAIN)["both"] == 0


def test_an_instrument_the_market_lacks():
    with pytest.raises(UsageError, match="no instrument 'X/Y'"):
        compare(market(), Chain("X", "Y", (Leg("X/Y"),)))
