"""Days in order of time: the first to learn from, the next to choose by, the last kept for a test.

Between two parts lies an embargo, at least as long as the longest window of a feature: what is seen at the beginning of
one tells nothing of the end of the other. A single day is split the same way by its hours, and labelled so.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mmbt.errors import UsageError
from mmbt.units import duration_ns

__all__ = ["LONGEST_WINDOW_NS", "Piece", "Split", "SplitOptions", "split_days"]

LONGEST_WINDOW_NS = 120 * 10**9  # of a feature

Count = Annotated[float, Field(ge=0, lt=10**6, allow_inf_nan=False)]
Embargo = Annotated[int, BeforeValidator(duration_ns), Field(ge=LONGEST_WINDOW_NS, lt=2**62)]


class SplitOptions(BaseModel):
    """How days are split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validation: Count = Field(0.2, description="days that choose the model: a share of all below 1, else how many")
    test: Count = Field(0.2, description="days after them that are left alone: a share of three or more, or how many")
    embargo: Embargo = Field(LONGEST_WINDOW_NS, description="time left out between two parts")


class Piece(NamedTuple):
    """A day, or what is taken of it."""

    date: str
    start: int  # ns, included
    end: int  # ns, not included


class Split(NamedTuple):
    """Which times do what."""

    kind: Literal["days", "within one day"]
    train: tuple[Piece, ...]
    validation: tuple[Piece, ...]
    test: tuple[Piece, ...]

    @property
    def parts(self) -> dict[str, tuple[Piece, ...]]:
        """By name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def check(self) -> None:
        """Make sure that the parts follow one another in time.

        Raises
        ------
        UsageError
            When they do not.
        """
        pieces = [piece for part in self.parts.values() for piece in part]
        if any(a.end > b.start for a, b in pairwise(pieces)) or any(a.start >= a.end for a in pieces):
            raise UsageError(f"the parts of the split are not in order: {pieces}")


def split_days(days: Mapping[str, tuple[int, int]], options: SplitOptions) -> Split:
    """Split days, given as date: (first, last) instant with a row, ns.

    Raises
    ------
    UsageError
        When a part that is wanted would be empty.
    """
    order = sorted(days)
    if len(order) == 1:
        parts = _within(order[0], *days[order[0]], options)
        kind: Literal["days", "within one day"] = "within one day"
    else:
        counts = _counts(len(order), options)
        dates = [order[: counts[0]], order[counts[0] : counts[0] + counts[1]], order[counts[0] + counts[1] :]]
        parts = [[Piece(date, days[date][0], days[date][1] + 1) for date in part] for part in dates]
        kind = "days"
    split = Split(kind, *_embargoed(parts, options))
    split.check()
    return split


def _counts(count: int, options: SplitOptions) -> tuple[int, int, int]:
    def wanted(name: str, least: int) -> int:
        value = getattr(options, name)
        if value >= 1 and value != int(value):
            raise UsageError(f"{name} = {value:g}: write a share below 1, or a whole number of days")
        return int(value) if value >= 1 else max(least, round(value * count)) if value > 0 else 0

    validation, test = wanted("validation", 1), wanted("test", 1 if count > 2 else 0)
    if validation + test >= count:
        raise UsageError(f"{count} days: none is left to learn from beside {validation} to validate on and {test} to "
                         "test on; lower validation or test, or name more days with --dates")
    return count - validation - test, validation, test


def _within(date: str, first: int, last: int, options: SplitOptions) -> list[list[Piece]]:
    if options.validation >= 1 or options.test >= 1 or options.validation + options.test >= 1:
        raise UsageError("a single day is split by shares of its time: give validation and test below 1 together")
    length = last + 1 - first
    to_test = last + 1 - round(length * options.test)
    to_validation = to_test - round(length * options.validation)
    bounds = [first, to_validation, to_test, last + 1]
    return [[Piece(date, a, b)] if b > a else [] for a, b in pairwise(bounds)]


def _embargoed(parts: list[list[Piece]], options: SplitOptions) -> list[tuple[Piece, ...]]:
    """Each part begins an embargo after the end of what stands before it."""
    found: list[tuple[Piece, ...]] = []
    for name, part in zip(("train", "validation", "test"), parts, strict=True):
        before = [piece.end for done in found for piece in done]
        earliest = before[-1] + options.embargo if before else 0
        kept = tuple(piece._replace(start=max(piece.start, earliest)) for piece in part if piece.end > earliest)
        if part and not kept:
            raise UsageError(f"an embargo of {options.embargo / 1e9:g} s leaves nothing of the {name} part: give it "
                             f"more, with -S {name}=SHARE, or use more days")
        found.append(kept)
    return found
