"""The peers' defects as test cases. Our SELL at 61.25, book 61.20 / 61.27, 10 lots each.

And mistakes that a first attempt at such a simulator made; its last one, a fill probability, has no place in this one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mmbt.market import Instrument
from mmbt.portfolio import portfolio_risk
from mmbt.store import convert, open_store
from mmbt.testing.markets import book, market_of
from mmbt.testing.scripts import nth, script
from tests.store.helpers import quotes
from tests.store.helpers import tob as write_tob

S = 10**9
X = Instrument("BTC/USD_T+0", "0.01", "0.01", "1")


def offers(*qtys, px=6125):
    return script(on_tob=nth({0: lambda ctx: [ctx.place("sell", px, qty) for qty in qtys]}))


def market(*prints, quotes=()):
    return market_of(X, [book(1 * S, 6120, 6127), *quotes], prints)


def fills(outcome):
    return [(row["px"], row["qty"], row["reason"]) for row in outcome.fills]


def test_case_A_buyer_print_beyond(simulate):
    tape = market((2 * S, 6126, 3, +1))
    assert fills(simulate(tape, offers(5), size="full")) == [(6125, 5, "trade")]
    assert fills(simulate(tape, offers(5), size="displayed")) == [(6125, 3, "trade")]


def test_case_B_seller_print_beyond(simulate):
    tape = market((2 * S, 6126, 3, -1))
    assert fills(simulate(tape, offers(5))) == []
    assert fills(simulate(tape, offers(5), aggressor="ignore")) == [(6125, 5, "trade")]
    assert fills(simulate(tape, offers(5), aggressor="ignore", size="displayed")) == [(6125, 3, "trade")]


def test_case_C_later_bid_beyond(simulate):
    tape = market(quotes=[book(2 * S, 6130, 6135, 2)])
    assert fills(simulate(tape, offers(5))) == [(6125, 5, "cross")]
    assert fills(simulate(tape, offers(5), size="displayed")) == [(6125, 2, "cross")]


def test_case_D_buyer_print_at_our_price(simulate):
    tape = market((2 * S, 6125, 3, +1))
    assert fills(simulate(tape, offers(5))) == []
    assert fills(simulate(tape, offers(5), trade="touch")) == [(6125, 5, "trade")]
    assert fills(simulate(tape, offers(5), trade="touch", size="displayed")) == [(6125, 3, "trade")]


@pytest.mark.parametrize("queue", ["front", "back", "prob"])
def test_case_D_by_queue_nobody_is_ahead_of_the_best_offer(simulate, queue):
    tape = market((2 * S, 6125, 3, +1))
    assert fills(simulate(tape, offers(5), trade="queue", queue=queue)) == [(6125, 5, "trade")]
    assert fills(simulate(tape, offers(5), trade="queue", queue=queue, size="displayed")) == [(6125, 3, "trade")]


@pytest.mark.parametrize(("queue", "lots"), [("front", [3, 2]), ("back", [1, 3]), ("prob", [1, 3])])
def test_case_D_by_queue_what_is_left_after_those_ahead(simulate, queue, lots):
    tape = market_of(X, [book(1 * S, 6120, 6125, ask_qty=2)], [(2 * S, 6125, 3, 1), (3 * S, 6125, 3, 1)])
    outcome = simulate(tape, offers(5), trade="queue", queue=queue, size="displayed")
    assert fills(outcome) == [(6125, qty, "trade") for qty in lots]


def test_case_E_a_large_order_and_a_small_print(simulate):
    assert fills(simulate(market((2 * S, 6126, 3, +1)), offers(100), size="displayed")) == [(6125, 3, "trade")]


def test_case_F_two_offers_share_a_print(simulate):
    tape = market((2 * S, 6126, 3, +1))
    outcome = simulate(tape, offers(3, 3), size="displayed")
    assert [(row["order_id"], row["qty"]) for row in outcome.fills] == [(1, 3)]

    def act(ctx):
        ctx.place("sell", 6125, 3)
        ctx.place("sell", 6124, 2)

    outcome = simulate(tape, script(on_tob=nth({0: act})), size="displayed")
    assert [(row["order_id"], row["qty"]) for row in outcome.fills] == [(2, 2), (1, 1)]


def test_case_G_a_partial_fill_is_a_position(simulate):
    seen = []
    strategy = script(
        on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 10)}),
        on_trade=lambda ctx, trade: seen.append((ctx.position, ctx.orders[0].remaining, ctx.orders[0].qty)),
    )
    outcome = simulate(market((2 * S, 6126, 5, 1), (3 * S, 6126, 3, 1)), strategy, size="displayed", maker_fee=10_000)
    assert seen == [(-5, 5, 10), (-8, 2, 10)]
    assert outcome.totals["BTC/USD_T+0"]["position"] == -8
    assert [str(row["fee"].normalize()) for row in outcome.fills] == ["0.030625", "0.018375"]  # 1 bp of each part


def test_case_H_exactly_the_remaining_quantity(simulate):
    tape = market((2 * S, 6126, 3, 1), (3 * S, 6126, 2, 1), (4 * S, 6126, 2, 1))
    outcome = simulate(tape, offers(5), size="displayed")
    assert [(row["qty"], row["position"]) for row in outcome.fills] == [(3, -3), (2, -5)]


def test_case_I_one_lot_through_three_bids(simulate):
    def act(ctx):
        for px in (6122, 6123, 6124):
            ctx.place("buy", px, 50)

    outcome = simulate(market((2 * S, 6100, 1, -1)), script(on_tob=nth({0: act})), size="displayed")
    assert fills(outcome) == [(6124, 1, "trade")]


def test_case_J_a_rerun_gives_the_same_bytes(simulate):
    tape = market((2 * S, 6126, 3, 1), (3 * S, 6126, 1, 1))
    assert len({simulate(tape, offers(5), size="displayed").result_hash for _ in range(3)}) == 1


def test_case_K_freed_arrays_and_foreign_instruments(simulate):
    def act(ctx):
        with pytest.raises(KeyError, match="BTC/USD"):
            ctx["nobody"]

    tape = market((2 * S, 6126, 3, 1))
    strategy = script(on_tob=nth({0: act}))
    outcome = simulate(tape, strategy)
    del tape
    assert outcome.fills == []


def test_case_L_two_updates_with_one_stamp_are_two_events(simulate):
    seen = []
    tape = market_of(X, [book(1 * S, 100, 110), book(1 * S, 101, 110)])
    simulate(tape, script(on_tob=lambda ctx: seen.append((ctx.time, ctx.bid))))
    assert seen == [(1 * S, 100), (1 * S, 101)]


def test_mistake_1_being_short_is_a_risk_too():
    omega = [[4.0]]
    assert portfolio_risk([-3], omega) == portfolio_risk([3], omega) == 6.0


def test_mistake_2_the_mid_is_the_middle(simulate):
    seen = []
    simulate(market(), script(on_tob=lambda ctx: seen.append(ctx.mid)))
    assert seen == [(6120 + 6127) / 2]


def test_mistake_3_quotes_and_prints_are_merged_by_exchange_time(simulate):
    seen = []
    strategy = script(on_tob=lambda ctx: seen.append(("quote", ctx.time // S)),
                      on_trade=lambda ctx, trade: seen.append(("print", ctx.time // S)))
    rows = [book(t * S, 6120, 6127) for t in (3, 5)]
    simulate(market((2 * S, 6126, 1, 1), (4 * S, 6126, 1, 1), quotes=rows), strategy)
    assert seen == [("quote", 1), ("print", 2), ("quote", 3), ("print", 4), ("quote", 5)]


def test_mistake_4_no_limit_cuts_the_rows_before_they_are_sorted_out(tmp_path: Path):
    rows = [*quotes(5_000), *((ts + 1, "LATE/USD", *rest) for ts, _, *rest in quotes(7))]
    convert([write_tob(tmp_path / "tob.csv", rows)], tmp_path / "store")
    with open_store(tmp_path / "store").select(["LATE/USD"], batch_rows=3) as stored:
        assert sum(len(batch.ts) for batch in stored.tob("LATE/USD")) == 7
