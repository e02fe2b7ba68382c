"""Reading part files back, no byte of them unverified.

Page checksums cover the pages' data but neither page headers nor the footer, so a file's SHA-256 is compared with the
manifest's when it is opened: 5 ns a row, by a hash that releases the GIL, in the thread that prefetches. The pages'
own checksums are verified as well while they are decoded; when something is wrong they tell which row group it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmbt.errors import StoreError
from mmbt.store.clocks import Clock, ClockCounter, DayClock
from mmbt.store.files import inside, io_errors, sha256_of
from mmbt.store.manifest import Partition
from mmbt.store.names import printable
from mmbt.store.schema import check_schema, open_parquet

__all__ = ["as_array", "day_clocks", "open_partition", "read_columns", "row_groups", "verify"]

_DAMAGE = (pa.ArrowException, OSError, ValueError)  # what pyarrow raises over bytes that make no sense


def open_partition(root: Path, partition: Partition, verified: set[str] | None = None) -> Any:
    """Open a partition's file; `verified` remembers the files whose SHA-256 was found right.

    Raises
    ------
    StoreError
        When the file is missing, damaged, foreign, or newer than this code.
    FileError
        When it cannot be read.
    """
    path = inside(root, partition.path)
    if verified is None or partition.sha256 not in verified:
        verify(root, partition)
        if verified is not None:
            verified.add(partition.sha256)
    with io_errors(path, "reading"):
        file = open_parquet(path)
    check_schema(path, file.schema_arrow, partition.table)
    if file.metadata.num_rows != partition.rows:
        raise StoreError(
            f"{printable(str(path))}: {file.metadata.num_rows} rows, the manifest says {partition.rows}; convert again"
        )
    return file


def verify(root: Path, partition: Partition) -> None:
    """Compare a file's SHA-256 with the manifest's; raises `StoreError` when they differ."""
    path = inside(root, partition.path)
    try:
        with io_errors(path, "reading"):
            sha256, size = sha256_of(path)
    except OSError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StoreError(
                f"{printable(str(path))}: missing; the store was changed while it was read, or the file was removed: "
                "run again, or convert its sources again"
            ) from error
        raise
    if sha256 != partition.sha256:
        what = (
            f"truncated: {size} bytes of {partition.bytes}" if size < partition.bytes else f"damaged in {_where(path)}"
        )
        raise StoreError(
            f"{printable(str(path))}: {what}; its SHA-256 is not the manifest's; restore it or convert again"
        )


def read_columns(path: Path, file: Any, group: int, names: list[str]) -> dict[str, NDArray[Any]]:
    """Columns of one row group as contiguous arrays without a copy; times as int64 ns."""
    try:
        table = file.read_row_group(group, columns=names, use_threads=False)
    except _DAMAGE as error:
        raise StoreError(
            f"{printable(str(path))}: row group {group} is damaged ({str(error).splitlines()[0]}); convert again"
        ) from error
    return {name: _joined(table.column(name)) for name in names}


def row_groups(
    root: Path, partition: Partition, names: list[str], verified: set[str] | None = None
) -> Iterator[dict[str, NDArray[Any]]]:
    """The columns of a partition, row group by row group."""
    with open_partition(root, partition, verified) as file:
        for group in range(file.metadata.num_row_groups):
            yield read_columns(root / partition.path, file, group, names)


def day_clocks(root: Path, partitions: Iterable[Partition], *, measure: bool = True) -> list[DayClock]:
    """The clocks of instruments by day, in order.

    Parameters
    ----------
    partitions
        Whole days: both tables of each instrument.
    measure
        Read the files whose manifest entry, written by an older version, says nothing of their clock; else leave their
        days out.
    """
    days: dict[tuple[str, str], list[Partition]] = {}
    for partition in sorted(partitions, key=lambda p: (p.instrument.encode(), p.date)):
        days.setdefault((partition.instrument, partition.date), []).append(partition)
    return [
        DayClock(
            instrument,
            date,
            sum(clock.missing for clock in clocks.values()) + sum(p.rows for p in parts if not p.local),
            clocks,
        )
        for (instrument, date), parts in days.items()
        if measure or all(p.clock for p in parts if p.local)
        for clocks in [{p.table: p.clock or _measured(root, p) for p in parts if p.local}]
    ]


def _measured(root: Path, partition: Partition) -> Clock:
    counter = ClockCounter()
    for columns in row_groups(root, partition, ["ts", "local_ts"]):
        counter.add(columns["ts"], columns["local_ts"])
    return counter.clock()


def as_array(chunk: Any) -> NDArray[Any]:
    """An Arrow array without nulls as NumPy's, without a copy."""
    # pyarrow's own to_numpy() would import pandas: 0.3 s and 40 MB that no run needs
    dtype = np.dtype(f"<i{chunk.type.bit_width // 8}")
    values: NDArray[Any] = np.frombuffer(chunk.buffers()[1], dtype, len(chunk), chunk.offset * dtype.itemsize)
    return values


def _joined(column: Any) -> NDArray[Any]:
    chunks = [as_array(chunk) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate(chunks)


def _where(path: Path) -> str:
    try:
        with open_parquet(path) as file:
            for group in range(file.metadata.num_row_groups):
                try:
                    file.read_row_group(group, use_threads=False)
                except _DAMAGE:
                    return f"row group {group}"
    except (StoreError, *_DAMAGE):
        return "its footer"
    return "a header or the footer"
