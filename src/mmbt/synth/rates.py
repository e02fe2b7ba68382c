"""Fair prices: correlated Brownian log prices of the currencies, shared by all pairs, and each pair's own deviation.

    fair(pair) = start * exp(x_base - x_quote + noise),  dx = drift dt + volatility dW,  noise: Ornstein-Uhlenbeck

so that BTC/RUB = BTC/USD x USD/RUB holds up to the noise. Paths live on a grid of 10 ms, drawn in cells of 256 s.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmbt.synth.seeds import Stream, rng

if TYPE_CHECKING:
    from mmbt.synth.config import SynthConfig

__all__ = ["CELL_US", "GRID_US", "Noise", "Rates"]

GRID_US = 10_000
CELL_US = 256_000_000
STEPS = CELL_US // GRID_US
Float64s = NDArray[np.float64]


class Rates:
    """Log dollar prices of the currencies relative to the start, cell by cell."""

    def __init__(self, config: SynthConfig):
        self._config = config
        self._level = dict.fromkeys(config.currencies, 0.0)
        self._lower = config.cholesky()

    def cell(self, index: int) -> dict[str, Float64s]:
        """Each currency's path in cell `index`; cells must be asked for in turn."""
        names = list(self._config.currencies)
        moving = [name for name in names if self._config.currencies[name].volatility_bp > 0]
        shocks = {name: rng(self._config.seed, name, Stream.RATES, index).standard_normal(STEPS) for name in moving}
        paths = {}
        for i, name in enumerate(names):
            currency = self._config.currencies[name]
            step = np.full(STEPS, currency.drift_bp * 1e-4 * GRID_US * 1e-6)
            if name in shocks:
                scale = currency.volatility_bp * 1e-4 * math.sqrt(GRID_US * 1e-6)
                # A loop, not a matrix product: BLAS sums in an order that depends on the machine.
                for j, other in enumerate(names[: i + 1]):
                    if other in shocks and self._lower[i][j]:
                        step += scale * self._lower[i][j] * shocks[other]
            path = np.cumsum(np.concatenate([[self._level[name]], step]))
            self._level[name] = float(path[-1])
            paths[name] = path[:-1]
        return paths


class Noise:
    """A stationary Ornstein-Uhlenbeck path on the same grid, cell by cell."""

    def __init__(self, seed: int, name: str, sd: float, relaxation_s: float):
        self._seed, self._name, self._sd = seed, name, sd
        self._keep = GRID_US * 1e-6 / relaxation_s
        self._level = sd * float(rng(seed, name, Stream.NOISE, 2**31).standard_normal())

    def cell(self, index: int) -> Float64s:
        """The path in cell `index`; cells must be asked for in turn."""
        if self._sd == 0:
            return np.zeros(STEPS)
        shocks = rng(self._seed, self._name, Stream.NOISE, index).standard_normal(STEPS)
        growth = np.exp(self._keep * np.arange(STEPS + 1))  # at most e^256: relaxation is at least a second
        shocks *= self._sd * math.sqrt(-math.expm1(-2 * self._keep)) * growth[1:]
        path: Float64s = np.cumsum(np.concatenate([[self._level], shocks])) / growth
        self._level = float(path[-1])
        return path[:-1]
