"""A4 and A6: what `quote` sends, and the built-in quotes."""

from __future__ import annotations

import math

import pytest

from mmbt.market import Instrument
from mmbt.testing.markets import book, market_of
from mmbt.testing.reference import ReferenceQuoter
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


# --- A4: quote --------------------------------------------------------------------------------------------------------


def placed(outcome):
    return [(row["order_id"], row["side"], row["px"], row["qty"], row["kind"]) for row in outcome.orders
            if row["status"] == "accepted"]


def test_A4_the_same_price_sends_nothing(simulate):
    outcome, _ = run(simulate, dict.fromkeys(range(5), lambda ctx: ctx.quote(6118, 6129, 3)))
    assert placed(outcome) == [(1, 1, 6118, 3, "post_only"), (2, -1, 6129, 3, "post_only")]


def test_A4_the_same_price_keeps_what_is_left_of_an_order(simulate):
    acts = {0: lambda ctx: ctx.quote(None, 6125, 5), 1: lambda ctx: ctx.quote(None, 6125, 5)}
    rows = [book(1 * S, 6120, 6127), book(3 * S, 6120, 6127)]
    outcome, _ = run(simulate, acts, rows, [(2 * S, 6126, 2, 1)], size="displayed")
    assert [row["status"] for row in outcome.orders] == ["accepted", "cancelled"]
    assert outcome.orders[-1]["remaining"] == 3


def test_A4_all_cancels_then_the_new_bid_then_the_new_offer(simulate):
    outcome, _ = run(simulate, {0: lambda ctx: ctx.quote(6118, 6129), 1: lambda ctx: ctx.quote(6119, 6128)})
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", ""), (1, "cancelled", "user"),
                               (2, "cancelled", "user"), (3, "accepted", ""), (4, "accepted", "")]
    assert [row["side"] for row in outcome.orders[:6]] == [1, -1, 1, -1, 1, -1]


def test_A4_none_withdraws_one_side(simulate):
    acts = {0: lambda ctx: ctx.quote(6118, 6129), 1: lambda ctx: ctx.quote(None, 6129), 2: lambda ctx: ctx.quote()}
    outcome, _ = run(simulate, acts)
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", ""), (1, "cancelled", "user"),
                               (2, "cancelled", "user")]


def test_A4_a_filled_or_rejected_quote_is_sent_again(simulate):
    acts = {0: lambda ctx: ctx.quote(None, 6125), 1: lambda ctx: ctx.quote(None, 6125),
            2: lambda ctx: ctx.quote(6127, 6125), 3: lambda ctx: ctx.quote(6127, None)}
    outcome, _ = run(simulate, acts, steady(5), [(2 * S, 6126, 1, 1)])
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", ""), (3, "rejected", "self_match"),
                               (2, "cancelled", "user"), (4, "rejected", "post_only")]


def test_A4_the_new_order_arrives_even_if_the_old_one_filled_on_the_way(simulate):
    acts = {0: lambda ctx: ctx.quote(None, 6125), 3: lambda ctx: ctx.quote(None, 6126)}
    outcome, _ = run(simulate, acts, steady(9), [(5 * S, 6126, 1, 1)], place_latency=2 * S, cancel_latency=2 * S)
    assert takes(outcome) == [(1, 6125, 1)]
    assert events(outcome) == [(1, "accepted", ""), (1, "too_late", "cancel"), (2, "accepted", "")]


def test_A4_looks_at_what_was_sent_not_at_what_has_arrived(simulate):
    acts = {0: lambda ctx: [ctx.quote(6118, 6129), ctx.quote(6118, 6130)]}
    outcome, _ = run(simulate, acts, steady(9), place_latency=3 * S, cancel_latency=1 * S)
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", ""), (2, "cancelled", "user"), (3, "accepted", "")]


def test_A4_an_order_the_strategy_cancelled_no_longer_counts(simulate):
    acts = {0: lambda ctx: ctx.quote(6118, None), 1: lambda ctx: [ctx.cancel(1), ctx.quote(6118, None)]}
    outcome, _ = run(simulate, acts)
    assert events(outcome) == [(1, "accepted", ""), (1, "cancelled", "user"), (2, "accepted", "")]


def test_A4_a_replaced_quote_stands_at_its_new_price(simulate):
    acts = {0: lambda ctx: ctx.quote(6118, None), 1: lambda ctx: ctx.replace(1, 6117, 1),
            2: lambda ctx: ctx.quote(6117, None), 3: lambda ctx: ctx.quote(6118, None)}
    outcome, _ = run(simulate, acts)
    assert events(outcome) == [(1, "accepted", ""), (1, "accepted", "replace"), (1, "cancelled", "user"),
                               (2, "accepted", "")]


def test_A4_quotes_are_gtc_if_asked(simulate):
    outcome, _ = run(simulate, {0: lambda ctx: ctx.quote(6127, None, 2, post_only=False)})
    assert takes(outcome) == [(1, 6127, 2)]


def test_A4_levels_are_slots_of_their_own(simulate):
    acts = {0: lambda ctx: ctx.quote_levels([6118, 6117], [6129, 6130]),
            1: lambda ctx: ctx.quote_levels([6118, 6116], [None, 6130]), 2: lambda ctx: ctx.quote(6118, None)}
    outcome, _ = run(simulate, acts)
    assert [(row["order_id"], row["status"], row["side"], row["px"]) for row in outcome.orders[:9]] == [
        (1, "accepted", 1, 6118), (2, "accepted", 1, 6117), (3, "accepted", -1, 6129), (4, "accepted", -1, 6130),
        (2, "cancelled", 1, 6117), (3, "cancelled", -1, 6129), (5, "accepted", 1, 6116),
        (5, "cancelled", 1, 6116), (4, "cancelled", -1, 6130)]


ROUNDED = {
    "between_ticks": ((6118.7, 6128.3), (6118, 6129)),
    "whole": ((6118.0, 6129.0), (6118, 6129)),
    "a_hair_below": ((6117.9999999999, 6128.9999999999), (6118, 6129)),
    "a_hair_above": ((6118.0000000001, 6129.0000000001), (6118, 6129)),
    "more_than_a_hair": ((6117.99999, 6129.00001), (6117, 6130)),
    "halves": ((6118.5, 6128.5), (6118, 6129)),
}


@pytest.mark.parametrize("case", ROUNDED)
def test_A4_quote_rounds_passively(simulate, case):
    wanted, stands = ROUNDED[case]
    outcome, _ = run(simulate, {0: lambda ctx: ctx.quote(*wanted)})
    assert [px for _, _, px, _, _ in placed(outcome)] == list(stands)


def test_A4_a_bad_side_leaves_everything_as_it_was(simulate):
    def act(ctx):
        with pytest.raises(ValueError, match="ask"):
            ctx.quote(6119, math.nan)
        with pytest.raises(ValueError, match="bid"):
            ctx.quote(0.4, 6130)

    outcome, _ = run(simulate, {0: lambda ctx: ctx.quote(6118, 6129), 1: act})
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", "")]


# --- A6: built-in quotes ----------------------------------------------------------------------------------------------

QUOTES = {  # B, A, half spread, skew, position -> bid, offer
    "fixed": ((6120, 6127), 2.0, 0.0, 0, (6121, 6126)),
    "fixed_whole_mid": ((6120, 6126), 2.0, 0.0, 0, (6121, 6125)),
    "wide": ((6120, 6127), 10.0, 0.0, 0, (6113, 6134)),
    "narrow_market_is_not_crossed": ((6120, 6121), 0.0, 0.0, 0, (6120, 6121)),
    "skewed_by_a_long_position": ((6120, 6127), 1.0, 0.5, 4, (6120, 6123)),
    "skewed_by_a_short_position": ((6120, 6127), 1.0, 0.5, -4, (6124, 6127)),
    "far_below_stops_above_the_bid": ((6120, 6127), 1.0, 10.0, 4, (6082, 6121)),
    "far_above_stops_below_the_offer": ((6120, 6127), 1.0, 10.0, -4, (6126, 6165)),
    "a_hair_off_a_tick": ((6120, 6126), 0.1 + 0.2, 0.1, 3, (6122, 6123)),
    "an_offer_at_our_bid_is_dropped": ((6120, 6126), 0.0, 0.0, 0, (6123, None)),
}


@pytest.mark.parametrize("case", QUOTES)
def test_A6_reservation_and_bounds(simulate, case):
    touch, half_spread, skew, position, (bid, ask) = QUOTES[case]
    outcome = simulate(market_of(X, [book(1 * S, *touch)]), ReferenceQuoter(half_spread, skew), position=position)
    prices = {row["side"]: row["px"] for row in outcome.orders if row["status"] == "accepted"}
    assert (prices.get(1), prices.get(-1)) == (bid, ask)


def test_A6_no_bid_at_the_limit_no_offer_at_minus_the_limit(simulate):
    for position, sides in ((2, {-1}), (3, {-1}), (-2, {1}), (1, {1, -1})):
        market = market_of(X, [book(1 * S, 6120, 6127)])
        outcome = simulate(market, ReferenceQuoter(2.0, max_position=2), position=position)
        assert {row["side"] for row in outcome.orders} == sides


def test_A6_without_a_valid_book_the_quotes_stay(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6140, 6130), book(3 * S, 6120)]
    outcome = simulate(market_of(X, rows), ReferenceQuoter(2.0, interval="1s"))
    assert events(outcome) == [(1, "accepted", ""), (2, "accepted", "")]


def test_A6_ladder_levels_under_the_same_bounds(simulate):
    market = market_of(X, [book(1 * S, 6120, 6121)])
    outcome = simulate(market, ReferenceQuoter(0.5, levels=4, step_ticks=0.5))
    assert [(row["side"], row["px"]) for row in outcome.orders if row["status"] == "accepted"] == [
        (1, 6120), (1, 6119), (1, 6118), (-1, 6121), (-1, 6122), (-1, 6123)]  # level 2 rounds to level 1's prices
