"""Rows as text, a block at a time: every character is a cell of a byte matrix, and a zero byte is no character."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_NS", "day_name", "decimals", "lines", "number", "stamp", "text"]

Bytes = NDArray[np.uint8]
Int64s = NDArray[np.int64]
DAY_NS = 86_400 * 10**9


def day_name(day: int) -> str:
    """The date `day` days after the epoch."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()


def decimals(unit: str) -> tuple[int, int]:
    """A unit such as 0.0025 as (25, 4): a whole number and the decimal places it stands at."""
    places = max(0, -int(Decimal(unit).normalize().as_tuple().exponent))
    return int(Decimal(unit).scaleb(places)), places


def text(value: str, rows: int) -> Bytes:
    """The same text on every row."""
    return np.broadcast_to(np.frombuffer(value.encode(), np.uint8), (rows, len(value.encode())))


def stamp(ts: Int64s, day: int) -> Bytes:
    """`2022-09-20 23:54:00.000001` for times of one day."""
    micros = (ts - day * DAY_NS) // 1000
    out = np.empty((len(ts), 26), np.uint8)
    out[:] = np.frombuffer(f"{day_name(day)} 00:00:00.000000".encode(), np.uint8)
    places = zip((25, 24, 23, 22, 21, 20, 18, 17, 15, 14, 12, 11), (10,) * 7 + (6, 10, 6, 10, 10), strict=True)
    for column, base in places:
        rest = micros // base
        out[:, column] += (micros - rest * base).astype(np.uint8)
        micros = rest
    return out


def number(units: Int64s, places: int) -> Bytes:
    """Non-negative whole numbers of 10^-places in plain notation, all places shown."""
    digits = len(str(int(units.max(initial=0))))
    width = max(digits, places + 1)
    out = np.zeros((len(units), width + (places > 0)), np.uint8)
    column = out.shape[1] - 1
    rest = units
    for place in range(width):
        if place == places and places:
            out[:, column] = ord(".")
            column -= 1
        left = rest // 10
        digit = (rest - left * 10 + ord("0")).astype(np.uint8)
        out[:, column] = digit if place <= places else np.where(rest > 0, digit, 0)
        rest = left
        column -= 1
    return out


def lines(tables: Sequence[tuple[Int64s, Sequence[Bytes]]]) -> bytes:
    """The rows of several tables, each given as times and fields, merged by time (ties in the order of the tables)."""
    matrices = [_joined(fields) for _, fields in tables]
    width = max(m.shape[1] for m in matrices)
    whole = np.zeros((sum(len(m) for m in matrices), width), np.uint8)
    begin = 0
    for matrix in matrices:
        whole[begin : begin + len(matrix), : matrix.shape[1]] = matrix
        begin += len(matrix)
    if len(tables) > 1:
        whole = whole[np.argsort(np.concatenate([ts for ts, _ in tables]), kind="stable")]
    flat = whole.ravel()
    return bytes(flat[flat != 0].tobytes())


def _joined(fields: Sequence[Bytes]) -> Bytes:
    rows = len(fields[0])
    parts: list[Bytes] = []
    for i, field in enumerate(fields):
        parts += [field, text(";" if i + 1 < len(fields) else "\n", rows)]
    return np.concatenate(parts, axis=1)
