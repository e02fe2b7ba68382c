"""Simple rules to be judged against, each tuned on the validation days with the same number of trials.

A trial draws every free parameter of a family from its range, by a generator of the seed, the family and the trial. s
is the mean spread of the training days in ticks; `0 | x` is 0 in one trial of four.

| family              | free parameters                                                                       |
|---------------------|---------------------------------------------------------------------------------------|
| `no-quotes`         | none: PnL 0                                                                           |
| `random`            | half spread at most 0.5 s to 6 s, skew at most 0.1 s to 3 s                           |
| `fixed-spread`      | half spread 0.25 s to 6 s                                                             |
| `linear-skew`       | half spread as above, skew a quote `0 | 0.003 s to 0.3 s`                             |
| `imbalance-skew`    | these, and a lean of `0 | 0.05 s to 2 s`                                              |
| `avellaneda-stoikov`| gamma 1e-4 / s to 10 / s, horizon 1 to 1000 s; sigma and k fitted                     |
| `cartea-jaimungal`  | phi 1e-6 s to 0.1 s, alpha 0.001 s to 1 s; lam and kappa fitted                       |
| `base-model`        | r 1e-4 to 1 spreads; k and p0 fitted                                                  |

All ranges are drawn evenly in the logarithm. Interval, size and position limit are the contender's.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbt.errors import UsageError, did_you_mean
from mmbt.evaluate.fits import MarketFit
from mmbt.units import duration_ns

__all__ = ["BASELINES", "Terms", "chosen", "trials_of"]

Draw = np.random.Generator

_SKEW = "skew_ticks_per_lot"


@dataclass(frozen=True)
class Terms:
    """What all contenders keep to."""

    interval: str | int = "1s"
    size: int = 1
    max_position: int = 10

    @property
    def interval_ns(self) -> int:
        """Between two looks at the market."""
        return duration_ns(self.interval)

    def told(self) -> dict[str, Any]:
        """As parameters of a strategy."""
        return {"interval": self.interval, "size": self.size, "max_position": self.max_position}


def _log(draw: Draw, low: float, high: float) -> float:
    return float(np.exp(draw.uniform(np.log(low), np.log(high))))


def _zero_or(draw: Draw, low: float, high: float) -> float:
    number = _log(draw, low, high)
    return 0.0 if draw.random() < 0.25 else number


def _nothing(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {}


def _random(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {"max_half_spread_ticks": _log(draw, 0.5, 6) * fit.spread, "max_skew_ticks": _log(draw, 0.1, 3) * fit.spread,
            "seed": int(draw.integers(0, 2**32))}


def _constant(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {"half_spread_ticks": _log(draw, 0.25, 6) * fit.spread}


def _skew(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return _constant(draw, fit) | {_SKEW: _zero_or(draw, 0.003, 0.3) * fit.spread}


def _imbalance(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return _skew(draw, fit) | {"lean_ticks": _zero_or(draw, 0.05, 2) * fit.spread}


def _stoikov(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {"sigma": fit.sigma, "k": fit.k / fit.spread, "gamma": _log(draw, 1e-4, 10) / fit.spread,
            "horizon": f"{_log(draw, 1, 1000):.3f}s"}


def _jaimungal(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {"lam": fit.lam, "kappa": fit.k / fit.spread, "phi": _log(draw, 1e-6, 0.1) * fit.spread,
            "alpha": _log(draw, 0.001, 1) * fit.spread}


def _base_model(draw: Draw, fit: MarketFit) -> dict[str, Any]:
    return {"k": fit.k, "p0": fit.p0, "r": _log(draw, 1e-4, 1)}


BASELINES: dict[str, Callable[[Draw, MarketFit], dict[str, Any]]] = {
    "no-quotes": _nothing,
    "random": _random,
    "fixed-spread": _constant,
    "linear-skew": _skew,
    "imbalance-skew": _imbalance,
    "avellaneda-stoikov": _stoikov,
    "cartea-jaimungal": _jaimungal,
    "base-model": _base_model,
}
"""Strategies by their names in the registry, each with a draw of its free parameters."""


def chosen(names: Sequence[str] | None) -> list[str]:
    """The families of these names; None: all.

    Raises
    ------
    UsageError
        For a name that is none of them.
    """
    for name in names or ():
        if name not in BASELINES:
            raise UsageError(f"no baseline {name!r}{did_you_mean(name, BASELINES) or '.'} "
                             f"There are: {', '.join(BASELINES)}")
    return list(dict.fromkeys(names)) if names else list(BASELINES)


def trials_of(name: str, fit: MarketFit, terms: Terms, trials: int, seed: int) -> list[Mapping[str, Any]]:
    """So many sets of parameters of a family; one for `no-quotes`, which has none to choose."""
    if name == "no-quotes":
        return [{}]
    common, key = terms.told(), zlib.crc32(name.encode())
    draws = (np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, key, each]))) for each in range(trials))
    found: list[Mapping[str, Any]] = []
    for draw in draws:
        params = BASELINES[name](draw, fit)
        if _SKEW in params:
            params[_SKEW] /= terms.size  # the range is a quote's
        found.append(common | params)
    return found
