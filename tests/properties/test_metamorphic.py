"""Relations between two runs of the engine that hold whatever the right answer is."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.market import ArrayMarket, TobBatch, TradeBatch
from mmbt.strategies.ladder import Ladder
from mmbt.strategies.linear_skew import LinearSkew
from mmbt.testing.differential import Options, run_engine
from mmbt.testing.markets import SILENCE, STEP, random_market, scrambled_after
from mmbt.testing.random_orders import RandomOrders
from mmbt.testing.scripts import nth, script

SEEDS = range(4)
RULES = ({}, {"size": "displayed"}, {"cross": "touch", "trade": "touch", "aggressor": "ignore"},
         {"size": "displayed", "trade": "touch", "place_latency": 3 * STEP, "cancel_latency": 3 * STEP})
FACTS = ("ts", "instrument", "side", "px", "qty", "reason", "position", "mid2", "mid2_100ms")


@pytest.fixture(params=range(len(RULES)), ids=["seed", "displayed", "optimistic", "late"])
def rules(request):
    return {"session_gap": SILENCE, **RULES[request.param]}


def changed(market, tob, trades):
    """The market with both tables of every instrument passed through a function (of the table and the instrument)."""
    tables = []
    for spec in market.instruments:
        quotes, prints = next(iter(market.tob(spec.name))), next(iter(market.trades(spec.name)))
        tables.append((spec, tob(quotes, spec), trades(prints, spec)))
    return ArrayMarket(tables)


def skew(seed):
    return LinearSkew(half_spread_ticks=[0.5, 1.0, 2.0][seed % 3], skew_ticks_per_lot=[0.0, 0.25, 1.0][seed // 3 % 3],
                      size=1 + seed % 4, interval="50ms")


def run(market, strategy, **options):
    names = tuple(instrument.name for instrument in market.instruments)
    return run_engine(market, strategy, Options(**{"instruments": names, **options}))


def facts(outcome, **shifts):
    """Fills as tuples, with columns shifted by a number."""
    return [tuple(None if row[key] is None else row[key] + shifts.get(key, 0) if key in shifts else row[key]
                  for key in FACTS) for row in outcome.fills]


def raised(market, ticks):
    def tob(table, spec):
        shift = ticks * spec.tick_units
        return table._replace(bid_px=np.where(table.bid_qty > 0, table.bid_px + shift, 0),
                              ask_px=np.where(table.ask_qty > 0, table.ask_px + shift, 0))

    return changed(market, tob, lambda table, spec: table._replace(px=table.px + ticks * spec.tick_units))


@pytest.mark.parametrize("seed", SEEDS)
def test_mirror(seed, rules):
    market = raised(random_market(seed, 400, 1), 100)
    top = 20_000

    def tob(table, spec):
        high = top * spec.tick_units
        return TobBatch(table.ts, np.where(table.ask_qty > 0, high - table.ask_px, 0), table.ask_qty,
                        np.where(table.bid_qty > 0, high - table.bid_px, 0), table.bid_qty)

    def trades(table, spec):
        return TradeBatch(table.ts, top * spec.tick_units - table.px, table.qty, -table.side)

    straight = run(market, skew(seed), **rules)
    mirrored = run(changed(market, tob, trades), skew(seed), **rules)
    assert len(straight.fills) > 0
    expected = [(row["ts"], -row["side"], top - row["px"], row["qty"], row["reason"], -row["position"])
                for row in straight.fills]
    assert [tuple(row[key] for key in ("ts", "side", "px", "qty", "reason", "position"))
            for row in mirrored.fills] == expected
    (name,) = straight.totals
    money = ("pnl", "spread", "inventory", "hedge_cost")
    assert [mirrored.totals[name][key] for key in money] == [straight.totals[name][key] for key in money]


@pytest.mark.parametrize("seed", SEEDS)
def test_time_shift(seed, rules):
    market, shift = random_market(seed, 300), 123_456_789_012_345
    later = changed(market, lambda t, _: t._replace(ts=t.ts + shift), lambda t, _: t._replace(ts=t.ts + shift))
    first, second = run(market, RandomOrders(seed), **rules), run(later, RandomOrders(seed), **rules)
    assert facts(second) == facts(first, ts=shift)
    assert second.totals == first.totals
    assert [row["ts"] - shift for row in second.equity] == [row["ts"] for row in first.equity]


@pytest.mark.parametrize("seed", SEEDS)
def test_price_shift(seed, rules):
    market, shift = raised(random_market(seed, 400), 100), 777
    first, second = run(market, skew(seed), **rules), run(raised(market, shift), skew(seed), **rules)
    assert len(first.fills) > 0
    assert facts(second) == facts(first, px=shift, mid2=2 * shift, mid2_100ms=2 * shift)
    for name, total in first.totals.items():
        assert {**second.totals[name], "liquidation_pnl": None} == {**total, "liquidation_pnl": None}


@pytest.mark.parametrize("seed", SEEDS)
def test_chunk_size(seed, rules):
    runs = []
    for rows in (1, 7, 1024, 65536, None):
        strategy = RandomOrders(seed)
        outcome = run(random_market(seed, 300, batch_rows=rows), strategy, **rules)
        runs.append((outcome.result_hash, strategy.trace, outcome.orders, outcome.equity, outcome.totals))
    assert all(other == runs[0] for other in runs[1:])


@pytest.mark.parametrize("seed", SEEDS)
def test_irrelevant_instrument(seed, rules):
    whole = random_market(seed, 400, 3)
    kept = whole.instruments[0].name
    tables = (next(iter(whole.tob(kept))), next(iter(whole.trades(kept))))
    alone = run(ArrayMarket([(whole.instruments[0], *tables)]), skew(seed), **rules)
    beside = run(whole, skew(seed), instruments=(kept,), **rules)
    assert (beside.result_hash, beside.orders, beside.equity) == (alone.result_hash, alone.orders, alone.equity)
    if rules["session_gap"] is not None:  # a session may end after the last traded row only if something follows it
        rules = {**rules, "session_gap": None}
    alone = run(ArrayMarket([(whole.instruments[0], *tables)]), skew(seed), **rules)
    watched = run(whole, skew(seed), instruments=(kept,), watch=tuple(i.name for i in whole.instruments[1:]), **rules)
    last = max(row["ts"] for row in alone.equity)  # the watched instruments may let the run go on a little longer
    assert [row[:-1] for row in facts(watched) if row[0] <= last] == [row[:-1] for row in facts(alone)]


@pytest.mark.parametrize("seed", SEEDS)
def test_never_fillable_order(seed, rules):
    market = raised(random_market(seed, 400, 1), 1000)

    def strategy(extra):
        first = nth({0: lambda ctx: ctx.place("buy", 1, 1000)}) if extra else None
        quotes = {"on_timer": lambda ctx: ctx.quote(ctx.mid - 1.5 - ctx.position, ctx.mid + 1.5 - ctx.position, 2)}
        return script("50ms", **quotes, **({"on_tob": first} if first else {}))

    without, beside = run(market, strategy(False), **rules), run(market, strategy(True), **rules)
    assert len(without.fills) > 0
    assert facts(beside) == facts(without)
    assert beside.totals == without.totals


@pytest.mark.parametrize("seed", SEEDS)
def test_scrambled_future(seed, rules):
    market = random_market(seed, 400)
    times = np.concatenate([next(iter(market.tob(i.name))).ts for i in market.instruments])
    cut = int(np.median(times))
    strategies = [lambda: RandomOrders(seed), lambda: Ladder(half_spread_ticks=1.0, levels=3, interval="30ms")]
    for make in strategies:
        pasts = []
        for tape in (market, scrambled_after(market, cut, seed)):
            strategy = make()
            outcome = run(tape, strategy, **rules)
            told = []
            for row in getattr(strategy, "trace", ()):
                if row[0].startswith("on_") and row[0] != "on_start" and (row[0] == "on_end" or row[1] > cut):
                    break
                told.append(row)
            fills = [[row[key] for key in FACTS[:-1]] for row in outcome.fills if row["ts"] <= cut]
            orders = [row for row in outcome.orders if row["ts"] <= cut]
            equity = [row for row in outcome.equity if row["ts"] <= cut]
            pasts.append((told, fills, orders, equity))
        assert pasts[0] == pasts[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_rerun(seed, rules):
    market = random_market(seed, 300)
    assert len({run(market, RandomOrders(seed), **rules).result_hash for _ in range(3)}) == 1
