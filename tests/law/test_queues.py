"""F4, F5: fills at our own price by the place in its queue."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mmbt.market import Instrument
from mmbt.testing.markets import book, market_of
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")
FINE = Instrument("X", "0.05", "0.01", "1")  # five price units in a tick
MODELS = ("back", "prob", "front")


def ask(px, qty):
    """A quote whose offer is that; None: it shows none."""
    return book(0, 6110, px or 0, ask_qty=qty)


def buys(px, qty, side=+1):
    """A print, by a buyer unless told."""
    return (0, px, qty, side)


def mirrored(row):
    """The same for our bid: prices about 6127, bid and offer, buyer and seller change places."""
    if len(row) == 4:
        return (0, 2 * 6127 - row[1], row[2], -row[3])
    (_, bid, bid_qty, offer, offer_qty) = row
    return book(0, offer and 2 * 6127 - offer, bid and 2 * 6127 - bid, offer_qty, bid_qty)


def filled(simulate, first, rest, orders=((6127, 50),), mirror=False, spec=X, **options):
    """Lots filled at each of the later rows, a second apart; our offers arrive after the first."""
    rows = [mirrored(row) for row in (first, *rest)] if mirror else [first, *rest]
    side = "buy" if mirror else "sell"
    asked = [(2 * 6127 - px if mirror else px, qty) for px, qty in orders]
    timed = [(t * S, *row[1:]) for t, row in enumerate(rows)]
    market = market_of(spec, [row for row in timed if len(row) == 5], [row for row in timed if len(row) == 4])
    act = {0: lambda ctx: [ctx.place(side, px, qty) for px, qty in asked]}
    options = {"trade": "queue", "size": "displayed", **options}
    outcome = simulate(market, script(on_tob=nth(act)), **options)
    lots = [0] * len(timed)
    for row in outcome.fills:
        lots[row["ts"] // S] += row["qty"]
    return lots[1:]


# --- F4 as a truth table: our offer of 50 at 6127, what comes, and the lots filled at each row by model ---------------

AT_TOUCH = ask(6127, 10)
F4 = {
    "a_print_that_those_ahead_take_gives_nothing":
        (AT_TOUCH, [buys(6127, 4)], {"back": [0], "prob": [0], "front": [4]}),
    "a_print_of_exactly_those_ahead_gives_nothing_and_the_next_one_fills":
        (AT_TOUCH, [buys(6127, 10), buys(6127, 3)], {"back": [0, 3], "prob": [0, 3], "front": [10, 3]}),
    "prints_eat_those_ahead_and_then_us":
        (AT_TOUCH, [buys(6127, 4), buys(6127, 9)], {"back": [0, 3], "prob": [0, 3], "front": [4, 9]}),
    "a_print_of_unknown_side_counts_as_one_of_ours":
        (AT_TOUCH, [buys(6127, 12, 0)], {"back": [2], "prob": [2], "front": [12]}),
    "a_sellers_print_neither_fills_nor_moves_the_queue":
        (AT_TOUCH, [buys(6127, 30, -1), buys(6127, 12)], {"back": [0, 2], "prob": [0, 2], "front": [0, 12]}),
    "a_print_beyond_our_price_asks_for_no_queue_and_leaves_it":
        (AT_TOUCH, [buys(6128, 3), buys(6127, 12)], {"back": [3, 2], "prob": [3, 2], "front": [3, 12]}),
    "a_print_short_of_our_price_does_nothing":
        (AT_TOUCH, [buys(6126, 30), buys(6127, 12)], {"back": [0, 2], "prob": [0, 2], "front": [0, 12]}),
    "better_than_the_touch_nobody_is_ahead":
        (ask(6128, 10), [buys(6127, 3)], {"back": [3], "prob": [3], "front": [3]}),
    "on_an_absent_side_nobody_is_ahead":
        (ask(None, 0), [buys(6127, 3)], {"back": [3], "prob": [3], "front": [3]}),
    "behind_the_touch_the_place_is_not_known_and_prints_at_our_price_do_not_fill":
        (ask(6126, 10), [buys(6127, 40), buys(6128, 2)], {"back": [0, 2], "prob": [0, 2], "front": [40, 2]}),
    "an_unknown_place_is_the_display_once_the_touch_first_equals_our_price":
        (ask(6126, 10), [ask(6127, 4), buys(6127, 6)], {"back": [0, 2], "prob": [0, 2], "front": [0, 6]}),
    "an_unknown_place_is_the_first_once_the_touch_is_worse":
        (ask(6126, 10), [ask(6128, 4), buys(6127, 6)], {"back": [0, 6], "prob": [0, 6], "front": [0, 6]}),
    "an_unknown_place_stays_unknown_while_the_touch_is_better":
        (ask(6126, 10), [ask(6125, 4), buys(6127, 6)], {"back": [0, 0], "prob": [0, 0], "front": [0, 6]}),
    "a_worse_touch_leaves_nobody_ahead":
        (AT_TOUCH, [ask(6128, 7), buys(6127, 3)], {"back": [0, 3], "prob": [0, 3], "front": [0, 3]}),
    "an_absent_side_leaves_nobody_ahead":
        (AT_TOUCH, [ask(None, 0), ask(6127, 9), buys(6127, 3)], {"back": [0, 0, 3], "prob": [0, 0, 3],
                                                                  "front": [0, 0, 3]}),
    "a_better_touch_keeps_the_place":
        (AT_TOUCH, [ask(6126, 3), buys(6127, 4), ask(6127, 30), buys(6127, 9)],
         {"back": [0, 0, 0, 3], "prob": [0, 0, 0, 3], "front": [0, 4, 0, 9]}),
    "a_smaller_display_is_the_most_that_can_be_ahead":
        (AT_TOUCH, [ask(6127, 4), buys(6127, 6)], {"back": [0, 2], "prob": [0, 2], "front": [0, 6]}),
    "a_larger_display_stands_behind_us":
        (AT_TOUCH, [ask(6127, 30), buys(6127, 12)], {"back": [0, 2], "prob": [0, 2], "front": [0, 12]}),
    "a_crossed_book_moves_the_queue_too":
        (AT_TOUCH, [book(0, 6140, 6127, ask_qty=4), buys(6127, 6)], {"back": [0, 2], "prob": [0, 2], "front": [0, 6]}),
    "a_one_sided_book_moves_the_queue_too":
        (AT_TOUCH, [book(0, 0, 6127, ask_qty=4), buys(6127, 6)], {"back": [0, 2], "prob": [0, 2], "front": [0, 6]}),
    # Ten ahead and ten behind: of the eight that go without a print four were ahead, so that six are left.
    "cancels_come_from_ahead_and_from_behind":
        (AT_TOUCH, [ask(6127, 20), ask(6127, 12), buys(6127, 8)], {"back": [0, 0, 0], "prob": [0, 0, 2],
                                                                    "front": [0, 0, 8]}),
    # Five are printed; the other three are cancels: 3 x 25 / (25 + 225) is no whole lot.
    "what_was_printed_was_not_cancelled":
        (AT_TOUCH, [ask(6127, 20), buys(6127, 5), ask(6127, 12), buys(6127, 8)],
         {"back": [0, 0, 0, 3], "prob": [0, 0, 0, 3], "front": [0, 5, 0, 8]}),
    # A seller's print lifts no offer, yet the display fell by it and not by a cancel.
    "prints_of_either_side_explain_a_smaller_display":
        (AT_TOUCH, [ask(6127, 20), buys(6127, 8, -1), ask(6127, 12), buys(6127, 12)],
         {"back": [0, 0, 0, 2], "prob": [0, 0, 0, 2], "front": [0, 0, 0, 12]}),
    # The update before was at another price: nothing is known of cancels between.
    "cancels_are_seen_between_two_updates_at_our_price_only":
        (AT_TOUCH, [ask(6127, 20), ask(6126, 20), ask(6127, 12), buys(6127, 12)],
         {"back": [0, 0, 0, 2], "prob": [0, 0, 0, 2], "front": [0, 0, 0, 12]}),
    # 60 ahead and 40 behind: 99 x 3600 / 5200 would be 68; nobody is left ahead.
    "no_more_can_go_than_is_ahead":
        (ask(6127, 60), [ask(6127, 100), ask(6127, 1), buys(6127, 1)], {"back": [0, 0, 0], "prob": [0, 0, 1],
                                                                        "front": [0, 0, 1]}),
}


@pytest.mark.parametrize("mirror", [False, True], ids=["offer", "bid"])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("case", F4)
def test_F4_truth_table(simulate, case, model, mirror):
    first, rest, expected = F4[case]
    assert filled(simulate, first, rest, queue=model, mirror=mirror) == expected[model]


@pytest.mark.parametrize(("power", "left"), [(0.5, 3), (1.0, 5), (2.0, 8), (3, 10), (20.0, 10)])
def test_F4_power_says_how_much_of_a_cancel_was_ahead(simulate, power, left):
    # 10 ahead, 30 behind, 20 go: 20 x 10^n / (10^n + 30^n), whole lots: 7, 5, 2, 0, 0.
    rest = [ask(6127, 40), ask(6127, 20), buys(6127, 13)]
    assert filled(simulate, AT_TOUCH, rest, queue="prob", power=power) == [0, 0, 13 - left]


def test_F4_back_is_the_model_unless_told(simulate):
    assert filled(simulate, AT_TOUCH, [buys(6127, 13)]) == [3]


def test_F4_full_gives_the_whole_order_once_a_print_reaches_it(simulate):
    assert filled(simulate, AT_TOUCH, [buys(6127, 10), buys(6127, 1)], size="full") == [0, 50]
    assert filled(simulate, AT_TOUCH, [buys(6127, 11)], size="full") == [50]


def test_F4_a_better_order_of_ours_takes_of_the_same_print(simulate):
    # Of 9 the better order takes 8; one is left, though nobody is ahead of the other.
    first, orders = ask(6129, 10), ((6126, 8), (6127, 5))
    assert filled(simulate, first, [buys(6127, 9)], orders=orders) == [9]
    assert filled(simulate, first, [buys(6127, 8)], orders=orders) == [8]


def test_F4_the_queue_of_each_order_falls_by_the_whole_print(simulate):
    # 30 ahead of both; the print beyond 6127 belongs to the better one alone, and 6128 has a queue of its own.
    rest = [buys(6127, 12), buys(6127, 12), buys(6127, 12)]
    assert filled(simulate, ask(6127, 30), rest, orders=((6127, 4), (6128, 4))) == [0, 0, 4]


def test_F4_prints_between_ticks_are_at_nobodys_price(simulate):
    rest = [buys(6127 * 5 + 1, 3), buys(6127 * 5 - 1, 9), buys(6127 * 5, 12)]
    first = (0, 6110 * 5, 10, 6127 * 5, 10)
    assert filled(simulate, first, rest, spec=FINE) == [3, 0, 2]


@pytest.mark.parametrize(("px", "qty", "lots"), [
    pytest.param(6127, 20, 5, id="less_at_the_same_price_keeps_the_place"),
    pytest.param(6127, 50, 5, id="as_much_at_the_same_price_keeps_the_place"),
    pytest.param(6127, 51, 0, id="more_goes_last"),
])
def test_F4_a_replace(simulate, px, qty, lots):
    # 10 were ahead, 30 at the time of the replace; 15 are printed.
    rows = [book(1 * S, 6110, 6127), book(2 * S, 6110, 6127, ask_qty=30), book(3 * S, 6110, 6127, ask_qty=30)]
    acts = {0: lambda ctx: ctx.place("sell", 6127, 50), 1: lambda ctx: ctx.replace(1, px, qty)}
    outcome = simulate(market_of(X, rows, [(4 * S, 6127, 15, 1)]), script(on_tob=nth(acts)), trade="queue",
                       size="displayed")
    assert sum(row["qty"] for row in outcome.fills) == lots


def test_F4_a_replace_to_another_price_joins_there(simulate):
    # From 6130, where the place was unknown, to 6126 before everybody.
    rows = [book(1 * S, 6110, 6127), book(2 * S, 6110, 6127)]
    acts = {0: lambda ctx: ctx.place("sell", 6130, 5), 1: lambda ctx: ctx.replace(1, 6126, 5)}
    outcome = simulate(market_of(X, rows, [(3 * S, 6126, 2, 1)]), script(on_tob=nth(acts)), trade="queue",
                       size="displayed")
    assert [(row["px"], row["qty"]) for row in outcome.fills] == [(6126, 2)]


def test_F4_the_rest_of_a_taker_joins_before_everybody(simulate):
    # Sold 10 of 15 at 6120; the rest is the best offer.
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6110, 6127)]
    acts = {0: lambda ctx: ctx.place("sell", 6120, 15)}
    outcome = simulate(market_of(X, rows, [(3 * S, 6120, 2, 1)]), script(on_tob=nth(acts)), trade="queue",
                       size="displayed")
    assert [(row["qty"], row["reason"]) for row in outcome.fills] == [(10, "taker"), (2, "trade")]


# --- F5: the models in order ------------------------------------------------------------------------------------------

LADDER = {
    "conservative": {"trade": "through"},
    "back": {"trade": "queue", "queue": "back"},
    "prob": {"trade": "queue", "queue": "prob"},
    "front": {"trade": "queue", "queue": "front"},
    "touch": {"trade": "touch"},
}
LISTS = 40
EVENTS = 100


def fixed_list(seed):
    """A market of few prices, and placements and cancels by number of the event after which they are sent.

    All orders are on one side, so that none is refused for the sake of another of ours; one is live at a price.
    """
    rng = np.random.default_rng([seed, 5])
    side, depth = (int(rng.choice(options)) for options in ([1, -1], [6, 12, 30]))
    quotes, prints, acts = [], [], {}
    live, orders, touch = {}, 0, 20
    for event in range(EVENTS):
        ts = (event + 1) * S
        if event == 0 or rng.random() < 0.7:
            touch = 20 + int(rng.choice([0, 0, 0, 1, -1])) if rng.random() < 0.1 else touch
            own = touch if rng.random() < 0.98 else 0
            other = touch + side * int(rng.choice([1, 2, 0, -1], p=[0.7, 0.2, 0.06, 0.04]))
            own_qty, other_qty = (int(qty) for qty in rng.integers(1, depth + 1, 2))
            bid, offer, bid_qty, offer_qty = own, other, own_qty, other_qty
            if side < 0:
                bid, offer, bid_qty, offer_qty = offer, bid, offer_qty, bid_qty
            quotes.append(book(ts, bid, offer, bid_qty, offer_qty))
        else:
            px = 20 + int(rng.choice([0, 0, 0, 0, -side, -side, side, -2 * side]))
            prints.append((ts, px, int(rng.integers(1, depth)), int(rng.choice([-side, -side, 0, side]))))
        if live and rng.random() < 0.06:
            acts[event] = ("cancel", live.pop(list(live)[rng.integers(len(live))]))
        elif rng.random() < 0.35:
            px = 20 - side * int(rng.integers(0, 2))
            if px not in live:
                orders += 1
                live[px] = orders
                acts[event] = ("place", side, px, int(rng.integers(1, 9)), "post_only")
    return market_of(Instrument("X", "1", "1", "1"), quotes, prints), acts


def cumulative(simulate, market, acts, **options):
    def play(command, *arguments):
        return lambda ctx, *told: getattr(ctx, command)(*arguments)

    hook = nth({event: play(*act) for event, act in acts.items()})
    outcome = simulate(market, script(on_tob=hook, on_trade=hook), size="displayed", **options)
    lots = np.zeros(EVENTS, dtype=np.int64)
    for row in outcome.fills:
        assert row["reason"] != "taker"
        lots[row["ts"] // S - 1] += row["qty"]
    return np.cumsum(lots)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 20.0])
def test_F5_the_models_give_more_and_more(simulate, power):
    totals = np.zeros(len(LADDER), dtype=np.int64)
    for seed in range(LISTS):
        market, acts = fixed_list(seed)
        curves = [cumulative(simulate, market, acts, power=power, **options) for options in LADDER.values()]
        for less, more in pairwise(curves):
            assert (less <= more).all(), (seed, list(LADDER), [curve.tolist() for curve in curves])
        totals += [curve[-1] for curve in curves]
    assert totals[0] < totals[1] < totals[2] < totals[3] <= totals[4]  # the lists tell the models apart
