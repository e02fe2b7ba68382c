"""B1-B4: many simulators at once are the same simulator, and a branch is exactly what a step would be."""

from __future__ import annotations

import resource
from decimal import Decimal

import numpy as np
import pytest

import cysim
from cysim.vector import VectorEngine
from mmbt.testing.markets import STEP, book, market_of, random_market

S = 10**9
GRID = np.array([[skew, width, hedge, bid, offer] for skew in (-1.0, 0.0, 0.5) for width in (0.5, 1.0)
                 for hedge, bid, offer in ((0, 1, 1), (1, 1, 0), (0.5, 0, 1))])
OPTIONS = {
    "plain": {},
    "displayed_touch": {"displayed": True, "cross_touch": True, "trade_touch": True},
    "queue": {"displayed": True, "queue": "prob"},
    "latencies": {"place_latency": 3 * STEP, "cancel_latency": STEP},
    "drawn": {"place_latency": cysim.Latency.lognormal(2 * STEP, 1.0, seed=5), "response_latency": 2 * STEP},
    "clocks": {"feed_latency": STEP, "response_latency": 3 * STEP + 1, "queue": "back", "displayed": True},
    "fees": {"maker_rate": -2_000, "taker_rate": 30_000, "displayed": True},
}


def template(spec, interval=5 * STEP, **options):
    row = (spec.name, spec.tick_size, spec.lot_size, Decimal("1e-8"), spec.tick_units, True, 0)
    return cysim.Simulator([row], interval=interval, **options)


def tables_of(market):
    name = market.instruments[0].name
    return [(tuple(next(market.tob(name)))[:5], tuple(next(market.trades(name)))[:4])]


class Outputs:
    def __init__(self, *shape):
        self.pnl, self.held = np.zeros(shape), np.zeros(shape)
        self.ts, self.position = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.done = np.zeros(shape, np.int8)

    def all(self):
        return self.pnl, self.held, self.ts, self.position, self.done


def engine_of(market, count, grid=GRID, threads=1, interval=5 * STEP, **options):
    return VectorEngine(template(market.instruments[0], interval, **options), tables_of(market), grid, count=count,
                        max_position=3, threads=threads)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("threads", [1, 3])
def test_B2_every_branch_is_what_the_step_returns_and_nothing_moves(options, threads):
    rng = np.random.default_rng([7, len(options)])
    compared = 0
    for seed in range(6):
        market = random_market(seed, 400, instruments=1)
        ts = tables_of(market)[0][0][0]
        count = 16
        engine = engine_of(market, count, threads=threads, **OPTIONS[options])
        starts = rng.choice(ts[: len(ts) // 2], count)
        engine.reset(np.arange(count), starts, np.full(count, ts[-1]))
        step, branches = Outputs(count), Outputs(count, len(GRID))
        again = Outputs(count, len(GRID))
        admissible, same = np.zeros((count, len(GRID)), np.int8), np.zeros((count, len(GRID)), np.int8)
        for _ in range(25):
            engine.step_all(*branches.all(), admissible)
            engine.step_all(*again.all(), same)
            assert (admissible == same).all()
            chosen = np.array([rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in admissible])
            alive = admissible.any(axis=1)
            engine.step(chosen, *step.all())
            for branch, twin, one in zip(branches.all(), again.all(), step.all(), strict=True):
                found = branch[np.arange(count), chosen][alive]
                assert found.tobytes() == one[alive].tobytes()
                assert twin[admissible == 1].tobytes() == branch[admissible == 1].tobytes()
            compared += int(alive.sum())
    assert compared > 500


class Recorded:
    """The same decisions from Python hooks of the single simulator: what it saw at each."""

    def __init__(self, actions, size=1, limit=3):
        self.actions, self.size, self.limit, self.seen = iter(actions), size, limit, []

    def on_timer(self, ctx):
        if not ctx.valid:
            return
        self.seen.append((ctx.time, ctx.position))
        skew, width, hedge, bids, offers = GRID[next(self.actions)]
        unit = ctx.ask - ctx.bid or 1
        centre, position = (ctx.bid + ctx.ask) / 2 + skew * unit, ctx.position
        bid = ask = None
        if bids and position < self.limit:
            bid = min(float(np.floor(np.round(centre - width * unit, 9))), ctx.ask - 1)
        if offers and position > -self.limit:
            ask = max(float(np.ceil(np.round(centre + width * unit, 9))), ctx.bid + 1)
        bid = bid if bid is not None and bid >= 1 else None
        if ask is not None and bid is not None and ask <= bid:
            ask = None
        ctx.quote(bid, ask, self.size)
        lots = int(np.floor(hedge * abs(position) + 0.5))
        if lots:
            ctx.hedge(-lots if position > 0 else lots)


class Nowhere:
    def __getattr__(self, name):
        return lambda raw: None


@pytest.mark.parametrize("options", ["plain", "displayed_touch", "queue", "latencies", "fees"])
def test_B1_one_of_many_is_the_single_simulator(options):
    decisions = 0
    for seed in range(8):
        market = random_market(seed, 600, instruments=1)
        (tob, trades), = tables_of(market)
        valid = (tob[2] > 0) & (tob[4] > 0) & (tob[1] <= tob[3])
        last_of_instant = np.append(tob[0][1:] != tob[0][:-1], True)
        starts = tob[0][valid & last_of_instant]
        if not len(starts):
            continue
        chosen = np.random.default_rng(seed).integers(0, len(GRID), 5000)
        single, watched = template(market.instruments[0], **OPTIONS[options]), Recorded(chosen)
        parts = {"tob": [tob], "trades": [trades]}
        single.run({"on_timer": watched.on_timer}, lambda name, table: (parts[table] or [None]).pop(), Nowhere())
        engine, out, seen = engine_of(market, 1, **OPTIONS[options]), Outputs(1), []
        engine.reset(np.array([0]), np.array([watched.seen[0][0]]), np.array([tob[0][-1] + 10**12]))
        seen.append((watched.seen[0][0], 0))
        for action in chosen:
            engine.step(np.array([action]), *out.all())
            if out.done[0]:
                break
            seen.append((int(out.ts[0]), int(out.position[0])))
        assert seen == watched.seen
        account = single.summary()["accounts"][market.instruments[0].name]
        assert out.position[0] == account["position"]
        decisions += len(seen)
    assert decisions > 200


def test_B1_a_hundred_thousand_resets_leave_memory_flat():
    spec = random_market(1, instruments=1).instruments[0]
    market = market_of(spec, [book(i * STEP, 5 * spec.tick_units, 7 * spec.tick_units) for i in range(1, 400)],
                       [(i * STEP, 6 * spec.tick_units, 1, 0) for i in range(1, 400)])
    engine, out = engine_of(market, 100, displayed=True), Outputs(100)
    everyone, starts, ends = np.arange(100), np.full(100, 5 * STEP), np.full(100, 300 * STEP)

    def resets(rounds):
        for _ in range(rounds):
            engine.reset(everyone, starts, ends)
            engine.step(np.zeros(100, np.int64), *out.all())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = resets(100)
    assert resets(1000) - before < 1024
