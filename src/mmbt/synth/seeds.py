"""Random streams: one per (seed, name, purpose, cell), so that nothing drawn in one place shifts another.

Adding a pair, lengthening the run or handing out larger blocks therefore changes no number of the rest.
"""

from __future__ import annotations

import zlib
from enum import IntEnum

import numpy as np

__all__ = ["Stream", "rng"]


class Stream(IntEnum):
    """What a stream is for; the values are part of the generator's version."""

    RATES = 0
    NOISE = 1
    TIMES = 2
    ORDERS = 3
    PRINTS = 4
    BOOK = 5
    SIDES = 6
    SIZES = 7


def rng(seed: int, name: str, stream: Stream, cell: int) -> np.random.Generator:
    """The generator of one purpose in one cell of a pair or currency."""
    key = (zlib.crc32(name.encode()), int(stream), cell)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
