"""One file of the hot store: a partition's columns uncompressed in one Arrow record batch, mapped instead of read.

The file is plain Arrow IPC, so any tool can read it; its schema metadata hold what it is and what it should hold:

| key           | value                                                                                        |
|---------------|----------------------------------------------------------------------------------------------|
| `mmbt.hot`    | version of this layout                                                                       |
| `mmbt.sha256` | of the Parquet file whose columns these are                                                  |
| `mmbt.sums`   | for each column in order, for each 65,536 rows of it, the checksum in 16 hexadecimal digits  |

A checksum is the SHA-256, cut to 64 bits, of 509 sums: the words of the block, 64 bits each, are dealt to 509 lanes in
turn and added up in each, modulo 2^64; what is left over is hashed as it is. That takes 1/8 of the time of a CRC-32.
It finds every change of a single word for certain, and pages that are exchanged, stale or zero, since 509 shares no
factor with a page; it misses changes whose sums cancel in every lane. It is no protection against forgery.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from mmap import PROT_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mmbt.errors import MmbtError, StoreError
from mmbt.store import files
from mmbt.store.manifest import Partition
from mmbt.store.names import printable
from mmbt.store.schema import arrow_schema, column_names
from mmbt.store.stored import as_array

__all__ = ["BLOCK", "VERSION", "HotFile", "Unfit", "file_bytes", "write"]

VERSION = 1
BLOCK = 65_536  # rows that have a checksum of their own
LANES = 509  # prime, so that no shift by whole pages leaves a word in its lane
_DIGITS = 16
_BLANK = "~"  # stands for each digit of the checksums until the columns are written
_LONG = 1 << 16  # bytes; of what Arrow writes, checksums aside, only columns are longer
_DAMAGE = (pa.ArrowException, OSError, ValueError, LookupError)

# Which blocks of which columns this process has found right, by the file's identity.
_seen: defaultdict[tuple[int, ...], dict[str, bytearray]] = defaultdict(dict)


class Unfit(MmbtError):
    """A cached file that does not hold what its name says; the store itself is untouched."""


class HotFile:
    """A cached partition, mapped. What it hands over are views that keep the mapping alive.

    Raises
    ------
    Unfit
        When the file is truncated, foreign, damaged, or of another partition.
    OSError
        When there is none, or it cannot be opened.
    """

    def __init__(self, path: Path, partition: Partition):
        self.path = path
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not status.st_size:
                raise Unfit(f"{printable(str(path))}: empty")
            mapped = mmap(file.fileno(), 0, prot=PROT_READ)
        try:
            batch, metadata = _only_batch(mapped)
        except _DAMAGE as error:
            raise Unfit(f"{printable(str(path))}: {(str(error).splitlines() or ['unreadable'])[0]}") from error
        names = column_names(partition.table, partition.local)
        sums = metadata.get(b"mmbt.sums", b"").decode("ascii", "replace")
        blocks = _blocks(partition.rows)
        if (
            metadata.get(b"mmbt.hot") != str(VERSION).encode()
            or metadata.get(b"mmbt.sha256") != partition.sha256.encode()
            or not batch.schema.equals(arrow_schema(partition.table, partition.local, {}), check_metadata=False)
            or batch.num_rows != partition.rows
            or len(sums) != _DIGITS * blocks * len(names)
        ):
            raise Unfit(f"{printable(str(path))}: not the columns of {partition.path}")
        self.rows = partition.rows
        self.identity = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        self._columns = {name: as_array(batch.column(name)) for name in names}
        self._sums = {name: sums[i * blocks * _DIGITS : (i + 1) * blocks * _DIGITS] for i, name in enumerate(names)}
        seen = _seen[self.identity]
        self._seen = {name: seen.setdefault(name, bytearray(blocks)) for name in names}

    def column(self, name: str, begin: int, end: int) -> NDArray[Any]:
        """Rows `begin` to `end` of a column; blocks that this process has not seen yet are compared with their sums.

        Raises
        ------
        Unfit
            When one of them is damaged.
        """
        column, sums, seen = self._columns[name], self._sums[name], self._seen[name]
        for block in range(begin // BLOCK, _blocks(end)):
            if not seen[block]:
                if checksum(column[block * BLOCK : (block + 1) * BLOCK]) != sums[block * _DIGITS :][:_DIGITS]:
                    raise Unfit(f"{printable(str(self.path))}: damaged in {name}, rows {block * BLOCK:,} and after")
                seen[block] = 1
        return column[begin:end]


def checksum(column: NDArray[Any]) -> str:
    """The checksum of a contiguous column, as hexadecimal digits."""
    data = column.view(np.uint8)
    whole = len(data) // (8 * LANES) * 8 * LANES
    lanes = np.add.reduce(data[:whole].view("<u8").reshape(-1, LANES), axis=0)
    digest = hashlib.sha256(lanes.data)
    digest.update(data[whole:].data)
    return digest.hexdigest()[:_DIGITS]


def file_bytes(partition: Partition) -> int:
    """About how large the partition's cached file is."""
    row = sum(1 if name == "side" else 8 for name in column_names(partition.table, partition.local))
    return partition.rows * row + 4096


def write(file: BinaryIO, path: Path, partition: Partition, groups: Iterator[dict[str, NDArray[Any]]]) -> None:
    """Lay a partition's columns down in a new file, row group by row group.

    Arrow writes the file first with columns of zeros that are left as a hole, and with blank checksums; then the
    columns are written where it wants them, and last the checksums. So memory does not grow with the day.

    Raises
    ------
    StoreError
        When the values are not those of the manifest's content hash.
    """
    names = column_names(partition.table, partition.local)
    blanks = _BLANK * (_DIGITS * _blocks(partition.rows) * len(names))
    metadata = {"hot": str(VERSION), "sha256": partition.sha256, "sums": blanks}
    schema = arrow_schema(partition.table, partition.local, metadata)
    sink = _Skeleton(file, blanks.encode())
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(_zeros(schema, partition.rows))
    offsets = _offsets(path)
    pending = {name: _Pending(name) for name in names}
    row = 0
    for columns in groups:
        for name in names:
            column = columns[name]
            _put(file, offsets[name] + row * column.itemsize, column.data)
            pending[name].take(column)
        row += len(columns["ts"])
    if hashlib.sha256(b"".join(column.hash.digest() for column in pending.values())).hexdigest() != (
        partition.content_hash
    ):
        raise StoreError(f"{printable(partition.path)}: not the values that the manifest names; convert again")
    sums = "".join(column.sums() for column in pending.values()).encode()
    for position in sink.blanks:
        _put(file, position, sums)


class _Pending:
    """A column on its way into the file: its content hash, and the checksums of its blocks."""

    def __init__(self, name: str):
        self.hash = hashlib.sha256(name.encode() + b"\n")  # as in `partition`
        self._held: list[NDArray[Any]] = []
        self._rows = 0
        self._done: list[str] = []

    def take(self, column: NDArray[Any]) -> None:
        self.hash.update(column.data)
        self._held.append(column)
        self._rows += len(column)
        if self._rows >= BLOCK:
            rows = np.concatenate(self._held)
            whole = len(rows) // BLOCK * BLOCK
            self._done += [checksum(rows[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
            self._held, self._rows = [rows[whole:]], len(rows) - whole

    def sums(self) -> str:
        rest = [checksum(np.concatenate(self._held))] if self._rows else []
        return "".join(self._done + rest)


class _Skeleton(files.Sink):
    """The file as Arrow writes it, its columns left out; remembers where the blank checksums stand."""

    def __init__(self, file: BinaryIO, blank: bytes):
        self.blanks: list[int] = []
        self._file = file
        self._blank = blank

    def put(self, data: memoryview) -> None:
        at = bytes(data).find(self._blank) if len(data) <= _LONG + len(self._blank) else -1
        if at >= 0:
            self.blanks.append(self.size + at)
        if at >= 0 or len(data) <= _LONG:
            _put(self._file, self.size, data)


def _put(file: BinaryIO, position: int, data: Any) -> None:
    file.seek(position)
    left = memoryview(data).cast("B")
    while left:
        left = left[files.write_some(file, left) :]


def _zeros(schema: Any, rows: int) -> Any:
    zeros = pa.py_buffer(mmap(-1, rows * 8))  # never written to, so it takes no memory
    columns = [pa.Array.from_buffers(field.type, rows, [None, zeros]) for field in schema]
    return pa.record_batch(columns, schema=schema)


def _offsets(path: Path) -> dict[str, int]:
    """Where in the file each column begins."""
    with path.open("rb") as file:
        mapped = mmap(file.fileno(), 0, prot=PROT_READ)
    batch, _ = _only_batch(mapped)
    start = pa.py_buffer(mapped).address
    return {name: batch.column(name).buffers()[1].address - start for name in batch.schema.names}


def _only_batch(mapped: mmap) -> tuple[Any, dict[bytes, bytes]]:
    """The record batch of a mapped file, as views of it, and the metadata of its schema."""
    reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
    if reader.num_record_batches != 1:
        raise ValueError(f"{reader.num_record_batches} record batches instead of 1")
    batch = reader.get_batch(0)
    batch.validate()
    return batch, reader.schema.metadata or {}


def _blocks(rows: int) -> int:
    return -(-rows // BLOCK)
