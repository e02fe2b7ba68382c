"""Latencies measured elsewhere, read from a file and checked to the last one.

| kind      | columns          | as                                                               |
|-----------|------------------|------------------------------------------------------------------|
| empirical | `latency`        | CSV with a header, one latency a line without one, or Parquet    |
| recorded  | `ts`, `latency`  | CSV with a header, or Parquet; `ts` ascending                    |

Latencies are whole ns or durations such as 1.5ms, times are ns since the epoch; Parquet may have its own types of time.
Other columns are ignored. A file is Parquet when its bytes begin so, whatever its name.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import DataError, FileError
from mmbt.units import duration_ns

__all__ = ["Measured", "read_latencies"]

_LIMIT = 1 << 62
Cell = tuple[str, Any]  # where a value stands, and the value


class Measured(NamedTuple):
    """The columns of a file of latencies, ns, and the SHA-256 of its bytes."""

    columns: dict[str, NDArray[np.int64]]
    sha256: str


def read_latencies(path: str, names: Sequence[str]) -> Measured:
    """The named columns of a file; `ts` must ascend.

    Raises
    ------
    FileError
        When it cannot be read.
    DataError
        Naming file, line and value when it holds anything but latencies.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"cannot read the latencies in {path}: {error.strerror or error}") from error
    cells = _parquet(path, data, names) if data[:4] == b"PAR1" else _csv(path, data, names)
    columns = {name: _column(name, column) for name, column in cells.items()}
    if not len(columns[names[0]]):
        raise DataError(f"{path}: no latencies in it")
    return Measured(columns, hashlib.sha256(data).hexdigest())


def _column(name: str, cells: Iterator[Cell]) -> NDArray[np.int64]:
    parse: Callable[[Any], int] = _time if name == "ts" else _latency
    values: list[int] = []
    for where, cell in cells:
        try:
            value = parse(cell)
        except ValueError as error:
            raise DataError(f"{where}: {name} {error}") from None
        if value < 0:
            raise DataError(f"{where}: {name} {cell} is negative")
        if value >= _LIMIT:
            raise DataError(f"{where}: {name} {cell} is 2^62 ns or more")
        if name == "ts" and values and value < values[-1]:
            raise DataError(f"{where}: ts {value} comes before {values[-1]} above it; times must ascend")
        values.append(value)
    return np.array(values, np.int64)


def _latency(cell: Any) -> int:
    if not isinstance(cell, str):
        return _whole(cell)
    if cell.lstrip("-").isdecimal():
        return int(cell)
    try:
        return duration_ns(cell)
    except ValueError:
        raise ValueError(f"{cell!r} is neither whole ns nor a duration such as 1.5ms") from None


def _time(cell: Any) -> int:
    if isinstance(cell, str) and cell.lstrip("-").isdecimal():
        return int(cell)
    return _whole(cell)


def _whole(cell: Any) -> int:
    if isinstance(cell, int):
        return cell
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= 2**53:
        return int(cell)
    raise ValueError(f"{'is missing' if cell is None else f'{cell!r} is not a whole number of ns'}")


def _csv(path: str, data: bytes, names: Sequence[str]) -> dict[str, Iterator[Cell]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from None
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in ";\t" if mark in first), ",")
    rows: Iterator[tuple[str, list[str]]] = ((f"{path}, line {number}", [field.strip() for field in row])
            for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), 1)
            if any(field.strip() for field in row))
    header = next(rows, None)
    if header is None:
        raise DataError(f"{path}: no latencies in it")
    if len(names) == 1 and len(header[1]) == 1 and header[1][0] != names[0]:
        rows, found = chain([header], rows), list(names)  # one latency a line, without a header
    else:
        found = header[1]
    places = {name: _place(path, found, name) for name in names}
    table = [(where, _fields(where, row, found)) for where, row in rows]
    return {name: _picked(table, place) for name, place in places.items()}


def _picked(table: Sequence[tuple[str, list[str]]], place: int) -> Iterator[Cell]:
    return ((where, row[place]) for where, row in table)


def _fields(where: str, row: list[str], header: list[str]) -> list[str]:
    if len(row) != len(header):
        raise DataError(f"{where}: {len(row)} fields, the header has {len(header)}")
    return row


def _place(path: str, found: Sequence[str], name: str) -> int:
    if found.count(name) != 1:
        many = "two columns" if name in found else "no column"
        raise DataError(f"{path}: {many} {name!r}; found {', '.join(map(repr, found))}")
    return found.index(name)


def _parquet(path: str, data: bytes, names: Sequence[str]) -> dict[str, Iterator[Cell]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    columns = {}
    for name in names:
        column = table.column(_place(path, table.column_names, name))
        if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type):
            kind = pa.timestamp("ns", column.type.tz) if pa.types.is_timestamp(column.type) else pa.duration("ns")
            column = column.cast(kind).cast(pa.int64())
        columns[name] = _cells(path, column)
    return columns


def _cells(path: str, column: Any) -> Iterator[Cell]:
    return ((f"{path}, row {row}", value) for row, value in enumerate(column.to_pylist()))
