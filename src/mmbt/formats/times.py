"""Time zones, dates in file names and time formats, prepared for the tokenizer."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import UsageError, did_you_mean

__all__ = ["KINDS", "check_zone", "date_in_name", "time_kind", "zone_table"]

KINDS = ("auto", "iso", "s", "ms", "us", "ns", "time-of-day")
_FIXED = re.compile(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])\Z")
_DATE = re.compile(r"(?<![0-9])((?:19|20|21)[0-9]{2})([-_.]?)([01][0-9])\2([0-3][0-9])(?![0-9])")
_UTC = ("UTC", "Z", "Etc/UTC")
_FAR_PAST = -(2**62)
_YEARS = (1970, 2200)


def check_zone(name: str) -> str:
    """The name itself when it is an IANA zone or a fixed offset such as `+03:00`.

    Raises
    ------
    ValueError
        When it is neither; the message suggests near names.
    """
    if name in _UTC or _FIXED.match(name):
        return name
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
        hint = did_you_mean(name, known) if known else "; the zone data are missing: pip install tzdata"
        raise ValueError(f"{name!r} is not a time zone{hint} Write an IANA name or an offset such as +03:00") from None
    return name


@lru_cache(maxsize=8)
def zone_table(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Instants (ns UTC) from which an offset to UTC holds, the first the far past, and those offsets (ns)."""
    check_zone(name)
    if name in _UTC:
        return np.array([_FAR_PAST]), np.array([0])
    if match := _FIXED.match(name):
        minutes = int(match[2]) * 60 + int(match[3])
        return np.array([_FAR_PAST]), np.array([(minutes if match[1] == "+" else -minutes) * 60 * 10**9])
    zone = ZoneInfo(name)

    def offset(instant: int) -> int:
        shift = datetime.fromtimestamp(instant, zone).utcoffset()
        return round((shift or timedelta()).total_seconds())

    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in _YEARS)
    since, offsets = [_FAR_PAST], [offset(first)]
    for day in range(first, last, 86400):
        if offset(day + 86400) != offsets[-1]:
            low, high = day, day + 86400  # the offset changes within (low, high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            since.append(high * 10**9)
            offsets.append(offset(high))
    return np.array(since), np.array(offsets) * 10**9


def date_in_name(path: Path) -> int:
    """The one date in a file's name, as ns since the epoch at 00:00; -1 when it has none or several."""
    found = {match.group(1, 3, 4) for match in _DATE.finditer(path.name)}
    if len(found) != 1:
        return -1
    try:
        day = date(*map(int, found.pop()))
    except ValueError:
        return -1
    return (day - date(1970, 1, 1)).days * 86400 * 10**9


def time_kind(text: str, what: str) -> tuple[str, bytes | None]:
    """The tokenizer's kind and pattern of a `time` option.

    Raises
    ------
    UsageError
        When the text is no kind and no format of the supported directives.
    """
    if text in KINDS:
        return text, None
    if "%" not in text:
        raise UsageError(f"{what} = {text!r} is no kind of time{did_you_mean(text, KINDS) or '.'} "
                         f"Known: {', '.join(KINDS)}, or a format such as '%Y%m%d %H:%M:%S.%f'")
    directives = re.findall(r"%(.?)", text.replace("%%", ""))
    if wrong := [f"%{letter}" for letter in directives if letter not in set("YmdHMSfz")]:
        raise UsageError(f"{what} = {text!r}: {', '.join(wrong)} is not supported; use %Y %m %d %H %M %S %f %z")
    if missing := [f"%{letter}" for letter in "Ymd" if letter not in directives]:
        raise UsageError(f"{what} = {text!r} has no {', '.join(missing)}: a format needs the whole date")
    if len(set(directives)) != len(directives):
        raise UsageError(f"{what} = {text!r} has a directive twice")
    if "z" in directives and not text.endswith("%z"):
        raise UsageError(f"{what} = {text!r}: %z must come last")
    return "format", text.encode()
