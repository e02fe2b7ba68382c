"""One pair's quotes and prints, cell by cell: sides, print prices and displayed sizes on top of the book's path.

The currencies' paths come first and are never bent, so drift, volatility and the triangle hold exactly. The planted
edges look ahead on that path instead:
    an order's side is the direction of the next mid move with probability `flow_edge` (`take_edge` if it takes the
        touch), else the latent one
    from one mid move to the next the heavier side is that direction with probability `imbalance_edge`, else a coin's
        log size = log(touch_lots) +- imbalance_tilt + touch_log_sd * normal,   + on the heavier side
A print's price is the touch strictly before its order's stamp, plus its depth. A cell is finished when the first mid
move of the next is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbt.market import TobBatch, TradeBatch
from mmbt.synth.book import BookPath, Rows, first_step
from mmbt.synth.flow import MOST, Flow, Orders
from mmbt.synth.rates import CELL_US, GRID_US, Noise
from mmbt.synth.seeds import Stream, rng

if TYPE_CHECKING:
    from mmbt.synth.config import SynthConfig

__all__ = ["PairStream"]

Int64s = NDArray[np.int64]
Int8s = NDArray[np.int8]


@dataclass(slots=True)
class _Draft:
    """A cell whose sides and sizes wait for the next mid move."""

    index: int
    orders: Orders
    rows: Rows
    late: Int64s
    opening_bid: int
    opening_ask: int


class PairStream:
    """The finished cells of one pair. Times are ns since the epoch, prices ticks, sizes lots."""

    def __init__(self, config: SynthConfig, name: str):
        self._seed, self._name, self._pair = config.seed, name, config.pairs[name]
        pair = self._pair
        self._start_ns, self._start_ticks = config.start_ns, config.start_ticks(name)
        self._base, self._quote = config.legs(name)
        self._flow = Flow(config.seed, name, pair, CELL_US)
        self._book = BookPath(config.seed, name, pair, CELL_US)
        self._noise = Noise(config.seed, name, pair.noise_bp * 1e-4, pair.noise_time)
        self._draft: _Draft | None = None
        self._carried_sides: Int8s = np.empty(0, np.int8)
        empty: Int64s = np.empty(0, np.int64)
        self._late_prints = TradeBatch(empty, empty, empty, np.empty(0, np.int8))
        self._heavy = 0
        self._sizes = [0, 0]

    def advance(self, index: int, paths: dict[str, NDArray[np.float64]]) -> tuple[TobBatch, TradeBatch] | None:
        """Draw cell `index` and hand back the finished cell before it; None for the first."""
        log_price = paths[self._base] - paths[self._quote] + self._noise.cell(index)
        orders = self._flow.cell(index)
        opening = self._book.bid, self._book.ask
        rows, late = self._book.cell(index, orders, np.minimum(self._start_ticks * np.exp(log_price), MOST), GRID_US)
        ready, self._draft = self._draft, _Draft(index, orders, rows, late, *opening)
        return self._finish(ready, first_step(rows)) if ready is not None else None

    def _finish(self, cell: _Draft, ahead: int) -> tuple[TobBatch, TradeBatch]:
        moves = np.flatnonzero(cell.rows.step)
        coming = np.append(cell.rows.step[moves], np.int8(ahead))  # of the i-th move, then of the next cell's first
        side = self._order_sides(cell, moves, coming)
        sides = np.concatenate([self._carried_sides, side])
        self._carried_sides = sides[cell.late]
        return self._quotes(cell, moves, coming, sides), self._prints(cell, side)

    def _order_sides(self, cell: _Draft, moves: Int64s, coming: Int8s) -> Int8s:
        draw = rng(self._seed, self._name, Stream.SIDES, cell.index)
        orders, pair = cell.orders, self._pair
        next_row = np.searchsorted(cell.rows.ts, orders.ts, "left")
        direction = coming[np.searchsorted(moves, next_row, "left")]
        edge = np.where(orders.recentres, pair.take_edge, pair.flow_edge)
        informed = (draw.random(len(orders.ts)) < edge) & (direction != 0)
        return np.where(informed, direction, orders.latent).astype(np.int8)

    def _prints(self, cell: _Draft, side: Int8s) -> TradeBatch:
        orders, rows = cell.orders, cell.rows
        touch = np.searchsorted(rows.ts, orders.ts, "left")  # 0: the book this cell began with
        bid = np.append(cell.opening_bid, rows.bid)[touch]
        ask = np.append(cell.opening_ask, rows.ask)[touch]
        if cell.index == 0 and len(touch):
            bid, ask = (np.where(touch == 0, column[0], px) for column, px in ((rows.bid, bid), (rows.ask, ask)))
        of = orders.print_order
        px = np.where(side[of] > 0, ask[of] + orders.print_depth, np.maximum(1, bid[of] - orders.print_depth))
        late = self._late_prints
        ts = np.concatenate([late.ts, self._start_ns + 1000 * orders.print_ts])
        px = np.concatenate([late.px, px])
        qty = np.concatenate([late.qty, orders.print_qty])
        who = np.concatenate([late.side, side[of]])
        by_time = np.argsort(ts, kind="stable")
        cut = int(np.searchsorted(ts[by_time], self._start_ns + 1000 * (cell.index + 1) * CELL_US, "left"))
        now, later = by_time[:cut], by_time[cut:]
        self._late_prints = TradeBatch(ts[later], px[later], qty[later], who[later])
        return TradeBatch(ts[now], px[now], qty[now], who[now])

    def _quotes(self, cell: _Draft, moves: Int64s, coming: Int8s, sides: Int8s) -> TobBatch:
        draw = rng(self._seed, self._name, Stream.SIZES, cell.index)
        rows, pair, n = cell.rows, self._pair, len(cell.rows.ts)
        # The i-th mid move begins an interval that ends with the (i+1)-th.
        coin = np.where(draw.random(len(moves)) < 0.5, 1, -1)
        told = (draw.random(len(moves)) < pair.imbalance_edge) & (coming[1:] != 0)
        heavy = np.concatenate([[self._heavy], np.where(told, coming[1:], coin)])
        self._heavy = int(heavy[-1])
        moved = rows.step != 0
        tilt = heavy[np.cumsum(moved)] * pair.imbalance_tilt
        # A mid move renews both sizes, any other update one: the side that was hit, else either.
        hit = np.append(sides, np.int8(0))[rows.order]
        flip = np.where(draw.random(n) < 0.5, 1, -1)
        on_ask = np.where(rows.order >= 0, hit, flip) > 0
        shown = [self._side_sizes(draw, column, tilt * sign, moved | renewed)
                 for column, sign, renewed in ((0, 1, ~on_ask), (1, -1, on_ask))]
        return TobBatch(self._start_ns + 1000 * rows.ts, rows.bid, shown[0], rows.ask, shown[1])

    def _side_sizes(self, draw: np.random.Generator, column: int, tilt: NDArray[np.float64],
                    renewed: NDArray[np.bool_]) -> Int64s:
        pair = self._pair
        log_lots = math.log(pair.touch_lots) + tilt[renewed] + pair.touch_log_sd * draw.standard_normal(renewed.sum())
        lots = np.clip(np.rint(np.exp(log_lots)), 1, MOST).astype(np.int64)
        held = np.append(self._sizes[column], lots)
        # An update that changes nothing is none: of equal neighbours every second one is a lot larger.
        while (same := held[1:] == held[:-1]).any():
            at = np.arange(len(same))
            rank = at - np.maximum.accumulate(np.where(same, -1, at))
            held[1:][rank % 2 == 1] += 1
        self._sizes[column] = int(held[-1])
        return held[np.cumsum(renewed)]
