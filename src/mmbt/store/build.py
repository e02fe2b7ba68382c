"""The second phase of a conversion: units settled, and every partition the new rows touch written anew.

An existing partition is one more sorted run beside those of the new files, so converting in steps gives what
converting at once gives. Partitions of an instrument whose units become finer are rewritten, touched or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from mmbt.contracts import Terms
from mmbt.store.files import io_errors
from mmbt.store.infer import GivenUnits, Grid, Grids, Units
from mmbt.store.ingest import Ingest
from mmbt.store.manifest import InstrumentEntry, Manifest, Partition, Source
from mmbt.store.merge import Run, merged, without_duplicates
from mmbt.store.names import encode, parse_name, printable
from mmbt.store.partition import Written, write_partition
from mmbt.store.provenance import decode_runs
from mmbt.store.rows import Int64s, Rows, in_units
from mmbt.store.schema import TABLES, Table, column_names
from mmbt.store.spill import Piece, UnitGrids, read_in_order
from mmbt.store.stored import row_groups

__all__ = ["Builder"]

_Place = tuple[str, Table, str]  # instrument, table, date


@dataclass(slots=True)
class Builder:
    """Writes the partitions of a conversion into a temporary folder."""

    root: Path
    temp: Path
    old: Manifest
    ingest: Ingest
    given: Callable[[str], GivenUnits]
    terms: Callable[[str], Terms]  # stated of contracts
    dedup: bool
    dry_run: bool
    progress: Callable[[int, int], None]  # rows done, rows in all
    files: dict[Path, str] = field(default_factory=dict)  # finished files and where they go
    notes: list[str] = field(default_factory=list)
    _sources: dict[str, Source] = field(default_factory=dict)

    def build(self, names: set[str], converter: str) -> Manifest:
        """The manifest of the store as it will be; `names` are the instruments touched."""
        self._sources = self.old.sources | {source.content_sha256: source for source in self.ingest.sources}
        existing: dict[_Place, Partition] = {(p.instrument, p.table, p.date): p for p in self.old.partitions}
        pieces = {(name, table, _date(day)): by_source for (name, table, day), by_source in self.ingest.pieces.items()}
        entries: dict[str, InstrumentEntry] = {}
        for name in sorted(names):
            before = self.old.instruments.get(name)
            grids = self.ingest.grids.get(name, Grids()).joined(before.grids if before else Grids())
            given = self.given(name)
            units = grids.units(printable(name), given)
            entries[name] = self._instrument(name, before, InstrumentEntry(units, grids, given, ""))
        todo = {
            place
            for place in existing
            if place[0] in entries and entries[place[0]].units != self.old.instruments[place[0]].units
        }
        todo |= set(pieces)
        total = sum(existing[place].rows for place in todo if place in existing)
        total += sum(piece.rows for by_source in pieces.values() for run in by_source.values() for piece in run)
        done = 0
        made: dict[_Place, Partition] = dict(existing)
        for place in sorted(todo):
            runs, shas, local = self._runs(place, entries[place[0]].units, existing.get(place), pieces.get(place, {}))
            made[place] = self._write(place, entries[place[0]].units, runs, shas, local, converter)
            done += made[place].rows
            self.progress(done, total)
        instruments = dict(self.old.instruments)
        parts_of: dict[str, list[Partition]] = {name: [] for name in self.old.instruments | entries}
        for partition in made.values():
            parts_of[partition.instrument].append(partition)
        for name, entry in entries.items():
            parts = parts_of[name]
            instruments[name] = replace(entry, content_hash=_instrument_hash(entry.units, parts))
        return Manifest(converter, instruments, self._sources, tuple(made.values()))

    def _instrument(self, name: str, before: InstrumentEntry | None, entry: InstrumentEntry) -> InstrumentEntry:
        """The entry with what was stated of the contract, now or before, or else with what the name says."""
        parts = parse_name(name)
        was = before or InstrumentEntry(entry.units, entry.grids, entry.given, "", base=parts.base, quote=parts.quote)
        terms = self.terms(name)
        base, quote = terms.currencies.split("/") if terms.currencies else (was.base, was.quote)
        contract, multiplier = terms.contract or was.contract, terms.multiplier or was.multiplier
        if before and before.contract and contract != before.contract:
            self.notes.append(f"{printable(name)}: the contract was {before.contract} and is now {contract}")
        return replace(entry, contract=contract, multiplier=multiplier, base=base, quote=quote)

    def _runs(
        self, place: _Place, units: Units, existing: Partition | None, by_source: dict[int, list[Piece]]
    ) -> tuple[list[Run], list[str], bool]:
        name, table, date = place
        what = f"{printable(name)}, {date}"
        shas = {self.ingest.sources[source].content_sha256 for source in by_source}
        shas |= set(existing.sources if existing else ())
        ranked = sorted(shas, key=lambda sha: self._sources[sha].key)
        rank_of = {sha: rank for rank, sha in enumerate(ranked)}
        grids = UnitGrids(Grid.parse(units.price_unit), Grid.parse(units.lot_size))
        runs = []
        if existing is not None:
            runs.append(
                Run(existing.first_ts, rank_of[existing.sources[0]], partial(self._stored, existing, grids, rank_of))
            )
        for source, pieces in by_source.items():
            rank = rank_of[self.ingest.sources[source].content_sha256]
            first = min(piece.first for piece in pieces)
            runs.append(
                Run(
                    first,
                    rank,
                    partial(
                        read_in_order, self.ingest.spill, pieces, grids, rank, what, self.ingest.rules.max_disorder
                    ),
                )
            )
        locals_ = {piece.local for pieces in by_source.values() for piece in pieces} | (
            {existing.local} if existing else set()
        )
        if len(locals_) == 2:
            self.notes.append(
                f"{what}: some {table} files have a local time and some have none; rows of these count as received at "
                "their exchange time"
            )
            runs = [Run(run.first, run.rank, partial(_with_local, run.open)) for run in runs]
        return runs, ranked, True in locals_

    def _write(
        self, place: _Place, units: Units, runs: list[Run], shas: list[str], local: bool, converter: str
    ) -> Partition:
        name, table, date = place
        batches: Iterator[Rows] = merged(runs, whole_instants=self.dedup)
        if self.dedup:
            batches = without_duplicates(batches)
        formats = sorted({self._sources[sha].format for sha in shas})
        metadata = {
            "instrument": name,
            "tick_size": units.tick_size or "pending",
            "price_unit": units.price_unit,
            "lot_size": units.lot_size,
            "source_format": ",".join(formats),
            "converter": converter,
        }
        temp = None if self.dry_run else self.temp / f"part-{len(self.files)}"
        with io_errors(self.temp, "writing", self._need()):
            written = write_partition(temp, table, local, metadata, batches)
        path = f"{table}/instrument={encode(name)}/date={date}/part-{written.sha256[:16]}.parquet"
        if temp is not None:
            self.files[temp] = path
        return _entry(place, path, written, shas)

    def _need(self) -> int:
        return max(self.ingest.spill.size, 1 << 20)

    def _stored(self, partition: Partition, units: UnitGrids, rank_of: dict[str, int]) -> Iterator[Rows]:
        """An existing partition as a run, in the new units."""
        before = self.old.instruments[partition.instrument].units
        scales = [
            (Grid.parse(before.price_unit), units.price, "the price"),
            (Grid.parse(before.lot_size), units.lot, "the quantity"),
        ]
        ranks = np.array([rank_of[sha] for sha in partition.sources], np.int64)
        owners, ends = decode_runs(partition.order, len(partition.sources), partition.rows, partition.path)
        names = list(column_names(partition.table, partition.local))
        start = 0
        for columns in row_groups(self.root, partition, names):
            arrays = [columns[name] for name in names]
            ts, local, side = arrays[0], columns.get("local_ts"), columns.get("side")
            values = arrays[1 + partition.local : len(arrays) - (side is not None)]
            final = []
            for i, column in enumerate(values):
                old, new, kind = scales[i % 2]
                what = f"{printable(partition.instrument)}, {partition.date}: {kind}"
                final.append(column if old == new else in_units(column * np.int64(old.step), old.scale, new, what))
            rank: int | Int64s = int(ranks[0])
            if len(ranks) > 1:
                rank = ranks[owners[np.searchsorted(ends, np.arange(start, start + len(ts)), "right")]]
            yield Rows(ts, local, tuple(final), side, rank)
            start += len(ts)


def _with_local(open_run: Callable[[], Iterator[Rows]]) -> Iterator[Rows]:
    for rows in open_run():
        yield rows if rows.local_ts is not None else rows._replace(local_ts=np.zeros_like(rows.ts))


def _entry(place: _Place, path: str, written: Written, shas: list[str]) -> Partition:
    name, table, date = place
    clock = written.clock
    return Partition(
        table,
        name,
        date,
        path,
        written.sha256,
        written.bytes,
        written.content_hash,
        written.rows,
        written.local,
        written.first_ts,
        written.last_ts,
        written.counts | ({"negative_latency": clock.negative} if clock else {}),
        tuple(shas),
        written.runs.encoded(len(shas)),
        clock,
    )


def _instrument_hash(units: Units, partitions: list[Partition]) -> str:
    digest = hashlib.sha256(f"mmbt-instrument-1\n{units.tick_size} {units.price_unit} {units.lot_size}\n".encode())
    for partition in sorted(partitions, key=lambda p: (TABLES.index(p.table), p.date)):
        digest.update(f"{partition.table} {partition.date} {partition.content_hash}\n".encode())
    return digest.hexdigest()


def _date(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
