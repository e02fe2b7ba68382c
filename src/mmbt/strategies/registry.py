"""Strategies by name: built in, installed by others, or named by module or file.

| written as              | found                                                                                  |
|-------------------------|----------------------------------------------------------------------------------------|
| `linear-skew`           | among the built-in ones, else among installed entry points of group `mmbt.strategies`  |
| `package.module:Class`  | by importing that module                                                               |
| `path.py:Class`         | by executing that file                                                                 |

A bare name never reaches a file. Listing imports no strategy: what is installed runs only when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple

from mmbt.errors import MmbtError, StrategyError, UsageError, did_you_mean
from mmbt.strategies.base import Strategy
from mmbt.strategies.loading import as_strategy, blame, load
from mmbt.strategies.params import Description, describe, make_params

__all__ = ["BUILT_IN", "GROUP", "Available", "Description", "available", "describe", "find", "make"]

GROUP = "mmbt.strategies"

BUILT_IN = {  # name: class, first line of its docstring (a test compares them)
    "avellaneda-stoikov": ("mmbt.strategies.avellaneda_stoikov:AvellanedaStoikov",
                           "Quote by the formulas of Avellaneda and Stoikov, whose horizon moves along."),
    "base-model": ("mmbt.strategies.base_model:BaseModelQuotes",
                   "Quote by the exact policy of the base model."),
    "cartea-jaimungal": ("mmbt.strategies.cartea_jaimungal:CarteaJaimungal",
                         "Quote at the optimal depths of Cartea and Jaimungal."),
    "dqn": ("mmbt.strategies.dqn:DQN",
            "Quote what a trained network values most."),
    "fixed-spread": ("mmbt.strategies.fixed_spread:FixedSpread",
                     "Quote both sides at a fixed distance from the mid."),
    "imbalance-skew": ("mmbt.strategies.imbalance_skew:ImbalanceSkew",
                       "Quote around a price that leans against the position and with the imbalance of the book."),
    "ladder": ("mmbt.strategies.ladder:Ladder",
               "Quote several levels a side around a price that may lean against the position."),
    "linear-skew": ("mmbt.strategies.linear_skew:LinearSkew",
                    "Quote around a price that leans against the position."),
    "no-quotes": ("mmbt.strategies.no_quotes:NoQuotes",
                  "Quote nothing: the baseline that costs and earns nothing."),
    "random": ("mmbt.strategies.random_quotes:RandomQuotes",
               "Quote at random distances from a randomly shifted mid."),
}


class Available(NamedTuple):
    """A strategy that can be asked for by name."""

    name: str
    origin: str
    summary: str


def available() -> list[Available]:
    """Every strategy with a name: the built-in ones, then the installed ones, by name. Imports none of them."""
    found = [Available(name, "built in", text) for name, (_, text) in BUILT_IN.items()]
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        hidden = f" (hidden by the built-in {entry.name})" if entry.name in BUILT_IN else ""
        found.append(Available(entry.name, f"{_package(entry)}{hidden}", entry.value))
    return found


def find(spec: str) -> type[Strategy]:
    """The strategy class of that name, module or file.

    Parameters
    ----------
    spec
        A built-in or installed name, ``package.module:Class``, or ``path.py:Class``.

    Raises
    ------
    UsageError
        When there is no such strategy; close names are offered.
    StrategyError
        When its code raises while it is imported; the message has the line, `__cause__` the error.
    """
    if spec in BUILT_IN:
        module, _, name = BUILT_IN[spec][0].partition(":")
        return as_strategy(getattr(importlib.import_module(module), name), spec)
    if ":" in spec or spec.endswith(".py"):
        return load(spec)
    installed = entry_points(group=GROUP)
    entries = sorted((entry for entry in installed if entry.name == spec), key=lambda entry: entry.value)
    if not entries:
        raise UsageError(_unknown(spec, [*BUILT_IN, *(entry.name for entry in installed)]))
    if len({entry.value for entry in entries}) > 1:
        raise UsageError(f"strategy {spec!r} is installed more than once: write one of "
                         f"{', '.join(f'{entry.value} ({_package(entry)})' for entry in entries)}")
    try:
        found = entries[0].load()
    except (Exception, SystemExit) as error:
        raise StrategyError(f"strategy {spec!r} of {_package(entries[0])} cannot be imported: {blame(error)}") \
            from error
    return as_strategy(found, f"{spec} ({entries[0].value})")


def make(spec: str, overrides: Sequence[str] | Mapping[str, Any] = (), toml: Path | None = None) -> Strategy:
    """A strategy with its parameters.

    Parameters
    ----------
    spec
        As for `find`.
    overrides
        Texts ``name=value`` as on the command line, or a mapping of typed values; they win over the file.
    toml
        A TOML file whose top-level keys are parameters.

    Raises
    ------
    UsageError
        When there is no such strategy, or parameters are wrong: all mistakes are listed at once.
    StrategyError
        When the strategy's own code raises; the message has the line, `__cause__` the error.
    FileError
        When the file of parameters cannot be read.
    """
    cls = find(spec)
    params = make_params(spec, cls, overrides, toml)
    try:
        strategy = cls(params)
        _ = strategy.interval_ns  # a missing or wrong interval is told before the data are opened,
        _ = strategy.checked_features()  # and so is a feature that nobody knows
    except MmbtError:
        raise
    except Exception as error:
        raise StrategyError(f"strategy {spec}: {blame(error)}") from error
    if getattr(strategy, "params", None) is not params:
        raise StrategyError(f"strategy {spec} drops its parameters: {cls.__name__}.__init__ must take params and call "
                            "super().__init__(params)")
    return strategy


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.module


def _unknown(spec: str, known: Sequence[str]) -> str:
    lines = [f"there is no strategy {spec!r}{did_you_mean(spec, known)}",
             f"  known: {', '.join(sorted(set(known)))}",
             "  your own: package.module:Class or path.py:Class"]
    # A file of that name is pointed at, never run: a bare name is no leave to execute what lies here.
    if spec.isidentifier() and Path(f"{spec}.py").is_file():
        lines.append(f"  to run the file here, write {spec}.py:Class")
    return "\n".join(lines)
