"""What the times of receipt tell about a clock, and how they are set right.

The latency of a row is its local time minus its exchange time. No row is received before it was sent, so a negative
latency is the mark of a local clock that runs behind. Rule: when the smallest latency of an instrument on a UTC day,
quotes and prints together, is negative, all its local times of that day are moved forward by as much, so that the
smallest becomes 0. One offset serves the whole day and both tables: they were stamped by one clock. A clock that runs
ahead cannot be told from a slow line and is left alone. A row without a local time, stored as 0, is received at its
exchange time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.store.schema import Table

__all__ = ["Clock", "ClockCounter", "DayClock", "clock_summary", "received"]

Int64s = NDArray[np.int64]
_SAMPLE = 1 << 16  # latencies kept for quantiles: of fewer rows they are exact


@dataclass(frozen=True, slots=True)
class Clock:
    """Latencies of a partition, ns; None where no row has a local time. Quantiles are of every k-th row."""

    missing: int  # rows without a local time
    negative: int  # rows received before they were sent
    min: int | None
    p01: int | None
    p50: int | None
    p99: int | None
    max: int | None


@dataclass(frozen=True, slots=True)
class DayClock:
    """The clock of an instrument on a UTC day."""

    instrument: str
    date: str
    missing: int  # rows of both tables without a local time
    tables: Mapping[Table, Clock]  # those that have local times

    @property
    def offset(self) -> int:
        """What is added to the day's local times, ns: what the clock ran behind at the least, or 0."""
        return max((-clock.min for clock in self.tables.values() if clock.min is not None and clock.min < 0), default=0)

    def to_dict(self) -> dict[str, Any]:
        """As a run's manifest keeps it."""
        tables: dict[str, Any] = {table: asdict(clock) for table, clock in sorted(self.tables.items())}
        return {"instrument": self.instrument, "date": self.date, "offset_ns": self.offset, "missing": self.missing,
                **tables}


class ClockCounter:
    """Gathers the latencies of a partition; memory does not grow with its rows, nor does it matter how they come."""

    def __init__(self) -> None:
        self._missing = self._negative = self._rows = 0
        self._min = self._max = 0
        self._step = 1  # every so manieth latency is kept
        self._kept: list[Int64s] = []

    def add(self, ts: Int64s, local_ts: Int64s) -> None:
        """Take the next rows."""
        latency = local_ts - ts
        if not (known := local_ts != 0).all():
            latency = latency[known]
            self._missing += len(ts) - len(latency)
            if not len(latency):
                return
        low, high = int(latency.min()), int(latency.max())
        if low < 0:
            self._negative += int((latency < 0).sum())
        self._min, self._max = (min(low, self._min), max(high, self._max)) if self._rows else (low, high)
        self._kept.append(latency[-self._rows % self._step :: self._step].copy())
        self._rows += len(latency)
        while (self._rows - 1) // self._step >= _SAMPLE:
            self._kept = [np.concatenate(self._kept)[::2].copy()]
            self._step *= 2

    def clock(self) -> Clock:
        """What came of it."""
        if not self._rows:
            return Clock(self._missing, 0, None, None, None, None, None)
        ranked = np.sort(np.concatenate(self._kept))
        p01, p50, p99 = (int(ranked[(len(ranked) - 1) * percent // 100]) for percent in (1, 50, 99))
        return Clock(self._missing, self._negative, self._min, p01, p50, p99, self._max)


def received(ts: Int64s, local_ts: Int64s, clock: Clock, offset: int) -> Int64s:
    """When rows were received, by the exchange's clock."""
    shifted = local_ts + np.int64(offset) if offset else local_ts
    return np.where(local_ts == 0, ts, shifted) if clock.missing else shifted


def clock_summary(days: Iterable[DayClock]) -> dict[str, int]:
    """The clocks of an instrument's days in a few numbers."""
    days = list(days)
    behind = [day.offset for day in days if day.offset]
    return {
        "days": sum(1 for day in days if day.tables),
        "days_behind": len(behind),
        "offset_max_ns": max(behind, default=0),
        "negative": sum(clock.negative for day in days for clock in day.tables.values()),
        "missing": sum(day.missing for day in days),
    }
