"""Every error a person may meet, with its exit code.

| class            | also a            | exit | meaning                                        |
|------------------|-------------------|------|------------------------------------------------|
| `MmbtError`      | `Exception`       | 1    | the root of the others                         |
| `UsageError`     | `ValueError`      | 2    | a wrong option, name or combination            |
| `DataError`      | `ValueError`      | 3    | raw data that cannot be read as it stands      |
| `StoreError`     | `RuntimeError`    | 4    | a corrupt, foreign or incompatible store       |
| `StrategyError`  | `RuntimeError`    | 5    | the strategy raised; `__cause__` is its error  |
| `FileError`      | `OSError`         | 6    | reading or writing failed                      |
| `NumericError`   | `ArithmeticError` | 7    | NaN, infinity or overflow in a computation     |

A message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = ["DataError", "FileError", "MmbtError", "NumericError", "StoreError", "StrategyError", "UsageError",
           "did_you_mean"]

INTERRUPTED = 130  # the exit code after Ctrl-C


class MmbtError(Exception):
    """Root of all errors raised on purpose."""

    exit_code = 1


class UsageError(MmbtError, ValueError):
    """A wrong option, name or combination of them."""

    exit_code = 2


class DataError(MmbtError, ValueError):
    """Raw data that cannot be read as it stands."""

    exit_code = 3


class StoreError(MmbtError, RuntimeError):
    """A corrupt, foreign or incompatible store or model."""

    exit_code = 4


class StrategyError(MmbtError, RuntimeError):
    """The strategy raised; `__cause__` is its own error, and `result` what the run had produced before."""

    exit_code = 5
    result: Any = None


class FileError(MmbtError, OSError):
    """Reading or writing a file failed."""

    exit_code = 6


class NumericError(MmbtError, ArithmeticError):
    """NaN, infinity or overflow in a computation."""

    exit_code = 7


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The hint `; did you mean 'x'?` for the nearest known names, or an empty string."""
    by_fold = {other.casefold(): other for other in known}
    near = [by_fold[fold] for fold in difflib.get_close_matches(name.casefold(), list(by_fold), n=3, cutoff=0.5)]
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
