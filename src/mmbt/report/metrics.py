"""Measures of a run, from the columns of its results; memory does not grow with the number of rows.

Fill i has time t, side s (+1 we bought), quantity n, price p and the mids m(t + h).

| measure        | definition                                                                                         |
|----------------|----------------------------------------------------------------------------------------------------|
| mark-out at h  | sum s n (m(t+h) - p) / sum n p * 1e4 bp; positive is good for us. m at h = 0 is the last valid mid  |
|                | before the fill (p where there was none); a fill whose m(t+h) is unknown is dropped and counted     |
| its error      | sqrt(G/(G-1) sum_g (x_g - R w_g)^2) / sum_g w_g over the G blocks of time that hold fills, x and w  |
|                | the numerator and denominator of a block and R = sum x / sum w; unknown for G < 2                   |
| fill ratio     | lots filled / lots accepted by the venue, of orders with purpose `quote`; an accepted replacement   |
|                | counts as accepted anew, with what remained of it                                                   |
| drawdown       | the largest fall of PnL below its highest value so far, 0 at the start included                     |
| position       | weighted by the time it was held: mean of abs(Q), standard deviation of Q; largest abs(Q)           |

Source: Barzykin, Bergault & Gueant (2022) for the signs of mark-outs; Cochran (1977), ch. 6, for the error of a ratio.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["HORIZONS", "Drawdown", "Labels", "MarkOuts", "PositionUse", "Quoting", "block_length"]

HORIZONS = {"0": "mid2", "100ms": "mid2_100ms", "1s": "mid2_1s", "10s": "mid2_10s", "60s": "mid2_60s"}
"""Horizons of mark-outs, each with the column of the fills that holds twice its mid."""

_LONGEST_NS = 60 * 10**9


class Labels(NamedTuple):
    """A column of few different texts: a code a row, and the text of each code."""

    codes: NDArray[np.int64]
    names: Sequence[str]

    def mask(self, name: str) -> NDArray[np.bool_]:
        """True where the text is `name`."""
        code = self.names.index(name) if name in self.names else -1
        return np.equal(self.codes, code)

    def counts(self) -> dict[str, int]:
        """Rows of each text that occurs."""
        rows = np.bincount(self.codes, minlength=len(self.names))
        return {name: int(count) for name, count in zip(self.names, rows, strict=True) if count}


Columns = Mapping[str, NDArray[Any]]


def block_length(span_ns: int) -> int:
    """Length in ns of the blocks of time behind standard errors: about 30 to a run, each of 1 to 10 minutes.

    A block is never shorter than the longest horizon, so that fills with common futures mostly share a block.
    """
    return max(_LONGEST_NS, min(10 * _LONGEST_NS, span_ns // 30))


class MarkOuts:
    """Mark-outs of fills of one instrument, added batch by batch.

    Parameters
    ----------
    start_ts
        Time in ns at which the first block begins; no fill is earlier.
    block_ns
        Length of a block in ns.
    """

    def __init__(self, start_ts: int, block_ns: int) -> None:
        self._start_ts = start_ts
        self._block_ns = block_ns
        self._gain = {name: np.zeros(0) for name in HORIZONS}
        self._value = {name: np.zeros(0) for name in HORIZONS}
        self._fills = dict.fromkeys(HORIZONS, 0)
        self._dropped = dict.fromkeys(HORIZONS, 0)

    def add(self, fills: Columns, known: Columns) -> None:
        """Take more fills.

        Parameters
        ----------
        fills
            `ts` in ns, `side` +1 or -1, `px` in ticks, `qty` in lots, and the columns of `HORIZONS` in half ticks.
        known
            For each column of `HORIZONS` a mask: false where the mid is null.
        """
        ts, side, px, qty = (fills[name].astype(np.int64) for name in ("ts", "side", "px", "qty"))
        if not len(ts):
            return
        block = (ts - self._start_ts) // self._block_ns
        for name, column in HORIZONS.items():
            mid2, there = fills[column].astype(np.int64), known[column]
            if name == "0":  # before any valid mid a fill is held against its own price, as in the accounts
                mid2, there = np.where(there, mid2, 2 * px), np.ones(len(ts), dtype=bool)
            edge = np.where(there, mid2 - 2 * px, 0)  # exact: the difference is taken before it becomes a float
            gain = side * qty * (edge * 0.5)
            value = np.where(there, qty.astype(np.float64) * px, 0.0)
            self._gain[name] = _add_blocks(self._gain[name], block, gain)
            self._value[name] = _add_blocks(self._value[name], block, value)
            self._fills[name] += int(np.count_nonzero(there))
            self._dropped[name] += int(len(ts) - np.count_nonzero(there))

    def result(self) -> list[dict[str, Any]]:
        """For each horizon: `horizon`, `bp`, `se_bp`, `fills`, `dropped`, `blocks`; null where unknown."""
        rows = []
        for name in HORIZONS:
            held = self._value[name] > 0
            gain, value = self._gain[name][held], self._value[name][held]
            bp, error = _ratio(gain, value)
            rows.append(
                {
                    "horizon": name,
                    "bp": bp,
                    "se_bp": error,
                    "fills": self._fills[name],
                    "dropped": self._dropped[name],
                    "blocks": int(np.count_nonzero(held)),
                }
            )
        return rows


def _add_blocks(
    sums: NDArray[np.float64], block: NDArray[np.int64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    more = np.zeros(max(len(sums), int(block.max()) + 1))
    more[: len(sums)] = sums
    np.add.at(more, block, values)
    return more


def _ratio(gain: NDArray[np.float64], value: NDArray[np.float64]) -> tuple[float | None, float | None]:
    total = float(value.sum())
    if total <= 0:
        return None, None
    ratio = float(gain.sum()) / total
    groups = len(value)
    if groups < 2:
        return ratio * 1e4, None
    spread = float(((gain - ratio * value) ** 2).sum())
    return ratio * 1e4, math.sqrt(groups / (groups - 1) * spread) / total * 1e4


class Drawdown:
    """The largest fall of PnL below its highest value so far, exact.

    Parameters
    ----------
    scale
        Decimal places of the money added as whole numbers.
    """

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._peak = 0
        self._fall = 0

    def add(self, pnl: NDArray[Any]) -> None:
        """Take more PnL, in order of time: int64, or Python integers where those would be too small."""
        if not len(pnl):
            return
        peaks = np.maximum(np.maximum.accumulate(pnl), self._peak)
        self._fall = max(self._fall, int(np.max(peaks - pnl)))
        self._peak = int(peaks[-1])

    def result(self) -> Decimal:
        """The drawdown in the currency, 0 or positive."""
        return Decimal(self._fall).scaleb(-self._scale)


@dataclass
class PositionUse:
    """The position over time: rows are states from their time on."""

    _last_ts: int | None = None
    _last: int = 0
    _time: float = 0.0
    _sum: float = 0.0
    _squares: float = 0.0
    _absolute: float = 0.0
    _largest: int = 0

    def add(self, ts: NDArray[np.int64], position: NDArray[np.int64]) -> None:
        """Take more rows, in order of time, ns and lots."""
        if not len(ts):
            return
        self._largest = max(self._largest, int(np.abs(position).max()))
        if self._last_ts is not None:
            ts, position = np.concatenate([[self._last_ts], ts]), np.concatenate([[self._last], position])
        held, lots = np.diff(ts) * 1e-9, position[:-1].astype(np.float64)
        self._time += float(held.sum())
        self._sum += float(held @ lots)
        self._squares += float(held @ lots**2)
        self._absolute += float(held @ np.abs(lots))
        self._last_ts, self._last = int(ts[-1]), int(position[-1])

    def result(self) -> dict[str, Any]:
        """`mean_abs`, `std` (null where no time passed) and `max_abs`, in lots."""
        if self._time <= 0:
            return {"mean_abs": None, "std": None, "max_abs": self._largest}
        mean = self._sum / self._time
        variance = max(self._squares / self._time - mean * mean, 0.0)
        return {"mean_abs": self._absolute / self._time, "std": math.sqrt(variance), "max_abs": self._largest}


@dataclass
class Quoting:
    """What became of the orders."""

    outcomes: Counter[str] = field(default_factory=Counter)
    accepted_lots: int = 0
    filled_lots: int = 0

    def add_orders(self, status: Labels, purpose: Labels, remaining: NDArray[np.int64]) -> None:
        """Take more outcomes of commands: their texts, and the lots that remained."""
        self.outcomes.update(status.counts())
        self.accepted_lots += int(remaining[status.mask("accepted") & purpose.mask("quote")].sum())

    def add_fills(self, purpose: Labels, qty: NDArray[np.int64]) -> None:
        """Take more fills."""
        self.filled_lots += int(qty[purpose.mask("quote")].sum())

    def fill_ratio(self) -> float | None:
        """Lots filled over lots accepted; None when none was accepted."""
        return self.filled_lots / self.accepted_lots if self.accepted_lots else None
