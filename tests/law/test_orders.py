"""A1-A3, A5, A7: arriving orders, self-match, commands in flight, hedges, ids."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.markets import book, market_of, tables_of
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")


def steady(until):
    return [book(t * S, 6120, 6127) for t in range(1, until + 1)]


def run(simulate, acts, rows=None, prints=(), **options):
    """Acts by number of the quote; returns the outcome and what `on_order` was told."""
    told = []
    strategy = script(on_tob=nth(acts), on_order=lambda ctx, order: told.append(order))
    outcome = simulate(market_of(X, rows or steady(max(acts) + 2), prints), strategy, **options)
    return outcome, told


def events(outcome):
    return [(row["order_id"], row["status"], row["reason"]) for row in outcome.orders if row["reason"] != "end"]


def takes(outcome):
    return [(row["order_id"], row["px"], row["qty"]) for row in outcome.fills]


# --- A1: judged by the displayed opposite side ------------------------------------------------------------------------

ARRIVALS = {
    "gtc_at_the_offer_takes_and_rests": (("buy", 6127, 12, "gtc"), [("accepted", "")], 10, "live"),
    "gtc_through_the_offer_takes_at_its_price": (("buy", 6200, 3, "gtc"), [("accepted", "")], 3, None),
    "gtc_below_the_offer_rests": (("buy", 6126, 3, "gtc"), [("accepted", "")], 0, "live"),
    "gtc_at_the_bid_takes_and_rests": (("sell", 6120, 12, "gtc"), [("accepted", "")], 10, "live"),
    "post_only_below_the_offer_rests": (("buy", 6126, 3, "post_only"), [("accepted", "")], 0, "live"),
    "post_only_at_the_offer_is_rejected": (("buy", 6127, 3, "post_only"), [("rejected", "post_only")], 0, None),
    "post_only_at_the_bid_is_rejected": (("sell", 6120, 3, "post_only"), [("rejected", "post_only")], 0, None),
    "ioc_takes_what_is_there": (("buy", 6127, 12, "ioc"), [("accepted", ""), ("cancelled", "unfilled")], 10, None),
    "ioc_wholly_filled": (("buy", 6127, 10, "ioc"), [("accepted", "")], 10, None),
    "ioc_away_from_the_market": (("buy", 6126, 2, "ioc"), [("accepted", ""), ("cancelled", "unfilled")], 0, None),
    "fok_fills_whole": (("sell", 6119, 10, "fok"), [("accepted", "")], 10, None),
    "fok_too_large_is_rejected": (("sell", 6119, 11, "fok"), [("rejected", "fok")], 0, None),
    "fok_away_from_the_market_is_rejected": (("sell", 6121, 1, "fok"), [("rejected", "fok")], 0, None),
    "market_takes_all": (("sell", None, 11, "market"), [("accepted", ""), ("cancelled", "unfilled")], 10, None),
}


@pytest.mark.parametrize("case", ARRIVALS)
def test_A1_arrivals(simulate, case):
    order, told, filled, left = ARRIVALS[case]
    statuses = []
    acts = {0: lambda ctx: ctx.place(*order), 1: lambda ctx: statuses.extend(order.status for order in ctx.orders)}
    outcome, heard = run(simulate, acts)
    assert [(order.status, order.reason) for order in heard] == told
    touch = 6127 if order[0] == "buy" else 6120
    assert takes(outcome) == ([(1, touch, filled)] if filled else [])
    assert statuses == ([left] if left else [])


def test_A1_crossed_books_are_taken_from_too(simulate):
    outcome, _ = run(simulate, {0: lambda ctx: [ctx.hedge(2), ctx.hedge(-2)]}, [book(1 * S, 6130, 6127)])
    assert takes(outcome) == [(1, 6127, 2), (2, 6130, 2)]


def test_A1_nothing_is_taken_from_an_absent_side(simulate):
    acts = {0: lambda ctx: [ctx.hedge(2), ctx.place("buy", 7000, 2), ctx.place("buy", 7000, 1, "post_only"),
                            ctx.place("buy", 7000, 1, "fok"), ctx.place("buy", 7000, 1, "ioc")]}
    outcome, _ = run(simulate, acts, [book(1 * S, 6120)])
    assert takes(outcome) == []
    assert events(outcome) == [(1, "accepted", ""), (1, "cancelled", "unfilled"), (2, "accepted", ""),
                               (3, "accepted", ""), (4, "rejected", "fok"), (5, "accepted", ""),
                               (5, "cancelled", "unfilled")]


def test_A1_marketable_by_price_alone_where_all_is_taken(simulate):
    acts = {0: lambda ctx: [ctx.hedge(10), ctx.place("buy", 6127, 1, "post_only"), ctx.place("buy", 6127, 1, "fok"),
                            ctx.place("buy", 6127, 1, "ioc"), ctx.place("buy", 6127, 4, "gtc")]}
    outcome, _ = run(simulate, acts)
    assert takes(outcome) == [(1, 6127, 10)]
    assert events(outcome) == [(1, "accepted", ""), (2, "rejected", "post_only"), (3, "rejected", "fok"),
                               (4, "accepted", ""), (4, "cancelled", "unfilled"), (5, "accepted", "")]


def test_A1_post_only_is_judged_at_arrival_not_at_sending(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6120, 6124), book(9 * S, 6120, 6127)]
    outcome, _ = run(simulate, {0: lambda ctx: ctx.place("buy", 6125, 1, "post_only")}, rows, place_latency=3 * S)
    assert events(outcome) == [(1, "rejected", "post_only")]


def test_A1_what_is_told_of_a_taker(simulate):
    told = []
    strategy = script(
        on_tob=nth({0: lambda ctx: ctx.place("buy", 6128, 12, "ioc", "hedge")}),
        on_order=lambda ctx, order: told.append((order.status, order.px, order.qty, order.remaining, order.purpose)),
        on_fill=lambda ctx, fill: told.append((fill.reason, fill.px, fill.qty, fill.remaining, fill.purpose, fill.fee)),
    )
    simulate(market_of(X, steady(2)), strategy, taker_fee=25_000)
    fee = Decimal("61.27") * 10 * Decimal("0.00025")
    assert told == [("accepted", 6128, 12, 12, "hedge"), ("taker", 6127, 10, 2, "hedge", fee),
                    ("cancelled", 6128, 12, 2, "hedge")]


# --- A2: self-match ---------------------------------------------------------------------------------------------------

SELF_MATCH = {  # our offer stands at 6125, the market at 6120 / 6127
    "gtc_bid_at_our_offer": (("buy", 6125, 1, "gtc"), True),
    "gtc_bid_below_our_offer": (("buy", 6124, 1, "gtc"), False),
    "gtc_bid_beyond_our_offer": (("buy", 6130, 1, "gtc"), True),
    "post_only_bid_at_our_offer": (("buy", 6125, 1, "post_only"), True),
    "ioc_limit_at_our_offer": (("buy", 6125, 1, "ioc"), True),
    "ioc_limit_below_our_offer": (("buy", 6124, 1, "ioc"), False),
    "ioc_beyond_the_market": (("buy", 6130, 1, "ioc"), True),
    "fok_beyond_the_market": (("buy", 6130, 1, "fok"), True),
    "market_order": (("buy", None, 1, "market"), True),
    "another_offer": (("sell", 6125, 1, "gtc"), False),
}


@pytest.mark.parametrize("case", SELF_MATCH)
def test_A2_our_bid_never_meets_our_offer(simulate, case):
    order, refused = SELF_MATCH[case]
    outcome, _ = run(simulate, {0: lambda ctx: [ctx.place("sell", 6125, 1), ctx.place(*order)]})
    assert ((2, "rejected", "self_match") in events(outcome)) == refused


def test_A2_the_nearer_of_limit_and_display_decides_for_ioc_fok_and_market(simulate):
    # Our offer at 6130 is beyond the displayed 6127: an IOC with limit 6135 deals at 6127 and meets nobody of ours.
    acts = {0: lambda ctx: [ctx.place("sell", 6130, 1), ctx.place("buy", 6135, 1, "ioc"),
                            ctx.place("buy", 6135, 1, "fok"), ctx.hedge(1), ctx.place("buy", 6135, 1, "gtc")]}
    outcome, _ = run(simulate, acts)
    assert takes(outcome) == [(2, 6127, 1), (3, 6127, 1), (4, 6127, 1)]
    assert events(outcome)[-1] == (5, "rejected", "self_match")


def test_A2_without_an_opposite_side_a_market_order_meets_nobody(simulate):
    rows = [book(1 * S, 6120), book(2 * S, 6120)]
    outcome, _ = run(simulate, {0: lambda ctx: [ctx.place("sell", 6125, 1), ctx.hedge(1),
                                                ctx.place("buy", 6126, 1, "ioc")]}, rows)
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", ""), (2, "cancelled", "unfilled"),
                               (3, "rejected", "self_match")]


def test_A2_rejected_before_it_takes_anything(simulate):
    outcome, _ = run(simulate, {0: lambda ctx: [ctx.place("sell", 6130, 1), ctx.place("buy", 6130, 5)]})
    assert takes(outcome) == []


def test_A2_self_match_comes_before_post_only_and_fok(simulate):
    acts = {0: lambda ctx: [ctx.place("sell", 6125, 1), ctx.place("buy", 6127, 1, "post_only"),
                            ctx.place("buy", 6126, 1, "fok")]}
    assert events(run(simulate, acts)[0])[1:] == [(2, "rejected", "self_match"), (3, "rejected", "self_match")]


def test_A2_travelling_orders_do_not_count(simulate):
    acts = {0: lambda ctx: ctx.place("buy", 6125, 1), 1: lambda ctx: ctx.place("sell", 6125, 1)}
    outcome, _ = run(simulate, acts, steady(9), place_latency=5 * S)
    assert events(outcome) == [(1, "accepted", ""), (2, "rejected", "self_match")]


def test_A2_an_order_whose_cancel_has_not_arrived_counts(simulate):
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: [ctx.cancel(1), ctx.place("buy", 6125, 1)],
            4: lambda ctx: ctx.place("buy", 6125, 1)}
    outcome, _ = run(simulate, acts, steady(6), cancel_latency=2 * S)
    assert events(outcome) == [(1, "accepted", ""), (2, "rejected", "self_match"), (1, "cancelled", "user"),
                               (3, "accepted", "")]


# --- A3: commands in flight -------------------------------------------------------------------------------------------


def test_A3_each_command_has_its_own_latency(simulate):
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 4: lambda ctx: [ctx.cancel(1), ctx.place("sell", 6131, 1)]}
    outcome, _ = run(simulate, acts, steady(9), place_latency=3 * S, cancel_latency=2 * S)
    assert [(row["ts"] // S, row["order_id"], row["status"]) for row in outcome.orders[:3]] == [
        (4, 1, "accepted"), (7, 1, "cancelled"), (8, 2, "accepted")]


def test_A3_a_cancel_never_overtakes_its_order(simulate):
    acts = {0: lambda ctx: [ctx.place("sell", 6130, 1), ctx.cancel(1)]}
    outcome, _ = run(simulate, acts, steady(9), place_latency=3 * S, cancel_latency=0)
    assert [(row["ts"] // S, row["status"]) for row in outcome.orders] == [(4, "accepted"), (4, "cancelled")]


def test_A3_a_replace_takes_as_long_as_an_order_and_never_overtakes_it(simulate):
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.replace(1, 6131, 2)}
    outcome, _ = run(simulate, acts, steady(9), place_latency=3 * S)
    found = [(row["ts"] // S, row["reason"], row["px"], row["remaining"]) for row in outcome.orders]
    assert found[:2] == [(4, "", 6130, 1), (5, "replace", 6131, 2)]


def test_A3_fills_win_up_to_the_events_of_the_arrival_instant(simulate):
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: ctx.cancel(1)}
    prints = [(4 * S, 6126, 1, 1)]
    outcome, _ = run(simulate, acts, steady(9), prints, cancel_latency=2 * S)
    assert len(outcome.fills) == 1
    assert events(outcome) == [(1, "accepted", ""), (1, "too_late", "cancel")]
    acts = {0: lambda ctx: ctx.place("sell", 6125, 1), 1: lambda ctx: ctx.cancel(1)}
    outcome, _ = run(simulate, acts, steady(9), [(4 * S + 1, 6126, 1, 1)], cancel_latency=2 * S)
    assert outcome.fills == []


REPLACES = {  # two offers of 3 at 6125; the first is replaced, then 3 lots trade at 6126
    "same_price_same_quantity_keeps_its_place": ((6125, 3), [(1, 3)]),
    "same_price_less_keeps_its_place": ((6125, 2), [(1, 2), (2, 1)]),
    "same_price_more_goes_last": ((6125, 4), [(2, 3)]),
    "better_price_goes_first_by_price": ((6124, 2), [(1, 2), (2, 1)]),
    "worse_price": ((6130, 3), [(2, 3)]),
}


@pytest.mark.parametrize("case", REPLACES)
def test_A3_replace_and_place_in_line(simulate, case):
    change, shares = REPLACES[case]
    acts = {0: lambda ctx: [ctx.place("sell", 6125, 3), ctx.place("sell", 6125, 3)],
            1: lambda ctx: ctx.replace(1, *change)}
    outcome, told = run(simulate, acts, steady(2), [(3 * S, 6126, 3, 1)], size="displayed")
    assert [(row["order_id"], row["qty"]) for row in outcome.fills] == shares
    assert [(order.id, order.status, order.reason, order.px, order.remaining) for order in told[2:]] == [
        (1, "accepted", "replace", *change)]


def test_A3_a_replaced_order_is_judged_as_a_new_arrival(simulate):
    acts = {0: lambda ctx: ctx.place("buy", 6110, 3), 1: lambda ctx: ctx.replace(1, 6127, 12)}
    outcome, told = run(simulate, acts)
    assert takes(outcome) == [(1, 6127, 10)]
    assert [(order.status, order.reason) for order in told] == [("accepted", ""), ("accepted", "replace")]
    assert outcome.orders[-1]["remaining"] == 2  # cancelled at the end


def test_A3_a_rejected_replacement_takes_the_old_order_with_it(simulate):
    left = []
    acts = {0: lambda ctx: ctx.place("buy", 6110, 3, "post_only"), 1: lambda ctx: ctx.replace(1, 6127, 1),
            2: lambda ctx: left.append(ctx.orders), 3: lambda ctx: ctx.cancel(1)}
    outcome, _ = run(simulate, acts)
    assert events(outcome) == [(1, "accepted", ""), (1, "rejected", "post_only"), (1, "too_late", "cancel")]
    assert left == [()]


def test_A3_keeping_its_place_an_order_is_not_judged_again(simulate):
    # A trade-only fill rule leaves a bid standing in a crossed book; made smaller, it stays and takes nothing.
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6121), book(3 * S, 6130, 6121)]
    acts = {0: lambda ctx: ctx.place("buy", 6122, 3, "post_only"), 1: lambda ctx: ctx.replace(1, 6122, 2)}
    outcome, told = run(simulate, acts, rows)
    assert outcome.fills == []
    assert [(order.status, order.reason) for order in told] == [("accepted", ""), ("accepted", "replace")]


def test_A3_a_replace_after_a_partial_fill_states_the_remaining_quantity(simulate):
    acts = {0: lambda ctx: ctx.place("sell", 6125, 5), 1: lambda ctx: ctx.replace(1, 6125, 4)}
    rows = [book(1 * S, 6120, 6127), book(3 * S, 6120, 6127), book(5 * S, 6120, 6127)]
    prints = [(2 * S, 6126, 3, 1), (4 * S, 6126, 9, 1)]
    outcome, told = run(simulate, acts, rows, prints, size="displayed")
    assert [row["qty"] for row in outcome.fills] == [3, 4]
    assert (told[1].qty, told[1].remaining) == (7, 4)


def test_A3_a_replace_through_another_instruments_context_is_in_its_orders_ticks(simulate):
    tables = tables_of([book(1 * S, 600, 620), book(2 * S, 600, 620)])
    market = ArrayMarket([(Instrument("A", "1", "1", "1"), *tables), (Instrument("B", "10", "1", "1"), *tables)])
    acts = {0: lambda ctx: ctx["B"].place("sell", 70, 1), 1: lambda ctx: ctx["A"].replace(1, 80, 2),
            2: lambda ctx: ctx["A"].cancel(1)}
    outcome = simulate(market, script(on_tob=nth(acts)))
    assert [(row["instrument"], row["px"], row["status"], row["reason"]) for row in outcome.orders] == [
        ("B", 70, "accepted", ""), ("B", 80, "accepted", "replace"), ("B", 80, "cancelled", "user")]


def test_A3_too_late_and_unknown(simulate):
    acts = {0: lambda ctx: ctx.hedge(1), 1: lambda ctx: [ctx.cancel(1), ctx.replace(1, 6110, 1), ctx.cancel(77),
                                                          ctx.replace(77, 6110, 1)],
            2: lambda ctx: ctx.place("sell", 6140, 1), 3: lambda ctx: [ctx.cancel(2), ctx.cancel(2)]}
    outcome, _ = run(simulate, acts)
    assert events(outcome) == [
        (1, "accepted", ""), (1, "too_late", "cancel"), (1, "too_late", "replace"), (77, "unknown", "cancel"),
        (77, "unknown", "replace"), (2, "accepted", ""), (2, "cancelled", "user"), (2, "too_late", "cancel")]


# --- A5, A7: hedge, ids, purposes -------------------------------------------------------------------------------------


def test_A5_hedge_is_a_market_order_reported_and_not_retried(simulate):
    outcome, told = run(simulate, {0: lambda ctx: ctx.hedge(-12)})
    (fill,) = outcome.fills
    assert (fill["side"], fill["qty"], fill["purpose"], fill["reason"]) == (-1, 10, "hedge", "taker")
    assert [(order.kind, order.px, order.status, order.remaining) for order in told] == [
        ("market", 0, "accepted", 12), ("market", 0, "cancelled", 2)]


def test_A5_every_fill_has_its_orders_purpose(simulate):
    acts = {0: lambda ctx: [ctx.quote(None, 6125), ctx.place("sell", 6126, 1, purpose="hedge"), ctx.hedge(1)]}
    rows = [book(1 * S, 6120, 6124), book(2 * S, 6130, 6140)]
    outcome, _ = run(simulate, acts, rows)
    assert [row["purpose"] for row in outcome.fills] == ["hedge", "quote", "hedge"]


def test_A5_a_hedge_through_legs_is_an_order_for_each_and_what_is_not_filled_is_not_retried(simulate):
    pairs = [Instrument(name, "1", "1", "1", base=name[0], quote=name[2]) for name in ("A/C", "A/B", "B/C")]
    quotes = {"A/C": [book(1 * S, 100, 120), book(2 * S, 100, 120)], "A/B": [book(1 * S, 9, 10)],
              "B/C": [book(1 * S, 10, 11, ask_qty=60)]}
    market = ArrayMarket([(spec, *tables_of(quotes[spec.name])) for spec in pairs])
    ids = []

    def act(ctx):
        if ctx.instrument == "A/C" and ctx.time > S:
            ids.append(ctx.hedge(6, through="A/C"))

    outcome = simulate(market, script(on_tob=act), synthetic=("A/C = A/B * B/C",))
    assert ids == [(1, 2)]
    assert [(row["instrument"], row["qty"], row["purpose"]) for row in outcome.fills] == [
        ("A/B", 6, "hedge"), ("B/C", 60, "hedge")], "120 for one directly, 110 by the legs"
    outcome = simulate(market, script(on_tob=act), synthetic=("A/C = A/B * B/C",), taker_fee=10**7)
    assert [row["instrument"] for row in outcome.fills] == ["A/C"], "two fees of 10 %"


def test_A7_ids_count_order_creating_commands_over_all_instruments(simulate):
    ids = []
    acts = {0: lambda ctx: ids.extend([ctx.place("buy", 6127, 1, "post_only"), ctx.hedge(1)]),
            1: lambda ctx: [ctx.quote(6110, 6140), ctx.replace(3, 6111, 1), ids.append(ctx.place("sell", 6150, 1))]}
    run(simulate, acts)
    assert ids == [1, 2, 5]


def test_A7_a_bad_command_uses_no_id(simulate):
    ids = []

    def act(ctx):
        with pytest.raises(ValueError):
            ctx.place("buy", 0, 1)
        ids.append(ctx.place("buy", 6110, 1))

    run(simulate, {0: act})
    assert ids == [1]
