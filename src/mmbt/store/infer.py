"""Exact units of an instrument, found from its values.

| unit         | the largest of                            | that represents                                        |
|--------------|-------------------------------------------|--------------------------------------------------------|
| `tick_size`  | {1, 0.5, 0.25, 0.2} x 10^-k, k >= 0       | every quoted price                                     |
| `price_unit` | the same                                  | every quoted price and every print; the tick itself too |
| `lot_size`   | 10^-k, k >= 0                             | every quantity                                         |

All three follow from greatest common divisors alone: a unit represents a set of values if and only if it divides
their gcd. So one `Grid` for each of quotes, prints and quantities is all that must be remembered of the data,
whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from math import gcd

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import DataError, UsageError

__all__ = ["GivenUnits", "Grid", "Grids", "Units"]

_TICKS = ((1, 0), (5, 1), (25, 2), (2, 1))  # 1, 0.5, 0.25, 0.2
_LOTS = ((1, 0),)


@dataclass(frozen=True, slots=True)
class Grid:
    """The exact number `step` x 10^-`scale`: the gcd of the values seen. Step 0: none was seen but zeros."""

    step: int = 0
    scale: int = 0

    @classmethod
    def parse(cls, text: str) -> Grid:
        """The grid of a positive decimal number."""
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValueError(f"{text!r} is not a decimal number") from None
        if not number.is_finite() or number <= 0:
            raise ValueError(f"{text!r} is not a positive number")
        _, digits, exponent = number.as_tuple()
        assert isinstance(exponent, int)
        if len(digits) > 20 or not -20 <= exponent <= 18:
            raise ValueError(f"{text!r} has more digits than can be held exactly")
        step = int("".join(map(str, digits)))
        return cls.of(step * 10 ** max(exponent, 0), max(-exponent, 0))

    @classmethod
    def of(cls, mantissa: int, scale: int) -> Grid:
        """The number `mantissa` x 10^-`scale`, without trailing zeros."""
        while scale and mantissa % 10 == 0:
            mantissa, scale = mantissa // 10, scale - 1
        return cls(mantissa, scale)

    def __str__(self) -> str:
        return format(Decimal(self.step).scaleb(-self.scale), "f")

    def including(self, mantissa: NDArray[np.int64], scale: int) -> Grid:
        """The grid of these values and all before; `mantissa` x 10^-`scale` are the values."""
        if self.step:
            stride = self.step * 10 ** max(scale - self.scale, 0)
            stride //= gcd(stride, 10 ** max(self.scale - scale, 0))
            if stride == 1 or (stride < 1 << 63 and not (mantissa % stride).any()):
                return self  # the usual case: the grid is already as fine as it gets
        return self.joined(Grid.of(int(np.gcd.reduce(mantissa)) if len(mantissa) else 0, scale))

    def joined(self, *others: Grid) -> Grid:
        """The grid that represents everything that any of these represents."""
        scale = max(self.scale, *(other.scale for other in others))
        return Grid.of(gcd(*(g.step * 10 ** (scale - g.scale) for g in (self, *others))), scale)

    def divides(self, other: Grid) -> bool:
        """Whether every value on the other grid lies on this one."""
        scale = max(self.scale, other.scale)
        step: int = self.step * 10 ** (scale - self.scale)
        other_step: int = other.step * 10 ** (scale - other.scale)
        return other_step % step == 0

    def misfits(self, mantissa: NDArray[np.int64], scale: int) -> NDArray[np.bool_]:
        """Which of the values do not lie on this grid."""
        factor = 10 ** max(self.scale - scale, 0)
        stride = self.step * 10 ** max(scale - self.scale, 0)
        stride //= gcd(stride, factor)  # m * factor % stride == 0 iff m is a multiple of this
        return np.asarray(mantissa % stride != 0 if stride < 1 << 63 else mantissa != 0)


def _coarsest(grid: Grid, shapes: Iterable[tuple[int, int]]) -> Grid:
    shapes = tuple(shapes)
    for k in range(grid.scale + 3):
        for step, scale in shapes:
            if (unit := Grid(step, scale + k)).divides(grid):
                return unit
    raise AssertionError(f"10^-scale divides every grid, {grid} too")


@dataclass(frozen=True, slots=True)
class GivenUnits:
    """Units stated by a person; None: to be inferred."""

    tick_size: str | None = None
    price_unit: str | None = None
    lot_size: str | None = None

    def __post_init__(self) -> None:
        for name in ("tick_size", "price_unit", "lot_size"):
            if (text := getattr(self, name)) is not None:
                try:
                    object.__setattr__(self, name, str(Grid.parse(text)))
                except ValueError as error:
                    raise UsageError(f"{name}: {error}; write it as 0.01") from None
        if self.tick_size and self.price_unit and not Grid.parse(self.price_unit).divides(Grid.parse(self.tick_size)):
            raise UsageError(f"tick size {self.tick_size} is not a whole number of price units {self.price_unit}")

    def over(self, other: GivenUnits) -> GivenUnits:
        """These units, and the other's where these say nothing."""
        return GivenUnits(
            self.tick_size or other.tick_size, self.price_unit or other.price_unit, self.lot_size or other.lot_size
        )


@dataclass(frozen=True, slots=True)
class Units:
    """The units an instrument is stored in, as exact decimal texts. `tick_size` None: pending, it has no quotes yet."""

    tick_size: str | None
    price_unit: str
    lot_size: str


@dataclass(frozen=True, slots=True)
class Grids:
    """All that must be remembered of an instrument's values to know its units."""

    quotes: Grid = field(default_factory=Grid)
    prints: Grid = field(default_factory=Grid)
    quantities: Grid = field(default_factory=Grid)

    def joined(self, other: Grids) -> Grids:
        """The grids of both sets of values."""
        return Grids(
            self.quotes.joined(other.quotes), self.prints.joined(other.prints), self.quantities.joined(other.quantities)
        )

    def units(self, name: str, given: GivenUnits) -> Units:
        """The units of an instrument with these values.

        Raises
        ------
        DataError
            When a given unit does not represent them.
        """
        prices = self.quotes.joined(self.prints)
        lot = Grid.parse(given.lot_size) if given.lot_size else _coarsest(self.quantities, _LOTS)
        _must_represent(name, "lot size", lot, self.quantities)
        tick = None
        if given.tick_size:
            tick = Grid.parse(given.tick_size)
            _must_represent(name, "tick size", tick, self.quotes)
        elif self.quotes.step:
            tick = _coarsest(self.quotes, _TICKS)
        if given.price_unit:
            unit = Grid.parse(given.price_unit)
            _must_represent(name, "price unit", unit, prices)
            if tick and not unit.divides(
                tick
            ):  # every quoted price is a multiple of the unit, the inferred tick is not
                tick = unit
        else:
            unit = _coarsest(prices.joined(tick) if tick else prices, _TICKS)
        return Units(str(tick) if tick else None, str(unit), str(lot))


def _must_represent(name: str, what: str, unit: Grid, values: Grid) -> None:
    if values.step and not unit.divides(values):
        raise DataError(
            f"{name}: the {what} given, {unit}, does not represent its values, which need {values}; "
            f"give a finer one or none"
        )
