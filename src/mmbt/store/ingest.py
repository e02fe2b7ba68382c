"""The first phase of a conversion: raw files in; rows spilled, units' grids gathered, bad rows quarantined, all rows
counted.

For every file `rows = spilled + quarantined + dropped`. Within a file, an instrument's rows may be out of time order by
`max_disorder` at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import DataError, UsageError
from mmbt.formats.base import RawChunk, RawFile, RawFormat, ReadOptions
from mmbt.store.chunks import gathered
from mmbt.store.infer import GivenUnits, Grid, Grids
from mmbt.store.manifest import Source
from mmbt.store.names import printable
from mmbt.store.quarantine import Quarantine
from mmbt.store.rows import DAY, Int64s, Rows, common_scale
from mmbt.store.schema import PRICES, QUANTITIES, Table
from mmbt.store.spill import Piece, Spill
from mmbt.units import format_duration

__all__ = ["Ingest", "Key", "Rules"]

T = TypeVar("T", bound=np.generic)
_NOTHING = Grids()
Key = tuple[str, Table, int]  # instrument, table, UTC day since the epoch


@dataclass(frozen=True, slots=True)
class Rules:
    """What is done with doubtful rows."""

    crossed: str = "keep"
    max_disorder: int = 10 * 10**9


@dataclass(slots=True)
class _Clock:
    latest: int
    line: int


@dataclass(slots=True)
class Ingest:
    """Reads raw files one after the other and holds what is known of them."""

    spill: Spill
    rules: Rules
    given: Callable[[str], GivenUnits]
    quarantine_folder: Path
    sources: list[Source] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    grids: dict[str, Grids] = field(default_factory=dict)
    pieces: dict[Key, dict[int, list[Piece]]] = field(default_factory=dict)  # by source, its place in `sources`
    rows: int = 0
    _clocks: dict[str, _Clock] = field(default_factory=dict)
    _given: dict[str, GivenUnits] = field(default_factory=dict)

    def read(
        self, path: Path, fmt: RawFormat, options: ReadOptions, head: str, progress: Callable[[int, int], None]
    ) -> Source:
        """Take in one file, whose head has the SHA-256 `head`; `progress` gets its bytes done and the rows so far."""
        self._clocks.clear()
        dropped: dict[str, int] = {}
        first_stamp: int | None = None
        spilled = 0
        with (
            fmt.open(path, options) as raw,
            Quarantine(self.quarantine_folder / f"{len(self.sources)}", path) as quarantine,
        ):
            for chunk in gathered(raw):
                if first_stamp is None and len(chunk.ts):
                    first_stamp = int(chunk.ts[0])
                kept = self._take(path, chunk, dropped)
                quarantine.add(chunk.rejected)
                for reason, count in chunk.dropped.items():
                    dropped[reason] = dropped.get(reason, 0) + count
                spilled += kept
                self.rows += chunk.rows
                progress(raw.bytes_done, self.rows)
            quarantined = quarantine.rows
            source = _source(raw, head, first_stamp, quarantined, dropped)
        self.notes += [f"{printable(str(path))}: {note}" for note in raw.notes]
        if source.rows != spilled + quarantined + sum(dropped.values()) or raw.rejected != quarantined:
            raise AssertionError(
                f"{path}: {source.rows} rows in, but {spilled} out, {quarantined} quarantined, {dropped} dropped"
            )
        if any(other.content_sha256 == source.content_sha256 for other in self.sources):
            raise UsageError(f"{printable(str(path))}: the same file is given twice")
        self.sources.append(replace(source, quarantine=quarantine.publish(source.content_sha256)))
        return self.sources[-1]

    def _take(self, path: Path, chunk: RawChunk, dropped: dict[str, int]) -> int:
        if not len(chunk.ts):
            return 0
        spilled = 0
        for code, where in _by_instrument(chunk.instrument, len(chunk.names)):
            part = _Part(path, chunk, chunk.names[code], where)
            try:
                spilled += self._take_part(part, dropped)
            except OverflowError:
                raise DataError(
                    f"{part.at(0)}: from here to line {part.line(-1)} values are too far apart in size to be held "
                    "exactly; remove the absurd ones"
                ) from None
        return spilled

    def _take_part(self, part: _Part, dropped: dict[str, int]) -> int:
        table = part.chunk.table
        ts = part.pick(part.chunk.ts)
        in_order = self._check_order(part, ts)
        prices = part.numbers(PRICES[table])
        sizes = part.numbers(QUANTITIES[table])
        if table == "tob" and self.rules.crossed != "keep":
            bid, ask = prices.columns
            if len(crossed := np.flatnonzero((bid > ask) & (ask > 0))):
                if self.rules.crossed == "fail":
                    row = int(crossed[0])
                    raise DataError(
                        f"{part.at(row)} is crossed: bid {prices.text(bid[row])} > ask {prices.text(ask[row])}; "
                        "--crossed keep or drop takes the file"
                    )
                dropped["crossed"] = dropped.get("crossed", 0) + len(crossed)
                rest = part.without(crossed)
                return self._take_part(rest, dropped) if len(rest.rows()) else 0
        self._measure(part, prices, sizes)
        values = tuple(column for pair in zip(prices.columns, sizes.columns, strict=True) for column in pair)
        local, side = part.chunk.local_ts, part.chunk.side
        rows = Rows(ts, None if local is None else part.pick(local), values, None if side is None else part.pick(side))
        self._spill(part.name, table, rows, (prices.scale, sizes.scale), in_order)
        return len(ts)

    def _check_order(self, part: _Part, ts: Int64s) -> bool:
        """Whether the rows stand in time order; the clock moves on."""
        clock = self._clocks.setdefault(part.name, _Clock(int(ts[0]), part.line(0)))
        in_order = not (ts[1:] < ts[:-1]).any()
        if not in_order or ts[0] < clock.latest:
            self._check_depth(part, ts, clock)
        top = len(ts) - 1 if in_order else int(ts.argmax())
        if ts[top] >= clock.latest:
            clock.latest, clock.line = int(ts[top]), part.line(top)
        return in_order

    def _check_depth(self, part: _Part, ts: Int64s, clock: _Clock) -> None:
        latest = np.maximum(np.maximum.accumulate(ts), clock.latest)
        late = np.flatnonzero(latest - ts > self.rules.max_disorder)
        if not len(late):
            return
        row = int(late[0])
        before = int(ts[: row + 1].argmax())
        earlier = part.line(before) if ts[before] > clock.latest else clock.line
        behind = int(latest[row] - ts[row])
        raise DataError(
            f"{part.at(row)} goes back by {format_duration(behind)}, to {_iso(ts[row])} from {_iso(latest[row])} on "
            f"line {earlier}; at most {format_duration(self.rules.max_disorder)} is sorted: give --max-disorder "
            f"{behind // 10**9 + 1}s or mend the file"
        )

    def _measure(self, part: _Part, prices: _Numbers, sizes: _Numbers) -> None:
        """Hold the values against the units given, and take them into the grids."""
        table = part.chunk.table
        given = self._given.get(part.name)
        if given is None:
            given = self._given[part.name] = self.given(part.name)
        price = (given.tick_size if table == "tob" else None) or given.price_unit
        for unit, what, numbers in ((price, "price", prices), (given.lot_size, "quantity", sizes)):
            if unit is not None:
                _must_fit(part, Grid.parse(unit), what, numbers)
        grids = self.grids.get(part.name, _NOTHING)
        quotes, prints, quantities = grids.quotes, grids.prints, grids.quantities
        for column in prices.columns:
            if table == "tob":
                quotes = quotes.including(column, prices.scale)
            else:
                prints = prints.including(column, prices.scale)
        for column in sizes.columns:
            quantities = quantities.including(column, sizes.scale)
        self.grids[part.name] = Grids(quotes, prints, quantities)

    def _spill(self, name: str, table: Table, rows: Rows, scales: tuple[int, int], in_order: bool) -> None:
        first, last = (rows.ts[0], rows.ts[-1]) if in_order else (rows.ts.min(), rows.ts.max())
        here = len(self.sources)
        if first // DAY == last // DAY:
            parts: Iterable[tuple[int, Rows]] = [(int(first // DAY), rows)]
        else:
            days = rows.ts // DAY
            parts = [(int(day), rows.take(np.flatnonzero(days == day))) for day in np.unique(days)]
        for day, part in parts:
            piece = self.spill.append(table, part, scales, in_order)
            self.pieces.setdefault((name, table, day), {}).setdefault(here, []).append(piece)


@dataclass(frozen=True, slots=True)
class _Numbers:
    columns: tuple[Int64s, ...]  # whole multiples of 10^-scale
    scale: int

    def text(self, mantissa: int) -> str:
        return str(Grid.of(int(mantissa), self.scale))


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of one instrument in a chunk; `where` None stands for all rows."""

    path: Path
    chunk: RawChunk
    name: str
    where: Int64s | None

    def pick(self, column: NDArray[T]) -> NDArray[T]:
        return column if self.where is None else column[self.where]

    def numbers(self, names: tuple[str, ...]) -> _Numbers:
        pairs = [
            (self.pick(mantissa), self.pick(decimals))
            for mantissa, decimals in (self.chunk.values[name] for name in names)
        ]
        return _Numbers(*common_scale(pairs))

    def rows(self) -> Int64s:
        return np.arange(len(self.chunk.ts)) if self.where is None else self.where

    def without(self, rows: Int64s) -> _Part:
        return _Part(self.path, self.chunk, self.name, np.delete(self.rows(), rows))

    def line(self, row: int) -> int:
        return int(self.chunk.line[row if self.where is None else self.where[row]])

    def at(self, row: int) -> str:
        return f"{printable(str(self.path))}, line {self.line(row)}: {printable(self.name)}"


def _must_fit(part: _Part, unit: Grid, what: str, numbers: _Numbers) -> None:
    for column in numbers.columns:
        if len(off := np.flatnonzero(unit.misfits(column, numbers.scale))):
            row = int(off[0])
            raise DataError(
                f"{part.at(row)}: {what} {numbers.text(column[row])} is no whole number of units of {unit}, the one "
                "given; give a finer one, or none to have it inferred"
            )


def _by_instrument(codes: NDArray[np.int32], names: int) -> Iterable[tuple[int, Int64s | None]]:
    """The rows of each instrument, in order; None for all rows."""
    first = int(codes[0])
    if names == 1 or (codes == first).all():
        yield first, None
    elif names <= 16:
        for code in range(names):
            if len(where := np.flatnonzero(codes == code)):
                yield code, where
    else:
        order = np.argsort(codes.astype(np.uint16) if names < 1 << 16 else codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        for code, where in zip(present, np.split(order, starts[1:]), strict=True):
            yield int(code), where


def _source(raw: RawFile, head: str, first_stamp: int | None, quarantined: int, dropped: dict[str, int]) -> Source:
    return Source(
        str(raw.path),
        raw.content_sha256,
        head,
        raw.sha256,
        raw.path.stat().st_size,
        raw.format,
        raw.table,
        raw.time_unit,
        raw.local_time_unit,
        raw.tz,
        first_stamp,
        raw.rows,
        quarantined,
        dict(sorted(dropped.items())),
    )


def _iso(ns: np.int64) -> str:
    return str(np.datetime64(int(ns), "ns"))
