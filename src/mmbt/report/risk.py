"""The risk a portfolio ran, from its rows of equity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.portfolio.risk import portfolio_risk

__all__ = ["RiskUse"]


class RiskUse:
    """The risk (Q' Omega Q)^u over time, added batch by batch; a row's position holds from its time on.

    Parameters
    ----------
    omega
        Covariance per second of the worth of one lot of each instrument.
    power
        u.
    """

    def __init__(self, omega: Sequence[Sequence[float]], power: float) -> None:
        self._omega = np.array(omega, np.float64)
        self._power = power
        self._lots = np.zeros(len(self._omega), np.int64)
        self._last_ts: int | None = None
        self._seconds = 0.0
        self._sum = 0.0
        self._largest = 0.0

    def add(self, ts: NDArray[np.int64], instrument: NDArray[np.int64], position: NDArray[np.int64]) -> None:
        """Take more rows, in order of time: ns, the place of the instrument in `omega`, lots."""
        if not len(ts):
            return
        if self._last_ts is not None:
            held = float(portfolio_risk(self._lots, self._omega, self._power))
            self._take(np.array([held]), np.array([int(ts[0]) - self._last_ts]))
        rows = np.arange(len(ts))
        lots = np.empty((len(ts), len(self._lots)), np.int64)
        for place in range(len(self._lots)):
            own = np.maximum.accumulate(np.where(instrument == place, rows, -1))
            lots[:, place] = np.where(own < 0, self._lots[place], position[own])
        risk = portfolio_risk(lots, self._omega, self._power)
        self._take(risk[:-1], np.diff(ts))
        self._largest = max(self._largest, float(risk.max()))
        self._lots, self._last_ts = lots[-1], int(ts[-1])

    def result(self) -> dict[str, Any]:
        """`mean` (null where no time passed) and `max`."""
        return {"mean": self._sum / self._seconds if self._seconds > 0 else None, "max": self._largest}

    def _take(self, risk: NDArray[np.float64], held_ns: NDArray[np.int64]) -> None:
        seconds = held_ns * 1e-9
        self._seconds += float(seconds.sum())
        self._sum += float((risk * seconds).sum())
