"""One partition written: counted, hashed over its values, and laid down as Parquet in row groups of 131,072 rows.

The bytes depend on the rows, their units and the metadata alone, never on how the rows came in batches. The content
hash is SHA-256 over the SHA-256 of each column's little-endian values, so it outlives any change of encoding.

| count              | of                                                                                   |
|--------------------|--------------------------------------------------------------------------------------|
| `crossed`, `locked`| quotes with both sides and bid > ask, bid = ask                                      |
| `one_sided`, `empty` | quotes with one side or both absent                                                |
| `jumps`            | prices 100 times above or below the one before, on either side, within the day       |
| `negative_latency` | rows whose local time is before their exchange time; `clocks` has more of them       |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmbt.store.clocks import Clock, ClockCounter
from mmbt.store.files import HashedSink
from mmbt.store.provenance import RunLengths
from mmbt.store.rows import Rows
from mmbt.store.schema import PRICES, ROW_GROUP, Table, arrow_schema, column_names, parquet_writer

__all__ = ["Written", "write_partition"]

_JUMP = 100


class Written:
    """What came of writing a partition."""

    def __init__(self, table: Table, local: bool):
        self.table = table
        self.local = local
        self.rows = 0
        self.first_ts = 0
        self.last_ts = 0
        self.counts = dict.fromkeys(
            ("crossed", "locked", "one_sided", "empty", "jumps") if table == "tob" else ("jumps",), 0
        )
        self._clock = ClockCounter() if local else None
        self.runs = RunLengths()
        self.sha256 = ""
        self.bytes = 0
        self._hashes = {name: hashlib.sha256(name.encode() + b"\n") for name in column_names(table, local)}
        self._last_price = dict.fromkeys(PRICES[table], 0)

    @property
    def content_hash(self) -> str:
        """The hash of the values."""
        return hashlib.sha256(b"".join(digest.digest() for digest in self._hashes.values())).hexdigest()

    @property
    def clock(self) -> Clock | None:
        """What the local times tell; None where there are none."""
        return None if self._clock is None else self._clock.clock()

    def count(self, columns: dict[str, NDArray[Any]]) -> None:
        """Take the next rows, all columns of one length, into hash and counts."""
        ts = columns["ts"]
        if not self.rows:
            self.first_ts = int(ts[0])
        self.last_ts = int(ts[-1])
        self.rows += len(ts)
        for name, digest in self._hashes.items():
            digest.update(columns[name].data)
        if self.table == "tob":
            bid, ask = columns["bid_px"], columns["ask_px"]
            if (bid >= ask).any() or not bid.all():
                present = (bid > 0) & (ask > 0)
                self.counts["crossed"] += int(((bid > ask) & present).sum())
                self.counts["locked"] += int(((bid == ask) & present).sum())
                self.counts["one_sided"] += int(((bid > 0) ^ (ask > 0)).sum())
                self.counts["empty"] += int(((bid == 0) & (ask == 0)).sum())
        if self._clock is not None:
            self._clock.add(ts, columns["local_ts"])
        for name in self._last_price:
            self._count_jumps(name, columns[name])

    def _count_jumps(self, name: str, price: NDArray[np.int64]) -> None:
        low, high = int(price.min()), int(price.max())
        if low == 0:
            price = price[price > 0]
            if not len(price):
                return
            low = int(price.min())
        last = self._last_price[name]
        self._last_price[name] = int(price[-1])
        if max(high, last) < _JUMP * min(low, last or low):
            return
        before = np.concatenate(([last or price[0]], price[:-1]))
        self.counts["jumps"] += int(((price >= _JUMP * before) | (before >= _JUMP * price)).sum())


def write_partition(
    path: Path | None, table: Table, local: bool, metadata: dict[str, str], batches: Iterable[Rows]
) -> Written:
    """Write rows, already in order and in final units, to a new file; None for `path` counts and hashes only."""
    written = Written(table, local)
    schema = arrow_schema(table, local, metadata)
    names = column_names(table, local)
    group: dict[str, NDArray[Any]] = {
        name: np.empty(ROW_GROUP, np.int8 if name == "side" else np.int64) for name in names
    }
    filled = 0
    with ExitStack() as stack:
        writer = sink = None
        if path is not None:
            sink = HashedSink(path)
            stack.callback(sink.close)
            writer = stack.enter_context(parquet_writer(sink, schema))

        def flush(rows: int) -> None:
            columns = {name: column[:rows] for name, column in group.items()}
            written.count(columns)
            if writer is not None:
                writer.write_table(_table(columns, schema), row_group_size=ROW_GROUP)

        for rows in batches:
            written.runs.add(rows)
            columns = _by_name(rows, names)
            start = 0
            while start < len(rows.ts):
                step = min(len(rows.ts) - start, ROW_GROUP - filled)
                for name, column in columns.items():
                    group[name][filled : filled + step] = column[start : start + step]
                start += step
                filled += step
                if filled == ROW_GROUP:
                    flush(filled)
                    filled = 0
        if filled:
            flush(filled)
    if sink is not None:
        written.sha256, written.bytes = sink.sha256, sink.size
    return written


def _by_name(rows: Rows, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    columns: list[NDArray[Any]] = [rows.ts]
    if "local_ts" in names:
        columns.append(np.zeros_like(rows.ts) if rows.local_ts is None else rows.local_ts)
    columns += rows.values
    if rows.side is not None:
        columns.append(rows.side)
    return dict(zip(names, columns, strict=True))


def _table(columns: dict[str, NDArray[Any]], schema: Any) -> Any:
    return pa.Table.from_arrays(
        [pa.array(column).view(field.type) for column, field in zip(columns.values(), schema, strict=True)],
        schema=schema,
    )
