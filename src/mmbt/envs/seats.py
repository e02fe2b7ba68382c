"""Simulators of a vector engine with all that a world reads of them: arrays that are written over at every call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig, make_vector_engine
from mmbt.envs.days import Day
from mmbt.envs.features import Frozen
from mmbt.envs.rewards import Earned

__all__ = ["Calendar", "Results", "Seats", "uniforms"]

_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(k) for k in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class Calendar:
    """The timers of all days in one line, T of them, and one more that stands for none."""

    ts: NDArray[np.int64]  # [T + 1] ns
    end_ts: NDArray[np.int64]  # [T + 1]
    day: NDArray[np.int64]  # [T + 1]
    first: NDArray[np.int64]  # [days] where each day's timers begin
    starts: NDArray[np.int64]  # where a window may begin
    inputs: NDArray[np.float32]  # [T + 1, m] what the network reads of the market; zeros for none

    @classmethod
    def of(cls, days: Sequence[Day], frozen: Frozen) -> Self:
        """Joined."""
        first = np.cumsum([0] + [len(day.tape.ts) for day in days])
        none = np.zeros(1, np.int64)
        return cls(
            ts=np.concatenate([*(day.tape.ts for day in days), none]),
            end_ts=np.concatenate([*(day.end_ts for day in days), none]),
            day=np.concatenate([*(np.full(len(day.tape.ts), k, np.int64) for k, day in enumerate(days)), none]),
            first=first[:-1].astype(np.int64),
            starts=np.concatenate([day.starts + at for day, at in zip(days, first, strict=False)]),
            inputs=np.concatenate([*(frozen.inputs(day.tape.features) for day in days),
                                   np.zeros((1, len(frozen.names)), np.float32)]),
        )


class Results:
    """What intervals came to, in arrays of one shape."""

    def __init__(self, *shape: int) -> None:
        self.pnl, self.held, self.inventory, self.closing = (np.zeros(shape) for _ in range(4))
        self.ts, self.position = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.done = np.zeros(shape, np.int8)

    def earned(self, began: NDArray[np.int64]) -> Earned:
        """For a reward; `began` at these times, ns."""
        return Earned(self.pnl, self.inventory, self.closing, self.held, (self.ts - began).astype(np.float64))


class Seats:
    """So many simulators, each at a decision or at an end."""

    def __init__(
        self, days: Sequence[Day], calendar: Calendar, config: BacktestConfig, actions: NDArray[np.float64], *,
        count: int, private: Sequence[str], interval_ns: int, max_position: int, unit: str, threads: int,
        branches: bool,
    ) -> None:
        self._calendar, self._none = calendar, len(calendar.ts) - 1
        self._engine = make_vector_engine(
            [day.market for day in days], config, actions, count=count, interval=interval_ns,
            max_position=max_position, unit=unit, threads=threads, private=private,
            tapes=[(day.tape.ts, np.ascontiguousarray(day.tape.scale)) for day in days])
        self._local = np.zeros(count, np.int64)
        self._day = np.zeros(count, np.int64)
        self.count = count
        self.row = np.full(count, self._none)  # in the calendar, of the decision at hand
        self.private = np.zeros((count, len(private)), np.float32)
        self.admissible = np.zeros((count, len(actions)), np.bool_)
        self.stepped = Results(count)
        self.branched = Results(count, len(actions)) if branches else None

    def begin(self, which: NDArray[np.int64], rows: NDArray[np.int64], positions: NDArray[np.int64] | None = None,
              *, over: bool = False) -> None:
        """Put simulators down at decisions of the calendar; `over`: as if their windows were over there."""
        starts = self._calendar.ts[rows]
        self._day[which] = self._calendar.day[rows]
        self._engine.reset(which, starts, starts if over else self._calendar.end_ts[rows], markets=self._day[which],
                           positions=positions)

    def observe(self) -> None:
        """Fill `row`, `private` and `admissible`."""
        self._engine.observe(self._local, self.private, self.admissible.view(np.int8))
        self.row[:] = self._in_calendar()

    def step(self, actions: NDArray[np.int64]) -> Results:
        """Everybody's action."""
        out = self.stepped
        self._engine.step(actions, out.pnl, out.held, out.ts, out.position, out.done, inventory=out.inventory,
                          closing=out.closing)
        return out

    def step_all(
        self, admissible: NDArray[np.bool_], private: NDArray[np.float32], outcome: NDArray[np.uint8],
        next_admissible: NDArray[np.bool_],
    ) -> tuple[Results, NDArray[np.int64]]:
        """What all actions lead to, and the calendar's row of the next decision."""
        out = self.branched
        assert out is not None
        self._engine.step_all(
            out.pnl, out.held, out.ts, out.position, out.done, admissible.view(np.int8), inventory=out.inventory,
            closing=out.closing, row=self._local, private=private, outcome=outcome,
            next_admissible=next_admissible.view(np.int8))
        return out, self._in_calendar()

    def _in_calendar(self) -> NDArray[np.int64]:
        found: NDArray[np.int64] = np.where(
            self._local >= 0, self._local + self._calendar.first[self._day], self._none)
        return found


def uniforms(seed: int, stream: int, step: NDArray[np.int64] | int, key: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), each a function of what it is drawn for and of nothing drawn before (splitmix64)."""
    h = _mix(np.full(len(key), seed, np.uint64))
    for part in (np.uint64(stream), np.asarray(step).astype(np.uint64), key.astype(np.uint64)):
        h = _mix(h ^ _mix(np.broadcast_to(part, h.shape)))
    drawn: NDArray[np.float64] = (h >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = numbers + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
