"""What the market shows at every decision of a day, computed once and shared by all simulators of that day.

Decisions fall on the timers of a backtest: from the first valid book of a session on, every interval. A backtest that
does nothing notes them natively, with all features of the market as `ctx.features` tells them there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

import cysim
from mmbt.backtest import BacktestConfig, NoSink, run_backtest
from mmbt.errors import UsageError
from mmbt.market import MarketData
from mmbt.strategies.base import Strategy

__all__ = ["MARKET_FEATURES", "PRIVATE_FEATURES", "Frozen", "Tape", "note_instants"]

MARKET_FEATURES = tuple(feature.name for feature in cysim.MARKET_FEATURES)
PRIVATE_FEATURES = tuple(feature.name for feature in cysim.PRIVATE_FEATURES)

_SMALLEST_SCALE = 1e-6  # a feature that never moved says nothing: it is not blown up


@dataclass(frozen=True)
class Tape:
    """The timers of a market, T of them."""

    ts: NDArray[np.int64]  # [T] ns
    valid: NDArray[np.bool_]  # [T] whether the book is two-sided and not crossed: else nothing is decided
    scale: NDArray[np.float64]  # [T, 2] mid and reference spread, price units
    features: NDArray[np.float64]  # [T, market features]


class _Watcher(Strategy):
    """Quotes nothing and has every timer noted."""

    features = MARKET_FEATURES

    def __init__(self, interval_ns: int) -> None:
        super().__init__()
        self.interval, self.noted = interval_ns, cysim.Instants()

    def native(self) -> cysim.NativeStrategy:
        return self.noted


def note_instants(market: MarketData, config: BacktestConfig, interval_ns: int) -> Tape:
    """The timers of a market under the conditions of a backtest, and what it shows at each.

    Raises
    ------
    UsageError
        When more than one instrument is traded, or there is no timer: no book was ever valid.
    """
    if len(config.instruments) != 1:
        raise UsageError(f"a learner trades one instrument, not {len(config.instruments)}; it may watch others")
    watcher = _Watcher(interval_ns)
    run_backtest(market, watcher, config.model_copy(update={"position": 0}), NoSink())
    rows = np.frombuffer(watcher.noted.rows(), np.dtype(cysim.INSTANT_DTYPE))
    if not len(rows):
        raise UsageError(f"{config.instruments[0]}: no book is ever two-sided and uncrossed, so nothing can be decided")
    return Tape(rows["ts"].copy(), rows["valid"] != 0, np.stack([rows["mid"], rows["reference_spread"]], axis=1),
                rows["features"].copy())


class Frozen(BaseModel):
    """What is measured on the training days and stays with the model: units of rewards and scales of inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...]  # of the market's features
    mean: tuple[float, ...]  # of each
    scale: tuple[float, ...]  # of each: an input is (feature - mean) / scale
    spread: float  # the mean reference spread, price units
    mid: float  # the mean mid, price units
    variance: float  # of the mid in a second, squared spreads

    @classmethod
    def of(cls, tapes: Sequence[Tape], names: Sequence[str]) -> Self:
        """Measured over the decisions of days.

        Raises
        ------
        UsageError
            When there is no decision.
        """
        kept = [tape.valid for tape in tapes]
        if not any(valid.any() for valid in kept):
            raise UsageError("the days hold no instant with a valid book: nothing can be learned")
        columns = [MARKET_FEATURES.index(name) for name in names]
        features = np.concatenate([tape.features[v][:, columns] for tape, v in zip(tapes, kept, strict=True)])
        scales = np.concatenate([tape.scale[v] for tape, v in zip(tapes, kept, strict=True)])
        spread, deviation = float(scales[:, 1].mean()), features.std(axis=0)
        moves = [np.diff(tape.scale[:, 0]) ** 2 for tape in tapes]
        passed = sum(float(np.diff(tape.ts).sum()) for tape in tapes) / 1e9
        return cls(
            names=tuple(names),
            mean=tuple(features.mean(axis=0).tolist()),
            scale=tuple(np.where(deviation > _SMALLEST_SCALE, deviation, 1.0).tolist()),
            spread=spread,
            mid=float(scales[:, 0].mean()),
            variance=sum(float(m.sum()) for m in moves) / max(passed, 1e-9) / spread**2,
        )

    def inputs(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """All features of the market as those of the network, [T, m]."""
        columns = [MARKET_FEATURES.index(name) for name in self.names]
        inputs: NDArray[np.float32] = ((features[:, columns] - self.mean) / np.array(self.scale)).astype(np.float32)
        return inputs
