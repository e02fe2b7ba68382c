"""Estimators for generated rows: they know the shape of the data, never the generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmbt.market import TobBatch, TradeBatch
from mmbt.synth import SynthConfig, generate_market


def tables(config: SynthConfig) -> dict[str, tuple[TobBatch, TradeBatch]]:
    """The whole market by instrument."""
    market = generate_market(config)
    none = TradeBatch(*np.empty((3, 0), np.int64), np.empty(0, np.int8))
    return {i.name: (next(market.tob(i.name)), next(market.trades(i.name), none)) for i in market.instruments}


def rows(config: SynthConfig) -> dict[str, list[list[int]]]:
    """The whole market as plain lists, for comparisons."""
    return {name: [column.tolist() for table in pair for column in columns(table)]
            for name, pair in tables(config).items()}


def columns(table: TobBatch | TradeBatch) -> list[np.ndarray]:
    """The columns of a table; a generated one has no times of receipt."""
    assert table.local_ts is None
    return list(table[:-1])


def mids(tob: TobBatch, every_s: float) -> np.ndarray:
    """The mid in ticks at a regular pace."""
    at = np.arange(tob.ts[0], tob.ts[-1] + 1, int(every_s * 1e9))
    return ((tob.bid_px + tob.ask_px) / 2)[np.searchsorted(tob.ts, at, "right") - 1]


@dataclass
class OrdersSeen:
    """Prints of one side at most 100 us apart, taken for one order."""

    first: np.ndarray  # index of the first print
    count: np.ndarray
    side: np.ndarray
    depth: np.ndarray  # of the deepest print, beyond the touch before the first
    begin: np.ndarray
    end: np.ndarray


def orders(tob: TobBatch, trades: TradeBatch) -> OrdersSeen:
    """Orders as far as prints show them."""
    breaks = (np.diff(trades.ts) > 100_000) | (np.diff(trades.side) != 0)
    first = np.flatnonzero(np.r_[True, breaks])
    last = np.r_[first[1:], len(trades.ts)] - 1
    touch = np.searchsorted(tob.ts, trades.ts[first], "left") - 1
    side = trades.side[first].astype(np.int64)
    best = np.where(side > 0, tob.ask_px[touch], -tob.bid_px[touch])
    depth = np.maximum.reduceat(trades.px * trades.side, first) - best
    return OrdersSeen(first, last - first + 1, side, depth, trades.ts[first], trades.ts[last])


def next_move(tob: TobBatch, ts: np.ndarray) -> np.ndarray:
    """Direction of the first mid move at or after each time; 0 after the last."""
    step = np.sign(np.diff(tob.bid_px + tob.ask_px, prepend=tob.bid_px[0] + tob.ask_px[0]))
    moves = np.flatnonzero(step)
    following = np.searchsorted(moves, np.searchsorted(tob.ts, ts, "left"), "left")
    return np.append(step[moves], 0)[following]


def assert_share(hits: np.ndarray, expected: float, slack: float = 0.0) -> None:
    """A share of independent cases lies within four standard errors, and `slack` for what the estimator blurs."""
    error = np.sqrt(max(expected * (1 - expected), 1e-9) / len(hits))
    reach = 4 * error + slack
    assert abs(hits.mean() - expected) <= reach, f"{hits.mean():.5f} is not {expected:.5f} +- {reach:.5f}"
