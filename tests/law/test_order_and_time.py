"""O1-O4, O6, O7: the order of events, timers, latency, sessions, the end."""

from __future__ import annotations

import pytest

from mmbt.errors import StrategyError
from mmbt.market import ArrayMarket, Instrument
from mmbt.testing.markets import book, market_of, tables_of
from mmbt.testing.scripts import nth, script

S = 10**9
MS = 10**6
X = Instrument("X", "0.01", "0.01", "1")
HOUR = 3600 * S


def several(**tables):
    """A market of instruments by name, each (quotes, prints)."""
    return ArrayMarket([(Instrument(name, "0.01", "0.01", "1"), *tables_of(*rows)) for name, rows in tables.items()])


def steady(until, every=1, start=1):
    return [book(t * S, 6120, 6127) for t in range(start, until + 1, every)]


# --- O1: total order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ties", "order"), [("prints-first", ["trade", "tob"]), ("tob-first", ["tob", "trade"])])
def test_O1_prints_before_quotes_of_one_instant(simulate, ties, order):
    seen = []
    strategy = script(on_tob=lambda ctx: seen.append("tob"), on_trade=lambda ctx, trade: seen.append("trade"))
    simulate(market_of(X, [book(1 * S, 6120, 6127)], [(1 * S, 6126, 1, 1)]), strategy, ties=ties)
    assert seen == order


def test_O1_instruments_by_the_bytes_of_their_names(simulate):
    rows = ([book(1 * S, 6120, 6127)], [(1 * S, 6126, 1, 1)])
    market = several(é=rows, a=rows, B=rows, 中=rows)
    seen = []
    strategy = script(on_tob=lambda ctx: seen.append(ctx.instrument + "q"),
                      on_trade=lambda ctx, trade: seen.append(trade.instrument + "p"))
    simulate(market, strategy)
    assert seen == ["Bp", "ap", "ép", "中p", "Bq", "aq", "éq", "中q"]


def test_O1_rows_of_one_instant_keep_their_order(simulate):
    seen = []
    market = market_of(X, [book(1 * S, 6120, 6127), book(1 * S, 6110, 6127), book(1 * S, 6130, 6131)])
    simulate(market, script(on_tob=lambda ctx: seen.append(ctx.bid)))
    assert seen == [6120, 6110, 6130]


# --- O2: one event ----------------------------------------------------------------------------------------------------


def test_O2_callbacks_see_the_world_after_the_whole_event(simulate):
    seen = []

    def look(hook):
        return lambda ctx, *told: seen.append((hook, ctx.bid, ctx.position, len(ctx.orders)))

    strategy = script(on_tob=nth({0: lambda ctx: [ctx.place("sell", px, 2) for px in (6125, 6126)], 1: look("on_tob")}),
                      on_fill=look("on_fill"))
    simulate(market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]), strategy)
    assert seen == [("on_fill", 6130, -4, 0), ("on_fill", 6130, -4, 0), ("on_tob", 6130, -4, 0)]


def test_O2_fills_are_told_in_matching_order_before_the_event(simulate):
    seen = []
    strategy = script(
        on_tob=nth({0: lambda ctx: [ctx.place("sell", px, 2) for px in (6126, 6125)]}),
        on_fill=lambda ctx, fill: seen.append((fill.order_id, fill.px, fill.qty, fill.remaining, fill.position)),
        on_trade=lambda ctx, trade: seen.append("on_trade"),
    )
    simulate(market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6130, 3, 1)]), strategy, size="displayed")
    assert seen == [(2, 6125, 2, 0, -2), (1, 6126, 1, 1, -3), "on_trade"]


def test_O2_commands_are_applied_after_the_callbacks_in_the_order_sent(simulate):
    seen = []

    def act(ctx):
        seen.append(ctx.place("sell", 6130, 1))
        seen.append(ctx.place("buy", 6110, 1))
        ctx.cancel(1)
        seen.append([(order.id, order.status) for order in ctx.orders])

    strategy = script(on_tob=nth({0: act}), on_order=lambda ctx, order: seen.append((order.id, order.status)))
    simulate(market_of(X, [book(1 * S, 6120, 6127)]), strategy)
    assert seen == [1, 2, [(1, "travelling"), (2, "travelling")], (1, "accepted"), (2, "accepted"), (1, "cancelled")]


def test_O2_an_order_never_fills_on_the_event_that_woke_its_sender(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127)], [(2 * S, 6126, 3, 1), (3 * S, 6126, 3, 1)])
    outcome = simulate(market, script(on_trade=nth({0: lambda ctx, trade: ctx.place("sell", 6125, 1)})))
    assert [row["ts"] // S for row in outcome.fills] == [3]


def test_O2_what_commands_cause_is_told_in_rounds_at_the_same_instant(simulate):
    seen = []

    def answer(ctx, order):
        seen.append((order.id, order.status, ctx.time // S))
        if order.status == "accepted" and order.id < 4:
            ctx.place("sell", 6130 + order.id, 1)

    def act(ctx):
        ctx.place("sell", 6130, 1)
        ctx.place("sell", 6129, 1, purpose="hedge")

    simulate(market_of(X, [book(1 * S, 6120, 6127)]), script(on_tob=nth({0: act}), on_order=answer))
    assert seen == [(n, "accepted", 1) for n in (1, 2, 3, 4, 5)]


def test_O2_all_results_of_a_queue_come_before_the_next_round(simulate):
    seen = []

    def told(ctx, order):
        seen.append((order.id, order.status))
        if order.id == 1 and order.status == "accepted":
            ctx.cancel(2)  # applied only after the results of both placements were told

    both = {0: lambda ctx: [ctx.place("sell", 6130, 1), ctx.place("sell", 6131, 1)]}
    strategy = script(on_tob=nth(both), on_order=told)
    simulate(market_of(X, [book(1 * S, 6120, 6127)]), strategy)
    assert seen == [(1, "accepted"), (2, "accepted"), (2, "cancelled")]


def test_O2_rounds_without_end_are_the_strategys_error(simulate):
    strategy = script(on_tob=lambda ctx: ctx.place("sell", 6130, 1),
                      on_order=lambda ctx, order: ctx.replace(order.id, 6130 + order.id % 2, 1))
    with pytest.raises(StrategyError, match=r"10,?000"):
        simulate(market_of(X, [book(1 * S, 6120, 6127)]), strategy)


# --- O3: one instant --------------------------------------------------------------------------------------------------


def test_O3_a_zero_latency_order_may_fill_on_a_later_event_of_its_instant(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(1 * S, 6130, 6140)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})))
    assert [(row["ts"] // S, row["reason"]) for row in outcome.fills] == [(1, "cross")]


def test_O3_arrivals_come_after_all_market_events_of_their_instant(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127), book(3 * S, 6120, 6127)],
                       [(2 * S, 6126, 1, 1), (3 * S, 6126, 1, 1)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})), place_latency=1 * S)
    assert [row["ts"] // S for row in outcome.orders] == [2]
    assert [row["ts"] // S for row in outcome.fills] == [3]


def test_O3_arrivals_of_one_instant_by_the_order_of_sending(simulate):
    # Placing takes 2 s and cancelling 1 s: sent at 2 s, the cancel arrives with the order sent at 1 s.
    seen = []
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: [ctx.place("sell", 6131, 1), ctx.cancel(1)],
            2: lambda ctx: ctx.cancel(2)}
    strategy = script(on_tob=nth(acts),
                      on_order=lambda ctx, order: seen.append((ctx.time // S, order.id, order.status)))
    simulate(market_of(X, steady(5)), strategy, place_latency=2 * S, cancel_latency=1 * S)
    assert seen == [(3, 1, "accepted"), (3, 1, "cancelled"), (4, 2, "accepted"), (4, 2, "cancelled")]


def test_O3_arrivals_come_before_the_timers_of_their_instant(simulate):
    seen = []
    strategy = script("1s", on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)}),
                      on_order=lambda ctx, order: seen.append("accepted"),
                      on_timer=lambda ctx: seen.append(len(ctx.orders)))
    simulate(market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127)]), strategy, place_latency=1 * S)
    assert seen == [1, "accepted", 1]


def test_O3_a_resting_fill_comes_after_send_plus_latency(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(9 * S, 6120, 6127)],
                       [(2 * S, 6126, 1, 1), (2 * S + 1, 6126, 1, 1)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6125, 1)})), place_latency=1 * S)
    assert [row["ts"] for row in outcome.fills] == [2 * S + 1]


def test_O3_a_taker_fill_is_stamped_with_its_arrival(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(9 * S, 6120, 6127)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.hedge(1)})), place_latency=1500 * MS)
    assert [(row["ts"], row["reason"]) for row in outcome.fills] == [(2500 * MS, "taker")]


# --- O4: timers -------------------------------------------------------------------------------------------------------


def timer_times(simulate, market, interval, **options):
    seen = []
    strategy = script(interval, on_timer=lambda ctx: seen.append((ctx.instrument, ctx.time)))
    outcome = simulate(market, strategy, **options)
    assert outcome.decisions == len(seen)
    return seen


def test_O4_timers_start_at_the_first_valid_book_and_tick_on(simulate):
    rows = [book(1 * S), book(2 * S, 6120), book(3 * S, 6130, 6127), book(4 * S, 6127, 6127), book(7 * S, 6120, 6127)]
    assert timer_times(simulate, market_of(X, rows), "1s") == [("X", t * S) for t in (4, 5, 6, 7)]


def test_O4_timers_go_on_when_the_book_is_no_longer_valid(simulate):
    rows = [book(1 * S, 6120, 6127), book(1 * S), book(3 * S)]
    assert timer_times(simulate, market_of(X, rows), "1s") == [("X", t * S) for t in (1, 2, 3)]


def test_O4_a_timer_fires_after_everything_of_its_instant(simulate):
    seen = []
    market = market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127), book(2 * S, 6122, 6127)])
    simulate(market, script("1s", on_timer=lambda ctx: seen.append(ctx.bid)))
    assert seen == [6120, 6122]


def test_O4_all_traded_books_must_be_valid_at_once(simulate):
    good, bad = (6120, 6127), ()
    market = several(A=([book(1 * S, *good), book(2 * S, *bad), book(4 * S, *good), book(5 * S, *good)], []),
                     B=([book(2 * S, *good), book(3 * S, *good)], []))
    assert timer_times(simulate, market, "1s") == [("A", 4 * S), ("B", 4 * S), ("A", 5 * S), ("B", 5 * S)]


def test_O4_watched_instruments_do_not_count(simulate):
    market = several(A=([book(2 * S, 6120, 6127), book(4 * S, 6120, 6127)], []), W=([book(1 * S), book(3 * S)], []))
    found = timer_times(simulate, market, "1s", instruments=("A",), watch=("W",))
    assert found == [("A", t * S) for t in (2, 3, 4)]


def test_O4_once_for_each_traded_instrument_then_all_their_commands(simulate):
    seen = []

    def act(ctx):
        seen.append(ctx.instrument)
        if ctx.time == 1 * S:
            ctx.place("sell", 6130, 1)

    rows = ([book(1 * S, 6120, 6127)], [])
    strategy = script("1s", on_timer=act, on_order=lambda ctx, order: seen.append((ctx.instrument, order.id)))
    simulate(several(b=rows, A=rows), strategy)
    assert seen == ["A", "b", ("A", 1), ("b", 2)]


def test_O4_fractions_of_an_interval_do_not_drift(simulate):
    rows = [book(7, 6120, 6127), book(100, 6120, 6127)]
    assert timer_times(simulate, market_of(X, rows), 31) == [("X", t) for t in (7, 38, 69, 100)]


# --- O6: sessions -----------------------------------------------------------------------------------------------------


def two_sessions(second=20, gap=10):
    return market_of(X, [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127), book(second * S, 6120, 6127)]), gap * S


def test_O6_silence_cancels_live_and_travelling_orders(simulate):
    seen = []
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.place("sell", 6131, 2)}
    market, gap = two_sessions()
    strategy = script(on_tob=nth(acts), on_order=lambda ctx, order: seen.append((ctx.time, order.id, order.remaining)))
    outcome = simulate(market, strategy, session_gap=gap, place_latency=10 * S + 500 * MS)
    events = [(row["ts"] / S, row["order_id"], row["status"], row["reason"]) for row in outcome.orders]
    assert events == [(11.5, 1, "accepted", ""), (12, 1, "cancelled", "session"), (12, 2, "cancelled", "session")]
    assert seen[1:] == [(12 * S, 1, 1), (12 * S, 2, 2)]


def test_O6_orders_cancelled_with_the_session_never_fill(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(20 * S, 6130, 6140)])
    strategy = {"on_tob": nth({0: lambda ctx: ctx.place("sell", 6125, 1)})}
    assert simulate(market, script(**strategy), session_gap=10 * S).fills == []
    strategy = {"on_tob": nth({0: lambda ctx: ctx.place("sell", 6125, 1)})}
    assert len(simulate(market, script(**strategy), session_gap=None).fills) == 1


def test_O6_travelling_cancels_find_it_too_late(simulate):
    market, gap = two_sessions()
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.cancel(1)}
    outcome = simulate(market, script(on_tob=nth(acts)), session_gap=gap, cancel_latency=15 * S)
    events = [(row["ts"] // S, row["status"], row["reason"]) for row in outcome.orders]
    assert events == [(1, "accepted", ""), (12, "cancelled", "session"), (17, "too_late", "cancel")]


def test_O6_timers_stop_with_the_session_and_start_afresh(simulate):
    market, gap = two_sessions(second=21)
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127), book(21 * S + 1), book(22 * S, 6120, 6127)]
    times = [t for _, t in timer_times(simulate, market_of(X, rows), "4s", session_gap=gap)]
    assert times == [1 * S, 5 * S, 9 * S, 22 * S]
    times = [t for _, t in timer_times(simulate, market, "5s", session_gap=gap)]
    assert times == [1 * S, 6 * S, 11 * S, 21 * S]


def test_O6_a_timer_at_the_end_instant_does_not_fire(simulate):
    market, gap = two_sessions()
    assert [t for _, t in timer_times(simulate, market, "11s", session_gap=gap)] == [1 * S, 20 * S]


def test_O6_a_row_at_the_end_instant_begins_the_next_session(simulate):
    market, gap = two_sessions(second=12)
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)})), session_gap=gap)
    assert [(row["ts"] // S, row["reason"]) for row in outcome.orders] == [(1, ""), (12, "session")]
    market, gap = two_sessions(second=12, gap=11)
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)})), session_gap=gap)
    assert [(row["ts"] // S, row["reason"]) for row in outcome.orders] == [(1, ""), (12, "end")]


def test_O6_rows_of_watched_instruments_do_not_keep_a_session_alive(simulate):
    watched = [book(t * S, 10, 11) for t in range(1, 21)]
    market = several(A=([book(1 * S, 6120, 6127), book(20 * S, 6120, 6127)], []), W=(watched, []))
    strategy = script(on_tob=nth({0: lambda ctx: ctx["A"].place("sell", 6130, 1)}))
    outcome = simulate(market, strategy, instruments=("A",), watch=("W",), session_gap=10 * S)
    assert [(row["ts"] // S, row["reason"]) for row in outcome.orders] == [(1, ""), (11, "session")]


def test_O6_prints_keep_a_session_alive(simulate):
    prints = [(9 * S, 6100, 1, 1), (18 * S, 6100, 1, 1)]
    market = market_of(X, [book(1 * S, 6120, 6127), book(20 * S, 6120, 6127)], prints)
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6130, 1)})), session_gap=10 * S)
    assert [row["reason"] for row in outcome.orders] == ["", "end"]


def test_O6_position_and_money_carry_over(simulate):
    market, gap = two_sessions()
    acts = {0: lambda ctx: ctx.hedge(3), 2: lambda ctx: ctx.hedge(-1)}
    outcome = simulate(market, script(on_tob=nth(acts)), session_gap=gap)
    assert [row["position"] for row in outcome.fills] == [3, 2]


def test_O6_a_print_with_the_old_valid_book_starts_the_timers(simulate):
    market = market_of(X, [book(1 * S, 6120, 6127), book(22 * S, 6120, 6127)], [(20 * S, 6121, 1, 1)])
    assert [t // S for _, t in timer_times(simulate, market, "2s", session_gap=3 * S)] == [1, 3, 20, 22]


# --- O7: the end ------------------------------------------------------------------------------------------------------


def test_O7_the_run_ends_after_the_timer_of_the_last_instant(simulate):
    rows = [book(1 * S, 6120, 6127), book(3 * S, 6120, 6127)]
    assert [t // S for _, t in timer_times(simulate, market_of(X, rows), "1s")] == [1, 2, 3]
    assert [t // S for _, t in timer_times(simulate, market_of(X, rows), "3s")] == [1]


def test_O7_the_last_timers_commands_are_applied(simulate):
    strategy = script("1s", on_timer=lambda ctx: ctx.hedge(1))
    outcome = simulate(market_of(X, [book(1 * S, 6120, 6127)]), strategy)
    assert [(row["ts"], row["reason"]) for row in outcome.fills] == [(1 * S, "taker")]


def test_O7_later_arrivals_and_live_orders_are_cancelled(simulate):
    told = []
    acts = {0: lambda ctx: ctx.place("sell", 6130, 1), 1: lambda ctx: ctx.place("sell", 6131, 1)}
    strategy = script(on_tob=nth(acts), on_order=lambda ctx, order: told.append(order.status),
                      on_end=lambda ctx: told.append(("end", ctx.time // S, len(ctx.orders))))
    outcome = simulate(market_of(X, steady(2)), strategy, place_latency=1 * S)
    events = [(row["ts"] // S, row["order_id"], row["status"], row["reason"]) for row in outcome.orders]
    assert events == [(2, 1, "accepted", ""), (2, 1, "cancelled", "end"), (2, 2, "cancelled", "end")]
    assert told == ["accepted", ("end", 2, 0)]


@pytest.mark.parametrize("hook", ["on_start", "on_end"])
@pytest.mark.parametrize("command", ["quote", "place", "cancel", "replace", "hedge", "quote_levels"])
def test_O7_before_and_after_the_run_a_strategy_may_only_read(simulate, hook, command):
    given = {"quote": (1, 2), "place": (1, 1, 1), "cancel": (1,), "replace": (1, 1, 1), "hedge": (1,),
             "quote_levels": ([1], [2])}

    def act(ctx):
        assert ctx.position == 0
        with pytest.raises(RuntimeError):
            getattr(ctx, command)(*given[command])

    assert simulate(market_of(X, steady(2)), script(**{hook: act})).orders == []


def test_O7_liquidation_at_the_last_present_opposite_touch_with_the_taker_fee(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6110, 6127), book(3 * S, 0, 6120)]
    strategy = script(on_tob=nth({0: lambda ctx: ctx.hedge(4)}))
    outcome = simulate(market_of(X, rows), strategy, taker_fee=10_000)
    bought, sold = 4 * 6127 * 10**8, 4 * 6110 * 10**8
    fees = 4 * (6127 + 6110) * 10_000
    assert outcome.totals["X"]["liquidation_pnl"] * 10**10 == sold - bought - fees


def test_O7_nothing_happens_without_a_market(simulate):
    seen = []
    strategy = script("1s", on_start=lambda ctx: seen.append("start"), on_end=lambda ctx: seen.append("end"),
                      on_timer=lambda ctx: seen.append("timer"))
    outcome = simulate(market_of(X, []), strategy)
    assert seen == ["start", "end"]
    assert outcome.totals["X"]["pnl"] == 0
