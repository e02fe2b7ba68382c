"""Durations and decimals as people write them, turned into exact integers."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

__all__ = ["duration_ns", "fee_rate", "format_duration"]

_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "min": 60 * 10**9,
       "h": 3600 * 10**9, "d": 86400 * 10**9}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zµ]+)\s*\Z")


def duration_ns(text: str | int) -> int:
    """A duration such as ``100ms``, ``1.5s`` or ``1h`` in ns; a bare integer is taken as ns already.

    Raises
    ------
    ValueError
        When the text is no duration, is negative, or is not a whole number of ns.
    """
    if isinstance(text, bool) or not isinstance(text, int | str):
        raise ValueError(f"duration must be text such as '100ms' or whole ns, not {text!r}")
    if isinstance(text, int):
        if text < 0:
            raise ValueError(f"duration {text} is negative")
        return text
    if text.strip() == "0":
        return 0
    match = _DURATION.match(text)
    if match is None or match[2] not in _NS:
        raise ValueError(f"{text!r} is not a duration: write a number and a unit, such as 100ms, 1.5s or 1h "
                         f"(units: {', '.join(_NS)})")
    ns = Decimal(match[1]) * _NS[match[2]]
    if ns != int(ns):
        raise ValueError(f"duration {text!r} is not a whole number of nanoseconds")
    return int(ns)


def format_duration(ns: int) -> str:
    """The shortest exact text of a duration: 100_000_000 -> '100ms'."""
    for unit in ("d", "h", "min", "s", "ms", "us"):
        if ns and ns % _NS[unit] == 0:
            return f"{ns // _NS[unit]}{unit}"
    return f"{ns}ns"


def fee_rate(basis_points: str | int | Decimal) -> int:
    """A fee in basis points as a whole number of 1e-8 of the value traded; negative is a rebate.

    Raises
    ------
    ValueError
        When it is no finite number or has more than eight decimal places as a rate (four in basis points).
    """
    try:
        rate = Decimal(str(basis_points)) * 10**4
    except InvalidOperation:
        raise ValueError(f"fee {basis_points!r} is not a number of basis points") from None
    if not rate.is_finite() or rate != int(rate):
        raise ValueError(f"fee {basis_points} bp must be finite and have at most 4 decimal places")
    if abs(rate) > 10**8:
        raise ValueError(f"fee {basis_points} bp is more than the whole value traded")
    return int(rate)
