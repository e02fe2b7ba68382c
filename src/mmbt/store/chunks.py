"""Chunks of many instruments joined to larger ones, so that each instrument's share is worth a step of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mmbt.formats.base import RawChunk

__all__ = ["gathered"]

T = TypeVar("T", bound=np.generic)
_FEW = 32  # instruments whose share of an ordinary chunk is large enough
_SHARE = 1024  # rows an instrument, on average, that are wanted otherwise
_MOST = 1 << 19  # rows of a joined chunk at most, about


def gathered(chunks: Iterable[RawChunk]) -> Iterator[RawChunk]:
    """The same rows in the same order, in chunks that grow with the number of instruments up to a bound."""
    held: list[RawChunk] = []
    rows = 0
    for chunk in chunks:
        held.append(chunk)
        rows += len(chunk.ts)
        names = len(chunk.names)
        if names <= _FEW or rows >= min(names * _SHARE, _MOST):
            yield _joined(held)
            held, rows = [], 0
    if held:
        yield _joined(held)


def _joined(chunks: list[RawChunk]) -> RawChunk:
    if len(chunks) == 1:
        return chunks[0]
    first = chunks[0]
    dropped: Counter[str] = Counter()
    for chunk in chunks:
        dropped.update(chunk.dropped)
    return RawChunk(
        table=first.table,
        names=first.names,
        instrument=_column([chunk.instrument for chunk in chunks]),
        ts=_column([chunk.ts for chunk in chunks]),
        local_ts=None if first.local_ts is None else _column([c.local_ts for c in chunks if c.local_ts is not None]),
        values={
            name: (
                _column([chunk.values[name][0] for chunk in chunks]),
                _column([chunk.values[name][1] for chunk in chunks]),
            )
            for name in first.values
        },
        side=None if first.side is None else _column([chunk.side for chunk in chunks if chunk.side is not None]),
        line=_column([chunk.line for chunk in chunks]),
        offset=_column([chunk.offset for chunk in chunks]),
        rejected=[rejected for chunk in chunks for rejected in chunk.rejected],
        dropped=dict(dropped),
        rows=sum(chunk.rows for chunk in chunks),
    )


def _column(parts: list[NDArray[T]]) -> NDArray[T]:
    return np.concatenate(parts)
