"""B1-B4: many simulators at once are the same simulator, and a branch is exactly what a step would be."""

from __future__ import annotations

import gc
import math
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import cysim
from cysim import VectorEngine
from mmbt import Strategy, make_vector_engine
from mmbt.backtest import chosen_instruments
from mmbt.backtest.tables import money_unit
from mmbt.errors import UsageError
from mmbt.testing.cases import random_case
from mmbt.testing.differential import Options, config_of, run_engine, run_reference
from mmbt.testing.markets import STEP, book, market_of, random_market

GRID = np.array([[skew, width, hedge, bid, offer] for skew in (-1.0, 0.0, 0.5) for width in (0.5, 1.0)
                 for hedge, bid, offer in ((0, 1, 1), (1, 1, 0), (0.5, 0, 1))])
INTERVALS = (STEP, 5 * STEP, 25 * STEP, 70 * STEP + 1)
LIMIT = 3
FOREVER = 2**61


class Outputs:
    """What a call writes."""

    def __init__(self, *shape):
        self.pnl, self.held = np.zeros(shape), np.zeros(shape)
        self.ts, self.position = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.done = np.zeros(shape, np.int8)

    def all(self):
        return self.pnl, self.held, self.ts, self.position, self.done


def case_of(seed, rows=300):
    """Market and options of a differential case, one instrument traded."""
    case = random_case(seed, rows)
    names = case.options.instruments + case.options.watch
    return case.market, replace(case.options, instruments=names[:1], watch=names[1:])


def engine_of(market, options, count, threads=1, interval=5 * STEP):
    return make_vector_engine(market, config_of(options), GRID, count=count, interval=interval, max_position=LIMIT,
                              threads=threads)


def small_engine(count=4, threads=1, **options):
    spec = random_market(1, instruments=1).instruments[0]
    quotes = [book(i * STEP, 5 * spec.tick_units, 7 * spec.tick_units) for i in range(1, 400)]
    prints = [(i * STEP, 6 * spec.tick_units, 1, 0) for i in range(1, 400)]
    return engine_of(market_of(spec, quotes, prints), Options((spec.name,), **options), count, threads)


def compare_branches(seeds, count, steps, threads):
    """Of random states: every branch against the step of another engine, which never branched. How many there were."""
    compared = 0
    for seed in seeds:
        market, options = case_of(seed)
        rng = np.random.default_rng([seed, 9])
        interval = INTERVALS[rng.integers(len(INTERVALS))]
        engine, other = (engine_of(market, options, count, threads, interval) for _ in range(2))
        ts = np.concatenate([batch.ts for batch in market.tob(options.instruments[0])] or [np.zeros(1, np.int64)])
        if not len(ts):
            continue
        starts, ends = rng.choice(ts, count), np.full(count, FOREVER)
        ends[::4] = starts[::4] + rng.integers(0, 40 * interval, len(ends[::4]))
        for one in (engine, other):
            one.reset(np.arange(count), starts, ends)
        step, branches, unmoved = Outputs(count), Outputs(count, len(GRID)), Outputs(count)
        admissible = np.zeros((count, len(GRID)), np.int8)
        for _ in range(steps):
            engine.step_all(*branches.all(), admissible)
            alive = admissible.any(axis=1)
            if not alive.any():
                break
            chosen = np.array([rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in admissible])
            engine.step(chosen, *step.all())
            other.step(chosen, *unmoved.all())
            for branch, one, twin in zip(branches.all(), step.all(), unmoved.all(), strict=True):
                assert branch[np.arange(count), chosen][alive].tobytes() == one[alive].tobytes(), (seed, options)
                assert one.tobytes() == twin.tobytes(), (seed, options)
            compared += int(alive.sum())
    return compared


@pytest.mark.parametrize("threads", [1, 3])
def test_B2_every_branch_is_what_the_step_returns_and_nothing_moves(threads):
    assert compare_branches(range(1000 * threads, 1000 * threads + 25), 40, 12, threads) > 2000


@pytest.mark.slow
def test_B2_in_a_hundred_thousand_random_states():
    compared, seed = 0, 10_000
    while compared < 100_000:
        compared += compare_branches(range(seed, seed + 10), 64, 20, 2)
        seed += 10


class Decider(Strategy):
    """The decisions of `decisions.pxd`, written from its description in Python; notes what it saw at each."""

    def __init__(self, seed, interval):
        super().__init__()
        self.interval, self.seen = interval, []
        self.actions = np.random.default_rng(seed)

    def on_timer(self, ctx):
        if not ctx.valid:
            return
        self.seen.append((ctx.time, ctx.position))
        skew, width, hedge, bids, offers = GRID[self.actions.integers(len(GRID))]
        unit = ctx.ask - ctx.bid or 1
        centre, position = (ctx.bid + ctx.ask) / 2 + skew * unit, ctx.position
        bid = ask = None
        if bids and position < LIMIT:
            bid = min(float(np.floor(np.round(centre - width * unit, 9))), ctx.ask - 1)
        if offers and position > -LIMIT:
            ask = max(float(np.ceil(np.round(centre + width * unit, 9))), ctx.bid + 1)
        bid = bid if bid is not None and bid >= 1 else None
        if ask is not None and bid is not None and ask <= bid:
            ask = None
        ctx.quote(bid, ask, 1)
        lots = int(np.floor(hedge * abs(position) + 0.5))
        if lots:
            ctx.hedge(-lots if position > 0 else lots)


def compare_single(seed, rows, run):
    """One of many, put down at the first decision of a single simulator, decides, fills and earns the same."""
    market, options = case_of(seed, rows)
    options = replace(options, position=0)
    interval = INTERVALS[seed % len(INTERVALS)]
    decider = Decider(seed, interval)
    expected = run(market, decider, options)
    if not decider.seen:
        return 0
    engine, out, actions = engine_of(market, options, 1, interval=interval), Outputs(1), np.random.default_rng(seed)
    engine.reset(np.array([0]), np.array([decider.seen[0][0]]), np.array([FOREVER]))
    seen, earned = [(decider.seen[0][0], 0)], []
    while not out.done[0]:
        engine.step(actions.integers(len(GRID), size=1), *out.all())
        earned.append(out.pnl[0])
        if not out.done[0]:
            seen.append((int(out.ts[0]), int(out.position[0])))
    assert seen == decider.seen, (seed, options)
    pnl = expected.totals[options.instruments[0]]["pnl"]
    traded, = (i for i in chosen_instruments(market, config_of(options)) if i.name == options.instruments[0])
    unit, rounding = float(money_unit(traded)), 1e-12 * max(map(abs, earned))
    assert math.isclose(sum(earned) * unit, float(pnl), rel_tol=1e-9, abs_tol=rounding * unit), (seed, options)
    return len(seen)


@pytest.mark.parametrize("block", range(4))
def test_B1_one_of_many_is_the_single_simulator(block):
    assert sum(compare_single(seed, 300, run_engine) for seed in range(100 * block, 100 * block + 20)) > 100


def test_B1_over_more_rows_than_a_window_has():
    assert sum(compare_single(seed, 9_000, run_engine) for seed in (2, 3)) > 50


def test_B1_one_of_many_is_the_reference():
    assert sum(compare_single(seed, 300, run_reference) for seed in range(5000, 5020)) > 100


def test_threads_do_not_show():
    market, options = case_of(77, 2000)
    engines = [engine_of(market, options, 300, threads, STEP) for threads in (1, 2, 5)]
    ts = next(market.tob(options.instruments[0])).ts
    rng = np.random.default_rng(0)
    starts = rng.choice(ts, 300)
    found = [[] for _ in engines]
    actions = rng.integers(0, len(GRID), (20, 300))
    for engine, outputs in zip(engines, found, strict=True):
        engine.reset(np.arange(300), starts, np.full(300, FOREVER))
        for chosen in actions:
            out = Outputs(300)
            engine.step(chosen, *out.all())
            outputs.append(b"".join(column.tobytes() for column in out.all()))
    assert found[0] == found[1] == found[2]


measures_memory = pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or cysim.build_info()["mode"] == "asan",
    reason="reads /proc; and the sanitizer keeps what was freed")


def resident():
    """Bytes this process holds now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def resets_leave_memory_flat(resets):
    engine, out = small_engine(1000, 2, size="displayed"), Outputs(1000)
    everyone, starts, ends = np.arange(1000), np.full(1000, 5 * STEP), np.full(1000, 300 * STEP)

    def rounds(number):
        for _ in range(number):
            engine.reset(everyone, starts, ends)
            engine.step(np.zeros(1000, np.int64), *out.all())
        return resident()

    before = rounds(5)
    assert rounds(resets // 1000) - before < 2**20


@measures_memory
def test_resets_leave_memory_flat():
    resets_leave_memory_flat(20_000)


@pytest.mark.slow
@measures_memory
def test_a_million_resets_leave_memory_flat():
    resets_leave_memory_flat(1_000_000)


@measures_memory
def test_engines_leave_nothing_behind():
    def make(number):
        for _ in range(number):
            small_engine(100, 3).reset(np.arange(100), np.full(100, 5 * STEP), np.full(100, 300 * STEP))
        return resident()

    before, threads = make(10), threading.active_count()
    assert make(60) - before < 2**21
    assert threading.active_count() == threads


def test_over_is_over_until_a_reset():
    engine, out = small_engine(3), Outputs(3)
    everyone, zeros = np.arange(3), np.zeros(3, np.int64)
    engine.step(zeros, *out.all())
    assert out.done.all()  # never reset
    assert not out.pnl.any()
    # before the first row, in the middle of a window that is over at once, and after the last row
    engine.reset(everyone, np.array([0, 50 * STEP, 10**15]), np.array([FOREVER, 50 * STEP, FOREVER]))
    admissible = np.zeros((3, len(GRID)), np.int8)
    engine.step_all(*Outputs(3, len(GRID)).all(), admissible)
    assert admissible.any(axis=1).tolist() == [True, False, True]  # the book outlives the data
    engine.step(zeros, *out.all())
    assert out.done.tolist() == [0, 1, 1]
    for _ in range(400):
        engine.step(zeros, *out.all())
    assert out.done.all()
    assert (out.ts[0], out.pnl[0]) == (399 * STEP, 0)
    engine.reset(np.array([1]), np.array([5 * STEP]), np.array([FOREVER]))
    engine.step(zeros, *out.all())
    assert out.done.tolist() == [1, 0, 1]


@pytest.mark.parametrize(("indices", "starts", "ends", "words"), [
    ([0, 1], [1], [2], "equally long"),
    ([4], [1], [2], "index 4 is not 0 to 3"),
    ([-1], [1], [2], "index -1"),
    ([1, 2, 1], [1, 1, 1], [2, 2, 2], "index 1 comes twice"),
    ([0], [3], [2], "0 <= start <= end"),
    ([0], [-3], [2], "0 <= start <= end"),
    ([0], [3], [2**62], "0 <= start <= end"),
])
def test_wrong_resets_are_refused(indices, starts, ends, words):
    with pytest.raises(ValueError, match=words):
        small_engine().reset(np.array(indices), np.array(starts), np.array(ends))


def test_wrong_arrays_are_refused_before_anything_moves():
    engine, out, wide = small_engine(), Outputs(4), Outputs(4, len(GRID))
    engine.reset(np.arange(4), np.full(4, 5 * STEP), np.full(4, FOREVER))
    for actions, words in ((np.zeros(3, np.int64), "one element for each of the 4"), (np.full(4, 18), "action 18"),
                           (np.array([0, -1, 0, 0]), "action -1 of simulator 1"), (np.zeros(4), "dtype mismatch"),
                           (np.zeros((4, 1), np.int64), "wrong number of dimensions")):
        with pytest.raises(ValueError, match=words):
            engine.step(actions, *out.all())
    out.pnl.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        engine.step(np.zeros(4, np.int64), *out.all())
    with pytest.raises(ValueError, match=r"shape \(4, 18\)"):
        engine.step_all(*wide.all(), np.zeros((4, 17), np.int8))
    fresh, both = Outputs(4), Outputs(4)
    engine.step(np.zeros(4, np.int64), *fresh.all())
    other = small_engine()
    other.reset(np.arange(4), np.full(4, 5 * STEP), np.full(4, FOREVER))
    other.step(np.zeros(4, np.int64), *both.all())
    assert fresh.ts.tobytes() == both.ts.tobytes()


def test_wrong_engines_are_refused():
    spec = random_market(1, instruments=1).instruments[0]
    row = (spec.name, spec.tick_size, spec.lot_size, Decimal("1e-8"), spec.tick_units, True, 0)
    market = market_of(spec, [book(STEP, 5 * spec.tick_units, 7 * spec.tick_units)], [])
    tables = [(tuple(next(market.tob(spec.name)))[:5], ((),))]

    def make(instruments=(row,), tables=tables, actions=GRID, interval=STEP, **options):
        return VectorEngine(cysim.Simulator(list(instruments), interval=interval), tables, actions,
                            **{"count": 1, **options})

    make()
    second = ("~", *row[1:])
    for words, options in {
        "must have an interval": {"interval": 0}, "exactly one instrument, not 2": {"instruments": (row, second)},
        "count must be at least 1": {"count": 0}, "threads 1 to 1024": {"threads": 0}, "size must be": {"size": 0},
        "max_position must be": {"max_position": 0}, "unit must be": {"unit": "bp"},
        "must have a row": {"actions": GRID[:0]}, "and the columns": {"actions": np.ones((1, 4))},
        "a pair .tob, trades. for each of the 1": {"tables": []},
        "action 1: skew must be": {"actions": np.array([[0, 1, 0, 1, 1], [np.nan, 1, 0, 1, 1]])},
        "action 0: skew": {"actions": np.array([[0, 1e7, 0, 1, 1]])},
    }.items():
        with pytest.raises(ValueError, match=words):
            make(**options)
    template = cysim.Simulator([row], interval=STEP)
    VectorEngine(template, tables, GRID, count=1)
    with pytest.raises(ValueError, match="no other engine"):
        VectorEngine(template, tables, GRID, count=1)
    with pytest.raises(RuntimeError, match="runs once"):
        template.run({}, lambda name, table: None, None)
    torn = tuple(column.copy() for column in tables[0][0])
    torn[2][0] = 0
    with pytest.raises(ValueError, match="impossible values"):
        make(tables=[(torn, ((),))])
    with pytest.raises(UsageError, match="no instrument 'nobody'"):
        make_vector_engine(market, config_of(Options(("nobody",))), GRID, count=1)


def test_batches_of_a_market_are_joined():
    _, options = case_of(5)
    options, outputs = replace(options, feed_latency="local"), []
    for batch_rows in (None, 7):
        market = random_market(5, 300, batch_rows=batch_rows, local=True)
        engine, out = engine_of(market, options, 50), Outputs(50)
        ts = np.concatenate([batch.ts for batch in market.tob(options.instruments[0])])
        engine.reset(np.arange(50), np.sort(ts)[:50], np.full(50, FOREVER))
        engine.step(np.zeros(50, np.int64), *out.all())
        outputs.append(b"".join(column.tobytes() for column in out.all()))
        assert not out.done.all()
    assert outputs[0] == outputs[1]


def test_one_call_at_a_time():
    engine = small_engine(2000, 1)
    everyone, starts, ends = np.arange(2000), np.full(2000, 5 * STEP), np.full(2000, FOREVER)
    refused = []

    def reset():
        for _ in range(50):
            try:
                engine.reset(everyone, starts, ends)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=reset) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("one call at a time" in text for text in refused)
    engine.reset(everyone, starts, ends)
