"""Stored market data on its way into the engine: row groups decoded ahead in a thread, columns handed over without a
copy.

Memory holds a few row groups for each table that is open, whatever the length of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import UsageError, did_you_mean
from mmbt.market import Instrument, TobBatch, TradeBatch
from mmbt.store.clocks import DayClock, received
from mmbt.store.files import shared
from mmbt.store.manifest import Partition
from mmbt.store.prefetch import Prefetched
from mmbt.store.schema import Table
from mmbt.store.stored import open_partition, read_columns

__all__ = ["StoreMarket"]


class StoreMarket:
    """Instruments of a store over some time, as the engine's `MarketData`; made by `Catalog.select`.

    A context manager: leaving it stops the reading threads. While it is open no conversion removes the files it reads.
    """

    def __init__(
        self,
        root: Path,
        instruments: Sequence[Instrument],
        partitions: Sequence[Partition],
        start: int | None = None,
        end: int | None = None,
        *,
        clocks: Sequence[DayClock] | None = None,
        batch_rows: int | None = None,
        prefetch: int = 2,
    ):
        self.root = root
        self.partitions = tuple(sorted(partitions, key=lambda p: (p.table, p.instrument, p.date)))
        self._instruments = {instrument.name: instrument for instrument in instruments}
        self._start, self._end = start, end
        self._clocks = None if clocks is None else {(day.instrument, day.date): day for day in clocks}
        self._batch_rows = batch_rows
        self._prefetch = prefetch
        self._verified: set[str] = set()
        self._open: WeakSet[Prefetched[Any]] = WeakSet()
        self._lock = shared(root)
        self._lock.__enter__()

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments, in the order asked for."""
        return list(self._instruments.values())

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """The files this market reads, for a run's manifest: path, SHA-256 and rows."""
        return [{"path": str(self.root / p.path), "sha256": p.sha256, "rows": p.rows} for p in self.partitions]

    @property
    def clocks(self) -> list[dict[str, Any]] | None:
        """How times of receipt were set right, by instrument and day, for a run's manifest; None: not asked for."""
        return None if self._clocks is None else [day.to_dict() for day in self._clocks.values()]

    def rows(self, table: Table, instrument: str) -> int:
        """How many rows there are; an upper bound where a time selection cuts a day."""
        return sum(p.rows for p in self.partitions if p.table == table and p.instrument == instrument)

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        """The instrument's quotes in time order."""
        return self._iterate("tob", instrument, TobBatch)

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        """The instrument's prints in time order."""
        return self._iterate("trades", instrument, TradeBatch)

    def close(self) -> None:
        """Stop all reading; safe to call twice."""
        for iterator in list(self._open):
            iterator.close()
        self._lock.__exit__(None, None, None)

    def __enter__(self) -> StoreMarket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _iterate(self, table: Table, instrument: str, batch: Any) -> Iterator[Any]:
        names = batch._fields if self._clocks is not None else batch._fields[:-1]  # the last is local_ts
        return (batch(*columns) for columns in self._ahead(table, instrument, names))

    def _ahead(self, table: Table, instrument: str, names: tuple[str, ...]) -> Iterator[tuple[NDArray[Any], ...]]:
        if instrument not in self._instruments:
            raise UsageError(f"{instrument!r} was not selected{did_you_mean(instrument, self._instruments)}")
        batches = self._batches([p for p in self.partitions if p.table == table and p.instrument == instrument], names)
        if self._prefetch:
            ahead = Prefetched(batches, self._prefetch)
            self._open.add(ahead)
            batches = ahead
        return batches

    def _batches(self, partitions: Sequence[Partition], names: tuple[str, ...]) -> Iterator[tuple[NDArray[Any], ...]]:
        for partition in partitions:
            stored = [name for name in names if name != "local_ts" or partition.local]
            path = self.root / partition.path
            with open_partition(self.root, partition, self._verified) as file:
                for group in range(file.metadata.num_row_groups):
                    if self._outside(file.metadata.row_group(group).column(0).statistics):
                        continue
                    columns = read_columns(path, file, group, stored)
                    if "local_ts" in names:
                        columns["local_ts"] = self._received(partition, columns)
                    yield from self._cut(tuple(columns[name] for name in names))

    def _received(self, partition: Partition, columns: dict[str, NDArray[Any]]) -> NDArray[np.int64]:
        if not partition.local:
            return columns["ts"]
        assert self._clocks is not None
        day = self._clocks[partition.instrument, partition.date]
        return received(columns["ts"], columns["local_ts"], day.tables[partition.table], day.offset)

    def _outside(self, statistics: Any) -> bool:
        if statistics is None or not statistics.has_min_max or (self._start is None and self._end is None):
            return False
        low, high = statistics.min_raw, statistics.max_raw
        return (self._start is not None and high < self._start) or (self._end is not None and low >= self._end)

    def _cut(self, columns: tuple[NDArray[Any], ...]) -> Iterator[tuple[NDArray[Any], ...]]:
        ts = columns[0]
        first = 0 if self._start is None else int(np.searchsorted(ts, self._start, "left"))
        last = len(ts) if self._end is None else int(np.searchsorted(ts, self._end, "left"))
        step = self._batch_rows or max(last - first, 1)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            yield columns if end - begin == len(ts) else tuple(column[begin:end] for column in columns)
