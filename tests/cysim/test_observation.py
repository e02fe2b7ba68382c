"""What many simulators are told of a decision is what one strategy in one backtest reads there, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cysim
from mmbt import BacktestConfig, Strategy, make_vector_engine, run_backtest
from mmbt.backtest import NoSink
from mmbt.envs.features import note_instants
from mmbt.market import ArrayMarket
from mmbt.testing.cases import random_case
from mmbt.testing.differential import config_of
from mmbt.testing.markets import STEP, random_market

GRID = np.array([[skew, width, hedge, bid, offer, 1 + 2 * (skew > 0)] for skew in (-1.0, 0.0, 0.5)
                 for width in (0.5, 1.0) for hedge, bid, offer in ((0, 1, 1), (1, 1, 0), (0.5, 0, 1))])
INTERVALS = (5 * STEP, 25 * STEP, 70 * STEP + 1)
NAMES = tuple(feature.name for feature in cysim.FEATURES)
PRIVATE = tuple(feature.name for feature in cysim.PRIVATE_FEATURES)
MARKET = len(cysim.MARKET_FEATURES)
LIMIT = 3
FOREVER = 2**61


class Reader(Strategy):
    """Acts at random as the engine does, and notes what it reads at each timer."""

    features = NAMES
    max_position = LIMIT

    def __init__(self, seed, interval):
        super().__init__()
        self.interval, self.read, self.rng = interval, [], np.random.default_rng(seed)

    def on_timer(self, ctx):
        self.read.append((ctx.time, ctx.valid, np.array(ctx.features)))
        if not ctx.valid:
            return
        skew, width, hedge, bids, offers, size = GRID[self.rng.integers(len(GRID))]
        unit, position = ctx.ask - ctx.bid or 1, ctx.position
        centre = (ctx.bid + ctx.ask) / 2 + skew * unit
        bid = min(float(np.floor(np.round(centre - width * unit, 9))), ctx.ask - 1)
        ask = max(float(np.ceil(np.round(centre + width * unit, 9))), ctx.bid + 1)
        bid = bid if bids and position < LIMIT and bid >= 1 else None
        ask = ask if offers and position > -LIMIT and not (bid is not None and ask <= bid) else None
        ctx.quote(bid, ask, int(size))
        if lots := int(np.floor(hedge * abs(position) + 0.5)):
            ctx.hedge(-lots if position > 0 else lots)


def case_of(seed, rows=300):
    """Market, configuration and interval of a differential case, one instrument traded, flat at first."""
    case = random_case(seed, rows)
    names = case.options.instruments + case.options.watch
    options = replace(case.options, instruments=names[:1], watch=names[1:], position=0)
    return case.market, config_of(options), INTERVALS[seed % len(INTERVALS)]


def engine_of(market, config, interval, tape, count, threads=1, **options):
    return make_vector_engine(
        market, config, GRID, count=count, interval=interval, max_position=LIMIT, threads=threads,
        **{"tapes": [(tape.ts, tape.scale)], "private": PRIVATE, **options})


class Seen:
    """What `observe` writes."""

    def __init__(self, engine, features=12):
        self.row = np.zeros(engine.count, np.int64)
        self.private = np.zeros((engine.count, features), np.float32)
        self.admissible = np.zeros((engine.count, len(GRID)), np.int8)
        engine.observe(self.row, self.private, self.admissible)


def outputs(*shape):
    return [np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64),
            np.zeros(shape, np.int8)]


def compare_reading(seed):
    market, config, interval = case_of(seed)
    reader = Reader(seed, interval)
    run_backtest(market, reader, config, NoSink())
    if not any(valid for _, valid, _ in reader.read):
        return 0
    tape = note_instants(market, config, interval)
    assert tape.ts.tolist() == [ts for ts, _, _ in reader.read], seed
    assert tape.valid.tolist() == [valid for _, valid, _ in reader.read], seed
    assert tape.features.tobytes() == np.array([read[:MARKET] for _, _, read in reader.read]).tobytes(), seed
    decided = [(ts, read[MARKET:].astype(np.float32)) for ts, valid, read in reader.read if valid]
    engine, out, actions = engine_of(market, config, interval, tape, 1), outputs(1), np.random.default_rng(seed)
    engine.reset(np.zeros(1, np.int64), np.array([decided[0][0]]), np.array([FOREVER]))
    for ts, private in decided:
        seen = Seen(engine)
        assert tape.ts[seen.row[0]] == ts, (seed, ts)
        assert seen.private[0].tolist() == private.tolist(), (seed, ts)
        engine.step(actions.integers(len(GRID), size=1), *out)
    assert out[4].all(), seed
    return len(decided)


@pytest.mark.parametrize("block", range(4))
def test_features_are_those_of_a_strategy_in_a_backtest(block):
    assert sum(compare_reading(seed) for seed in range(300 * block, 300 * block + 25)) > 250


def compare_branches(seed, count=16, steps=8):
    market, config, interval = case_of(seed)
    ts = np.concatenate([batch.ts for batch in market.tob(config.instruments[0])] or [np.zeros(0, np.int64)])
    if not len(ts):
        return 0
    try:
        tape = note_instants(market, config, interval)
    except ValueError:
        return 0
    engine = engine_of(market, config, interval, tape, count, threads=1 + seed % 2)
    rng = np.random.default_rng([seed, 4])
    starts = rng.choice(tape.ts[tape.valid], count) if tape.valid.any() else tape.ts[:1].repeat(count)
    ends = starts + rng.integers(1, 40 * interval, count)
    engine.reset(np.arange(count), starts, ends, positions=rng.integers(-LIMIT, LIMIT + 1, count))
    wide, single, compared = outputs(count, len(GRID)), outputs(count), 0
    inventory, closing, one_inventory, one_closing = (np.zeros(s) for s in [(count, len(GRID))] * 2 + [count] * 2)
    row, outcome = np.zeros(count, np.int64), np.zeros((count, len(GRID)), np.uint8)
    private = np.full((count, len(GRID), len(PRIVATE)), 9, np.float32)
    nexts = np.full((count, len(GRID), len(GRID)), 9, np.int8)
    admissible = np.zeros((count, len(GRID)), np.int8)
    for _ in range(steps):
        before = Seen(engine)
        engine.step_all(*wide, admissible, inventory=inventory, closing=closing, row=row, private=private,
                        outcome=outcome, next_admissible=nexts)
        assert admissible.tobytes() == before.admissible.tobytes(), seed
        alive = np.flatnonzero(admissible.any(axis=1))
        if not len(alive):
            break
        chosen = np.array([rng.choice(np.flatnonzero(line)) if line.any() else 0 for line in admissible])
        engine.step(chosen, *single, inventory=one_inventory, closing=one_closing)
        after = Seen(engine)
        for branch, one in zip([*wide, inventory, closing], [*single, one_inventory, one_closing], strict=True):
            assert branch[alive, chosen[alive]].tobytes() == one[alive].tobytes(), seed
        assert row[alive].tolist() == after.row[alive].tolist(), seed
        for index in alive:
            state = outcome[index, chosen[index]]
            distinct = 1 + max(outcome[index, admissible[index] != 0])
            assert len({line.tobytes() for line in private[index, :distinct]}) == distinct, seed
            assert (private[index, distinct:] == private[index, 0]).all(), seed
            assert (nexts[index, distinct:] == nexts[index, 0]).all(), seed
            if single[4][index]:
                assert row[index] == -1, seed
                assert nexts[index].all(), seed
                assert not private[index].any(), seed
                continue
            assert private[index, state].tobytes() == after.private[index].tobytes(), (seed, index)
            assert nexts[index, state].tobytes() == after.admissible[index].tobytes(), (seed, index)
            compared += 1
    return compared


@pytest.mark.parametrize("block", range(4))
def test_B2_every_branch_is_observed_as_the_step_is(block):
    assert sum(compare_branches(seed) for seed in range(4000 + 100 * block, 4000 + 100 * block + 20)) > 150


def compare_position(seed):
    market, config, interval = case_of(seed)
    try:
        tape = note_instants(market, config, interval)
    except ValueError:
        return 0
    rng = np.random.default_rng([seed, 5])
    held = int(rng.integers(-LIMIT, LIMIT + 1))
    told = engine_of(market, config, interval, tape, 8)
    stated = engine_of(market, config.model_copy(update={"position": held}), interval, tape, 8, tapes=(), private=())
    starts, ends = rng.choice(tape.ts, 8), np.full(8, FOREVER)
    told.reset(np.arange(8), starts, ends, positions=np.full(8, held))
    stated.reset(np.arange(8), starts, ends)
    for _ in range(10):
        actions, a, b = rng.integers(0, len(GRID), 8), outputs(8), outputs(8)
        told.step(actions, *a)
        stated.step(actions, *b)
        assert [column.tobytes() for column in a] == [column.tobytes() for column in b], seed
    return 10


def test_B1_a_reset_with_a_position_is_a_run_that_began_with_it():
    assert sum(compare_position(seed) for seed in range(7000, 7040)) > 200


def test_several_markets_are_several_engines():
    markets = [one_market(seed) for seed in (1, 2, 3)]
    config = BacktestConfig(instruments=("X",), place_latency="7ms", taker_fee=2)
    interval, rng = 25 * STEP, np.random.default_rng(0)
    tapes = [note_instants(market, config, interval) for market in markets]
    together = make_vector_engine(markets, config, GRID, count=30, interval=interval, max_position=LIMIT,
                                  tapes=[(tape.ts, tape.scale) for tape in tapes], private=PRIVATE)
    assert together.market_count == 3
    places = np.arange(30) % 3
    starts = np.array([rng.choice(tapes[place].ts) for place in places])
    together.reset(np.arange(30), starts, np.full(30, FOREVER), markets=places)
    apart = []
    for place, market in enumerate(markets):
        engine = engine_of(market, config, interval, tapes[place], 10)
        engine.reset(np.arange(10), starts[place::3].copy(), np.full(10, FOREVER))
        apart.append(engine)
    for _ in range(20):
        actions, out, seen = rng.integers(0, len(GRID), 30), outputs(30), Seen(together)
        together.step(actions, *out)
        for place, engine in enumerate(apart):
            one = outputs(10)
            assert Seen(engine).private.tobytes() == np.ascontiguousarray(seen.private[place::3]).tobytes()
            engine.step(np.ascontiguousarray(actions[place::3]), *one)
            assert [c.tobytes() for c in one] == [np.ascontiguousarray(c[place::3]).tobytes() for c in out]


def one_market(seed):
    """A random market of one instrument, always of the same name."""
    market = random_market(seed, 400, instruments=1)
    spec = market.instruments[0]
    return ArrayMarket([(replace(spec, name="X"), *market.tables(spec.name))])


def test_no_room_for_a_state_masks_the_action():
    market, config, interval = one_market(1), BacktestConfig(instruments=("X",)), 25 * STEP
    tape = note_instants(market, config, interval)
    engine = engine_of(market, config, interval, tape, 20)
    engine.reset(np.arange(20), np.random.default_rng(1).choice(tape.ts[tape.valid], 20), np.full(20, FOREVER))
    found = []
    for room in (len(GRID), 2):
        admissible, outcome = np.zeros((20, len(GRID)), np.int8), np.zeros((20, len(GRID)), np.uint8)
        engine.step_all(*outputs(20, len(GRID)), admissible, row=np.zeros(20, np.int64), outcome=outcome,
                        private=np.zeros((20, room, len(PRIVATE)), np.float32),
                        next_admissible=np.zeros((20, room, len(GRID)), np.int8))
        found.append((admissible, outcome))
    (all_of_them, states), (some, _) = found
    assert states.max() > 1
    assert (some == (all_of_them & (states < 2))).all()


def test_wrong_observations_are_refused():
    market, config = one_market(1), BacktestConfig(instruments=("X",))
    tape = note_instants(market, config, 25 * STEP)
    for words, options in {
        "inventory among": {"private": ("bid_age",)}, "out of inventory": {"private": ("inventory", "nothing")},
        "tapes must be one a market": {"tapes": [(tape.ts, tape.scale)] * 2},
        "an instant at least": {"tapes": [(tape.ts, tape.scale[1:])]},
    }.items():
        with pytest.raises(ValueError, match=words):
            engine_of(market, config, 25 * STEP, tape, 1, **options)
    blind = engine_of(market, config, 25 * STEP, tape, 1, tapes=(), private=())
    with pytest.raises(ValueError, match="observes nothing"):
        Seen(blind)
    engine = engine_of(market, config, 25 * STEP, tape, 2)
    with pytest.raises(ValueError, match="every array must have the shape"):
        Seen(engine, 3)
    with pytest.raises(ValueError, match="private needs row"):
        engine.step_all(*outputs(2, len(GRID)), np.zeros((2, len(GRID)), np.int8),
                        private=np.zeros((2, 2, len(PRIVATE)), np.float32))
    everyone, times = np.arange(2), tape.ts[:2].copy()
    for words, options in {"market 1 is not 0 to 0": {"markets": np.array([0, 1])},
                           "position": {"positions": np.array([0, 2**40])},
                           "equally long": {"positions": np.array([0])}}.items():
        with pytest.raises(ValueError, match=words):
            engine.reset(everyone, times, np.full(2, FOREVER), **options)
