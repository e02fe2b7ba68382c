"""How much a portfolio varies: (Q' Omega Q)^u.

Q are the positions in lots, Omega the covariance per second of the worth of one lot of each instrument, in the
reporting currency squared. With u = 1/2 the risk is the standard deviation of the PnL over a second.

    Omega_ij = w_i w_j sum_k r_i,k r_j,k / (n grid)         r_i,k = M_i(t_k) / M_i(t_k-1) - 1

t_k are the multiples of the grid since the epoch, M the last valid mid at or before t_k, n the number of intervals of
`grid` seconds, and w the worth of a lot at the last mids: lot x multiplier x mid of a spot or linear instrument,
lot x multiplier / mid of an inverse contract, converted into the reporting currency. The mean return is taken as 0:
over seconds it is far below what can be estimated. Intervals that begin before every instrument has had a mid, or that
end more than `silence` after the last quote of any of them, are left out.

Source: Barndorff-Nielsen & Shephard (2004) for realised covariance; Barzykin, Bergault & Gueant (2022) for the risk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmbt.market import Instrument, MarketData, TobBatch
from mmbt.portfolio.valuation import Converter

__all__ = ["RiskModel", "estimate_risk", "portfolio_risk"]

_BLOCK = 1 << 16  # instants looked at at once
_HOUR_NS = 3600 * 10**9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RiskModel:
    """What was estimated.

    Attributes
    ----------
    instruments
        The order of rows and columns.
    currency
        The reporting currency.
    grid_ns
        Time between mids, ns.
    intervals
        How many returns of each instrument went in.
    lot_worth
        What a lot of each is worth.
    omega
        Covariance per second of the worth of one lot of each, currency squared.
    """

    instruments: tuple[str, ...]
    currency: str | None
    grid_ns: int
    intervals: int
    lot_worth: tuple[float, ...]
    omega: tuple[tuple[float, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """As it is recorded with a run."""
        return asdict(self)


def portfolio_risk(lots: ArrayLike, omega: ArrayLike, power: float = 0.5) -> Floats:
    """The risk (Q' Omega Q)^u of positions.

    Parameters
    ----------
    lots
        Positions, shape (..., instruments).
    omega
        Shape (instruments, instruments).
    power
        u.

    Returns
    -------
    array of shape (...)
    """
    held, covariance = np.asarray(lots, np.float64), np.asarray(omega, np.float64)
    # sums in a fixed order, unlike a matrix product of BLAS: one result on every machine
    variance = np.einsum("...i,ij,...j->...", held, covariance, held, optimize=False)
    return np.asarray(np.maximum(variance, 0.0) ** power)


def estimate_risk(
    market: MarketData,
    traded: Sequence[Instrument],
    currency: str | None,
    converter: Converter,
    grid_ns: int = 10**9,
    silence: int | None = _HOUR_NS,
) -> RiskModel | None:
    """Omega from the quotes of a market; memory stays flat whatever its length.

    Parameters
    ----------
    market
        With every instrument that `converter` needs.
    traded
        Whose covariance is wanted.
    currency
        The reporting currency; None when it has no name, which only instruments settled in one may have.
    converter
        Of all instruments.
    grid_ns
        Time between mids, ns.
    silence
        ns; None: time after the last quote always counts.

    Returns
    -------
    RiskModel or None
        None when no interval is known, or a lot's worth is not.

    Raises
    ------
    UsageError
        When nothing converts a currency into the reporting one.
    """
    legs = {
        i.name: () if currency is None or i.currency is None else converter.path(i.currency, currency) for i in traded
    }
    needed = dict.fromkeys([i.name for i in traded] + [leg.instrument for path in legs.values() for leg in path])
    units = {i.name: Fraction(i.price_unit) for i in market.instruments}
    samplers = {name: _Mids(market.tob(name)) for name in needed}
    intervals, products = _returns([samplers[i.name] for i in traded], grid_ns, silence)
    prices = {name: None if (m := mids.last()) is None else units[name] * m / 2 for name, mids in samplers.items()}
    worth = [_lot_worth(i, currency, converter, prices) for i in traded]
    known = [w for w in worth if w is not None]
    if intervals == 0 or len(known) < len(worth):
        return None
    omega = products * np.outer(known, known) / (intervals * (grid_ns * 1e-9))
    return RiskModel(
        tuple(i.name for i in traded), currency, grid_ns, intervals, tuple(known), tuple(map(tuple, omega.tolist()))
    )


def _lot_worth(
    instrument: Instrument, currency: str | None, converter: Converter, prices: Mapping[str, Fraction | None]
) -> float | None:
    price = prices[instrument.name]
    if price is None:
        return None
    quantity = Fraction(instrument.lot_size) * Fraction(instrument.multiplier)
    worth = quantity / price if instrument.inverse else quantity * price
    if currency is None or instrument.currency is None:
        return float(worth)
    rate = converter.rate(instrument.currency, currency, prices)
    return None if rate is None else float(worth * rate)


def _returns(samplers: Sequence[_Mids], grid_ns: int, silence: int | None) -> tuple[int, Floats]:
    """How many intervals count, and the sums of the products of their returns."""
    count, products = 0, np.zeros((len(samplers), len(samplers)))
    firsts = [ts for sampler in samplers if (ts := sampler.next_ts()) is not None]
    if len(firsts) < len(samplers):
        return count, products
    instant = -(-max(firsts) // grid_ns) * grid_ns  # before it some instrument has no mid
    before = np.full((len(samplers), 1), np.nan)
    while any(sampler.next_ts() is not None for sampler in samplers):
        instants = instant + grid_ns * np.arange(_BLOCK, dtype=np.int64)
        instant += grid_ns * _BLOCK
        found = [sampler.at(instants) for sampler in samplers]
        latest = np.max([seen for _, seen in found], axis=0)
        # past the last quote of all nothing is known
        ended = all(sampler.next_ts() is None for sampler in samplers)
        live = instants <= latest.max() if ended else np.ones(_BLOCK, bool)
        if silence is not None:
            live &= instants - latest <= silence
        mids = np.where(live, np.array([mid for mid, _ in found]), np.nan)
        steps = np.diff(np.concatenate([before, mids], axis=1), axis=1) / np.concatenate([before, mids[:, :-1]], axis=1)
        whole = steps[:, ~np.isnan(steps).any(axis=0)]
        count += whole.shape[1]
        for i, j in np.ndindex(products.shape):
            products[i, j] += float((whole[i] * whole[j]).sum())
        before = mids[:, -1:]
    return count, products


class _Mids:
    """The last valid mid of one instrument at ascending instants, in half price units."""

    def __init__(self, batches: Iterator[TobBatch]):
        self._batches = (batch for batch in batches if len(batch.ts))
        self._mid, self._seen = float("nan"), -(2**62)  # before the batch at hand
        self._next()

    def next_ts(self) -> int | None:
        """Time of the first row of the batch at hand; None after the last."""
        return None if self._ts is None else int(self._ts[0])

    def last(self) -> int | None:
        """The last mid of all, once the rows are read to their end."""
        while self._ts is not None:
            self._step()
        return None if np.isnan(self._mid) else int(self._mid)

    def at(self, instants: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
        """The mid at each instant, NaN before any, and the time of the last row at or before it."""
        mids, seen = np.empty(len(instants)), np.empty(len(instants), np.int64)
        done = 0
        while done < len(instants):
            if self._ts is None:
                mids[done:], seen[done:] = self._mid, self._seen
                break
            # of the last instant of a batch there may be more rows in the next
            end = int(np.searchsorted(instants, self._ts[-1], "left"))
            row = np.searchsorted(self._ts, instants[done:end], "right") - 1
            mids[done:end] = np.where(row < 0, self._mid, self._filled[row])
            seen[done:end] = np.where(row < 0, self._seen, self._ts[row])
            done = max(done, end)
            if done < len(instants):
                self._step()
        return mids, seen

    def _step(self) -> None:
        assert self._ts is not None
        self._mid, self._seen = float(self._filled[-1]), int(self._ts[-1])
        self._next()

    def _next(self) -> None:
        batch = next(self._batches, None)
        self._ts = None if batch is None else batch.ts
        if batch is None:
            return
        valid = (batch.bid_qty > 0) & (batch.ask_qty > 0) & (batch.bid_px <= batch.ask_px)
        row = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
        self._filled = np.where(row < 0, self._mid, (batch.bid_px + batch.ask_px)[row].astype(np.float64))
