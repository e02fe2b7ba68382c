"""Stored market data from the hot store: views of mapped files, no decoding, shared by all processes of the machine.

The rows are those of `StoreMarket`, in the same order. What cannot be cached is read from Parquet instead, after one
word of warning: a cache is no reason to fail.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import FileError
from mmbt.market import Instrument
from mmbt.store.clocks import DayClock
from mmbt.store.hotcache import HotCache
from mmbt.store.hotfile import BLOCK, HotFile, Unfit
from mmbt.store.manifest import Partition
from mmbt.store.market import StoreMarket

__all__ = ["HotMarket"]

Columns = tuple[NDArray[Any], ...]


class HotMarket(StoreMarket):
    """Instruments of a store over some time, from its hot store; made by `Catalog.select(hot=True)`.

    A batch is 65,536 rows, checked just before it is handed over, while it is on its way into the processor's cache.
    `batch_rows` larger than any day hands over each day as one view, checked as a whole. Views stay valid as long as
    anyone holds them, whatever happens to the cache.
    """

    def __init__(
        self,
        root: Path,
        instruments: Sequence[Instrument],
        partitions: Sequence[Partition],
        start: int | None = None,
        end: int | None = None,
        *,
        cache: HotCache,
        clocks: Sequence[DayClock] | None = None,
        batch_rows: int | None = None,
        prefetch: int = 0,
    ):
        super().__init__(
            root, instruments, partitions, start, end, clocks=clocks, batch_rows=batch_rows, prefetch=prefetch
        )
        self.cache = cache
        self._failed = threading.Event()
        self._warning = threading.Lock()

    def _batches(self, partitions: Sequence[Partition], names: tuple[str, ...]) -> Iterator[Columns]:
        for partition in partitions:
            file = self._cached(partition)
            rows = 0
            if file is not None:
                try:
                    for batch in self._views(file, partition, names):
                        yield batch
                        rows += len(batch[0])
                    continue
                except Unfit as error:
                    self.cache.discard(file.path, error)
            yield from _after(rows, StoreMarket._batches(self, [partition], names))

    def _cached(self, partition: Partition) -> HotFile | None:
        if self._failed.is_set():  # one failure is enough: what exists is used, nothing more is made
            return self.cache.find(partition)
        try:
            return self.cache.open(partition)
        except FileError as error:
            with self._warning:
                if not self._failed.is_set():
                    self._failed.set()
                    self.cache.warn(f"the hot store is not used where it has no file yet, Parquet is: {error}")
        return None

    def _views(self, file: HotFile, partition: Partition, names: tuple[str, ...]) -> Iterator[Columns]:
        first, last = 0, partition.rows
        if self._start is not None and self._start > partition.first_ts:
            first = int(np.searchsorted(file.column("ts", 0, file.rows), self._start, "left"))
        if self._end is not None and self._end <= partition.last_ts:
            last = int(np.searchsorted(file.column("ts", 0, file.rows), self._end, "left"))
        stored = [name for name in names if name != "local_ts" or partition.local]
        step = self._batch_rows or BLOCK
        for begin in range(first, last, step):
            columns = {name: file.column(name, begin, min(begin + step, last)) for name in stored}
            if "local_ts" in names:
                columns["local_ts"] = self._received(partition, columns)
            yield tuple(columns[name] for name in names)


def _after(rows: int, batches: Iterator[Columns]) -> Iterator[Columns]:
    """The batches without their first rows."""
    for batch in batches:
        skip = min(rows, len(batch[0]))
        rows -= skip
        if skip < len(batch[0]):
            yield tuple(column[skip:] for column in batch) if skip else batch
