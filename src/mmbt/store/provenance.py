"""Whose row is whose, in a partition whose rows came from several files.

A later file may bring rows of any stamp, and their place among the stored rows of that stamp depends on the rank of
these. So a partition's manifest entry keeps runs (source, length) of its rows: pairs of little-endian u32, compressed
by zlib, in base85. One source alone needs no runs, files that do not overlap in time need one each, and two interleaved
at random cost a third of a byte a row.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import StoreError
from mmbt.store.rows import Int64s, Rows

__all__ = ["RunLengths", "decode_runs"]


class RunLengths:
    """Gathers the runs of a partition as its rows are written, compressed at once."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(9)
        self._parts: list[bytes] = []
        self._source = -1
        self._length = 0

    def add(self, rows: Rows) -> None:
        """Count the next rows; the rank of a row is the place of its source."""
        if isinstance(rows.rank, int):
            self._append(np.array([rows.rank], np.int64), np.array([len(rows.ts)], np.int64))
            return
        starts = np.flatnonzero(np.concatenate(([True], rows.rank[1:] != rows.rank[:-1])))
        self._append(rows.rank[starts], np.diff(np.append(starts, len(rows.ts))))

    def _append(self, sources: Int64s, lengths: Int64s) -> None:
        if self._source == sources[0]:
            lengths[0] += self._length
        elif self._length:
            sources, lengths = np.insert(sources, 0, self._source), np.insert(lengths, 0, self._length)
        self._source, self._length = int(sources[-1]), int(lengths[-1])
        self._write(sources[:-1], lengths[:-1])

    def _write(self, sources: Int64s, lengths: Int64s) -> None:
        pairs = np.stack([sources, lengths], axis=1).astype("<u4")
        self._parts.append(self._compressor.compress(pairs.tobytes()))

    def encoded(self, sources: int) -> str:
        """The runs as text, once all rows were added; `sources` is the number of sources of the partition."""
        if sources <= 1:
            return ""
        self._write(np.array([self._source]), np.array([self._length]))
        return base64.b85encode(b"".join([*self._parts, self._compressor.flush()])).decode("ascii")


def decode_runs(text: str, sources: int, rows: int, where: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The runs of a partition: places among its sources, and the row each run ends before."""
    if not text and sources == 1:
        return np.zeros(1, np.int64), np.array([rows], np.int64)
    try:
        pairs = np.frombuffer(zlib.decompress(base64.b85decode(text)), "<u4").reshape(-1, 2).astype(np.int64)
    except (ValueError, zlib.error):
        pairs = np.zeros((0, 2), np.int64)
    ends = np.cumsum(pairs[:, 1])
    if not len(pairs) or int(ends[-1]) != rows or int(pairs[:, 0].max()) >= sources:
        raise StoreError(f"{where}: the manifest's record of row sources is damaged; convert again")
    return pairs[:, 0], ends
