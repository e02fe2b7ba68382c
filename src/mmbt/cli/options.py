"""Values as people type them: durations, instants, days, `name=value` pairs; and where files are looked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mmbt.errors import DataError, UsageError, did_you_mean
from mmbt.units import duration_ns, fee_rate

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = [
    "BASIS_POINTS",
    "DATES",
    "DEFAULT_STORE",
    "DURATION",
    "FEED_LATENCY",
    "GAP",
    "INSTANT",
    "LATENCY",
    "MAX_AGE",
    "PAIR",
    "SPAN",
    "checked",
    "default_store",
    "find_input",
    "find_store",
]

_Model = TypeVar("_Model", bound="BaseModel")

DEFAULT_STORE = "data/store"
_DAY_NS = 86_400 * 10**9
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?\Z"
)


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A parameter type made of a function that raises `ValueError`."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except DataError:  # a value may name a file: what is wrong in there is no wrong usage
            raise
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _gap(text: str) -> int | None:
    gap = None if text == "none" else duration_ns(text)
    if gap == 0:
        raise ValueError("a session gap must be positive, or none")
    return gap


def _positive(text: str) -> int:
    span = duration_ns(text)
    if span == 0:
        raise ValueError("it must be more than nothing")
    return span


def _latency(text: str) -> Any:
    from mmbt.backtest.latency import parse_latency

    return parse_latency(text)


def _feed_latency(text: str) -> Any:
    return text if text == "local" else _latency(text)


def _basis_points(text: str) -> str:
    fee_rate(text)
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day: write it as 2024-08-08") from None


def _dates(text: str) -> tuple[date | None, date | None]:
    first, dots, last = text.partition("..")
    if not dots:
        return _day(first), _day(first)
    if not first and not last:
        raise ValueError(
            "write a day, or a first and a last day as 2024-08-08..2024-08-09; one of them may be left out"
        )
    days = (_day(first) if first else None, _day(last) if last else None)
    if days[0] and days[1] and days[0] > days[1]:
        raise ValueError(f"the first day {first} comes after the last {last}")
    return days


def _instant(text: str) -> int:
    """Exact ns since the epoch: `datetime` would stop at microseconds."""
    match = _INSTANT.match(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not an instant: write it as 2024-08-08T10:30:00.5 (UTC) or with an offset, +03:00"
        )
    day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{hour or '00'}:{minute or '00'}:{second or '00'}")
        offset = _offset(zone)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an instant: {error}") from None
    since = moment.replace(tzinfo=UTC) - offset - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * _DAY_NS + since.seconds * 10**9 + int((fraction or "").ljust(9, "0"))


def _offset(zone: str | None) -> timedelta:
    if zone in {None, "Z"}:
        return timedelta(0)
    assert zone is not None
    sign = -1 if zone[0] == "-" else 1
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 15 or minutes > 59:
        raise ValueError(f"there is no time zone {zone}")
    return sign * timedelta(hours=hours, minutes=minutes)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is not NAME=VALUE, such as half_spread_ticks=2")
    return name.strip(), value.strip()


DURATION = _Parsed("duration", duration_ns)
SPAN = _Parsed("duration", _positive)
GAP = _Parsed("duration|none", _gap)
MAX_AGE = _Parsed("duration|none", lambda text: None if text == "none" else duration_ns(text))
LATENCY = _Parsed("latency", _latency)
FEED_LATENCY = _Parsed("latency|local", _feed_latency)
BASIS_POINTS = _Parsed("bp", _basis_points)
DATES = _Parsed("a..b", _dates)
INSTANT = _Parsed("time", _instant)
PAIR = _Parsed("name=value", _pair)


def checked(model: type[_Model], **values: Any) -> _Model:
    """A configuration object from options.

    Raises
    ------
    UsageError
        Listing every value that does not fit, each under the name of its option.
    """
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        told = []
        for item in error.errors(include_url=False):
            flag = f"--{str(item['loc'][0]).replace('_', '-')}: " if item["loc"] else ""
            told.append(f"{flag}{item['msg'].removeprefix('Value error, ')}")
        raise UsageError("; ".join(told)) from None


def find_input(name: str, what: str = "file or directory") -> Path:
    """The path of that name, looked for here and then, if it is a bare name, under `data/`.

    Raises
    ------
    UsageError
        When it is in neither place, with the near names of both.
    """
    here = Path(name)
    if here.exists():
        return here
    bare = len(here.parts) == 1 and not here.is_absolute()
    if bare and (Path("data") / here).exists():
        return Path("data") / here
    looked = f" (looked for it here and in {str(Path('data'))!r})" if bare else ""
    parent = here.parent
    known = [*_names(parent), *(_names(Path("data")) if bare else [])]
    hint = did_you_mean(here.name, known)
    raise UsageError(f"no such {what}: {name!r}{looked}{hint}")


def find_store(name: str | None) -> Path:
    """The store of that name; `data/store` when none is named.

    Raises
    ------
    UsageError
        When there is none, with what to do.
    """
    if name is None and not Path(DEFAULT_STORE).exists():
        raise UsageError(
            f"there is no store at {DEFAULT_STORE}: make one with `mmbt convert raw-data`, or name another with --data"
        )
    return find_input(name or DEFAULT_STORE, "store")


def default_store(name: str | None) -> Path:
    """Where a store is to be made."""
    return Path(name or DEFAULT_STORE)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
