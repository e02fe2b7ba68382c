"""O5 with A3 and A4: what the strategy is told and when, and commands whose latency is drawn or recorded."""

from __future__ import annotations

from decimal import Decimal

from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.differential import Options, run_reference
from mmbt.testing.markets import book, market_of, tables_of
from mmbt.testing.reference import ReferenceQuoter
from mmbt.testing.scripts import nth, script

S = 10**9
MS = 10**6
X = Instrument("X", "0.01", "0.01", "1")
LOGNORMAL = "lognormal:median=50ms,sigma=0.5,floor=10ms"


def several(**tables):
    """A market of instruments by name, each (quotes, prints)."""
    return ArrayMarket([(Instrument(name, "0.01", "0.01", "1"), *tables_of(*rows)) for name, rows in tables.items()])


def steady(until, every=1, start=1):
    return [book(t * S, 6120, 6127) for t in range(start, until + 1, every)]


# --- responses --------------------------------------------------------------------------------------------------------


def test_O5_fills_and_outcomes_are_told_after_the_response_latency(simulate):
    told = []
    strategy = script(
        on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 2)}),
        on_order=lambda ctx, order: told.append((ctx.time / S, order.status, order.remaining)),
        on_fill=lambda ctx, fill: told.append((ctx.time / S, fill.ts / S, fill.remaining, fill.position)),
    )
    market = market_of(X, steady(9, every=8), [(2 * S, 6126, 1, 1), (3 * S, 6126, 1, 1)])
    outcome = simulate(market, strategy, response_latency=1500 * MS, size="displayed")
    assert told == [(2.5, "accepted", 2), (3.5, 2, 1, -1), (4.5, 3, 0, -2)]
    assert [(row["ts"] // S, row["position"]) for row in outcome.fills] == [(2, -1), (3, -2)]
    assert [row["ts"] // S for row in outcome.orders] == [1]


def test_O5_position_cash_and_orders_are_as_told(simulate):
    seen = []

    def look(ctx):
        orders = [(order.id, order.status, order.px, order.qty, order.remaining) for order in ctx.orders]
        seen.append((ctx.time / S, ctx.position, ctx.cash, orders))
        if ctx.time == 1 * S:
            ctx.place("sell", 6125, 3)
        elif ctx.time == 4 * S:
            ctx.replace(1, 6126, 4)

    prints = [(3500 * MS, 6126, 1, 1), (7500 * MS, 6127, 4, 1)]
    simulate(market_of(X, steady(12, every=11), prints), script("1s", on_timer=look), size="displayed",
             place_latency=1 * S, response_latency=1250 * MS)
    sent, live = [(1, "travelling", 6125, 3, 3)], [(1, "live", 6125, 3, 3)]
    filled, replaced = [(1, "live", 6125, 3, 2)], [(1, "live", 6126, 5, 4)]
    one, all_five = Decimal("61.25"), Decimal("306.29")
    assert seen == [(1, 0, 0, []), (2, 0, 0, sent), (3, 0, 0, sent), (4, 0, 0, live), (5, -1, one, filled),
                    (6, -1, one, filled), (7, -1, one, replaced), (8, -1, one, replaced), (9, -5, all_five, []),
                    (10, -5, all_five, []), (11, -5, all_five, []), (12, -5, all_five, [])]


def test_O5_an_order_that_failed_is_shown_until_that_is_told(simulate):
    seen = []
    acts = {0: lambda ctx: [ctx.place("buy", 6127, 1, "post_only"), ctx.place("buy", 6127, 20, "ioc")]}
    strategy = script("1s", on_tob=nth(acts), on_timer=lambda ctx: seen.append([(o.id, o.status) for o in ctx.orders]))
    simulate(market_of(X, steady(5, every=4)), strategy, response_latency=1500 * MS)
    assert seen == [[(1, "travelling"), (2, "travelling")]] * 2 + [[]] * 3


def test_O5_reports_never_overtake_each_other(simulate, recorded):
    told = []
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.place("sell", 6131, 1),
            2: lambda ctx: ctx.place("sell", 6132, 1), 5: lambda ctx: ctx.place("sell", 6133, 1)}
    strategy = script(on_tob=nth(acts), on_order=lambda ctx, order: told.append((ctx.time / S, order.id)))
    simulate(market_of(X, steady(9)), strategy, response_latency=recorded((1, 4), (2, 0.5), (3, 0)))
    assert told == [(5, 1), (5, 2), (5, 3), (6, 4)]


def test_O5_reports_due_at_one_instant_are_known_before_the_first_is_told(simulate, recorded):
    told = []
    market = several(A=(steady(9), [(2 * S, 6130, 1, 1)]), B=(steady(9), [(3 * S, 6130, 1, 1)]))
    strategy = script(on_tob=nth({0: lambda ctx: [ctx[name].place("sell", 6125, 1) for name in "AB"]}),
                      on_fill=lambda ctx, fill: told.append((ctx.time // S, fill.instrument, ctx["A"].position,
                                                             ctx["B"].position, len(ctx["B"].orders))))
    simulate(market, strategy, response_latency=recorded((1, 0), (2, 3), (3, 2)))
    assert told == [(5, "A", -1, -1, 0), (5, "B", -1, -1, 0)]


def test_O5_a_report_of_no_latency_waits_for_those_before_it(simulate, recorded):
    # The session ends at 12 s; its cancel is told at once, but in the line behind the fill of 11 s, due at 12 s.
    told = []
    strategy = script(on_tob=nth({0: lambda ctx: [ctx.place("sell", px, 1) for px in (6125, 6140)]}),
                      on_fill=lambda ctx, fill: told.append((ctx.time // S, fill.order_id, len(ctx.orders))),
                      on_order=lambda ctx, order: told.append((ctx.time // S, order.id, order.status)))
    market = market_of(X, [book(1 * S, 6120, 6127), book(40 * S, 6120, 6127)], [(2 * S, 6126, 1, 1)])
    latency = recorded((1, 0), (2, 10), (12, 0))
    simulate(market, strategy, response_latency=latency, session_gap=10 * S)
    assert told == [(1, 1, "accepted"), (1, 2, "accepted"), (12, 1, 0), (12, 2, "cancelled")]


def test_O5_a_cancel_may_lose_the_race_against_a_fill_not_yet_told(simulate):
    told = []
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 2: lambda ctx: ctx.cancel(1)}
    strategy = script(on_tob=nth(acts), on_fill=lambda ctx, fill: told.append((ctx.time / S, "filled")),
                      on_order=lambda ctx, order: told.append((ctx.time / S, order.status)))
    market = market_of(X, steady(9), [(2500 * MS, 6126, 1, 1)])
    outcome = simulate(market, strategy, response_latency=2 * S)
    assert told == [(3, "accepted"), (4.5, "filled"), (5, "too_late")]
    assert [(row["ts"] / S, row["status"]) for row in outcome.orders] == [(1, "accepted"), (3, "too_late")]


# --- quotes judged by what was told -----------------------------------------------------------------------------------


def quoting(prices, seen):
    """Quotes an offer at the price of each second."""
    def act(ctx):
        before = len(ctx.orders)
        ctx.quote(ask=prices[ctx.time // S])
        seen.append((ctx.time // S, before, [order.id for order in ctx.orders]))
    return script("1s", on_timer=act)


def test_A4_the_same_price_is_not_sent_again_while_the_fill_is_not_told(simulate):
    seen = []
    market = market_of(X, steady(6, every=5), [(1500 * MS, 6126, 1, 1)])
    outcome = simulate(market, quoting(dict.fromkeys(range(1, 7), 6125), seen), response_latency=2 * S)
    assert seen == [(1, 0, [1]), (2, 1, [1]), (3, 1, [1]), (4, 0, [2]), (5, 1, [2]), (6, 1, [2])]
    assert [(row["ts"] // S, row["order_id"]) for row in outcome.fills] == [(1, 1)]


def test_A4_another_price_arrives_although_the_old_order_was_filled_on_the_way(simulate):
    seen = []
    market = market_of(X, steady(6, every=5), [(1500 * MS, 6126, 1, 1)])
    outcome = simulate(market, quoting({1: 6125, **dict.fromkeys(range(2, 7), 6126)}, seen), response_latency=2 * S)
    events = [(row["ts"] // S, row["order_id"], row["status"]) for row in outcome.orders]
    assert events == [(1, 1, "accepted"), (2, 1, "too_late"), (2, 2, "accepted"), (6, 2, "cancelled")]
    assert seen == [(1, 0, [1]), (2, 1, [1, 2]), (3, 2, [1, 2]), (4, 1, [2]), (5, 1, [2]), (6, 1, [2])]


def test_A4_a_rejection_not_yet_told_is_not_known(simulate):
    seen = []
    market = market_of(X, [book(1 * S, 6120, 6127), book(1500 * MS, 6126, 6130), book(9 * S, 6120, 6127)])
    acts = {1: None, 2: 6125, 3: 6125, 4: 6125, 5: 6131, **dict.fromkeys(range(6, 10), 6131)}
    outcome = simulate(market, quoting(acts, seen), response_latency=1500 * MS)
    events = [(row["ts"] / S, row["order_id"], row["status"]) for row in outcome.orders]
    assert events[:2] == [(2, 1, "rejected"), (4, 2, "rejected")]
    assert [row[2] for row in seen[:5]] == [[], [1], [1], [2], [2, 3]]


# --- commands whose latency is drawn or recorded ----------------------------------------------------------------------


def test_A3_commands_take_the_latency_recorded_when_they_are_sent(simulate, recorded):
    acts = {n: lambda ctx: ctx.place("sell", 6130 + ctx.time // S, 1) for n in range(4)}
    latency = recorded((2, 0.25), (2.5, 0.75), (4, 0), (4, 0.5))
    outcome = simulate(market_of(X, steady(9)), script(on_tob=nth(acts)), place_latency=latency)
    times = [row["ts"] / S for row in outcome.orders if row["status"] == "accepted"]
    assert times == [1.25, 2.25, 3.75, 4.5]  # before the first record as the first; of two at one time the last


def test_A3_a_cancel_never_arrives_before_its_order(simulate, recorded):
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.cancel(1)}
    outcome = simulate(market_of(X, steady(9)), script(on_tob=nth(acts)), place_latency=recorded((1, 4)),
                       cancel_latency=recorded((1, 0.5)))
    events = [(row["ts"] / S, row["status"]) for row in outcome.orders]
    assert events == [(5, "accepted"), (5, "cancelled")]


def test_A3_commands_with_and_without_latency_of_one_instant(simulate, recorded):
    # Sent at 1 s and arriving at 3 s; at 3 s commands take no time, and are there first.
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 2: lambda ctx: ctx.place("sell", 6131, 1)}
    outcome = simulate(market_of(X, steady(9)), script(on_tob=nth(acts)),
                       place_latency=recorded((1, 2), (3, 0)))
    assert [(row["ts"] / S, row["order_id"]) for row in outcome.orders][:2] == [(3, 2), (3, 1)]


def arrivals(simulate, acts, latency, **options):
    outcome = simulate(market_of(X, steady(9)), script(on_tob=nth(acts)), place_latency=latency, **options)
    return {(row["order_id"], row["px"]): row["ts"] for row in outcome.orders if row["status"] == "accepted"}


def test_A3_drawn_latencies_have_known_values(simulate, tmp_path):
    both = {0: lambda ctx: [ctx.place("sell", px, 1) for px in (6130, 6131)]}
    drawn = arrivals(simulate, both, LOGNORMAL, seed=7)
    assert {px: ts - S for (_, px), ts in drawn.items()} == {6130: 68_417_944, 6131: 110_147_973}
    values = tmp_path / "values.txt"
    values.write_text("\n".join(str(n * MS) for n in (5, 3, 1, 4, 2)), "utf-8")
    drawn = [arrivals(simulate, both, f"empirical:{values}", seed=seed) for seed in range(3)]
    assert [[(found[n, 6129 + n] - S) // MS for n in (1, 2)] for found in drawn] == [[5, 3], [3, 5], [4, 3]]


def test_O5_feed_responses_and_cancels_have_draws_of_their_own(simulate):
    rows = ([book(1 * S, 10, 12), book(1 * S, 10, 12), book(9 * S, 10, 12)], [(1 * S, 11, 1, 1), (1 * S, 11, 1, 1)])
    seen, drawn = [], {"seed": 7, "feed_latency": LOGNORMAL}
    strategy = script(on_tob=lambda ctx: seen.append((ctx.instrument, "tob", ctx.time - S)),
                      on_trade=lambda ctx, trade: seen.append((ctx.instrument, "trade", ctx.time - S)))
    simulate(several(A=rows, B=rows), strategy, **drawn)
    assert seen == [("B", "trade", 48_510_508), ("B", "trade", 51_921_195), *[("B", "tob", 58_353_106)] * 2,
                    ("A", "tob", 59_284_356), *[("A", "trade", 75_314_470)] * 2, ("A", "tob", 89_762_081)]
    told = []
    strategy = script(on_tob=nth({0: lambda ctx: [ctx.place("sell", px, 1) for px in (6130, 6131)]}),
                      on_order=lambda ctx, order: told.append(ctx.time - S))
    simulate(market_of(X, steady(9)), strategy, seed=7, response_latency=LOGNORMAL)
    assert told == [66_687_800, 66_687_800]  # the second would have overtaken the first
    acts = {0: lambda ctx: [ctx.place("sell", 6140, 1), ctx.quote(None, 6130)],
            1: lambda ctx: [ctx.quote(), ctx.cancel(1)]}
    outcome = simulate(market_of(X, steady(9)), script(on_tob=nth(acts)), seed=7, cancel_latency=LOGNORMAL)
    cancelled = {row["order_id"]: row["ts"] - 2 * S for row in outcome.orders if row["status"] == "cancelled"}
    assert cancelled == {1: 38_987_282, 2: 36_576_962}


def test_A3_a_drawn_latency_depends_on_time_and_slot_not_on_what_was_drawn_before(simulate):
    latency = "lognormal:median=50ms,sigma=1"

    def quote(others):
        def act(ctx):
            for _ in range(others):
                ctx.place("sell", 6140, 1)
            ctx.quote_levels([6110, 6109], [6130, 6131])
        return act

    alone, beside = (arrivals(simulate, {0: quote(n), 1: quote(n)}, latency) for n in (0, 3))
    assert len(set(alone.values())) == 4
    assert all(beside[key[0] + 3, key[1]] == ts for key, ts in alone.items())
    placed = [ts for (_, px), ts in beside.items() if px == 6140]
    assert len(set(placed)) == 6
    assert arrivals(simulate, {0: quote(0)}, latency, seed=1) != alone


# --- limits -----------------------------------------------------------------------------------------------------------


def test_O5_position_limits_are_the_venues_truth_and_the_skew_is_what_is_told():
    """Of the reference alone, to which the engine's own quotes are compared."""
    market = market_of(X, [book(1 * S, 6120, 6127), book(2500 * MS, 6130, 6137), book(9 * S, 6130, 6137)])
    quoter = ReferenceQuoter(2.0, 1.0, interval="1s", max_position=1)
    outcome = run_reference(market, quoter, Options(("X",), response_latency=3 * S))
    placed = [(row["ts"] // S, row["side"], row["px"]) for row in outcome.orders if row["status"] == "accepted"]
    # Filled at 2.5 s: from 3 s on no offer; told at 5.5 s: from 6 s on the bid stands a tick higher.
    assert placed == [(1, 1, 6121), (1, -1, 6126), (3, 1, 6131), (6, 1, 6132)]
