"""Days in order of time, an embargo between parts."""

from __future__ import annotations

import pytest

from mmbt.envs.split import LONGEST_WINDOW_NS, Split, SplitOptions, split_days
from mmbt.errors import UsageError

DAY, SECOND = 86_400 * 10**9, 10**9


def days(count: int, length: int = DAY) -> dict[str, tuple[int, int]]:
    return {f"2024-01-{k + 1:02}": (k * DAY, k * DAY + length - 1) for k in reversed(range(count))}


def dates(split: Split) -> list[list[str]]:
    return [[piece.date[-2:] for piece in part] for part in split.parts.values()]


@pytest.mark.parametrize(("count", "options", "expected"), [
    (2, {}, [["01"], ["02"], []]),
    (3, {}, [["01"], ["02"], ["03"]]),
    (4, {}, [["01", "02"], ["03"], ["04"]]),
    (5, {}, [["01", "02", "03"], ["04"], ["05"]]),
    (10, {}, [["01", "02", "03", "04", "05", "06"], ["07", "08"], ["09", "10"]]),
    (4, {"validation": 2, "test": 0}, [["01", "02"], ["03", "04"], []]),
    (4, {"validation": 0, "test": 1}, [["01", "02", "03"], [], ["04"]]),
])
def test_R7_days_are_split_in_order_of_time(count, options, expected):
    split = split_days(days(count), SplitOptions(**options))
    assert split.kind == "days"
    assert dates(split) == expected
    ends = 0
    for part in split.parts.values():
        for place, piece in enumerate(part):
            assert piece.start >= ends + (LONGEST_WINDOW_NS if ends and not place else 0)
            ends = piece.end


def test_nights_are_embargo_enough():
    split = split_days(days(3, 8 * 3600 * SECOND), SplitOptions())
    assert [part[0].start for part in split.parts.values()] == [0, DAY, 2 * DAY]


def test_a_single_day_is_split_by_its_hours():
    split = split_days({"2024-01-01": (0, 1000 * SECOND - 1)}, SplitOptions())
    assert split.kind == "within one day"
    assert [[(piece.start // SECOND, piece.end // SECOND) for piece in part] for part in split.parts.values()] == [
        [(0, 600)], [(720, 800)], [(920, 1000)]]


@pytest.mark.parametrize(("found", "options", "words"), [
    (days(2), {"validation": 2}, "2 days: none is left to learn from"),
    (days(3), {"validation": 1.5}, "a whole number of days"),
    (days(1), {"validation": 1}, "by shares of its time"),
    (days(1), {"validation": 0.5, "test": 0.5}, "by shares of its time"),
    ({"2024-01-01": (0, 300 * SECOND)}, {}, "leaves nothing of the validation part"),
])
def test_what_cannot_be_split_is_refused(found, options, words):
    with pytest.raises(UsageError, match=words):
        split_days(found, SplitOptions(**options))


def test_an_embargo_is_never_shorter_than_a_feature_looks_back():
    with pytest.raises(ValueError, match="greater than or equal"):
        SplitOptions(embargo="60s")
    assert SplitOptions(embargo="5m").embargo == 300 * SECOND
