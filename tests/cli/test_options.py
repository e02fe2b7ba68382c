"""Values as people type them, right and wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import pytest

from mmbt.cli.options import BASIS_POINTS, DATES, DURATION, GAP, INSTANT, PAIR, find_input, find_store
from mmbt.errors import UsageError

S = 10**9


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-02", 86_400 * S),
        ("2024-08-08T23:54:14.024619", 1_723_161_254_024_619_000),
        ("2024-08-08 23:54:14.024619001Z", 1_723_161_254_024_619_001),
        ("2024-08-09T02:54:14.024619+03:00", 1_723_161_254_024_619_000),
        ("2024-08-08T20:24:14.024619-0330", 1_723_161_254_024_619_000),
        ("2024-08-08T23:54", 1_723_161_240 * S),
        ("1969-12-31T23:59:59.999999999", -1),
    ],
)
def test_instants_are_exact(text: str, expected: int) -> None:
    assert INSTANT(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "2024-08-32",
        "2024-02-30T10:00",
        "2024-08-08T25:00",
        "2024-08-08T10:00:00.0123456789",
        "2024-08-08T10:00+99:00",
        "2024-08-08T10",
        "08.08.2024",
        "1723161254",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not an instant"):
        INSTANT(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-08-08", (date(2024, 8, 8), date(2024, 8, 8))),
        ("2024-08-08..2024-08-10", (date(2024, 8, 8), date(2024, 8, 10))),
        ("2024-08-08..", (date(2024, 8, 8), None)),
        ("..2024-08-10", (None, date(2024, 8, 10))),
    ],
)
def test_days(text: str, expected: tuple[date | None, date | None]) -> None:
    assert DATES(text) == expected


@pytest.mark.parametrize("text", ["", "..", "2024-8-8", "2024-08-10..2024-08-08", "2024-08-08-2024-08-10", "yesterday"])
def test_what_are_no_days(text: str) -> None:
    with pytest.raises(click.BadParameter):
        DATES(text)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (DURATION, "5ms", 5_000_000),
        (DURATION, "0", 0),
        (GAP, "none", None),
        (GAP, "1h", 3600 * S),
        (BASIS_POINTS, "-0.25", "-0.25"),
        (PAIR, "a=b=c", ("a", "b=c")),
        (PAIR, " size = 2 ", ("size", "2")),
    ],
)
def test_other_values(kind: click.ParamType, text: str, expected: object) -> None:
    assert kind(text) == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (DURATION, "-5ms"),
        (DURATION, "5"),
        (DURATION, "0.5ns"),
        (GAP, "0"),
        (GAP, "never"),
        (BASIS_POINTS, "nan"),
        (BASIS_POINTS, "0.00001"),
        (BASIS_POINTS, "1e9"),
        (PAIR, "size"),
        (PAIR, "=2"),
    ],
)
def test_other_wrong_values(kind: click.ParamType, text: str) -> None:
    with pytest.raises(click.BadParameter):
        kind(text)


def test_a_bare_name_is_looked_for_here_and_then_under_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/raw-data").mkdir(parents=True)
    assert find_input("raw-data") == Path("data/raw-data")
    Path("raw-data").mkdir()
    assert find_input("raw-data") == Path("raw-data")
    with pytest.raises(UsageError, match=r"no such file or directory: 'x/raw-data'$"):
        find_input("x/raw-data")
    with pytest.raises(UsageError, match="did you mean 'raw-data'"):
        find_input("rawdata")


def test_a_missing_store_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="mmbt convert raw-data"):
        find_store(None)
    Path("data/store").mkdir(parents=True)
    assert find_store(None) == Path("data/store")
    assert find_store("store") == Path("data/store")
