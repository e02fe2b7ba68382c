"""The strategy's clocks (O5): when rows become visible, when reports are told, and the keys of their delays."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mmbt.testing.reference.delays import RESPONSE, delay, feed_stream
from mmbt.testing.reference.things import Fill, Order, Report

__all__ = ["Feed", "Reports", "Tally"]


class Tally:
    """Counts what happens at one instant."""

    def __init__(self) -> None:
        self._now: int | None = None
        self._count = 0

    def before(self, now: int) -> int:
        """How many times it was asked at this instant before."""
        self._count = self._count + 1 if now == self._now else 0
        self._now = now
        return self._count


class Feed:
    """The way of market rows to the strategy.

    Parameters
    ----------
    latency
        A delay, or "local": a row is visible at its `local_ts`; a row that has none, at its exchange time.
    seed
        Of the draws.
    """

    def __init__(self, latency: int | str, seed: int) -> None:
        self._latency = latency
        self._seed = seed

    def visible(self, table: Sequence[tuple[int, int | None]], rank: int, is_quote: bool) -> list[int]:
        """When each row (exchange time, `local_ts`) of a table is visible: not before its exchange time, in order."""
        local = self._latency == "local"
        takes = delay(0 if local else self._latency, self._seed, feed_stream(rank, is_quote))
        same = Tally()
        times: list[int] = []
        for ts, local_ts in table:
            key = same.before(ts)
            due = local_ts if local and local_ts is not None else ts + takes.of(ts, key)
            times.append(max(due, ts, times[-1] if times else ts))
        return times


class Reports:
    """Fills and outcomes on their way to the strategy; they never overtake each other."""

    def __init__(self, latency: int | str, seed: int) -> None:
        self._delay = delay(latency, seed, RESPONSE)
        self._same = Tally()
        self._last_told = -(2**63)
        self._under_way: deque[Report] = deque()

    def make(self, now: int, context: str, what: Fill | Order, cash: int = 0) -> None:
        """Something happened now; `cash` is what the instrument's is after a fill."""
        key = self._same.before(now)
        self._last_told = max(now + self._delay.of(now, key), self._last_told)
        self._under_way.append(Report(self._last_told, now, context, what, cash))

    def due(self, now: int) -> list[Report]:
        """Hands over all that are told by now, in order of occurrence."""
        told = []
        while self._under_way and self._under_way[0].told <= now:
            told.append(self._under_way.popleft())
        return told

    @property
    def next_told(self) -> int | None:
        """When the next one is told."""
        return self._under_way[0].told if self._under_way else None
