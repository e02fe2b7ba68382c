"""Faults S1-S28 that the simulator must survive; those of prices and quantities from a strategy are in test_units."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from mmbt.errors import DataError, StrategyError
from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.markets import STEP, book, market_of, random_market, scrambled_after, tables_of
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")
HOOKS = ("on_start", "on_timer", "on_tob", "on_trade", "on_fill", "on_order", "on_end")


def names(market):
    return tuple(instrument.name for instrument in market.instruments)


def test_S1_one_print_of_5_and_three_offers_of_4(simulate):
    act = {0: lambda ctx: [ctx.place("sell", px, 4) for px in (6126, 6125, 6127)]}
    market = market_of(X, [book(1 * S, 6120, 6130)], [(2 * S, 6140, 5, 1)])
    outcome = simulate(market, script(on_tob=nth(act)), size="displayed")
    assert [(row["order_id"], row["qty"]) for row in outcome.fills] == [(2, 4), (1, 1)]


def test_S2_partial_fills_3_and_2_of_5(simulate):
    seen = []
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 5)}),
                      on_fill=lambda ctx, fill: seen.append((fill.qty, fill.remaining, fill.position, len(ctx.orders))))
    market = market_of(X, [book(1 * S, 6120, 6130)], [(2 * S, 6126, 3, 1), (3 * S, 6126, 9, 1)])
    outcome = simulate(market, strategy, size="displayed", maker_fee=10_000)
    assert seen == [(3, 2, -3, 1), (2, 0, -5, 0)]
    assert [row["fee"] for row in outcome.fills] == [Decimal("0.018375"), Decimal("0.01225")]


@pytest.mark.parametrize("seed", range(6))
def test_S3_a_scrambled_future_changes_nothing_before_it(simulate, seed):
    market = random_market(seed, 200, 2)
    cut = int(np.mean([batch.ts.mean() for name in names(market) for batch in market.tob(name)]))
    traces, fills = [], []
    for tape in (market, scrambled_after(market, cut, seed)):
        strategy = RandomOrders(seed)
        outcome = simulate(tape, strategy, place_latency=2 * STEP, cancel_latency=STEP)
        told = [row for row in strategy.trace if row[0].startswith("on_") and row[0] not in ("on_start", "on_end")]
        first_later = next(row for row in told if row[1] > cut)
        traces.append(strategy.trace[: strategy.trace.index(first_later)])
        facts = ("ts", "order_id", "side", "px", "qty", "reason", "fee", "position", "mid2")
        fills.append([[row[key] for key in facts] for row in outcome.fills if row["ts"] <= cut])
    assert len(traces[0]) > 50
    assert traces[0] == traces[1]
    assert fills[0] == fills[1]


@pytest.mark.parametrize(("late", "fills"), [(0, 0), (1, 1)])
def test_S4_a_print_at_the_arrival_does_not_fill_one_later_does(simulate, late, fills):
    market = market_of(X, [book(1 * S, 6120, 6127), book(9 * S, 6120, 6127)], [(2 * S + late, 6126, 1, 1)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})), place_latency=1 * S)
    assert [row["ts"] for row in outcome.fills] == [2 * S + 1] * fills


def test_S4_no_fill_after_a_cancel_has_arrived(simulate):
    market = market_of(X, [book(t * S, 6120, 6127) for t in (1, 2, 9)], [(3 * S + 1, 6126, 1, 1)])
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: ctx.cancel(1)}
    assert simulate(market, script(on_tob=nth(acts)), cancel_latency=1 * S).fills == []


def test_S6_S7_fills_are_at_our_price_with_their_reason(simulate):
    for prints, quotes, reason in (([(2 * S, 6126, 1, 1)], [], "trade"), ([], [book(2 * S, 6130, 6131)], "cross")):
        market = market_of(X, [book(1 * S, 6120, 6127), *quotes], prints)
        outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})))
        assert [(row["px"], row["reason"]) for row in outcome.fills] == [(6125, reason)]


def test_S8_prints_and_the_quotes_that_follow_them_repeated(simulate):
    rows = [book(1 * S, 6120, 6127)] + [book(t * S, 6130, 6140, 3) for t in range(2, 9)]
    prints = [(t * S, 6126, 2, 1) for t in range(2, 9)]
    for qty, given in ((100, 7 * 2 + 3), (9, 9)):
        strategy = script(on_tob=nth({0: lambda ctx, qty=qty: ctx.place("sell", 6125, qty)}))
        outcome = simulate(market_of(X, rows, prints), strategy, size="displayed")
        assert sum(row["qty"] for row in outcome.fills) == given
        assert sum(row["qty"] for row in outcome.fills if row["reason"] == "cross") <= 3


@pytest.mark.parametrize("seed", range(4))
def test_S9_equity_is_cash_and_marked_position_after_every_event(simulate, seed):
    market = random_market(seed, 300, 1)
    (spec,) = market.instruments
    outcome = simulate(market, RandomOrders(seed), maker_fee=-777, taker_fee=12_345)
    assert len(outcome.fills) > 20
    cash = Decimal(0)
    for row in outcome.fills:
        cash -= row["side"] * row["px"] * row["qty"] * Decimal(spec.tick_size) * Decimal(spec.lot_size) + row["fee"]
    assert outcome.equity[-1]["cash"] == cash
    for row in outcome.equity:
        if row["mid2"] is not None:
            mid = row["mid2"] * Decimal(spec.tick_size) / 2
            assert row["pnl"] == row["cash"] + row["position"] * mid * Decimal(spec.lot_size)
    total = outcome.totals[spec.name]
    assert total["pnl"] == total["spread"] + total["inventory"] - total["hedge_cost"] - total["fees"]


def test_S11_our_bid_at_our_offer_is_refused_with_a_reason(simulate):
    act = {0: lambda ctx: [ctx.place("sell", 6125, 1), ctx.place("buy", 6126, 1)]}
    outcome = simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=nth(act)))
    assert outcome.orders[1]["reason"] == "self_match"
    assert outcome.fills == []


def test_S12_post_only_is_judged_at_arrival(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6120, 6122), book(5 * S, 6120, 6127)]
    kinds = {"post_only": [], "gtc": [(6122, 10, "taker")]}
    for kind, fills in kinds.items():
        strategy = script(on_tob=nth({0: lambda ctx, kind=kind: ctx.place("buy", 6124, 12, kind)}))
        outcome = simulate(market_of(X, rows), strategy, place_latency=2 * S, taker_fee=10_000)
        assert [(row["px"], row["qty"], row["reason"]) for row in outcome.fills] == fills
        assert outcome.orders[0]["status"] == ("rejected" if kind == "post_only" else "accepted")


def test_S14_off_grid_place_raises_quote_rounds(simulate):
    def act(ctx):
        with pytest.raises(ValueError, match="px"):
            ctx.place("sell", 6125.3, 1)
        ctx.quote(6110.3, 6130.3)

    outcome = simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=nth({0: act})))
    assert [row["px"] for row in outcome.orders if row["status"] == "accepted"] == [6110, 6131]


@pytest.mark.parametrize("hook", HOOKS)
def test_S16_a_raise_in_any_callback_stops_the_run(simulate, hook):
    calls = []

    def fail(ctx, *told):
        calls.append(hook)
        raise RuntimeError("the user's own")

    hooks = {"on_tob": nth({0: lambda ctx: ctx.place("sell", 6125, 1)})}
    hooks[hook] = fail
    if hook == "on_tob":
        hooks["on_trade"] = lambda ctx, trade: calls.append("on_trade")
    market = market_of(X, [book(1 * S, 6120, 6127), book(3 * S, 6120, 6127)], [(2 * S, 6126, 1, 1)])
    with pytest.raises(StrategyError, match="the user's own") as caught:
        simulate(market, script("1s", **hooks))
    assert calls == [hook]
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_S17_callbacks_may_cancel_move_and_place(simulate):
    def told(ctx, fill):
        ctx.cancel(fill.order_id)
        ctx.replace(fill.order_id, 6130, 1)
        ctx.place("sell", 6125, 1)

    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6126, 3, 1), (3 * S, 6126, 3, 1)])
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 9)}), on_fill=told)
    outcome = simulate(market, strategy, size="displayed")
    events = [(row["ts"] // S, row["order_id"], row["status"], row["reason"]) for row in outcome.orders]
    assert events == [(1, 1, "accepted", ""), (2, 1, "cancelled", "user"), (2, 1, "too_late", "replace"),
                      (2, 2, "accepted", ""), (3, 2, "too_late", "cancel"), (3, 2, "too_late", "replace"),
                      (3, 3, "accepted", ""), (3, 3, "cancelled", "end")]
    assert [(row["ts"] // S, row["order_id"], row["qty"]) for row in outcome.fills] == [(2, 1, 3), (3, 2, 1)]


def test_S17_ten_thousand_orders_in_a_callback(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6200, 1, 1), (3 * S, 6200, 12_000, 1)])
    act = {0: lambda ctx: [ctx.place("sell", 6121 + i % 7, 1) for i in range(10_000)]}
    outcome = simulate(market, script(on_tob=nth(act)), size="displayed")
    assert len(outcome.fills) == 10_000
    assert [row["px"] for row in outcome.fills] == sorted(row["px"] for row in outcome.fills)


def test_S18_cancels_of_finished_and_unknown_orders_change_nothing(simulate):
    acts = {0: lambda ctx: ctx.hedge(2), 1: lambda ctx: [ctx.cancel(1), ctx.cancel(1), ctx.replace(1, 6110, 1)],
            2: lambda ctx: ctx.cancel(12345)}
    market = market_of(X, [book(t * S, 6120, 6127) for t in (1, 2, 3)])
    outcome = simulate(market, script(on_tob=nth(acts)))
    assert [(row["status"], row["reason"]) for row in outcome.orders[1:]] == [
        ("too_late", "cancel"), ("too_late", "cancel"), ("too_late", "replace"), ("unknown", "cancel")]
    assert outcome.totals["X"]["position"] == 2


def test_S19_the_fill_wins_over_a_cancel_in_flight(simulate):
    market = market_of(X, [book(t * S, 6120, 6127) for t in (1, 2, 9)], [(4 * S, 6126, 1, 1)])
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: ctx.cancel(1)}
    outcome = simulate(market, script(on_tob=nth(acts)), cancel_latency=3 * S)
    assert [(row["ts"] // S, row["status"]) for row in outcome.orders] == [(1, "accepted"), (5, "too_late")]
    assert len(outcome.fills) == 1


@pytest.mark.parametrize("seed", range(3))
def test_S21_chunks_change_nothing(simulate, seed):
    hashes = set()
    for rows in (1, 7, 1024, None):
        strategy = RandomOrders(seed)
        outcome = simulate(random_market(seed, 200, batch_rows=rows), strategy, size="displayed")
        hashes.add((outcome.result_hash, len(strategy.trace)))
    assert len(hashes) == 1


def test_S22_odd_books_give_no_mid_no_rule_1_fill_and_no_taker_fill_on_a_missing_side(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6140, 6130), book(3 * S, 6140), book(4 * S), book(5 * S, 6126, 6126)]
    seen = []

    def act(ctx):
        seen.append((ctx.valid, ctx.mid))
        if ctx.time == 1 * S:
            ctx.place("sell", 6125, 1)
        if ctx.time == 3 * S:
            ctx.hedge(1)

    outcome = simulate(market_of(X, rows), script(on_tob=act))
    assert seen == [(True, 6123.5), (False, 6123.5), (False, 6123.5), (False, 6123.5), (True, 6126.0)]
    assert [(row["ts"] // S, row["reason"]) for row in outcome.fills] == [(5, "cross")]


def test_S23_events_of_one_instrument_never_fill_anothers_orders(simulate):
    tables = {"A": tables_of([book(1 * S, 6120, 6127)]),
              "B": tables_of([book(1 * S, 6120, 6127), book(2 * S, 6500, 6501)], [(3 * S, 6400, 9, 1)])}
    market = ArrayMarket([(Instrument(name, "0.01", "0.01", "1"), *rows) for name, rows in tables.items()])
    act = nth({0: lambda ctx: ctx["A"].place("sell", 6125, 1)})
    outcome = simulate(market, script(on_tob=act), cross="touch", trade="touch", aggressor="ignore")
    assert outcome.fills == []
    assert outcome.totals["B"]["pnl"] == 0


def test_S25_the_end_with_open_orders_and_inventory(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6122, 6127)]
    act = {0: lambda ctx: [ctx.hedge(3), ctx.quote(6110, 6140)]}
    outcome = simulate(market_of(X, rows), script(on_tob=nth(act)), taker_fee=10_000)
    assert [row["reason"] for row in outcome.orders if row["status"] == "cancelled"] == ["end", "end"]
    found = outcome.totals["X"]
    fee = Decimal("61.27") * 3 / 10_000
    assert found["pnl"] == 3 * (Decimal("61.245") - Decimal("61.27")) - fee
    assert found["liquidation_pnl"] == 3 * (Decimal("61.22") - Decimal("61.27")) - fee - Decimal("61.22") * 3 / 10_000


@pytest.mark.parametrize("table", ["tob", "trades"])
@pytest.mark.parametrize("batch_rows", [None, 1, 2])
def test_S28_time_going_backwards_is_an_error(simulate, table, batch_rows):
    quotes = [book(t * S, 6120, 6127) for t in ((1, 3, 2) if table == "tob" else (1, 2, 3))]
    prints = [(t * S, 6120, 1, 0) for t in ((1, 3, 2) if table == "trades" else (1, 2, 3))]
    with pytest.raises(DataError, match=f"{3 * S}.*{2 * S}"):
        simulate(market_of(X, quotes, prints, batch_rows), script(on_tob=lambda ctx: None))
