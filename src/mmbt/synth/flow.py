"""Aggressive orders of one pair: a Hawkes process whose every point is an order, and every order some prints.

    immigrants      Poisson(order_rate (1 - branching))
    children        Poisson(branching) each, delayed by an exponential time; so on without end
    latent side     an immigrant draws it; a child copies its parent's with probability `inherit`, else draws it
    prints          1 + [burst] geometric, + 1 at the touch when the order sweeps
    touch           taken by a sweep, and by a burst with `deplete_share`: its quote re-centres the book
    depth           D = 0, or with `sweep_share`: P(D >= d) = exp(-k (d - 1)), d = 1, 2, ...
    caused quote    after the last print; for a stale order before the first

Simulated exactly, generation by generation, in cells of fixed length: what is born in a cell beyond its end is
handed to the next. Times are whole microseconds since the start of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbt.synth.config import Pair
from mmbt.synth.seeds import Stream, rng

__all__ = ["MOST", "Flow", "Orders"]

Int64s = NDArray[np.int64]
MOST = 2**38  # of ticks and lots: sums of two stay below the engine's bound


@dataclass(slots=True)
class Orders:
    """The orders of one cell, by time, and their prints as offsets from the order."""

    ts: Int64s  # us since the start
    latent: NDArray[np.int8]
    depth: Int64s  # ticks beyond the touch of the deepest print
    recentres: NDArray[np.bool_]  # the caused quote re-centres the book
    caused_ts: Int64s  # when the caused quote comes
    print_order: Int64s  # per print: index of its order
    print_ts: Int64s  # per print
    print_depth: Int64s  # per print
    print_qty: Int64s  # per print, lots


class Flow:
    """The stream of `Orders`, cell by cell."""

    def __init__(self, seed: int, name: str, pair: Pair, cell_us: int):
        self._seed, self._name, self._pair, self._cell_us = seed, name, pair, cell_us
        self._late_ts: NDArray[np.float64] = np.empty(0)
        self._late_side: NDArray[np.int8] = np.empty(0, np.int8)

    def cell(self, index: int) -> Orders:
        """The orders of cell `index`; cells must be asked for in turn."""
        ts, side = self._points(index)
        pair, n = self._pair, len(ts)
        draw = rng(self._seed, self._name, Stream.ORDERS, index)
        sweeps = draw.random(n) < pair.sweep_share
        depth = np.where(sweeps, 1 + np.floor(draw.standard_exponential(n) / pair.depth_decay), 0).astype(np.int64)
        bursts = draw.random(n) < pair.burst_share
        recentres = sweeps | (bursts & (draw.random(n) < pair.deplete_share))
        count = 1 + np.where(bursts, draw.geometric(1 / pair.burst_extra, n), 0) + sweeps
        stale = draw.random(n) < pair.stale_share
        wait = np.where(draw.random(n) < pair.quote_same_share, 0, _later(draw, n, pair.quote_delay_us))
        late = _later(draw, n, pair.stale_delay_us)

        total = int(count.sum())
        first = np.cumsum(count) - count
        order = np.repeat(np.arange(n), count)
        rank = np.arange(total) - first[order]
        draw = rng(self._seed, self._name, Stream.PRINTS, index)
        gap = np.where(draw.random(total) < pair.tie_share, 0, _later(draw, total, pair.print_gap_us))
        gap[rank == 0] = 0
        run = np.cumsum(gap)
        offset = run - run[first][order]
        # A stale order's quote comes `wait` after the order, its prints `late` after that quote.
        last = ts + offset[first + count - 1]
        caused = np.where(stale, ts + wait, last + wait)
        print_ts = ts[order] + offset + np.where(stale, wait + late, 0)[order]
        climb = -(-depth[order] * rank // np.maximum(count[order] - 1, 1))  # from the touch up to the full depth
        log_lots = np.log(pair.print_lots) + pair.print_log_sd * draw.standard_normal(total)
        qty = np.clip(np.rint(np.exp(log_lots)), 1, MOST)
        return Orders(ts, side, depth, recentres, caused, order, print_ts, climb, qty.astype(np.int64))

    def _points(self, index: int) -> tuple[Int64s, NDArray[np.int8]]:
        pair = self._pair
        draw = rng(self._seed, self._name, Stream.TIMES, index)
        begin, end = index * self._cell_us, (index + 1) * self._cell_us
        born = draw.poisson(pair.order_rate * (1 - pair.branching) * self._cell_us * 1e-6)
        ts = np.concatenate([self._late_ts, begin + draw.random(born) * self._cell_us])
        side = np.concatenate([self._late_side, self._sides(draw, born)])
        times, sides, late = [], [], []
        while len(ts):
            here = ts < end
            late.append((ts[~here], side[~here]))
            ts, side = ts[here], side[here]
            times.append(ts)
            sides.append(side)
            children = draw.poisson(pair.branching, len(ts))
            parent_side = np.repeat(side, children)
            ts = np.repeat(ts, children)
            ts = ts + draw.standard_exponential(len(ts)) * (pair.excitation_time * 1e6)
            copies = draw.random(len(ts)) < pair.inherit
            side = np.where(copies, parent_side, self._sides(draw, len(ts)))
        self._late_ts = np.concatenate([t for t, _ in late]) if late else np.empty(0)
        self._late_side = np.concatenate([s for _, s in late]) if late else np.empty(0, np.int8)
        if not times:
            return np.empty(0, np.int64), np.empty(0, np.int8)
        when = np.concatenate(times)
        by_time = np.argsort(when, kind="stable")
        return when[by_time].astype(np.int64), np.concatenate(sides)[by_time]

    def _sides(self, draw: np.random.Generator, n: int) -> NDArray[np.int8]:
        return np.where(draw.random(n) < self._pair.uninformed_buy_share, 1, -1).astype(np.int8)


def _later(draw: np.random.Generator, n: int, mean_us: float) -> Int64s:
    return 1 + (draw.standard_exponential(n) * mean_us).astype(np.int64)
