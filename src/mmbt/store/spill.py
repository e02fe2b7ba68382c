"""Parsed rows on their way to the store: kept in one temporary file, found again by (instrument, table, day) and
source.

A piece is what one chunk of a source holds for one partition, in file order. Values are whole multiples of a power of
ten, chosen by piece, since units are known only when everything was read; 32 bits are used where they suffice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from mmbt.store.files import io_errors, write_some
from mmbt.store.infer import Grid
from mmbt.store.rows import Rows, in_units, joined
from mmbt.store.schema import Table

__all__ = ["Piece", "Spill", "UnitGrids", "read_in_order"]

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class UnitGrids:
    """Units to store an instrument in, as grids."""

    price: Grid
    lot: Grid


@dataclass(frozen=True, slots=True)
class Piece:
    """Where some consecutive rows lie in a spill, and between which times."""

    table: Table
    offset: int
    rows: int
    first: int  # earliest stamp
    last: int  # latest stamp
    sorted: bool
    local: bool
    scales: tuple[int, int]  # of prices, of quantities
    narrow: tuple[bool, ...]  # by value column: stored in 32 bits


class Spill:
    """The spill of one conversion."""

    def __init__(self, path: Path):
        self.path = path
        self.size = 0
        with io_errors(path, "creating"):
            self._file = path.open("w+b", buffering=0)
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def append(self, table: Table, rows: Rows, scales: tuple[int, int], in_order: bool) -> Piece:
        """Keep some rows; their values are multiples of 10^-scale."""
        narrow = tuple(int(column.max()) < 1 << 31 for column in rows.values)
        first, last = (rows.ts[0], rows.ts[-1]) if in_order else (rows.ts.min(), rows.ts.max())
        piece = Piece(
            table, self.size, len(rows.ts), int(first), int(last), in_order, rows.local_ts is not None, scales, narrow
        )
        self._add(rows.ts)
        if rows.local_ts is not None:
            self._add(rows.local_ts)
        for column, is_narrow in zip(rows.values, narrow, strict=True):
            self._add(column.astype(np.int32) if is_narrow else column)
        if rows.side is not None:
            self._add(rows.side)
        if self._pending_bytes >= _BUFFER:
            self.flush()
        return piece

    def _add(self, column: np.ndarray) -> None:
        data = column.tobytes()
        self._pending.append(data)
        self._pending_bytes += len(data)
        self.size += len(data)

    def flush(self) -> None:
        """Hand what is pending to the operating system."""
        with io_errors(self.path, "writing", self.size):
            data = memoryview(b"".join(self._pending))
            while data:
                data = data[write_some(self._file, data) :]
        self._pending.clear()
        self._pending_bytes = 0

    def read(self, piece: Piece, units: UnitGrids, rank: int, what: str) -> Rows:
        """The rows of a piece in final units."""
        widths = (
            [8] * (1 + piece.local) + [4 if narrow else 8 for narrow in piece.narrow] + [1] * (piece.table == "trades")
        )
        with io_errors(self.path, "reading"):
            data = os.pread(self._file.fileno(), piece.rows * sum(widths), piece.offset)
        columns = []
        offset = 0
        for width in widths:
            columns.append(np.frombuffer(data, {8: np.int64, 4: np.int32, 1: np.int8}[width], piece.rows, offset))
            offset += width * piece.rows
        values = columns[1 + piece.local :][: len(piece.narrow)]
        kinds = [
            (piece.scales[0], units.price, f"{what}: the price"),
            (piece.scales[1], units.lot, f"{what}: the quantity"),
        ]
        return Rows(
            columns[0],
            columns[1] if piece.local else None,
            tuple(in_units(column.astype(np.int64, copy=False), *kinds[i % 2]) for i, column in enumerate(values)),
            columns[-1].astype(np.int8, copy=False) if piece.table == "trades" else None,
            rank,
        )

    def close(self) -> None:
        """Close and remove the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def read_in_order(
    spill: Spill, pieces: list[Piece], units: UnitGrids, rank: int, what: str, max_disorder: int
) -> Iterator[Rows]:
    """The rows of one source and partition by time, equal stamps in file order; holds as many as the disorder needs."""
    if all(piece.sorted for piece in pieces) and all(a.last <= b.first for a, b in pairwise(pieces)):
        for piece in pieces:
            yield spill.read(piece, units, rank, what)
        return
    held: Rows | None = None
    latest = pieces[0].last
    for piece in pieces:
        rows = spill.read(piece, units, rank, what)
        rows = joined([held, rows]) if held is not None and len(held.ts) else rows
        rows = rows.take(np.argsort(rows.ts, kind="stable"))
        latest = max(latest, piece.last)
        ready = int(np.searchsorted(rows.ts, latest - max_disorder, "right"))  # later rows are not before this
        if ready:
            yield rows.take(slice(0, ready))
        held = rows.take(slice(ready, None))
    if held is not None and len(held.ts):
        yield held
