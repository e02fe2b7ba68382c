"""F1-F3: how resting orders fill, and how much."""

from __future__ import annotations

import pytest

from mmbt.market import Instrument
from mmbt.testing.markets import book, market_of
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")
FINE = Instrument("X", "0.05", "0.01", "1")  # five price units in a tick


def sells(*offers):
    """Places offers (px, qty) on the first quote."""
    return script(on_tob=nth({0: lambda ctx: [ctx.place("sell", px, qty) for px, qty in offers]}))


def buys(*bids):
    return script(on_tob=nth({0: lambda ctx: [ctx.place("buy", px, qty) for px, qty in bids]}))


def got(outcome):
    return [(row["ts"] // S, row["order_id"], row["px"], row["qty"], row["reason"]) for row in outcome.fills]


# --- rule 1: the market moves through ---------------------------------------------------------------------------------

RULE_1 = {
    "offer_6125_market_bid_6130_fills": ("sell", (6130, 6135), "through", True),
    "offer_6125_market_bid_6126_fills": ("sell", (6126, 6135), "through", True),
    "offer_6125_market_bid_6125_stands": ("sell", (6125, 6135), "through", False),
    "offer_6125_market_bid_6125_fills_by_touch": ("sell", (6125, 6135), "touch", True),
    "offer_6125_market_bid_6124_stands_by_touch": ("sell", (6124, 6135), "touch", False),
    "bid_6122_market_ask_6110_fills": ("buy", (6105, 6110), "through", True),
    "bid_6122_market_ask_6121_fills": ("buy", (6105, 6121), "through", True),
    "bid_6122_market_ask_6122_stands": ("buy", (6105, 6122), "through", False),
    "bid_6122_market_ask_6122_fills_by_touch": ("buy", (6105, 6122), "touch", True),
    "bid_6122_market_ask_6123_stands_by_touch": ("buy", (6105, 6123), "touch", False),
    "locked_market_through_fills": ("sell", (6130, 6130), "through", True),
    "crossed_market_stands": ("sell", (6130, 6129), "through", False),
    "crossed_market_stands_by_touch": ("buy", (6120, 6119), "touch", False),
    "one_sided_market_bid_6130_stands": ("sell", (6130, 0), "through", False),
    "one_sided_market_ask_6110_stands": ("buy", (0, 6110), "through", False),
}


@pytest.mark.parametrize("case", RULE_1)
def test_F1_rule_1(simulate, case):
    side, (bid, ask), cross, fills = RULE_1[case]
    strategy = sells((6125, 5)) if side == "sell" else buys((6122, 5))
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, bid, ask)])
    px = 6125 if side == "sell" else 6122
    assert got(simulate(market, strategy, cross=cross)) == ([(2, 1, px, 5, "cross")] if fills else [])


def test_F1_rule_1_is_tested_again_when_no_price_changed(simulate):
    # The arriving order uses the display up; its rest stands inside the market and waits for an update.
    market = market_of(X, [book(1 * S, 6120, 6127, 2), book(2 * S, 6120, 6127, 9)])
    assert got(simulate(market, sells((6119, 5)))) == [(1, 1, 6120, 2, "taker"), (2, 1, 6119, 3, "cross")]


def test_F1_an_arrival_never_tests_rule_1(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127, 2), book(2 * S, 6100, 6127)])
    assert got(simulate(market, sells((6119, 5)))) == [(1, 1, 6120, 2, "taker")]


def test_F1_rule_1_waits_until_a_crossed_book_is_valid_again(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6130, 6128), book(3 * S, 6130, 6131)])
    assert got(simulate(market, sells((6125, 5)))) == [(3, 1, 6125, 5, "cross")]


# --- rule 2: a trade crosses ------------------------------------------------------------------------------------------

RULE_2 = {
    "offer_buyer_print_beyond_fills": ("sell", 6126, +1, "through", "auto", True),
    "offer_unknown_print_beyond_fills": ("sell", 6126, 0, "through", "auto", True),
    "offer_seller_print_beyond_stands": ("sell", 6126, -1, "through", "auto", False),
    "offer_seller_print_beyond_fills_if_ignored": ("sell", 6126, -1, "through", "ignore", True),
    "offer_print_at_price_stands": ("sell", 6125, +1, "through", "auto", False),
    "offer_print_at_price_fills_by_touch": ("sell", 6125, +1, "touch", "auto", True),
    "offer_print_below_stands_by_touch": ("sell", 6124, +1, "touch", "ignore", False),
    "bid_seller_print_beyond_fills": ("buy", 6121, -1, "through", "auto", True),
    "bid_unknown_print_beyond_fills": ("buy", 6121, 0, "through", "auto", True),
    "bid_buyer_print_beyond_stands": ("buy", 6121, +1, "through", "auto", False),
    "bid_buyer_print_beyond_fills_if_ignored": ("buy", 6121, +1, "through", "ignore", True),
    "bid_print_at_price_stands": ("buy", 6122, -1, "through", "auto", False),
    "bid_print_at_price_fills_by_touch": ("buy", 6122, -1, "touch", "auto", True),
    "bid_print_above_stands_by_touch": ("buy", 6123, -1, "touch", "ignore", False),
}


@pytest.mark.parametrize("case", RULE_2)
def test_F1_rule_2(simulate, case):
    side, print_px, aggressor, trade, option, fills = RULE_2[case]
    strategy = sells((6125, 5)) if side == "sell" else buys((6122, 5))
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, print_px, 3, aggressor)])
    px = 6125 if side == "sell" else 6122
    assert got(simulate(market, strategy, trade=trade, aggressor=option)) == ([(2, 1, px, 5, "trade")] if fills else [])


@pytest.mark.parametrize(("units", "fills"), [(6125 * 5 + 1, True), (6125 * 5, False), (6125 * 5 - 1, False)])
def test_F1_rule_2_sees_prints_between_ticks(simulate, units, fills):
    market = market_of(FINE, [book(1 * S, 6120 * 5, 6127 * 5)], [(2 * S, units, 3, +1)])
    assert len(simulate(market, sells((6125, 5))).fills) == fills


def test_F1_rule_2_needs_no_valid_book(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S), book(4 * S, 6140, 6130)],
                       [(3 * S, 6126, 3, 1), (5 * S, 6129, 2, 1)])
    assert got(simulate(market, sells((6125, 5), (6128, 1)))) == [(3, 1, 6125, 5, "trade"), (5, 2, 6128, 1, "trade")]


# --- F2: shares -------------------------------------------------------------------------------------------------------


def test_F2_best_price_first_then_first_come(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6140, 9, 1)])
    outcome = simulate(market, sells((6126, 4), (6125, 4), (6125, 4)), size="displayed")
    assert got(outcome) == [(2, 2, 6125, 4, "trade"), (2, 3, 6125, 4, "trade"), (2, 1, 6126, 1, "trade")]


def test_F2_bids_best_price_first_then_first_come(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6100, 6101, 10, 9)])
    outcome = simulate(market, buys((6121, 4), (6122, 4), (6122, 4)), size="displayed")
    assert got(outcome) == [(2, 2, 6122, 4, "cross"), (2, 3, 6122, 4, "cross"), (2, 1, 6121, 1, "cross")]


def test_F2_arrival_counts_not_sending(simulate):
    # The second order leaves 1 s later but both rest by the time of the print; the replaced one goes last.
    hooks = nth({0: lambda ctx: ctx.place("sell", 6125, 3), 1: lambda ctx: ctx.place("sell", 6125, 3),
                 2: lambda ctx: ctx.replace(1, 6125, 4)})
    market = market_of(X, [book(t * S, 6120, 6127) for t in (1, 2, 3)], [(4 * S, 6126, 5, 1)])
    outcome = simulate(market, script(on_tob=hooks), size="displayed")
    assert got(outcome) == [(4, 2, 6125, 3, "trade"), (4, 1, 6125, 2, "trade")]


def test_F2_one_fill_row_per_order_and_event(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6126, 3, 1), (2 * S, 6126, 3, 1)])
    outcome = simulate(market, sells((6125, 5)), size="displayed")
    assert got(outcome) == [(2, 1, 6125, 3, "trade"), (2, 1, 6125, 2, "trade")]


# --- F3: taken --------------------------------------------------------------------------------------------------------


def crossing(*displays, px=6130):
    """A quote 6120/6127, then bids at `px` (or (px, qty) each) that run over an offer."""
    rows = [book(1 * S, 6120, 6127)]
    for t, display in enumerate(displays, 2):
        bid, qty = display if isinstance(display, tuple) else (px, display)
        rows.append(book(t * S, bid, 6140, qty))
    return market_of(X, rows)


def given(outcome):
    return [(row["ts"] // S, row["qty"]) for row in outcome.fills]


def test_F3_the_display_is_given_once_at_a_price(simulate):
    assert given(simulate(crossing(2, 2, 2), sells((6125, 9)), size="displayed")) == [(2, 2)]


def test_F3_a_larger_display_gives_the_difference(simulate):
    assert given(simulate(crossing(2, 5, 6), sells((6125, 9)), size="displayed")) == [(2, 2), (3, 3), (4, 1)]


def test_F3_a_smaller_display_caps_what_was_taken(simulate):
    assert given(simulate(crossing(4, 1, 4), sells((6125, 9)), size="displayed")) == [(2, 4), (4, 3)]


def test_F3_a_new_price_starts_afresh(simulate):
    outcome = simulate(crossing((6130, 2), (6131, 2), (6130, 2)), sells((6125, 9)), size="displayed")
    assert given(outcome) == [(2, 2), (3, 2), (4, 2)]


def test_F3_an_absent_side_forgets(simulate):
    outcome = simulate(crossing((6130, 2), (0, 0), (6130, 2)), sells((6125, 9)), size="displayed")
    assert given(outcome) == [(2, 2), (4, 2)]


def test_F3_a_crossed_book_updates_taken_too(simulate):
    # While crossed at another price the old count is dropped; back at 6130 the display is fresh.
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140, 2), book(3 * S, 6141, 6140, 2), book(4 * S, 6130, 6140, 2)]
    assert given(simulate(market_of(X, rows), sells((6125, 9)), size="displayed")) == [(2, 2), (4, 2)]


def test_F3_the_other_side_does_not_matter(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140, 2), book(3 * S, 6130, 6150, 2), book(4 * S, 6130, 0, 2),
            book(5 * S, 6130, 6140, 2)]
    assert given(simulate(market_of(X, rows), sells((6125, 9)), size="displayed")) == [(2, 2)]


def test_F3_prints_neither_read_nor_change_taken(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140, 2), book(4 * S, 6130, 6140, 3)],
                       [(3 * S, 6130, 3, 1)])
    assert given(simulate(market, sells((6125, 9)), size="displayed")) == [(2, 2), (3, 3), (4, 1)]


def test_F3_taker_fills_take_under_every_preset(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127, 6), book(2 * S, 6120, 6128, 7), book(3 * S, 6120, 6128, 1)])
    for size in ("full", "displayed"):
        hook = nth({0: lambda ctx: [ctx.hedge(-4), ctx.hedge(-4)], 1: lambda ctx: ctx.hedge(-4),
                    2: lambda ctx: ctx.hedge(-4)})
        assert given(simulate(market, script(on_tob=hook), size=size)) == [(1, 4), (1, 2), (2, 1)]


def test_F3_rule_1_under_displayed_leaves_less_to_takers(simulate):
    market = crossing(3)
    for size, taken in (("displayed", [(2, 2), (2, 1)]), ("full", [(2, 2), (2, 3)])):
        hook = nth({0: lambda ctx: ctx.place("sell", 6125, 2), 1: lambda ctx: ctx.hedge(-5)})
        assert given(simulate(market, script(on_tob=hook), size=size)) == taken


def test_F3_takers_leave_less_to_rule_1(simulate):
    def act(ctx):
        ctx.hedge(-2)
        ctx.place("sell", 6131, 9)

    # At 6130 two of five are taken; the offer at 6131 is run over only when the bid rises, where all is fresh.
    market = market_of(X, [book(1 * S, 6130, 6140, 5), book(2 * S, 6130, 6140, 5), book(3 * S, 6132, 6140, 3)])
    outcome = simulate(market, script(on_tob=nth({0: act})), size="displayed")
    assert given(outcome) == [(1, 2), (3, 3)]


def test_F3_a_print_is_one_budget_and_each_print_a_fresh_one(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6130, 3, 1), (3 * S, 6130, 3, 1)])
    outcome = simulate(market, sells((6125, 2), (6126, 9)), size="displayed")
    assert [(row["ts"] // S, row["order_id"], row["qty"]) for row in outcome.fills] == [(2, 1, 2), (2, 2, 1), (3, 2, 3)]


def test_F3_full_fills_the_whole_order_whatever_is_shown(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(3 * S, 6130, 6140, 1)], [(2 * S, 6126, 1, 1)])
    outcome = simulate(market, sells((6125, 500), (6129, 700)), size="full")
    assert got(outcome) == [(2, 1, 6125, 500, "trade"), (3, 2, 6129, 700, "cross")]


def test_rules_fill_at_our_price_never_better(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6500, 6600)])
    assert got(simulate(market, sells((6125, 5)), size="displayed")) == [(2, 1, 6125, 5, "cross")]
