"""What a stream looks like: the statistics by which a generated market is held against a real one.

A print belongs to the touch strictly before its stamp; prints of one side at most 200 us apart are one order.
"""

from __future__ import annotations

import numpy as np

from mmbt.market import TobBatch, TradeBatch

__all__ = ["measure"]

ONE_ORDER_NS = 200_000


def measure(tob: TobBatch, trades: TradeBatch) -> dict[str, float]:
    """Statistics of one instrument's rows.

    Parameters
    ----------
    tob, trades
        Its whole tables, in time order; prices in ticks, two sides present.

    Returns
    -------
    dict
        Rates a second, shares, sizes and moves in lots and ticks.
    """
    span = max(int(tob.ts[-1] - tob.ts[0]), 1)
    seconds = span * 1e-9
    moved = (np.diff(tob.bid_px) != 0) | (np.diff(tob.ask_px) != 0)
    one_sided = (np.diff(tob.bid_px) != 0) ^ (np.diff(tob.ask_px) != 0)
    width = tob.ask_px - tob.bid_px
    stays = np.diff(tob.ts) / span
    mid = (tob.bid_px + tob.ask_px) / 2
    every_second = mid[np.searchsorted(tob.ts, np.arange(tob.ts[0], tob.ts[-1], 10**9), "right") - 1]
    result = {
        "quotes a second": len(tob.ts) / seconds,
        "trades a second": len(trades.ts) / seconds,
        "price moves a second": float(moved.sum()) / seconds,
        "updates of a size only": 1 - float(moved.mean()),
        "price updates of one side": float(one_sided.sum() / max(moved.sum(), 1)),
        "one-tick spread, share of time": float((stays * (width[:-1] == 1)).sum()),
        "one-tick spread, share of rows": float((width == 1).mean()),
        "mean ticks when wider": float(width[width > 1].mean()) if (width > 1).any() else 0.0,
        "quotes tied with the last": float((np.diff(tob.ts) == 0).mean()),
        "median quote gap, ms": float(np.median(np.diff(tob.ts))) * 1e-6,
        "volatility, bp a second": float(np.diff(np.log(every_second)).std()) * 1e4,
        "median displayed lots": float(np.median(tob.bid_qty)),
        "sd of log displayed": float(np.log(tob.bid_qty).std()),
        "imbalance foretells the move": _foretold(tob, mid),
    }
    before = np.searchsorted(tob.ts, trades.ts, "left") - 1
    seen = (before >= 0) & (trades.side != 0)
    if not seen.sum() > 1:
        return result
    ts, px, qty, side, before = trades.ts[seen], trades.px[seen], trades.qty[seen], trades.side[seen], before[seen]
    depth = np.where(side > 0, px - tob.ask_px[before], tob.bid_px[before] - px)
    starts = np.flatnonzero(np.r_[True, (np.diff(ts) > ONE_ORDER_NS) | (np.diff(side) != 0)])
    prints = np.diff(np.r_[starts, len(ts)])
    by_second = np.bincount((ts - ts[0]) // 10**9)
    follow = np.minimum(np.searchsorted(tob.ts, ts, "left"), len(tob.ts) - 1)
    return result | {
        "prints beyond the touch": float((depth > 0).mean()),
        "prints at the touch": float((depth == 0).mean()),
        "prints inside or late": float((depth < 0).mean()),
        "mean ticks beyond": float(depth[depth > 0].mean()) if (depth > 0).any() else 0.0,
        "orders a second": len(starts) * 1e9 / span,
        "prints an order": float(prints.mean()),
        "99% of orders have at most": float(np.quantile(prints, 0.99)),
        "prints tied with the last": float((np.diff(ts) == 0).mean()),
        "median ms from print to next quote": float(np.median(tob.ts[follow] - ts)) * 1e-6,
        "prints a second, variance/mean": float(by_second.var() / by_second.mean()),
        "buyer-initiated": float((side > 0).mean()),
        "side repeats": float((side[1:] == side[:-1]).mean()),
        "median print lots": float(np.median(qty)),
        "sd of log print": float(np.log(qty).std()),
    }


def _foretold(tob: TobBatch, mid: np.ndarray) -> float:
    # Before each mid move: how often the heavier side of the last row is the way the mid goes.
    steps = np.sign(np.diff(mid))
    at = np.flatnonzero(steps)
    heavier = np.sign(tob.bid_qty[at] - tob.ask_qty[at])
    decided = heavier != 0
    return float((heavier == steps[at])[decided].mean()) if decided.any() else 0.5
