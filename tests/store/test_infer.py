"""Units are found exactly, from greatest common divisors, as the table in `mmbt.store.infer` says."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbt.errors import DataError, UsageError
from mmbt.store.infer import GivenUnits, Grid, Grids


def grid(*texts: str) -> Grid:
    found = Grid()
    for text in texts:
        scale = max(-Decimal(text).as_tuple().exponent, 0)
        found = found.including(np.array([int(Decimal(text).scaleb(scale))]), scale)
    return found


@pytest.mark.parametrize(
    ("quotes", "tick"),
    [
        (("61.25", "61.30"), "0.05"),
        (("61.25", "61.50"), "0.25"),
        (("61.5", "62"), "0.5"),
        (("61.2", "61.6"), "0.2"),
        (("61.20", "61.50"), "0.1"),
        (("61.2500",), "0.25"),
        (("7", "14"), "1"),
        (("100", "200"), "1"),
        (("0.0000025", "0.000005"), "0.0000025"),
        (("61.26", "2683.8"), "0.02"),
        (("61.26", "61.27"), "0.01"),
    ],
)
def test_tick_is_the_largest_that_represents_every_quote(quotes: tuple[str, ...], tick: str) -> None:
    assert Grids(quotes=grid(*quotes)).units("X", GivenUnits()).tick_size == tick


def test_price_unit_is_finer_where_prints_are_and_never_coarser_than_the_tick() -> None:
    finer = Grids(quotes=grid("61.25"), prints=grid("61.255")).units("X", GivenUnits())
    assert (finer.tick_size, finer.price_unit) == ("0.25", "0.005")
    coarser = Grids(quotes=grid("61.25", "61.26"), prints=grid("61")).units("X", GivenUnits())
    assert (coarser.tick_size, coarser.price_unit) == ("0.01", "0.01")


def test_lot_is_a_power_of_ten_and_at_most_one() -> None:
    def lot(*quantities: str) -> str:
        return Grids(quotes=grid("1"), quantities=grid(*quantities)).units("X", GivenUnits()).lot_size

    assert lot("100", "2500") == "1"
    assert lot("0.25") == "0.01"
    assert lot("0.5", "1") == "0.1"
    assert lot() == "1"


def test_prints_alone_leave_the_tick_pending() -> None:
    units = Grids(prints=grid("61.26")).units("X", GivenUnits())
    assert units.tick_size is None
    assert units.price_unit == "0.02"


def test_given_units_override_and_are_checked() -> None:
    grids = Grids(quotes=grid("61.25"), quantities=grid("0.5"))
    assert grids.units("X", GivenUnits(tick_size="0.01")).tick_size == "0.01"
    assert grids.units("X", GivenUnits(tick_size="0.01")).price_unit == "0.01"
    assert grids.units("X", GivenUnits(tick_size="0.05", price_unit="0.0010")).price_unit == "0.001"
    with pytest.raises(DataError, match=r"tick size given, 0\.1, does not represent"):
        grids.units("X", GivenUnits(tick_size="0.1"))
    with pytest.raises(DataError, match="lot size given, 1"):
        grids.units("X", GivenUnits(lot_size="1"))
    with pytest.raises(UsageError, match="not a whole number of price units"):
        GivenUnits(tick_size="0.01", price_unit="0.02")
    for bad in ("0", "-1", "nan", "inf", "x", "1e400"):
        with pytest.raises(UsageError, match="tick_size"):
            GivenUnits(tick_size=bad)


@given(st.lists(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 6)), min_size=1), min_size=1))
def test_a_grid_depends_on_the_values_alone(chunks: list[list[tuple[int, int]]]) -> None:
    by_chunk = Grid()
    for chunk in chunks:
        scale = max(decimals for _, decimals in chunk)
        by_chunk = by_chunk.including(np.array([m * 10 ** (scale - d) for m, d in chunk]), scale)
    values = [Decimal(m).scaleb(-d) for chunk in chunks for m, d in chunk]
    step = Decimal(str(by_chunk))
    assert all(value % step == 0 for value in values) if step else not any(values)
    backwards = Grid()
    for mantissa, decimals in (pair for chunk in reversed(chunks) for pair in chunk):
        backwards = backwards.including(np.array([mantissa]), decimals)
    assert backwards == by_chunk
    if by_chunk.step:
        assert Grid.parse(str(by_chunk)) == by_chunk


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.lists(st.integers(1, 10**6), max_size=5))
def test_inferred_units_represent_all_and_none_coarser_does(quotes: list[int], prints: list[int]) -> None:
    grids = Grids(
        grid(*(str(Decimal(q).scaleb(-3)) for q in quotes)), grid(*(str(Decimal(p).scaleb(-3)) for p in prints))
    )
    units = grids.units("X", GivenUnits())
    assert units.tick_size is not None
    shapes = sorted((Decimal(c).scaleb(-k) for c in ("1", "0.5", "0.25", "0.2") for k in range(8)), reverse=True)
    in_quotes = [Decimal(q).scaleb(-3) for q in quotes]
    in_all = in_quotes + [Decimal(p).scaleb(-3) for p in prints]
    assert Decimal(units.tick_size) == next(u for u in shapes if all(v % u == 0 for v in in_quotes))
    assert Decimal(units.price_unit) == next(u for u in shapes if all(v % u == 0 for v in in_all))
    assert Decimal(units.tick_size) % Decimal(units.price_unit) == 0
