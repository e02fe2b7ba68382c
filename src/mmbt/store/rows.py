"""Rows of one instrument and table in memory, and exact changes of their scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import DataError
from mmbt.store.infer import Grid
from mmbt.store.schema import MAX_VALUE

__all__ = ["DAY", "Int64s", "Rows", "common_scale", "in_units", "joined"]

Int64s = NDArray[np.int64]
DAY = 86_400 * 10**9
_POWERS = 10 ** np.arange(19, dtype=np.int64)


class Rows(NamedTuple):
    """Consecutive rows: arrays of one length."""

    ts: Int64s
    local_ts: Int64s | None
    values: tuple[Int64s, ...]  # in the order of the schema
    side: NDArray[np.int8] | None
    rank: int | Int64s = 0  # place of the source file among those of the partition; an array where it changes

    def take(self, which: slice | Int64s) -> Rows:
        """The rows chosen by a slice or by indices."""
        return Rows(
            self.ts[which],
            None if self.local_ts is None else self.local_ts[which],
            tuple(column[which] for column in self.values),
            None if self.side is None else self.side[which],
            self.rank if isinstance(self.rank, int) else self.rank[which],
        )

    def ranks(self) -> Int64s:
        """The rank of every row."""
        return np.full(len(self.ts), self.rank, np.int64) if isinstance(self.rank, int) else self.rank


def joined(pieces: Sequence[Rows]) -> Rows:
    """The rows of all pieces, one after the other; either all have local times or none."""
    if len(pieces) == 1:
        return pieces[0]
    first = pieces[0]
    rank: int | Int64s = first.rank
    if {p.rank if isinstance(p.rank, int) else -1 for p in pieces} != {rank if isinstance(rank, int) else None}:
        rank = np.concatenate([p.ranks() for p in pieces])
    return Rows(
        np.concatenate([p.ts for p in pieces]),
        None if first.local_ts is None else np.concatenate([p.local_ts for p in pieces if p.local_ts is not None]),
        tuple(np.concatenate([p.values[i] for p in pieces]) for i in range(len(first.values))),
        None if first.side is None else np.concatenate([p.side for p in pieces if p.side is not None]),
        rank,
    )


def common_scale(numbers: Sequence[tuple[Int64s, NDArray[np.int8]]]) -> tuple[tuple[Int64s, ...], int]:
    """Columns of (mantissa, decimals) as whole multiples of one 10^-scale.

    Raises
    ------
    OverflowError
        When no scale holds them all in 63 bits; such values differ by more than the store can hold.
    """
    scale = max(int(decimals.max()) for _, decimals in numbers)
    if all(int(decimals.min()) == scale for _, decimals in numbers):
        return tuple(mantissa for mantissa, _ in numbers), scale
    low = min(int(decimals.min()) for _, decimals in numbers)
    if max(_largest(mantissa) for mantissa, _ in numbers) * 10 ** (scale - low) >= 1 << 63:
        return common_scale_slowly(numbers)
    return tuple(mantissa * _POWERS[scale - decimals] for mantissa, decimals in numbers), scale


def common_scale_slowly(numbers: Sequence[tuple[Int64s, NDArray[np.int8]]]) -> tuple[tuple[Int64s, ...], int]:
    """As `common_scale`, after trailing zeros are taken off every number."""
    stripped = [_without_zeros(*number) for number in numbers]
    scale = max(int(decimals.max()) for _, decimals in stripped)
    for mantissa, decimals in stripped:
        for decimal in np.unique(decimals):
            if _largest(mantissa[decimals == decimal]) * 10 ** (scale - int(decimal)) >= 1 << 63:
                raise OverflowError("values span more than 63 bits")
    return tuple(mantissa * _POWERS[scale - decimals] for mantissa, decimals in stripped), scale


def _without_zeros(mantissa: Int64s, decimals: NDArray[np.int8]) -> tuple[Int64s, NDArray[np.int8]]:
    mantissa, decimals = mantissa.copy(), decimals.copy()
    decimals[mantissa == 0] = 0
    while (strip := (decimals > 0) & (mantissa % 10 == 0)).any():
        mantissa[strip] //= 10
        decimals[strip] -= 1
    return mantissa, decimals


def in_units(mantissa: Int64s, scale: int, unit: Grid, what: str) -> Int64s:
    """The values as whole units, exactly.

    Raises
    ------
    DataError
        When a value is no whole number of units, or 2^40 units or more.
    """
    largest = _largest(mantissa)
    if largest * 10 ** max(unit.scale - scale, 0) >= MAX_VALUE * unit.step * 10 ** max(scale - unit.scale, 0):
        raise DataError(
            f"{what} {Grid.of(largest, scale)} is 2^40 units of {unit} or more, which the store cannot hold; "
            "give a coarser unit if its values allow one, or remove the row"
        )
    common = min(scale, unit.scale)
    up, down = 10 ** (unit.scale - common), unit.step * 10 ** (scale - common)
    if up == 1 and down == 1:
        return mantissa
    if largest * up < 1 << 63 and down < 1 << 63:
        scaled = mantissa * np.int64(up) if up > 1 else mantissa
        if down == 1:
            return scaled
        whole: Int64s = scaled // np.int64(down)
        if (whole * np.int64(down) == scaled).all():
            return whole
    else:  # too long for 64 bits on the way: rare, so slowly
        pairs = [divmod(value * up, down) for value in mantissa.tolist()]
        if not any(rest for _, rest in pairs):
            return np.array([value for value, _ in pairs], np.int64)
    off = int(mantissa[np.flatnonzero(unit.misfits(mantissa, scale))[0]])
    raise DataError(f"{what} {Grid.of(off, scale)} is not a whole number of units of {unit}")


def _largest(values: Int64s) -> int:
    return int(values.max()) if len(values) else 0
