"""Raw formats: bytes of captured files in, chunks of exact rows out.

A format is one object with the shape of `RawFormat`. The built-in ones are listed in `_BUILT_IN`; any other comes from
an installed distribution's entry point group `mmbt.formats`, its value `package.module:object`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from mmbt.errors import DataError, UsageError, did_you_mean
from mmbt.formats.base import RawChunk, RawFile, RawFormat, ReadOptions, Rejected, Sniff

__all__ = ["RawChunk", "RawFile", "RawFormat", "ReadOptions", "Rejected", "Sniff", "choose", "formats", "get"]

_BUILT_IN = {"seed": "mmbt.formats.seed:SEED", "generic": "mmbt.formats.generic:GENERIC"}


def formats() -> dict[str, RawFormat]:
    """Every format by name: the built-in ones, then those of installed plug-ins, which may not take a built-in name."""
    places = {point.name: point.value for point in entry_points(group="mmbt.formats")} | _BUILT_IN
    return {name: _load(name, places[name]) for name in (*_BUILT_IN, *sorted(places.keys() - _BUILT_IN))}


def get(name: str) -> RawFormat:
    """The format of that name.

    Raises
    ------
    UsageError
        When there is none; the message lists those there are.
    """
    known = formats()
    if name not in known:
        raise UsageError(f"no format {name!r}{did_you_mean(name, known) or '.'} Known: {', '.join(known)}")
    return known[name]


def choose(path: Path, options: ReadOptions) -> RawFormat:
    """The format that is surest of a file (`--format auto`).

    Raises
    ------
    DataError
        When no format knows the file; the message says what each of them missed.
    """
    best: tuple[int, RawFormat] | None = None
    misses = []
    for name, fmt in formats().items():
        sniff = fmt.sniff(path, options)
        if sniff is None:
            continue
        misses.append(f"{name}: {sniff.why}")
        if sniff.score > 0 and (best is None or sniff.score > best[0]):
            best = sniff.score, fmt
    if best is None:
        why = "; ".join(misses) or "no format recognises it"
        raise DataError(f"{path}: cannot tell its format ({why}); "
                        "describe its columns in a TOML file and give --mapping")
    return best[1]


def _load(name: str, place: str) -> RawFormat:
    module, _, attribute = place.partition(":")
    fmt = getattr(import_module(module), attribute)
    if not isinstance(fmt, RawFormat):
        raise UsageError(f"format {name!r} at {place} does not have the shape of mmbt.formats.RawFormat")
    return fmt
