"""The prices of one pair's book: when it re-centres on the fair price, and how wide.

A re-centring at t puts bid = round(fair - width/2) and ask = bid + width. It happens
    after an order that swept or took the touch (the quote that its print caused),
    at Poisson instants of its own (`requote_rate`),
    where an opening of the spread begins (`wide_rate`) or ends (after an exponential time, or at the next opening).
Width is 1 tick, and 1 + geometric during an opening: a two-state Markov process, whatever the orders do.
When both sides move, they do so in one update with `together_share`; else the leading side goes first and the other
follows within some microseconds: two updates, the first of them wider. Every other update changes a size only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbt.synth.config import Pair
from mmbt.synth.flow import Orders
from mmbt.synth.seeds import Stream, rng

__all__ = ["BookPath", "Rows", "first_step"]

Int64s = NDArray[np.int64]
FOLLOW_US = 3  # the second side follows within 0..3 us
CAUSED, RECENTRING, OWN, SIZE_ONLY = range(4)  # an order's size update, an order's re-centring, any other one, flicker


@dataclass(slots=True)
class Rows:
    """The quote updates of one cell without their sizes. `order` is the index that caused it, else -1."""

    ts: Int64s
    bid: Int64s
    ask: Int64s
    order: Int64s
    step: NDArray[np.int8]  # sign of the mid's change by this update


def first_step(rows: Rows) -> int:
    """Direction of the first mid move in a cell, 0 when there is none."""
    moves = np.flatnonzero(rows.step)
    return int(rows.step[moves[0]]) if len(moves) else 0


class BookPath:
    """The stream of `Rows`, cell by cell."""

    def __init__(self, seed: int, name: str, pair: Pair, cell_us: int):
        self._seed, self._name, self._pair, self._cell_us = seed, name, pair, cell_us
        self.bid = self.ask = 0
        self._opened = (-2, -1, 1)  # the last opening: begin, end, width
        self._late_ts: Int64s = np.empty(0, np.int64)  # quotes caused by an earlier cell's orders
        self._late_recentres: NDArray[np.bool_] = np.empty(0, np.bool_)

    def cell(self, index: int, orders: Orders, fair: NDArray[np.float64], grid_us: int) -> tuple[Rows, Int64s]:
        """The rows of a cell, and the orders whose quotes come after its end.

        Both count the orders whose quotes were carried in first, then those of the cell.
        """
        begin, end = index * self._cell_us, (index + 1) * self._cell_us
        draw = rng(self._seed, self._name, Stream.BOOK, index)
        caused = np.concatenate([self._late_ts, orders.caused_ts])
        recentres = np.concatenate([self._late_recentres, orders.recentres])
        here = np.flatnonzero(caused < end)
        late = np.flatnonzero(caused >= end)
        self._late_ts, self._late_recentres = caused[late], recentres[late]

        own = [np.array([0] if index == 0 else [], np.int64)]
        own.append(_poisson(draw, self._pair.requote_rate, begin, end))
        open_ts, close_ts, width = self._openings(draw, begin, end)
        next_open = np.append(open_ts[1:], np.iinfo(np.int64).max)
        own.append(open_ts[1:])
        own.append(close_ts[(close_ts >= begin) & (close_ts < np.minimum(next_open, end))])
        flicker = self._flicker(draw, begin, end)
        ts = np.concatenate([*own, caused[here], flicker])
        n_own = sum(map(len, own))
        kind = np.concatenate([np.full(n_own, OWN), np.where(recentres[here], RECENTRING, CAUSED),
                               np.full(len(flicker), SIZE_ONLY)])
        order = np.concatenate([np.full(n_own, -1), here, np.full(len(flicker), -1)])
        by_time = np.argsort(ts, kind="stable")
        ts, kind, order = ts[by_time], kind[by_time], order[by_time]

        at = np.flatnonzero((kind == OWN) | (kind == RECENTRING))
        when = ts[at]
        opening = np.searchsorted(open_ts, when, "right") - 1
        wide = np.where(when < close_ts[opening], width[opening], 1)
        bid = np.maximum(1, np.rint(fair[(when - begin) // grid_us] - wide / 2).astype(np.int64))
        ask = bid + wide
        old_bid = np.concatenate([[self.bid], bid])[:-1]
        old_ask = np.concatenate([[self.ask], ask])[:-1]
        both = (bid != old_bid) & (ask != old_ask) & (draw.random(len(bid)) >= self._pair.together_share)
        if index == 0 and len(both):
            both[0] = False  # the first quote of all comes whole
        unchanged = (bid == old_bid) & (ask == old_ask)

        updates = np.ones(len(ts), np.int64)
        updates[at[both]] = 2
        updates[at[unchanged & (kind[at] == OWN)]] = 0
        source = np.repeat(np.arange(len(ts)), updates)
        last = np.cumsum(updates) - 1
        row_ts = ts[source]
        state = np.cumsum(np.isin(np.arange(len(ts)), at))  # re-centrings so far, this one included
        row_bid = np.concatenate([[self.bid], bid])[state[source]]
        row_ask = np.concatenate([[self.ask], ask])[state[source]]
        # Between the two updates of one re-centring the book is wider, never crossed.
        second = last[at[both]]
        up = ask[both] > old_ask[both]
        row_bid[second - 1] = np.where(up, old_bid[both], bid[both])
        row_ask[second - 1] = np.where(up, ask[both], old_ask[both])
        following = np.append(ts[1:], end - 1)[at[both]]
        row_ts[second] = np.minimum(row_ts[second] + draw.integers(0, FOLLOW_US, len(second), endpoint=True), following)
        mid2 = row_bid + row_ask
        step = np.sign(np.diff(mid2, prepend=self.bid + self.ask if index else 0)).astype(np.int8)
        if len(bid):
            self.bid, self.ask = int(bid[-1]), int(ask[-1])
        return Rows(row_ts, row_bid, row_ask, order[source], step), late

    def _openings(self, draw: np.random.Generator, begin: int, end: int) -> tuple[Int64s, Int64s, Int64s]:
        # The last opening of the past first, then those of the cell: begin, end, width.
        pair = self._pair
        fresh = _poisson(draw, pair.wide_rate, begin, end)
        n = len(fresh)
        closes = fresh + 1 + (draw.standard_exponential(n) * pair.wide_time * 1e6).astype(np.int64)
        widths = 1 + draw.geometric(1 / pair.wide_extra, n)
        old = self._opened
        open_ts = np.concatenate([[old[0]], fresh])
        close_ts = np.concatenate([[old[1]], closes])
        width = np.concatenate([[old[2]], widths])
        self._opened = (int(open_ts[-1]), int(close_ts[-1]), int(width[-1]))
        return open_ts, close_ts, width

    def _flicker(self, draw: np.random.Generator, begin: int, end: int) -> Int64s:
        pair = self._pair
        start = _poisson(draw, pair.size_rate, begin, end)
        count = draw.geometric(1 / pair.size_burst, len(start))
        total = int(count.sum())
        tied = draw.random(total) < pair.size_tie_share
        gap = np.where(tied, 0, 1 + (draw.standard_exponential(total) * pair.size_gap_us).astype(np.int64))
        first = np.cumsum(count) - count
        gap[first] = 0
        run = np.cumsum(gap)
        ts = np.repeat(start - run[first], count) + run
        return np.sort(ts[ts < end])


def _poisson(draw: np.random.Generator, rate: float, begin: int, end: int) -> Int64s:
    n = draw.poisson(rate * (end - begin) * 1e-6)
    return np.sort(begin + (draw.random(n) * (end - begin)).astype(np.int64))
