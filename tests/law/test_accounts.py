"""M1-M4 and U3: money, the split of the profit, mark-outs, equity, the hash."""

from __future__ import annotations

import hashlib
import struct
from decimal import Decimal

import pytest

from mmbt.market import Instrument
from mmbt.testing.markets import book, market_of
from mmbt.testing.scripts import nth, script

S = 10**9
X = Instrument("X", "0.01", "0.01", "1")
FINE = Instrument("é/RUB", "0.05", "0.01", "0.001")


def run(simulate, acts, rows, prints=(), **options):
    return simulate(market_of(X, rows, prints), script(on_tob=nth(acts)), **options)


def totals(outcome, name="X"):
    return {key: str(value.normalize()) if isinstance(value, Decimal) else value
            for key, value in outcome.totals[name].items()}


# --- M1: the split ----------------------------------------------------------------------------------------------------


def test_M1_a_maker_fill_earns_its_distance_to_the_mid_before(simulate):
    # Mid 6123.5; sold 2 at 6125 (+1.5 each); then the mid is 6135 (-11.5 each on a position of -2).
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]
    outcome = run(simulate, {0: lambda ctx: ctx.place("sell", 6125, 2)}, rows, maker_fee=-10_000)
    found = totals(outcome)
    assert (found["spread"], found["inventory"], found["hedge_cost"]) == ("0.03", "-0.23", "0")
    assert found["fees"] == "-0.01225"  # a rebate of 1 bp of 122.50
    assert found["pnl"] == "-0.18775"


def test_M1_a_taker_fill_costs_its_distance_to_the_mid(simulate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6121, 6127)]
    found = totals(run(simulate, {0: lambda ctx: ctx.hedge(2)}, rows, taker_fee=20_000))
    assert (found["spread"], found["hedge_cost"], found["inventory"]) == ("0", "0.07", "0.01")
    assert (found["fees"], found["pnl"]) == ("0.024508", "-0.084508")


def test_M1_a_print_fill_leaves_the_mid(simulate):
    rows = [book(1 * S, 6120, 6126)]
    found = totals(run(simulate, {0: lambda ctx: ctx.place("buy", 6121, 3)}, rows, [(2 * S, 6119, 1, -1)]))
    assert (found["spread"], found["inventory"], found["pnl"]) == ("0.06", "0", "0.06")


def test_M1_the_mark_is_the_last_valid_mid(simulate):
    rows = [book(1 * S, 6120, 6126), book(2 * S, 6150), book(3 * S, 6160, 6150)]
    outcome = run(simulate, {0: lambda ctx: ctx.hedge(1)}, rows)
    assert totals(outcome)["pnl"] == "-0.03"
    assert outcome.equity[-1]["mid2"] == 12246


def test_M1_before_any_valid_mid_a_fill_is_marked_at_its_price(simulate):
    # Sold 2 at 6120 into a one-sided book; the first valid mid is 6124.
    rows = [book(1 * S, 6120), book(2 * S, 6122, 6126)]
    outcome = run(simulate, {0: lambda ctx: ctx.hedge(-2)}, rows)
    assert outcome.fills[0]["mid2"] is None
    found = totals(outcome)
    assert (found["spread"], found["hedge_cost"], found["inventory"], found["pnl"]) == ("0", "0", "-0.08", "-0.08")
    only = run(simulate, {0: lambda ctx: ctx.hedge(-2)}, rows[:1], taker_fee=10_000)
    assert totals(only)["pnl"] == "-0.01224"


def test_M1_a_first_mid_and_a_fill_in_one_event(simulate):
    # The offer rests while the book is one-sided; the quote that makes it valid runs over it.
    rows = [book(1 * S, 6120), book(2 * S, 6130, 6140)]
    outcome = run(simulate, {0: lambda ctx: ctx.place("sell", 6125, 1)}, rows)
    found = totals(outcome)
    assert (found["spread"], found["inventory"]) == ("0", "-0.1")
    assert outcome.fills[0]["mid2"] is None


def test_M1_a_starting_position_earns_from_the_first_mid_on(simulate):
    rows = [book(1 * S, 6120, 6126), book(2 * S, 6130, 6136)]
    found = totals(run(simulate, {}, rows, position=3))
    assert (found["position"], found["inventory"], found["pnl"]) == (3, "0.3", "0.3")


def test_M1_fees_and_split_with_prints_off_the_tick_grid(simulate):
    rows = [book(1 * S, 6120 * 5, 6127 * 5), book(3 * S, 6121 * 5, 6128 * 5)]
    market = market_of(FINE, rows, [(2 * S, 6124 * 5 + 3, 7, 1)])
    outcome = simulate(market, script(on_tob=nth({0: lambda ctx: ctx.place("sell", 6124, 7)})), maker_fee=1)
    found = totals(outcome, FINE.name)
    # Half a tick of 0.05 on 0.007; fee 1e-8 of 306.20 x 0.007.
    assert (found["spread"], found["inventory"], found["fees"]) == ("0.000175", "-0.00035", "2.1434E-8")


# --- U3, S10: fees ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 12_345, 10**8])
def test_U3_a_rebate_is_a_negative_fee_and_flips_twice_the_fee(simulate, rate):
    rows = [book(1 * S, 6120, 6127), book(2 * S, 6130, 6140)]
    act = {0: lambda ctx: [ctx.place("sell", 6125, 3), ctx.hedge(1)]}
    paid = run(simulate, act, rows, maker_fee=rate, taker_fee=rate).totals["X"]
    act = {0: lambda ctx: [ctx.place("sell", 6125, 3), ctx.hedge(1)]}
    got = run(simulate, act, rows, maker_fee=-rate, taker_fee=-rate).totals["X"]
    value = Decimal("61.25") * 3
    assert paid["fees"] == value * rate / 10**8
    assert got["pnl"] - paid["pnl"] == 2 * paid["fees"]


def test_U3_cash_is_exact_with_fees_paid(simulate):
    seen = []
    acts = {0: lambda ctx: ctx.hedge(3), 1: lambda ctx: seen.append(ctx.cash)}
    run(simulate, acts, [book(1 * S, 6120, 6127), book(2 * S, 6120, 6127)], taker_fee=33_333)
    assert seen == [-(Decimal("61.27") * 3) * (1 + Decimal("0.00033333"))]


def test_U3_money_beyond_64_bits(simulate):
    # 2^39 lots at 10^12 price units are 10^32 money units.
    rows = [book(1 * S, 10**12, 10**12 + 2, 2**39, 2**39), book(2 * S, 10**12 - 2, 10**12, 2**39, 2**39)]
    outcome = run(simulate, {0: lambda ctx: ctx.hedge(2**39)}, rows, taker_fee=10**8)
    value = (10**12 + 2) * 2**39
    found = outcome.totals["X"]
    assert found["fees"] * 100 == value
    assert found["pnl"] * 100 == -value - 3 * 2**39


# --- M2: mark-outs ----------------------------------------------------------------------------------------------------


def test_M2_the_last_valid_mid_after_all_events_of_the_horizon(simulate):
    ms = 10**6
    times = [1000, 1000, 1100, 1100, 2000, 2001, 11_000, 61_000]
    bids = [6120, 6121, 6122, 6123, 6124, 6125, 6126, 6127]
    rows = [book(t * ms, bid, bid + 2) for t, bid in zip(times, bids, strict=True)]
    outcome = run(simulate, {0: lambda ctx: ctx.hedge(1)}, rows)
    (fill,) = outcome.fills
    found = [fill[key] for key in ("mid2", "mid2_100ms", "mid2_1s", "mid2_10s", "mid2_60s")]
    assert found == [2 * bid + 2 for bid in (6120, 6123, 6124, 6126, 6127)]


def test_M2_a_horizon_past_the_last_event_is_dropped(simulate):
    rows = [book(1 * S, 6120, 6122), book(2 * S, 6121, 6123)]
    (fill,) = run(simulate, {0: lambda ctx: ctx.hedge(1)}, rows).fills
    assert [fill[key] for key in ("mid2_100ms", "mid2_1s", "mid2_10s", "mid2_60s")] == [12242, 12244, None, None]


def test_M2_a_horizon_across_a_sessions_end_is_dropped(simulate):
    rows = [book(t * S, 6120, 6122) for t in (1, 2, 100)]
    (fill,) = run(simulate, {0: lambda ctx: ctx.hedge(1)}, rows, session_gap=5 * S).fills
    assert [fill[key] for key in ("mid2_100ms", "mid2_1s", "mid2_10s", "mid2_60s")] == [12242, 12242, None, None]


def test_M2_invalid_books_leave_the_last_valid_mid(simulate):
    rows = [book(1 * S, 6120, 6122), book(1 * S + 1, 6130, 6120), book(1 * S + 2, 6130), book(9 * S, 6140, 6142)]
    (fill,) = run(simulate, {0: lambda ctx: ctx.hedge(1)}, rows).fills
    assert fill["mid2_1s"] == 12242


# --- M3: equity -------------------------------------------------------------------------------------------------------


def times(outcome):
    return [row["ts"] / S for row in outcome.equity]


def test_M3_a_row_each_interval_one_per_fill_and_the_last(simulate):
    rows = [book(1 * S, 6120, 6122), book(int(2.5 * S), 6121, 6123), book(int(4.5 * S), 6121, 6123)]
    outcome = run(simulate, {1: lambda ctx: ctx.hedge(1)}, rows)
    assert times(outcome) == [2, 2.5, 3, 4, 4.5]
    assert [row["position"] for row in outcome.equity] == [0, 1, 1, 1, 1]
    assert [row["mid2"] for row in outcome.equity] == [12242, 12244, 12244, 12244, 12244]
    assert [str(row["cash"].normalize()) for row in outcome.equity] == ["0", "-61.23", "-61.23", "-61.23", "-61.23"]
    assert [str(row["pnl"].normalize()) for row in outcome.equity] == ["0", "-0.01", "-0.01", "-0.01", "-0.01"]


def test_M3_a_row_shows_everything_of_its_instant(simulate):
    rows = [book(1 * S, 6120, 6122), book(2 * S, 6121, 6123), book(2 * S, 6123, 6125), book(3 * S, 6120, 6122)]
    outcome = run(simulate, {2: lambda ctx: ctx.hedge(1)}, rows)
    assert [(row["ts"] // S, row["position"], row["mid2"]) for row in outcome.equity] == [
        (2, 1, 12248), (2, 1, 12248), (3, 1, 12242)]


def test_M3_none_in_the_silence_between_sessions(simulate):
    rows = [book(1 * S, 6120, 6122), book(2 * S, 6121, 6123), book(100 * S + 1, 6121, 6123), book(102 * S, 6121, 6123)]
    assert times(run(simulate, {}, rows, session_gap=5 * S)) == [2, 3, 4, 5, 6, 7, 101, 102]


def test_M3_a_row_at_the_instant_that_ends_one_session_and_begins_the_next(simulate):
    rows = [book(1 * S, 6120, 6122), book(6 * S, 6130, 6132), book(7 * S, 6130, 6132)]
    outcome = run(simulate, {}, rows, session_gap=5 * S)
    assert [(row["ts"] // S, row["mid2"]) for row in outcome.equity][-2:] == [(6, 12262), (7, 12262)]


# --- M4: the hash -----------------------------------------------------------------------------------------------------


def test_M4_bytes_of_the_hash(simulate):
    rows = [book(1 * S, 6120 * 5, 6127 * 5), book(2 * S, 6130 * 5, 6140 * 5)]
    act = nth({0: lambda ctx: [ctx.place("sell", 6125, 2), ctx.hedge(3)]})
    outcome = simulate(market_of(FINE, rows, [(1 * S + 5, 6130 * 5, 1, 1)]), script(on_tob=act), maker_fee=-7,
                       taker_fee=9, size="displayed")
    name = "é/RUB".encode()
    expected = hashlib.sha256(b"mmbt-fills-1\n")
    # The hedge is refused: our own offer at 6125 stands before the market's 6127.
    for ts, px, qty, reason in ((1 * S + 5, 6125, 1, 1), (2 * S, 6125, 1, 0)):
        expected.update(struct.pack("<qqqqbB", ts, 1, px, qty, -1, reason))
        expected.update((px * 5 * qty * -7).to_bytes(16, "little", signed=True))
        expected.update(struct.pack("<H", len(name)) + name)
    assert outcome.result_hash == expected.hexdigest()


def test_M4_the_hash_of_a_taker_fill_and_of_nothing(simulate):
    outcome = run(simulate, {0: lambda ctx: ctx.hedge(3)}, [book(1 * S, 6120, 6127)], taker_fee=9)
    row = struct.pack("<qqqqbB", 1 * S, 1, 6127, 3, 1, 2) + (6127 * 3 * 9).to_bytes(16, "little") + b"\x01\x00X"
    assert outcome.result_hash == hashlib.sha256(b"mmbt-fills-1\n" + row).hexdigest()
    assert run(simulate, {}, [book(1 * S, 6120, 6127)]).result_hash == hashlib.sha256(b"mmbt-fills-1\n").hexdigest()
