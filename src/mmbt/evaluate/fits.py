"""What baselines are told of the market, measured on the training days: how far it moves, how far prints reach.

Over stretches of one interval, from a book with bid B and ask A:

    sigma     deviation of the mid's change over 10 s, in a second, ticks
    reach     the share of stretches in which a buyer's print goes beyond A + d, or the bid does (mirrored below B,
              both sides counted), for d = 0, 1/2, 1, 3/2, 2 and 3 spreads
    k, p0     of reach = p0 exp(-k d), by least squares of its logarithm, weighted by what was counted
    lam       of the same law, d from the mid: market orders a second and side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmbt.evaluate.days import EvaluationDay

__all__ = ["MarketFit", "fit_market"]

_DEPTHS = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0])  # spreads
_VOLATILITY_S = 10


@dataclass(frozen=True)
class MarketFit:
    """Numbers of a market that models of it ask for."""

    spread: float  # mean over time, ticks
    sigma: float  # ticks in a second
    k: float  # a spread
    p0: float  # chance in an interval that a quote at the touch is run over
    lam: float  # a second and side


def fit_market(days: Sequence[EvaluationDay], instrument: str, interval_ns: int) -> MarketFit:
    """Measure the days."""
    spread = float(np.mean([day.spread for day in days]))
    moves: list[NDArray[np.float64]] = []
    reached, counted = np.zeros(len(_DEPTHS)), 0
    for day in days:
        units = next(i.tick_units for i in day.market.instruments if i.name == instrument)
        tob, trades = next(day.market.tob(instrument)), next(day.market.trades(instrument))
        valid = np.flatnonzero((tob.bid_qty > 0) & (tob.ask_qty > 0) & (tob.bid_px <= tob.ask_px))
        ts, bid, ask = tob.ts[valid], tob.bid_px[valid] / units, tob.ask_px[valid] / units
        edges = np.arange(ts[0], ts[-1], interval_ns)
        at = np.searchsorted(ts, edges, "right") - 1
        step = max(1, round(_VOLATILITY_S * 1e9 / interval_ns))
        moves.append(np.diff(((bid + ask) / 2)[at][::step]) / np.sqrt(step * interval_ns / 1e9))
        wide = np.maximum(ask - bid, 1.0)[at]
        for side, touch, opposite in ((1, ask, bid), (-1, bid, ask)):
            prints = trades.side != -side
            far = np.full(len(edges), -np.inf)
            for when, price in ((trades.ts[prints], trades.px[prints] / units), (ts, opposite)):
                place = np.searchsorted(edges, when, "left") - 1  # a quote at the very edge is what one decides on
                inside = place >= 0
                np.maximum.at(far, place[inside], side * price[inside])
            beyond = (far - side * touch[at]) / wide
            reached += (beyond[:, None] > _DEPTHS).sum(axis=0)
            counted += len(edges)
    return _fitted(spread, np.concatenate(moves), reached, counted, interval_ns)


def _fitted(
    spread: float, moves: NDArray[np.float64], reached: NDArray[np.float64], counted: int, interval_ns: int
) -> MarketFit:
    some = reached > 0
    if some.sum() >= 2:
        slope, log_p0 = np.polyfit(_DEPTHS[some], np.log(reached[some] / counted), 1, w=np.sqrt(reached[some]))
    else:  # nobody ever reached beyond the touch
        slope, log_p0 = -1.0, np.log((reached[0] + 0.5) / (counted + 1))
    k, p0 = max(-float(slope), 0.01), float(np.exp(log_p0))
    p0 = min(max(p0, 1e-6), 1.0)
    sigma = float(np.sqrt(np.mean(moves**2))) if len(moves) else 0.0
    return MarketFit(spread, sigma, k, p0, p0 * float(np.exp(k / 2)) / (interval_ns / 1e9))
