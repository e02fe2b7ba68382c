"""Our events in hftbacktest's format.

A print becomes one trade event. A quote row becomes one depth event for each level it changes: a side whose price moved
gives its new level and the removal (quantity 0) of the old one, a side of which only the quantity changed gives one, an
unchanged side none; a row that changes nothing still gives one, so that no party has fewer events than rows. The order
within a row is the quickest for the peer and never crosses its book: the side that makes room moves first, and the new
level is set before the old one goes, so that it never searches for its best price.

Prints come before quotes of the same instant, as hftbacktest's documentation asks. Local time is exchange time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from benchmarks.stream import Stream

__all__ = ["EVENT", "hftbacktest_events"]

# hftbacktest.types, restated because that package lives in another environment; its runner asserts that they agree.
DEPTH, TRADE = 1, 2
EXCHANGE, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
EVENT = np.dtype([("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"),
                  ("ival", "i8"), ("fval", "f8")], align=True)


def hftbacktest_events(stream: Stream) -> np.ndarray:
    """The stream as one array of hftbacktest events, in replay order."""
    px_unit, lot = float(stream.instrument.price_unit), float(stream.instrument.lot_size)
    rows, flags, px, qty = _depth(stream)
    tob_ts = stream.tob.ts[rows]
    side = np.where(stream.trades.side > 0, BUY, np.where(stream.trades.side < 0, SELL, 0))
    ts = np.concatenate([stream.trades.ts, tob_ts])
    order = np.argsort(ts, kind="stable")  # trades stand first, so they come first of their instant
    events = np.zeros(len(ts), EVENT)
    events["ev"] = np.concatenate([TRADE | EXCHANGE | LOCAL | side, DEPTH | EXCHANGE | LOCAL | flags])[order]
    events["exch_ts"] = events["local_ts"] = ts[order]
    events["px"] = np.concatenate([stream.trades.px, px])[order] * px_unit
    events["qty"] = np.concatenate([stream.trades.qty, qty])[order] * lot
    return events


def _depth(stream: Stream) -> tuple[np.ndarray, ...]:
    """Row number, side flag, price and quantity of each depth event, rows in order and events of a row in order."""
    _, bid_px, bid_qty, ask_px, ask_qty, _ = stream.tob
    bids, asks = _side(bid_px, bid_qty), _side(ask_px, ask_qty)
    asks_first = np.diff(ask_px, prepend=ask_px[:1]) > 0
    slots = []
    for lead, follow in ((0, 2), (1, 3)):  # slots 0, 1 are the leading side's set and removal, slots 2, 3 the other's
        for slot, leading in ((lead, True), (follow, False)):
            ask_here = asks_first == leading
            wanted, px, qty = (np.where(ask_here, a, b) for a, b in zip(asks[lead], bids[lead], strict=True))
            rows = np.flatnonzero(wanted)
            flag = np.where(ask_here, SELL, BUY)
            slots.append((rows, np.full(len(rows), slot), flag[rows], px[rows], qty[rows]))
    silent = np.setdiff1d(np.arange(len(bid_px)), np.concatenate([slot[0] for slot in slots]), assume_unique=False)
    slots.append((silent, np.zeros(len(silent), int), np.full(len(silent), BUY), bid_px[silent], bid_qty[silent]))
    rows, slot, flag, px, qty = (np.concatenate(parts) for parts in zip(*slots, strict=True))
    order = np.lexsort((slot, rows))
    return rows[order], flag[order], px[order], qty[order]


def _side(px: np.ndarray, qty: np.ndarray) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """(wanted, px, qty) of the new level, and of the removal of the old one, for each row."""
    old_px = np.concatenate([np.zeros(1, np.int64), px[:-1]])
    old_qty = np.concatenate([np.zeros(1, np.int64), qty[:-1]])
    moved = px != old_px
    return ((qty > 0) & (moved | (qty != old_qty)), px, qty), (moved & (old_qty > 0), old_px, np.zeros_like(qty))
