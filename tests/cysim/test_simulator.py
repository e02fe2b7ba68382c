"""The Python edge of the machine: what it refuses, and that every refusal names what, where and the value."""

from __future__ import annotations

import gc
from decimal import Decimal

import numpy as np
import pytest

import cysim

SPEC = ("X", "0.02", "1", Decimal("1e-10"), 2, True, 0)


class Rows:
    """A sink that keeps the bytes."""

    def __init__(self):
        self.kept = {"fills": [], "orders": [], "equity": []}

    def fills(self, raw):
        self.kept["fills"].append(bytes(raw))

    def orders(self, raw):
        self.kept["orders"].append(bytes(raw))

    def equity(self, raw):
        self.kept["equity"].append(bytes(raw))


def quotes(rows):
    return tuple(np.ascontiguousarray(column) for column in np.array(rows, dtype=np.int64).reshape(-1, 5).T)


def prints(rows):
    ts, px, qty, side = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return np.ascontiguousarray(ts), np.ascontiguousarray(px), np.ascontiguousarray(qty), side.astype(np.int8)


def feeder(tob=(), trades=()):
    """Parts of the one instrument's tables, one after another."""
    waiting = {"tob": list(tob), "trades": list(trades)}
    return lambda name, table: waiting[table].pop(0) if waiting[table] else None


def run(tob=(), trades=(), hooks=None, **options):
    simulator = cysim.Simulator([SPEC], **options)
    simulator.run(hooks or {}, feeder(tob, trades), Rows())
    return simulator


GOOD = [(1, 100, 5, 102, 5), (2, 100, 5, 104, 5)]


def test_recorded_rows_are_the_structs():
    info = cysim.build_info()
    assert np.dtype(cysim.FILL_DTYPE).itemsize == info["fill_row"]
    assert np.dtype(cysim.ORDER_DTYPE).itemsize == info["order_row"]
    assert np.dtype(cysim.EQUITY_DTYPE).itemsize == info["equity_row"]


@pytest.mark.parametrize(("specs", "message"), [
    ([], "at least one"),
    ([SPEC, SPEC], "distinct"),
    ([("b", *SPEC[1:]), ("a", *SPEC[1:])], "order of their UTF-8"),
    ([("X", "1", "1", Decimal(1), 0, True, 0)], "X: a tick must be a positive whole number"),
    ([("X", "1", "1", Decimal(1), 1, False, 0)], "at least one instrument must be traded"),
])
def test_instruments_are_checked(specs, message):
    with pytest.raises(ValueError, match=message):
        cysim.Simulator(specs)


def test_a_starting_position_stays_below_the_limit():
    with pytest.raises(OverflowError, match="X: position"):
        cysim.Simulator([(*SPEC[:6], 2**40)])


@pytest.mark.parametrize(("options", "message"), [
    ({"place_latency": -1}, "place_latency must be 0 or more"),
    ({"cancel_latency": 2**62}, "cancel_latency"),
    ({"interval": -5}, "interval"),
    ({"equity_interval": 999_999}, "equity_interval must be at least 1 ms"),
    ({"session_gap": 0}, "session_gap must be positive"),
    ({"maker_rate": 100_000_001}, "more than the whole value"),
])
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        cysim.Simulator([SPEC], **options)


def test_S28_time_that_goes_backwards_names_both_rows():
    with pytest.raises(ValueError, match=r"X, tob, row 3: time goes backwards, from 9 ns \(row 2\) to 8 ns"):
        run([quotes(GOOD), quotes([(9, 100, 5, 102, 5), (8, 100, 5, 102, 5)])])
    with pytest.raises(ValueError, match=r"X, tob, row 2: time goes backwards, from 2 ns \(row 1\) to 1 ns"):
        run([quotes(GOOD), quotes([(1, 100, 5, 102, 5)])])


def test_S28_time_backwards_is_found_behind_many_windows():
    rows = np.array([(i, 100, 5, 102, 5) for i in range(10_000)])
    rows[9_001, 0] = 5
    with pytest.raises(ValueError, match=r"row 9001: time goes backwards, from 9000 ns \(row 9000\) to 5 ns"):
        run([quotes(rows)])


@pytest.mark.parametrize("gap", [None, 1])
@pytest.mark.parametrize("ts", [-(2**63), 2**63 - 1, 2**62, -1])
def test_times_that_make_no_sense_are_named_and_their_differences_do_not_overflow(ts, gap):
    rows = quotes([(i, 100, 5, 102, 5) for i in range(9)])
    rows[0][5:] = ts, -(2**63), 2**63 - 1, -(2**63)
    with pytest.raises(ValueError, match=rf"X, tob, row 5: time goes backwards, from 4 ns \(row 4\) to {ts} ns"):
        run([rows], session_gap=gap)
    with pytest.raises(ValueError, match=rf"X, tob, row 0: time goes backwards, from .* to {ts} ns"):
        run([tuple(column[5:] for column in rows)], session_gap=gap)


@pytest.mark.parametrize("row", [
    (3, 0, 5, 102, 5), (3, 100, 0, 102, 5), (3, 100, 5, 0, 5), (3, 100, 5, 102, 0), (3, -100, 5, 102, 5),
    (3, 100, -5, 102, 5), (3, 2**40, 5, 2**40 + 2, 5), (3, 100, 5, 102, 2**40), (3, 101, 5, 102, 5),
    (3, 100, 5, 103, 5), (3, -(2**63), 5, 102, 5), (3, 100, -(2**63), 2**63 - 1, 5),
])
def test_impossible_quotes_are_named(row):
    with pytest.raises(ValueError, match=r"X, tob, row 2: impossible values") as caught:
        run([quotes([*GOOD, row, (4, 100, 5, 102, 5)])])
    assert str(list(row[1:])) in str(caught.value)


@pytest.mark.parametrize("row", [
    (3, 0, 5, 1), (3, 100, 0, 1), (3, -1, 5, 1), (3, 100, 2**40, 1), (3, 100, 5, 2), (3, -(2**63), 5, 1),
])
def test_impossible_prints_are_named(row):
    with pytest.raises(ValueError, match=r"X, trades, row 1: impossible values"):
        run([quotes(GOOD)], [prints([(1, 100, 5, 1), row])])


def test_absent_sides_are_possible():
    assert run([quotes([*GOOD, (3, 0, 0, 102, 5), (4, 100, 5, 0, 0), (5, 0, 0, 0, 0)])]).summary()["tob_events"] == 5


def test_columns_of_different_length_are_refused():
    ts, *rest = quotes(GOOD)
    with pytest.raises(ValueError, match="X: the columns of a part differ in length"):
        run([(ts[:1], *rest)])


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4])
def test_columns_of_another_type_are_refused(column):
    part = list(quotes(GOOD))
    part[column] = part[column].astype(np.float64)
    with pytest.raises(ValueError, match="Buffer dtype mismatch"):
        run([tuple(part)])


def test_K_arrays_may_be_freed_by_their_owner_at_once():
    parts = iter(range(50))

    def feed(name, table):
        number = next(parts, None) if table == "tob" else None
        gc.collect()
        return None if number is None else quotes([(number, 100, 5, 102, 5)] * 3000)

    simulator = cysim.Simulator([SPEC])
    simulator.run({}, feed, Rows())
    assert simulator.summary()["tob_events"] == 150_000


def test_K_nothing_is_taken_of_a_part_that_was_not_checked():
    first = [(0, 100, 5, 102, 5)] * 100
    simulator = run([quotes(first), quotes(first), quotes([*first, (1, 100, 5, 102, 5)])])
    assert simulator.summary()["tob_events"] == 301
    with pytest.raises(ValueError, match="time goes backwards"):
        run([quotes(first), quotes([(-1, 100, 5, 102, 5)] * 100)])


def test_K_a_context_outlives_its_simulator():
    kept = []
    run([quotes(GOOD)], hooks={"on_tob": kept.append})
    gc.collect()
    assert (kept[0].bid, kept[0].ask, kept[0].position, kept[0].orders) == (50, 52, 0, ())
    with pytest.raises(RuntimeError, match="only inside a hook"):
        kept[0].quote(49, 53)


def test_a_simulator_runs_once():
    simulator = run([quotes(GOOD)])
    with pytest.raises(RuntimeError, match="runs once"):
        simulator.run({}, feeder(), Rows())


def test_unknown_hooks_are_refused():
    with pytest.raises(ValueError, match="unknown hooks: on_quote"):
        run(hooks={"on_quote": print})


def test_an_error_in_feed_or_sink_comes_out_as_it_is():
    def feed(name, table):
        raise OSError("the disk is gone")

    simulator = cysim.Simulator([SPEC])
    with pytest.raises(OSError, match="the disk is gone"):
        simulator.run({}, feed, Rows())
    assert simulator.failed_hook is None


def test_money_beyond_128_bits_is_an_overflow():
    # the largest order at the largest price, over and over: cash grows by 2^106.6 a fill
    px, qty = 2**40 - 2, 2**40 - 1
    simulator = cysim.Simulator([("X", "1", "1", Decimal("1e-8"), 1, True, 0)])

    def on_tob(ctx):
        ctx.hedge(qty)

    market = quotes([(i, px - 1 - i % 2, qty, px - i % 2, qty) for i in range(1, 3_000_000)])
    with pytest.raises(OverflowError, match="128 bits"):
        simulator.run({"on_tob": on_tob}, feeder([market]), Rows())
