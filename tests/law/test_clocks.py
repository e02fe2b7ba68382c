"""O5 with O3, O4, O6, O7: what the strategy sees and when, and the order of things at one instant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.markets import (
    SILENCE,
    STEP,
    book,
    market_of,
    random_market,
    received,
    scrambled_after,
    tables_of,
)
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

S = 10**9
MS = 10**6
X = Instrument("X", "0.01", "0.01", "1")


def several(**tables):
    """A market of instruments by name, each (quotes, prints)."""
    return ArrayMarket([(Instrument(name, "0.01", "0.01", "1"), *tables_of(*rows)) for name, rows in tables.items()])


def steady(until, every=1, start=1):
    return [book(t * S, 6120, 6127) for t in range(start, until + 1, every)]


def seen_by(simulate, market, **options):
    """(time in s, hook, instrument, bid or the print's price) of every row in the order in which they are seen."""
    seen = []
    strategy = script(on_tob=lambda ctx: seen.append((ctx.time / S, "tob", ctx.instrument, ctx.bid)),
                      on_trade=lambda ctx, trade: seen.append((ctx.time / S, "trade", ctx.instrument, trade.px)))
    simulate(market, strategy, **options)
    return seen


# --- the feed ---------------------------------------------------------------------------------------------------------


def test_O5_rows_are_seen_after_the_feed_latency(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(9 * S, 6122, 6127)],
                       [(2 * S, 6126, 1, 1)])
    seen = seen_by(simulate, market, feed_latency=1500 * MS)
    assert seen == [(2.5, "tob", "X", 6120), (3.5, "trade", "X", 6126), (3.5, "tob", "X", 6121)]


def test_O5_a_row_is_never_seen_before_its_exchange_time(simulate):
    market = received(market_of(X, [book(2 * S, 6120, 6127), book(5 * S, 6121, 6127)]), {"X": ([1, 5.5], [])})
    assert seen_by(simulate, market, feed_latency="local") == [(2, "tob", "X", 6120)]


def test_O5_rows_of_a_table_are_never_seen_out_of_order(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(3 * S, 6122, 6127), book(9 * S, 6123, 6127)]
    market = received(market_of(X, rows), {"X": ([6, 4, 5, 9], [])})
    assert seen_by(simulate, market, feed_latency="local") == [
        (6, "tob", "X", 6120), (6, "tob", "X", 6121), (6, "tob", "X", 6122), (9, "tob", "X", 6123)]


def test_O5_a_late_row_holds_up_its_own_table_only(simulate):
    market = several(A=([book(1 * S, 10, 12), book(9 * S, 11, 12)], [(2 * S, 11, 1, 1)]), B=([book(3 * S, 20, 21)], []))
    market = received(market, {"A": ([8, 9], [2]), "B": ([3], [])})
    assert seen_by(simulate, market, feed_latency="local") == [
        (2, "trade", "A", 11), (3, "tob", "B", 20), (8, "tob", "A", 10), (9, "tob", "A", 11)]


def test_O5_rows_seen_at_one_instant_come_in_total_order_over_instruments(simulate):
    market = several(A=([book(2 * S, 10, 12), book(5 * S, 11, 12)], [(3 * S, 13, 1, 1), (5 * S, 14, 1, 1)]),
                     B=([book(1 * S, 20, 21), book(5 * S, 22, 23)], [(3 * S, 24, 1, 1)]))
    market = received(market, {"A": ([5, 5], [5, 5]), "B": ([5, 5], [5])})
    assert [row[2:] for row in seen_by(simulate, market, feed_latency="local")] == [
        ("B", 20), ("A", 10), ("A", 13), ("B", 24), ("A", 14), ("A", 11), ("B", 22)]


def test_O5_without_times_of_receipt_local_is_the_exchange_time(simulate):
    assert seen_by(simulate, market_of(X, steady(2)), feed_latency="local") == [
        (1, "tob", "X", 6120), (2, "tob", "X", 6120)]


def test_O5_a_print_carries_its_exchange_time(simulate):
    seen = []
    strategy = script(on_trade=lambda ctx, trade: seen.append((ctx.time, trade.ts)))
    simulate(market_of(X, steady(5), [(2 * S, 6126, 1, 1)]), strategy, feed_latency=1 * S)
    assert seen == [(3 * S, 2 * S)]


def test_O5_watched_rows_wake_when_they_are_seen(simulate):
    market = several(A=(steady(6), []), W=([book(2 * S, 10, 11)], []))
    seen = seen_by(simulate, market, feed_latency=2 * S, instruments=("A",), watch=("W",))
    assert [row for row in seen if row[2] == "W"] == [(4, "tob", "W", 10)]


def test_O5_book_mid_and_validity_are_those_in_sight(simulate):
    seen = []
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6127), book(3 * S, 6122, 6127), book(9 * S, 6122, 6127)]
    look = {n: lambda ctx, trade: seen.append((ctx.bid, ctx.bid_qty, ctx.mid, ctx.valid)) for n in range(4)}
    market = market_of(X, rows, [(t * S, 6125, 1, 1) for t in (1, 2, 3, 4)])
    market = received(market, {"X": ([2, 3, 4, 9], [1, 2.5, 3.5, 4.5])})
    simulate(market, script(on_trade=nth(look)), feed_latency="local")
    assert seen[0][:2] == (0, 0)
    assert math.isnan(seen[0][2])
    assert seen[0][3] is False
    assert seen[1:] == [(6120, 10, 6123.5, True), (6130, 10, 6123.5, False), (6122, 10, 6124.5, True)]


def test_O5_the_venue_fills_by_the_book_that_is_not_yet_seen(simulate):
    told = []
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)}),
                      on_fill=lambda ctx, fill: told.append((ctx.time / S, fill.ts / S, ctx.bid)))
    market = market_of(X, [book(1 * S, 6120, 6127), book(5 * S, 6130, 6140), book(9 * S, 6120, 6127)])
    outcome = simulate(market, strategy, feed_latency=2 * S)
    assert told == [(5, 5, 6120)]
    assert [(row["ts"] / S, row["reason"], row["mid2"]) for row in outcome.fills] == [(5, "cross", 12247)]


@pytest.mark.parametrize(("kind", "result"), [("post_only", "post_only"), ("ioc", "unfilled"), ("fok", "fok")])
def test_O5_an_order_is_sent_on_a_stale_view(simulate, kind, result):
    acts = {0: lambda ctx: ctx.place("buy", {"post_only": 6126}.get(kind, ctx.ask), 1, kind)}
    moved = {"post_only": book(2 * S, 6120, 6126)}.get(kind, book(2 * S, 6125, 6130))
    market = market_of(X, [book(1 * S, 6120, 6127), moved, book(9 * S, 6125, 6130)])
    outcome = simulate(market, script(on_tob=nth(acts)), feed_latency=3 * S)
    assert outcome.fills == []
    assert (outcome.orders[-1]["ts"], outcome.orders[-1]["reason"]) == (4 * S, result)


def test_O5_a_row_seen_late_acts_before_the_rows_of_its_instant(simulate):
    # Seen at 3 s, the first quote places an offer, which the venue has before the quote of 3 s runs it over.
    market = market_of(X, [book(1 * S, 6120, 6127), book(3 * S, 6130, 6140), book(9 * S, 6120, 6127)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})), feed_latency=2 * S)
    assert [(row["ts"] // S, row["reason"]) for row in outcome.fills] == [(3, "cross")]


# --- timers and sessions ----------------------------------------------------------------------------------------------


def test_O4_timers_start_when_all_books_are_seen_to_be_valid(simulate):
    seen = []
    market = several(A=([book(1 * S, 10, 12), book(2 * S, 12, 10), book(9 * S, 10, 12)], []),
                     B=([book(1 * S, 20, 21), book(9 * S, 20, 21)], []))
    market = received(market, {"A": ([2, 4, 9], []), "B": ([3.5, 9], [])})
    strategy = script("1s", on_timer=lambda ctx: seen.append((ctx.time / S, ctx.instrument, ctx.bid)))
    simulate(market, strategy, feed_latency="local")
    assert seen[:4] == [(3.5, "A", 10), (3.5, "B", 20), (4.5, "A", 12), (4.5, "B", 20)]


def test_O4_a_timer_comes_after_everything_seen_at_its_instant(simulate):
    seen = []
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(4 * S, 6122, 6127)])
    market = received(market, {"X": ([1, 3, 4], [])})
    simulate(market, script("1s", on_timer=lambda ctx: seen.append(ctx.bid)), feed_latency="local")
    assert seen == [6120, 6120, 6121, 6122]


def test_O4_rows_of_a_session_that_is_over_start_no_timers(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(30 * S, 6122, 6127), book(31 * S, 6122, 6127)]
    market = received(market_of(X, rows), {"X": ([1, 15, 30, 31], [])})
    seen = []
    strategy = script("4s", on_timer=lambda ctx: seen.append(ctx.time // S),
                      on_tob=lambda ctx: seen.append((ctx.time // S, ctx.bid)))
    simulate(market, strategy, session_gap=10 * S, feed_latency="local")
    assert seen == [(1, 6120), 1, 5, 9, (15, 6121), (30, 6122), 30, (31, 6122)]


def test_O4_a_row_at_the_end_of_a_session_starts_the_timers_of_the_next(simulate):
    seen = []
    rows = [book(1 * S, 6120, 6127), book(11 * S, 6120, 6127), book(19 * S)]
    strategy = script("4s", on_timer=lambda ctx: seen.append(ctx.time // S))
    simulate(market_of(X, rows), strategy, session_gap=10 * S)
    assert seen == [1, 5, 9, 11, 15, 19]


def test_O4_the_first_row_seen_of_a_session_lets_any_later_one_start_the_timers(simulate):
    # The print of 20 s is seen at once, while the book is not yet; the old quote, seen at 25 s, makes the book valid.
    market = market_of(X, [book(1 * S), book(2 * S, 6121, 6127), book(30 * S)], [(20 * S, 6122, 1, 1)])
    market = received(market, {"X": ([1, 25, 30], [20])})
    seen = []
    simulate(market, script("2s", on_timer=lambda ctx: seen.append(ctx.time // S)), session_gap=10 * S,
             feed_latency="local")
    assert seen == [25, 27, 29]


def test_O6_sessions_end_by_exchange_time_whatever_is_seen(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127), book(30 * S, 6120, 6127), book(50 * S, 6120, 6127)]
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)}))
    outcome = simulate(market_of(X, rows), strategy, session_gap=10 * S, feed_latency=5 * S)
    assert [(row["ts"] // S, row["reason"]) for row in outcome.orders] == [(6, ""), (12, "session")]


def test_O6_the_cancels_of_a_sessions_end_are_told_with_the_response_latency(simulate):
    seen = []
    acts = {0: lambda ctx: [ctx.place("sell", 6130, 1), ctx.place("sell", 6131, 1)]}
    strategy = script("3s", on_tob=nth(acts), on_timer=lambda ctx: seen.append((ctx.time // S, len(ctx.orders))),
                      on_order=lambda ctx, order: seen.append((ctx.time // S, order.id, order.status, order.reason,
                                                               len(ctx.orders))))
    rows = [book(t * S, 6120, 6127) for t in (1, 2, 20, 29)]
    outcome = simulate(market_of(X, rows), strategy, session_gap=10 * S, response_latency=9 * S)
    assert seen == [(1, 2), (4, 2), (7, 2), (10, 1, "accepted", "", 2), (10, 2, "accepted", "", 2), (10, 2), (20, 2),
                    (21, 1, "cancelled", "session", 0), (21, 2, "cancelled", "session", 0), (23, 0), (26, 0), (29, 0)]
    assert [row["ts"] // S for row in outcome.orders] == [1, 1, 12, 12]


# --- the end ----------------------------------------------------------------------------------------------------------


def test_O7_what_is_not_seen_or_told_at_the_end_never_is(simulate):
    told = []
    acts = {0: lambda ctx: [ctx.place("sell", 6125, 2), ctx.place("sell", 6140, 1)]}
    strategy = script(
        on_tob=nth(acts), on_trade=lambda ctx, trade: told.append("trade"),
        on_fill=lambda ctx, fill: told.append((ctx.time / S, "fill", fill.qty)),
        on_order=lambda ctx, order: told.append((ctx.time / S, order.status)),
        on_end=lambda ctx: told.append((ctx.time / S, ctx.bid, ctx.position, float(ctx.cash), len(ctx.orders))),
    )
    prints = [(2 * S, 6126, 1, 1), (4 * S, 6126, 1, 1)]
    market = market_of(X, [book(1 * S, 6120, 6127), book(4 * S, 6110, 6111)], prints)
    outcome = simulate(market, strategy, feed_latency=500 * MS, response_latency=1500 * MS, size="displayed")
    assert told == ["trade", (3, "accepted"), (3, "accepted"), (3.5, "fill", 1), (4, 6120, -1, 61.25, 0)]
    assert [row["position"] for row in outcome.fills] == [-1, -2]
    assert [(row["ts"] / S, row["status"]) for row in outcome.orders][2:] == [(4, "cancelled")]
    assert outcome.totals["X"]["position"] == -2


def test_O5_what_is_seen_and_told_at_the_last_instant_is_seen_and_told(simulate):
    told = []
    strategy = script("1s", on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1),
                                        1: lambda ctx: told.append((ctx.time // S, "tob"))}),
                      on_order=lambda ctx, order: told.append((ctx.time // S, order.status)),
                      on_timer=lambda ctx: told.append((ctx.time // S, "timer")))
    simulate(market_of(X, steady(3)), strategy, feed_latency=1 * S, response_latency=1 * S)
    assert told == [(2, "timer"), (3, "accepted"), (3, "tob"), (3, "timer")]


# --- an instant, whole ------------------------------------------------------------------------------------------------


def test_O3_everything_at_one_instant_in_its_order(simulate, recorded):
    """At 5 s: a report of 3 s, a quote of 4 s, a print and a quote of 5 s, an order that arrives, a timer."""
    seen = []

    def log(what):
        if 4 * S < act.ctx.time < 6 * S:
            seen.append(what)

    def act(ctx, name, *commands):
        act.ctx = ctx
        log((name, ctx.bid, ctx.position, [order.id for order in ctx.orders]))
        if ctx.time == 5 * S:
            for price in commands:
                ctx.place("sell", price, 1)

    def on_tob(ctx):
        if ctx.time == 1 * S:
            ctx.place("sell", 6125, 1)  # filled at 3 s, told at 5 s
        elif ctx.time == 2 * S:
            ctx.place("sell", 6150, 1)  # arrives at 5 s
        act(ctx, "tob", *([6160] if ctx.bid == 6121 else []))

    market = market_of(X, [book(t * S, 6119 + t // 4, 6127) for t in (1, 2)] + [book(4 * S, 6121, 6127)]
                       + [book(5 * S, 6122, 6127), book(7 * S, 6123, 6127)], [(3 * S, 6126, 1, 1), (5 * S, 6126, 1, 1)])
    market = received(market, {"X": ([1, 2, 5, 5, 7], [3, 5])})
    strategy = script(
        "4s", on_tob=on_tob, on_trade=lambda ctx, trade: act(ctx, "trade"), on_timer=lambda ctx: act(ctx, "timer"),
        on_fill=lambda ctx, fill: act(ctx, "fill", 6126),
        on_order=lambda ctx, order: act(ctx, f"{order.id} {order.status}"),
    )
    simulate(market, strategy, place_latency=recorded((1, 0), (2, 3), (3, 0)), feed_latency="local",
             response_latency=recorded((1, 0), (3, 2), (4, 0)))
    assert seen == [
        ("fill", 6119, -1, [2]),  # and its offer at 6126 is at the venue before the quote of 4 s is seen
        ("3 accepted", 6119, -1, [2, 3]),
        ("tob", 6121, -1, [2, 3]),
        ("4 accepted", 6121, -1, [2, 3, 4]),
        ("trade", 6121, -1, [2, 3, 4]),
        ("tob", 6122, -1, [2, 3, 4]),
        ("2 accepted", 6122, -1, [2, 3, 4]),
        ("timer", 6122, -1, [2, 3, 4]),
    ]


def test_O3_what_a_row_seen_late_causes_is_told_before_the_next_one_is_seen(simulate):
    seen = []
    strategy = script(on_tob=lambda ctx: [seen.append(ctx.bid), ctx.place("sell", 6140, 1)],
                      on_order=lambda ctx, order: seen.append((order.id, ctx.bid)))
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(5 * S, 6122, 6127)]
    simulate(received(market_of(X, rows), {"X": ([5, 5, 5], [])}), strategy, feed_latency="local")
    assert seen == [6120, (1, 6120), 6121, (2, 6121), 6122, (3, 6122)]


def test_O3_a_report_acts_before_the_rows_of_the_instant_at_which_it_is_told(simulate):
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)}),
                      on_order=nth({0: lambda ctx, order: ctx.place("sell", 6125, 1)}))
    market = market_of(X, [book(1 * S, 6120, 6127), book(9 * S, 6120, 6127)], [(2 * S, 6126, 1, 1)])
    outcome = simulate(market, strategy, response_latency=1 * S)
    assert [(row["ts"] // S, row["order_id"]) for row in outcome.fills] == [(2, 2)]


def test_O5_a_fill_is_told_before_a_row_that_is_seen_with_it_but_sees_its_book(simulate):
    told = []
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: told.append("tob")}),
                      on_fill=lambda ctx, fill: told.append(ctx.bid))
    market = received(market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]), {"X": ([1, 2], [])})
    simulate(market, strategy, feed_latency="local")
    assert told == [6130, "tob"]


# --- random markets ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["local", "constant", "lattice", "lognormal"])
def clocks(request, tmp_path_factory):
    """Latencies, of which those of the lattice bring most things to the same instants."""
    steps = tmp_path_factory.mktemp("latencies") / "steps.txt"
    steps.write_text("\n".join(str(n * STEP) for n in (0, 0, 1, 1, 2, 5, 30)), "utf-8")
    lattice, lognormal = f"empirical:{steps}", "lognormal:median=20ms,sigma=1"
    return {
        "local": {"feed_latency": "local", "response_latency": STEP},
        "constant": {"feed_latency": 2 * STEP, "response_latency": 5 * STEP, "place_latency": 3 * STEP},
        "lattice": {"feed_latency": lattice, "response_latency": lattice, "place_latency": lattice,
                    "cancel_latency": lattice, "seed": 5},
        "lognormal": {"feed_latency": lognormal, "response_latency": lognormal, "place_latency": lognormal,
                      "cancel_latency": lognormal, "seed": -6},
    }[request.param]


@pytest.mark.parametrize("seed", range(3))
def test_O5_every_row_is_seen_once_in_the_order_of_visible_time_and_total_order(simulate, seed):
    market = random_market(seed, 400, batch_rows=7, local=True)
    names = sorted((spec.name for spec in market.instruments), key=str.encode)
    expected = []
    for rank, name in enumerate(names):
        for table, batches in enumerate((market.trades(name), market.tob(name))):
            visible = 0
            rows = [row for batch in batches for row in zip(*(column.tolist() for column in batch), strict=True)]
            for place, (ts, px, *_, local_ts) in enumerate(rows):
                visible = max(ts, local_ts, visible)
                expected.append((visible, (ts, table, rank, place), ("trade", "tob")[table], name, px))
    expected.sort()
    ticks = {spec.name: spec.tick_units for spec in market.instruments}
    last = max(row[1][0] for row in expected)
    assert seen_by(simulate, market, feed_latency="local") == [
        (visible / S, kind, name, px / ticks[name]) for visible, _, kind, name, px in expected if visible <= last]


@pytest.mark.parametrize("seed", range(4))
def test_O5_nothing_seen_or_told_depends_on_the_future(simulate, clocks, seed):
    market = random_market(seed, 400, local=True)
    times = np.concatenate([next(iter(market.tob(spec.name))).ts for spec in market.instruments])
    cut = int(np.median(times))
    pasts = []
    for tape in (market, scrambled_after(market, cut, seed)):
        strategy = RandomOrders(seed)
        outcome = simulate(tape, strategy, session_gap=SILENCE, **clocks)
        calls = [i for i, row in enumerate(strategy.trace) if row[0].startswith("on_") and row[0] != "on_start"]
        first = next(i for i in calls if strategy.trace[i][0] == "on_end" or strategy.trace[i][1] > cut)
        rows = [[row for row in table if row["ts"] <= cut] for table in (outcome.orders, outcome.equity)]
        fills = [[row[key] for key in ("ts", "order_id", "px", "qty", "position")] for row in outcome.fills
                 if row["ts"] <= cut]
        pasts.append((strategy.trace[:first], rows, fills))
    assert len(pasts[0][0]) > 50
    assert pasts[0] == pasts[1]


@pytest.mark.parametrize("seed", range(3))
def test_O5_what_is_told_is_what_happened_in_its_order(simulate, clocks, seed):
    told, views = [], []
    strategy = RandomOrders(seed)
    market = random_market(seed, 400, local=True)
    outcome = simulate(market, strategy, **clocks)
    last = max(row["ts"] for row in outcome.equity)
    for row in strategy.trace:
        if row[0] == "on_fill":
            told.append(row[1])
            views.append(("fill", row[4][0], row[4][2], row[4][5]))
        elif row[0] == "on_order":
            told.append(row[1])
            views.append(("order", row[4][0], row[4][1]))
    assert told == sorted(told)
    assert all(now <= last for now in told)
    fills = [("fill", row["ts"], row["order_id"], row["qty"]) for row in outcome.fills]
    orders = [("order", row["order_id"], row["status"]) for row in outcome.orders if row["reason"] != "end"]
    heard = [view for view in views if view[0] == "fill"]
    assert heard == fills[: len(heard)]
    heard = [view for view in views if view[0] == "order"]
    assert heard == orders[: len(heard)]
    assert len(heard) > 50
