"""Small nasty random markets in bulk: all that tears a careless simulator apart, far more often than in real data.

Stamps lie on a lattice of `STEP`, so that quotes, prints, timers and arrivals share instants all the time; prices move
by a tick or not at all, so that random orders often stand where the market goes.

| what                                      | how often                            |
|-------------------------------------------|--------------------------------------|
| the same stamp as the row before          | 45% of rows                          |
| a quote that changes sizes only           | half of the quotes                   |
| locked, crossed                           | 8%, 8% of the books with new prices  |
| one side absent, both absent              | 6%, 1%                               |
| prints at the touch, through it, inside   | 40%, 40%, 20%; any price unit        |
| aggressor right, unknown, wrong           | 60%, 25%, 15%                        |
| a silence about as long as `SILENCE`      | 1 row in 150                         |
| received at once, before it was sent      | 35%, 15% of rows, where asked for    |

Where queues matter a touch stays for several quotes and is deep, and most prints are at it. Where contracts matter half
of the instruments are inverse and most have a multiplier. Both leave everything else as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch

__all__ = ["FIRST_TS", "SILENCE", "STEP", "book", "market_of", "random_market", "received", "scrambled_after",
           "tables_of"]

STEP = 10_000_000  # ns
SILENCE = 2 * 10**9  # ns; the session gap the silences are made for
FIRST_TS = 1_663_718_400 * 10**9

# In UTF-8 order B < BTC/USD_T+0 < a < é < 中; a sort that ignores case or goes by locale differs.
NAMES = ("BTC/USD_T+0", "a", "B", "é/RUB", "中")

Int64s = NDArray[np.int64]


def book(ts: int, bid: int = 0, ask: int = 0, bid_qty: int = 10, ask_qty: int = 10) -> tuple[int, int, int, int, int]:
    """A quote's row; a side whose price is 0 is absent."""
    return (ts, bid, bid_qty if bid else 0, ask, ask_qty if ask else 0)


def market_of(instrument: Instrument, tob: Sequence[Sequence[int]], trades: Sequence[Sequence[int]] = (),
              batch_rows: int | None = None) -> ArrayMarket:
    """A market of one instrument from rows (ts, bid, bid_qty, ask, ask_qty) and (ts, px, qty, side)."""
    return ArrayMarket([(instrument, *tables_of(tob, trades))], batch_rows)


def tables_of(tob: Sequence[Sequence[int]], trades: Sequence[Sequence[int]] = ()) -> tuple[TobBatch, TradeBatch]:
    """Both tables of an instrument from rows."""
    quotes = np.array(tob, dtype=np.int64).reshape(-1, 5)
    prints = np.array(trades, dtype=np.int64).reshape(-1, 4)
    px, qty, side = (np.ascontiguousarray(prints[:, i]) for i in (1, 2, 3))
    return (
        TobBatch(*(np.ascontiguousarray(quotes[:, i]) for i in range(5))),
        TradeBatch(np.ascontiguousarray(prints[:, 0]), px, qty, side.astype(np.int8)),
    )


def received(market: ArrayMarket, seconds: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> ArrayMarket:
    """The same market with times of receipt: for each instrument those of its quotes and of its prints, in s."""
    tables = []
    for spec in market.instruments:
        no_quotes, no_prints = tables_of(())
        tob, trades = next(market.tob(spec.name), no_quotes), next(market.trades(spec.name), no_prints)
        times = [np.array([int(t * 10**9) for t in column], dtype=np.int64) for column in seconds[spec.name]]
        tables.append((spec, tob._replace(local_ts=times[0]), trades._replace(local_ts=times[1])))
    return ArrayMarket(tables)


def random_market(seed: int, rows: int = 300, instruments: int | None = None, batch_rows: int | None = None, *,
                  queues: bool = False, contracts: bool = False, local: bool = False) -> ArrayMarket:
    """A market that is a function of its arguments.

    Parameters
    ----------
    seed
        Any whole number.
    rows
        Quotes and prints together.
    instruments
        How many, up to five; None draws one to three.
    batch_rows
        Rows handed over at a time.
    queues, contracts
        Whether they shall matter.
    local
        Whether rows have times of receipt; nothing else depends on it.
    """
    rng = np.random.default_rng([seed, 20220921])
    receipts = np.random.default_rng([seed, 20220922])
    count = int(rng.integers(1, 4)) if instruments is None else instruments
    names = [NAMES[i] for i in rng.permutation(len(NAMES))[:count]]
    ts = FIRST_TS + np.cumsum(_intervals(rng, rows))
    owner = rng.integers(0, count, rows)
    is_print = rng.random(rows) < 0.35
    tables = []
    for i, name in enumerate(names):
        spec = _instrument(rng, name)
        mine = owner == i
        quotes = np.flatnonzero(mine & ~is_print)
        prints = np.flatnonzero(mine & is_print)
        bid, ask = _touches(rng, len(quotes), spec.tick_units)
        tob = _shown(rng, ts[quotes], bid, ask)
        latest = np.searchsorted(quotes, prints) - 1  # of the quotes before each print, -1 when there is none yet
        trades = _prints(rng, ts[prints], bid, ask, latest, spec.tick_units)
        if queues:
            tob, trades = _queued(np.random.default_rng([seed, 4, i]), tob, trades, latest)
        if contracts:
            spec = _contract(np.random.default_rng([seed, 5, i]), spec)
        if local:
            tob = tob._replace(local_ts=_received(receipts, tob.ts))
            trades = trades._replace(local_ts=_received(receipts, trades.ts))
        tables.append((spec, tob, trades))
    return ArrayMarket(tables, batch_rows)


def scrambled_after(market: ArrayMarket, cut: int, seed: int) -> ArrayMarket:
    """The same market up to and including `cut`, and random garbage at random later times after it."""
    rng = np.random.default_rng([seed, 3])
    tables = []
    for spec in market.instruments:
        tob = _joined(TobBatch, list(market.tob(spec.name)))
        trades = _joined(TradeBatch, list(market.trades(spec.name)))
        for columns, prices in ((tob, ("bid_px", "ask_px")), (trades, ("px",))):
            late = np.flatnonzero(columns["ts"] > cut)
            columns["ts"][late] = cut + 1 + np.cumsum(rng.integers(0, 5 * STEP, len(late)))
            for name in columns:
                if name in prices:
                    columns[name][late] = rng.integers(1, 120, len(late)) * spec.tick_units
                elif name == "local_ts":
                    columns[name][late] = columns["ts"][late] + rng.integers(-5 * STEP, 50 * STEP, len(late))
                elif name == "side":
                    columns[name][late] = rng.integers(-1, 2, len(late))
                elif name != "ts":
                    columns[name][late] = rng.integers(1, 100, len(late))
        tables.append((spec, TobBatch(**tob), TradeBatch(**trades)))
    return ArrayMarket(tables)


def _joined(kind: type[TobBatch] | type[TradeBatch], batches: Sequence[TobBatch | TradeBatch]) -> dict[str, Any]:
    return {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in kind._fields
            if getattr(batches[0], name) is not None}


def _intervals(rng: np.random.Generator, rows: int) -> Int64s:
    """Times between rows: mostly none or a few steps of the lattice, seldom a nanosecond, very seldom a silence."""
    choices = np.array([0, STEP, 3 * STEP, 10 * STEP, 100 * STEP, 1, STEP - 1], dtype=np.int64)
    intervals = rng.choice(choices, rows, p=[0.45, 0.25, 0.1, 0.1, 0.02, 0.05, 0.03])
    silences = np.array([SILENCE - STEP, SILENCE, SILENCE + STEP, SILENCE + 1, 2 * SILENCE + 5 * STEP])
    long = rng.random(rows) < 1 / 150
    return np.asarray(np.where(long, rng.choice(silences, rows), intervals), dtype=np.int64)


def _received(rng: np.random.Generator, ts: Int64s) -> Int64s:
    """Times of receipt: mostly at once or some steps of the lattice later, at times before the exchange's time."""
    delays = np.array([0, STEP, 2 * STEP, 5 * STEP, 30 * STEP, 200 * STEP, 1, STEP - 1, -1, -STEP, -7 * STEP])
    often = [0.35, 0.2, 0.1, 0.1, 0.03, 0.01, 0.03, 0.03, 0.05, 0.05, 0.05]
    return np.asarray(ts + rng.choice(delays, len(ts), p=often), dtype=np.int64)


def _instrument(rng: np.random.Generator, name: str) -> Instrument:
    tick_units = int(rng.choice([1, 2, 5, 10]))
    price_unit = Decimal(str(rng.choice(["1", "0.5", "0.01", "0.00000025"])))
    lot_size = str(rng.choice(["1", "0.001", "0.00000001"]))
    return Instrument(name, f"{price_unit * tick_units:f}", f"{price_unit:f}", lot_size)


def _touches(rng: np.random.Generator, rows: int, tick_units: int) -> tuple[Int64s, Int64s]:
    """Best bid and offer before sides are dropped, in price units."""
    level = int(rng.choice([4, 60, 5000]))  # low prices bring quotes to the edge of zero
    walk = np.cumsum(rng.choice([-2, -1, 0, 1, 2], rows, p=[0.05, 0.2, 0.5, 0.2, 0.05]))
    bid = level + np.abs(walk)
    ask = np.maximum(bid + rng.choice([1, 2, 3, 0, -1, -2], rows, p=[0.6, 0.14, 0.1, 0.08, 0.05, 0.03]), 1)
    new = rng.random(rows) < 0.5  # the other rows repeat the prices of the last new ones
    new[:1] = True
    source = np.maximum.accumulate(np.where(new, np.arange(rows), 0))
    return (bid[source] * tick_units).astype(np.int64), (ask[source] * tick_units).astype(np.int64)


def _shown(rng: np.random.Generator, ts: Int64s, bid: Int64s, ask: Int64s) -> TobBatch:
    rows = len(ts)
    absent = rng.choice(4, rows, p=[0.93, 0.03, 0.03, 0.01])  # none, bid, ask, both
    has_bid, has_ask = (absent & 1) == 0, (absent & 2) == 0
    qty = rng.integers(1, 9, (2, rows), dtype=np.int64)
    qty[rng.random((2, rows)) < 0.02] = 2**39
    return TobBatch(
        np.ascontiguousarray(ts),
        np.where(has_bid, bid, 0),
        np.where(has_bid, qty[0], 0),
        np.where(has_ask, ask, 0),
        np.where(has_ask, qty[1], 0),
    )


def _prints(rng: np.random.Generator, ts: Int64s, bid: Int64s, ask: Int64s, latest: Int64s, tick_units: int
            ) -> TradeBatch:
    rows = len(ts)
    buyer = rng.random(rows) < 0.5
    if len(bid):
        touch = np.where(buyer, ask[latest], bid[latest])
    else:
        touch = np.full(rows, 60 * tick_units, dtype=np.int64)
    beyond = rng.integers(1, 3 * tick_units + 1, rows)
    where = rng.choice([0, 1, -1], rows, p=[0.4, 0.4, 0.2])  # at the touch, through it, inside the book
    px = np.maximum(touch + np.where(buyer, 1, -1) * where * beyond, 1)
    told = rng.choice([1, 0, -1], rows, p=[0.6, 0.25, 0.15])
    side = np.where(buyer, 1, -1) * told
    qty = np.where(rng.random(rows) < 0.03, 10**6, rng.integers(1, 7, rows))
    return TradeBatch(np.ascontiguousarray(ts), px.astype(np.int64), qty.astype(np.int64), side.astype(np.int8))


def _queued(rng: np.random.Generator, tob: TobBatch, trades: TradeBatch, latest: Int64s) -> tuple[TobBatch, TradeBatch]:
    """Touches that stay for some four quotes while their display wanders; three prints of four exactly at one."""
    rows, prints = len(tob.ts), len(trades.ts)
    if rows == 0:
        return tob, trades
    new = rng.random(rows) < 0.12
    new[0] = True
    source = np.maximum.accumulate(np.where(new, np.arange(rows), 0))
    bid_px, ask_px = tob.bid_px[source], tob.ask_px[source]
    depth = 1 + np.abs(rng.choice([3, 8, 15]) + rng.integers(-12, 13, (2, rows)))
    tob = TobBatch(tob.ts, bid_px, np.where(bid_px > 0, depth[0], 0), ask_px, np.where(ask_px > 0, depth[1], 0))
    seller = np.where(trades.side == 0, rng.random(prints) < 0.5, trades.side < 0)
    touch = np.where(seller, bid_px[latest], ask_px[latest])
    at_touch = (rng.random(prints) < 0.75) & (latest >= 0) & (touch > 0)
    qty = np.where(at_touch, rng.integers(1, 19, prints), trades.qty)
    return tob, TradeBatch(trades.ts, np.where(at_touch, touch, trades.px), qty, trades.side)


def _contract(rng: np.random.Generator, spec: Instrument) -> Instrument:
    contract = rng.choice(["inverse", "inverse", "linear", "spot"])
    return replace(spec, contract=str(contract), multiplier=str(rng.choice(["1", "10", "0.001", "0.5"])))
