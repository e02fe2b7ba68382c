"""How long messages take (O5): delays that are constant, drawn, or recorded.

A delay is a function of (seed, stream, time, key) and of nothing drawn before (B3):

    h  = mix64(seed + G);  then for each word w of (stream, time, key):  h = mix64((h + G) ^ mix64(w + G))
    u1, u2 = ((mix64(h + i G) >> 11) + 1) / 2^53  for i = 1, 2, in (0, 1]
    normal = sqrt(-2 ln u1) cos(2 pi u2)

| text                                      | delay                                                                   |
|-------------------------------------------|-------------------------------------------------------------------------|
| `5000000`, `5ms`                          | constant                                                                |
| `lognormal:median=1ms,sigma=0.5,floor=1us`| floor + rint(exp(ln median + sigma normal)) ns, at most 10^15           |
| `empirical:FILE`                          | the sorted values v: v[floor((u1 - 2^-53) n)]; a value a line, or a     |
|                                           | column `latency`                                                        |
| `recorded:FILE`                           | of the last record at or before the time, else of the first; columns    |
|                                           | `ts` and `latency`                                                      |
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmbt.units import duration_ns

__all__ = ["CANCEL", "PLACE", "RESPONSE", "Constant", "Delay", "Empirical", "Lognormal", "Recorded", "delay",
           "feed_stream"]

G = 0x9E3779B97F4A7C15
WORD = 2**64 - 1
MOST = 10**15  # ns, of a drawn delay
PLACE, CANCEL, RESPONSE, FEED = 1, 2, 3, 16  # streams


class Delay(Protocol):
    """A way to take time."""

    def of(self, ts: int, key: int) -> int:
        """The ns that something takes which sets out at `ts` and is told from its like of that instant by `key`."""


@dataclass(frozen=True)
class Constant:
    """Always the same."""

    ns: int

    def of(self, ts: int, key: int) -> int:
        """The constant."""
        return self.ns


@dataclass(frozen=True)
class Lognormal:
    """A floor and a lognormal draw above it."""

    seed: int
    stream: int
    median_ns: int
    sigma: float
    floor_ns: int = 0

    def of(self, ts: int, key: int) -> int:
        """The draw of this time and key."""
        u1, u2 = draws(self.seed, self.stream, ts, key)
        normal = math.sqrt(-2.0 * math.log(u1)) * math.cos(2.0 * 3.141592653589793 * u2)
        exponent = math.log(self.median_ns) + self.sigma * normal
        if exponent > 40:  # e^40 ns are far above the cap
            return MOST
        return min(self.floor_ns + round(math.exp(exponent)), MOST)


@dataclass(frozen=True)
class Empirical:
    """One of the values seen."""

    seed: int
    stream: int
    values: Sequence[int]  # ascending

    def of(self, ts: int, key: int) -> int:
        """The draw of this time and key."""
        u1, _ = draws(self.seed, self.stream, ts, key)
        return self.values[min(int((u1 - 2.0**-53) * len(self.values)), len(self.values) - 1)]


@dataclass(frozen=True)
class Recorded:
    """What was measured at the time."""

    ts: Sequence[int]  # ascending
    latencies: Sequence[int]

    def of(self, ts: int, key: int) -> int:
        """The last record at or before this time."""
        return self.latencies[max(bisect_right(self.ts, ts) - 1, 0)]


def feed_stream(rank: int, is_quote: bool) -> int:
    """The stream of a table of the instrument of that rank."""
    return FEED + 2 * rank + is_quote


def delay(what: int | str, seed: int, stream: int) -> Delay:
    """The delay that a number of ns or a text means."""
    kind, _, rest = what.partition(":") if isinstance(what, str) else ("", "", "")
    if kind == "lognormal":
        given = dict(part.split("=") for part in rest.split(","))
        return Lognormal(seed, stream, duration_ns(given["median"]), float(given["sigma"]),
                         duration_ns(given.get("floor", 0)))
    if kind == "empirical":
        lines = Path(rest).read_text("utf-8").split()
        values = lines if lines[0].isdigit() else [row["latency"] for row in _table(rest)]
        return Empirical(seed, stream, sorted(int(value) for value in values))
    if kind == "recorded":
        table = _table(rest)
        return Recorded([int(row["ts"]) for row in table], [int(row["latency"]) for row in table])
    return Constant(duration_ns(what))


def draws(seed: int, stream: int, ts: int, key: int) -> tuple[float, float]:
    """Two numbers of (0, 1]."""
    h = _mix64(seed + G)
    for word in (stream, ts, key):
        h = _mix64((h + G) & WORD ^ _mix64(word + G))
    u1, u2 = (((_mix64(h + i * G) >> 11) + 1) * 2.0**-53 for i in (1, 2))
    return u1, u2


def _mix64(z: int) -> int:
    z &= WORD
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


def _table(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
