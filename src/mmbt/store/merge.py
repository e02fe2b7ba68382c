"""Sorted runs merged into one: by time, equal stamps by the rank of their source file, then by row. Memory does not
grow with length.

A run is opened only when its first stamp is reached, so the many parts of a split file cost no more than the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mmbt.store.rows import Int64s, Rows, joined

__all__ = ["Run", "merged", "without_duplicates"]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows in time order, equal stamps by (rank, row); `open` starts reading them."""

    first: int  # earliest stamp
    rank: int  # where its rows go among equal stamps; rows with a `rank` array say it themselves
    open: Callable[[], Iterator[Rows]]


class _Head:
    """The part of a run that is in memory."""

    def __init__(self, run: Run):
        self.rank = run.rank
        self._rows = run.open()
        self.held: Rows | None = None
        self.more = True
        self.load()

    def load(self) -> None:
        """Read on; `more` tells whether there was anything."""
        rows = next(self._rows, None)
        if rows is None:
            self.more = False
        elif len(rows.ts):
            self.held = rows if self.held is None else joined([self.held, rows])

    @property
    def last(self) -> int:
        assert self.held is not None
        return int(self.held.ts[-1])

    def before(self, limit: int | None) -> Rows | None:
        """Take out the rows before `limit`; None stands for the end of time."""
        held = self.held
        if held is None or limit is None:
            self.held = None
            return held
        cut = int(np.searchsorted(held.ts, limit, "left"))
        if cut == len(held.ts):
            self.held = None
            return held
        self.held = held.take(slice(cut, None))
        return held.take(slice(0, cut)) if cut else None


def merged(runs: list[Run], whole_instants: bool = False) -> Iterator[Rows]:
    """The rows of all runs in order.

    Parameters
    ----------
    runs
        The runs, in any order.
    whole_instants
        Never part rows of one stamp between two batches; otherwise they may be.
    """
    waiting = sorted(runs, key=lambda run: (run.first, run.rank), reverse=True)
    active: list[_Head] = []
    while waiting or active:
        if not active:
            active.append(_Head(waiting.pop()))
        _load(active)
        while waiting and (reach := _limit(active)) is not None and waiting[-1].first <= reach:
            active.append(_Head(waiting.pop()))
            _load(active)
        active = [head for head in active if head.held is not None or head.more]
        if not active:
            continue
        if len(active) == 1 and not whole_instants and (not waiting or waiting[-1].first > active[0].last):
            rows = active[0].before(None)
            assert rows is not None
            yield rows
            continue
        limit = _limit(active)
        if limit is None and waiting:
            limit = waiting[-1].first
        active.sort(key=lambda head: head.rank)
        taken = [rows for head in active if (rows := head.before(limit)) is not None]
        if taken:
            yield _ordered(taken)
        elif limit is not None:
            _read_past(limit, active, waiting)


def _load(active: list[_Head]) -> None:
    for head in active:
        while head.held is None and head.more:
            head.load()


def _limit(active: list[_Head]) -> int | None:
    """No unread row of the active runs comes before this; None when they are all read."""
    return min((head.last for head in active if head.more and head.held is not None), default=None)


def _read_past(limit: int, active: list[_Head], waiting: list[Run]) -> None:
    """Nothing lies before `limit`: get the rest of its instant into memory."""
    for head in active:
        while head.more and (head.held is None or head.last <= limit):
            head.load()
    while waiting and waiting[-1].first <= limit:
        active.append(_Head(waiting.pop()))


def _ordered(taken: list[Rows]) -> Rows:
    if len(taken) == 1:
        return taken[0]
    several = any(not isinstance(rows.rank, int) for rows in taken)
    rows = joined(taken)
    order = np.lexsort((rows.ranks(), rows.ts)) if several else np.argsort(rows.ts, kind="stable")
    return rows.take(order)


def without_duplicates(batches: Iterator[Rows]) -> Iterator[Rows]:
    """Leave out rows equal in every column to an earlier one of their stamp; batches must hold whole instants."""
    for rows in batches:
        tied = np.zeros(len(rows.ts), bool)
        same = rows.ts[1:] == rows.ts[:-1]
        tied[1:] |= same
        tied[:-1] |= same
        if not tied.any():
            yield rows
            continue
        where = np.flatnonzero(tied)
        columns: list[Int64s] = [rows.ts, *rows.values]
        columns += [] if rows.local_ts is None else [rows.local_ts]
        columns += [] if rows.side is None else [rows.side.astype(np.int64)]
        table = np.stack([column[where] for column in columns])
        order = np.lexsort(table)  # stable: among equals the earlier row comes first
        repeated = (table[:, order[1:]] == table[:, order[:-1]]).all(axis=0)
        keep = np.ones(len(rows.ts), bool)
        keep[where[order[1:][repeated]]] = False
        yield rows if keep.all() else rows.take(np.flatnonzero(keep))
