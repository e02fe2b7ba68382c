"""U1 and U4: what a command may be given, and what a strategy sees."""

from __future__ import annotations

import math

import pytest

from mmbt.errors import StrategyError
from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.markets import book, market_of, tables_of
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")
FINE = Instrument("X", "0.05", "0.01", "0.001")
NAN, INF = math.nan, math.inf

BAD = {
    "place_px_nan": ("place", (1, NAN, 1), ValueError, "px"),
    "place_px_inf": ("place", (1, INF, 1), ValueError, "px"),
    "place_px_zero": ("place", (1, 0, 1), ValueError, "px"),
    "place_px_negative": ("place", (-1, -5, 1), ValueError, "px"),
    "place_px_off_grid": ("place", (1, 6125.3, 1), ValueError, "px"),
    "place_px_missing": ("place", (1, None, 1), ValueError, "px"),
    "place_px_of_a_market_order": ("place", (1, 6125, 1, "market"), ValueError, "px"),
    "place_px_too_large": ("place", (1, 2**40, 1), OverflowError, "px"),
    "place_px_far_too_large": ("place", (1, 2**62, 1), OverflowError, "px"),
    "place_qty_zero": ("place", (1, 6125, 0), ValueError, "qty"),
    "place_qty_negative": ("place", (1, 6125, -1), ValueError, "qty"),
    "place_qty_nan": ("place", (1, 6125, NAN), ValueError, "qty"),
    "place_qty_inf": ("place", (1, 6125, INF), ValueError, "qty"),
    "place_qty_fraction": ("place", (1, 6125, 1.5), ValueError, "qty"),
    "place_qty_too_large": ("place", (1, 6125, 2**40), OverflowError, "qty"),
    "place_qty_far_too_large": ("place", (1, 4, 2**62), OverflowError, "qty"),
    "place_side": ("place", (2, 6125, 1), ValueError, "side"),
    "place_side_zero": ("place", (0, 6125, 1), ValueError, "side"),
    "place_side_word": ("place", ("bid", 6125, 1), ValueError, "side"),
    "place_kind": ("place", (1, 6125, 1, "stop"), ValueError, "kind"),
    "place_purpose": ("place", (1, 6125, 1, "gtc", "fun"), ValueError, "purpose"),
    "quote_bid_nan": ("quote", (NAN, 6130), ValueError, "bid"),
    "quote_ask_nan": ("quote", (6110, NAN), ValueError, "ask"),
    "quote_ask_inf": ("quote", (6110, INF), ValueError, "ask"),
    "quote_bid_rounds_to_zero": ("quote", (0.9, 6130), ValueError, "bid"),
    "quote_ask_negative": ("quote", (6110, -0.5), ValueError, "ask"),
    "quote_bid_too_large": ("quote", (2.0**40, None), OverflowError, "bid"),
    "quote_qty_zero": ("quote", (6110, 6130, 0), ValueError, "qty"),
    "quote_qty_fraction": ("quote", (6110, 6130, 0.5), ValueError, "qty"),
    "levels_nan": ("quote_levels", ([6110], [6130, NAN]), ValueError, "ask"),
    "hedge_zero": ("hedge", (0,), ValueError, "qty"),
    "hedge_nan": ("hedge", (NAN,), ValueError, "qty"),
    "hedge_too_large": ("hedge", (-(2**40),), OverflowError, "qty"),
    "replace_px_nan": ("replace", (1, NAN, 1), ValueError, "px"),
    "replace_px_zero": ("replace", (1, 0, 1), ValueError, "px"),
    "replace_qty_zero": ("replace", (1, 6125, 0), ValueError, "qty"),
    "replace_px_too_large": ("replace", (1, 2**40, 1), OverflowError, "px"),
}


@pytest.mark.parametrize("case", BAD)
def test_U1_bad_input_raises_naming_the_field_before_anything_changes(simulate, case):
    command, given, error, field = BAD[case]

    def act(ctx):
        with pytest.raises(error, match=field):
            getattr(ctx, command)(*given)

    acts = {0: lambda ctx: ctx.quote(6110, 6140), 1: act}
    outcome = simulate(market_of(X, [book(t * S, 6120, 6127) for t in (1, 2, 3)]), script(on_tob=nth(acts)))
    assert [(row["order_id"], row["status"], row["reason"]) for row in outcome.orders] == [
        (1, "accepted", ""), (2, "accepted", ""), (1, "cancelled", "end"), (2, "cancelled", "end")]


def test_U1_the_largest_price_and_quantity_that_fit(simulate):
    act = {0: lambda ctx: ctx.place("sell", 2**40 - 1, 2**40 - 1)}
    outcome = simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=nth(act)))
    assert (outcome.orders[0]["px"], outcome.orders[0]["qty"]) == (2**40 - 1, 2**40 - 1)


def test_U1_a_price_is_limited_in_price_units(simulate):
    def act(ctx):
        ctx.place("sell", (2**40 - 1) // 5, 1)
        with pytest.raises(OverflowError):
            ctx.place("sell", (2**40 - 1) // 5 + 1, 1)

    simulate(market_of(FINE, [book(1 * S, 6120 * 5, 6127 * 5)]), script(on_tob=nth({0: act})))


@pytest.mark.parametrize("px", [6125, 6125.0, 6125.0000000001, 6124.9999999999, 0.1 * 61250])
def test_U1_whole_ticks_within_a_billionth_are_taken(simulate, px):
    strategy = script(on_tob=nth({0: lambda ctx: ctx.place(-1, px, 1)}))
    outcome = simulate(market_of(X, [book(1 * S, 6120, 6127)]), strategy)
    assert outcome.orders[0]["px"] == 6125


def test_U4_book_and_orders_in_whole_ticks_prints_and_mid_exact(simulate):
    seen = []

    def look(ctx, *told):
        seen.append((ctx.bid, ctx.bid_qty, ctx.ask, ctx.ask_qty, ctx.mid, ctx.valid))
        seen.extend((trade.px, trade.qty, trade.side) for trade in told)

    market = market_of(FINE, [book(1 * S, 6120 * 5, 6127 * 5, 3, 4)], [(2 * S, 6123 * 5 + 2, 7, -1)])
    simulate(market, script(on_tob=look, on_trade=look))
    assert seen == [(6120, 3, 6127, 4, 6123.5, True)] * 2 + [(6123.4, 7, -1)]


def test_U4_mid_is_the_last_valid_one(simulate):
    rows = [book(1 * S), book(2 * S, 6120), book(3 * S, 6120, 6127), book(4 * S, 6130, 6127), book(5 * S, 0, 6140),
            book(6 * S, 6127, 6127)]
    seen = []
    simulate(market_of(X, rows), script(on_tob=lambda ctx: seen.append((ctx.bid, ctx.ask, ctx.mid, ctx.valid))))
    assert [(bid, ask, valid) for bid, ask, _, valid in seen] == [
        (0, 0, False), (6120, 0, False), (6120, 6127, True), (6130, 6127, False), (0, 6140, False), (6127, 6127, True)]
    assert math.isnan(seen[0][2])
    assert math.isnan(seen[1][2])
    assert [mid for _, _, mid, _ in seen[2:]] == [6123.5, 6123.5, 6123.5, 6127.0]


def test_U4_conversions(simulate):
    seen = []

    def act(ctx):
        seen.extend([ctx.to_ticks(306.0), ctx.to_price(6120), ctx.to_price(0.5), ctx.tick_size, ctx.lot_size,
                     ctx.instrument, tuple(ctx.instruments)])

    simulate(market_of(FINE, [book(1 * S, 6120 * 5, 6127 * 5)]), script(on_tob=act))
    assert seen[:3] == pytest.approx([6120.0, 306.0, 0.025])
    assert seen[3:] == ["0.05", "0.001", "X", ("X",)]


def test_watched_instruments_are_seen_and_not_traded(simulate):
    seen = []

    def act(ctx):
        seen.append((ctx.instrument, ctx["W"].bid, ctx["A"].bid))
        with pytest.raises(ValueError):
            ctx["W"].quote(1, 2)
        with pytest.raises(ValueError):
            ctx["W"].hedge(1)

    tables = tables_of([book(1 * S, 6120, 6127)])
    market = ArrayMarket([(Instrument(name, "1", "1", "1"), *tables) for name in ("A", "W")])
    outcome = simulate(market, script(on_tob=act), instruments=("A",), watch=("W",))
    assert seen == [("A", 0, 6120), ("W", 6120, 6120)]
    assert set(outcome.totals) == {"A"}


def test_an_unknown_instrument_is_a_key_error_that_names_the_known(simulate):
    def act(ctx):
        with pytest.raises(KeyError, match="X"):
            ctx["Y"]

    simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=act))


def test_a_strategys_error_is_kept_as_the_cause(simulate):
    with pytest.raises(StrategyError) as caught:
        simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=lambda ctx: ctx.quote(NAN, 1)))
    assert isinstance(caught.value.__cause__, ValueError)
