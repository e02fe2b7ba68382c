"""`convert`: raw files into a store, in two streaming phases and one atomic step.

1. Each file is parsed once; its rows are spilled by (instrument, table, UTC day), bad ones quarantined (`ingest`).
2. Units are settled over all files and the existing store; each touched partition is merged, written and hashed
   (`build`).
3. Finished files are renamed into the store and the manifest is switched (`publish`).

Memory is bounded by a chunk and a row group, not by rows. The result depends neither on the order nor on the grouping
of the files: rows stand by (time, first stamp of the file, SHA-256 of its decompressed bytes, row).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mmbt.contracts import EVERY, Terms, check_names, terms_of
from mmbt.errors import UsageError, did_you_mean
from mmbt.formats import RawFormat, ReadOptions
from mmbt.store.build import Builder
from mmbt.store.files import io_errors
from mmbt.store.infer import GivenUnits
from mmbt.store.ingest import Ingest, Rules
from mmbt.store.manifest import Manifest
from mmbt.store.names import printable
from mmbt.store.publish import publish, workspace
from mmbt.store.quarantine import QUARANTINE
from mmbt.store.report import ConvertReport, file_entry, instrument_rows, warnings_of
from mmbt.store.sources import find_sources, recognised
from mmbt.store.spill import Spill
from mmbt.store.stored import day_clocks
from mmbt.units import duration_ns

__all__ = ["ConvertOptions", "Progress", "convert"]

Progress: TypeAlias = Callable[[str, int, int, int], None]
"""Called as (stage, done, total, rows): stage `read` counts bytes of the files, stage `write` rows of partitions."""


class ConvertOptions(BaseModel):
    """How raw files become a store; the defaults suit clean data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = "auto"
    """Name of the raw format; `auto` finds it for each file."""
    crossed: Literal["keep", "drop", "fail"] = "keep"
    """What to do with quotes whose bid is above their ask."""
    dedup: Literal["none", "exact"] = "none"
    """`exact` drops rows equal in every column to another row of their instrument and stamp."""
    max_disorder: int = Field(default=10 * 10**9, ge=0)
    """How far back in time (ns, or text such as `10s`) a row may lie in its file and instrument; it is sorted in."""
    tick_size: Mapping[str, str] = Field(default_factory=dict)
    """Tick size by instrument, where it shall not be inferred; `*` stands for all others."""
    price_unit: Mapping[str, str] = Field(default_factory=dict)
    """Price unit by instrument, likewise."""
    lot_size: Mapping[str, str] = Field(default_factory=dict)
    """Lot size by instrument, likewise."""
    contract: Mapping[str, str] = Field(default_factory=dict)
    """spot, linear or inverse, by instrument; `*` stands for all others of the files."""
    multiplier: Mapping[str, str] = Field(default_factory=dict)
    """What one of quantity stands for, by instrument, likewise."""
    currencies: Mapping[str, str] = Field(default_factory=dict)
    """Currencies as BASE/QUOTE by instrument, likewise, where they are not those of the name."""
    dry_run: bool = False
    """Do everything but write the store."""
    read: ReadOptions = Field(default_factory=ReadOptions)
    """How the raw files are read."""

    @field_validator("max_disorder", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return duration_ns(value) if isinstance(value, str) else value

    def given(self, name: str) -> GivenUnits:
        """The units stated for an instrument."""
        return GivenUnits(
            *(units.get(name, units.get("*")) for units in (self.tick_size, self.price_unit, self.lot_size))
        )

    def terms(self, name: str) -> Terms:
        """What is stated of an instrument's contract."""
        return terms_of(name, self.contract, self.multiplier, self.currencies)


def convert(
    sources: Sequence[str | Path],
    out: str | Path,
    options: ConvertOptions | None = None,
    progress: Progress | None = None,
) -> ConvertReport:
    """Convert raw files into the store at `out`, or add them to it.

    Parameters
    ----------
    sources
        Files, or folders whose files a format knows by name.
    out
        The store; made if there is none.
    options
        See `ConvertOptions`.
    progress
        Told how far the work is.

    Returns
    -------
    ConvertReport
        With `rows_in == rows_out + quarantined + dropped`.

    Raises
    ------
    UsageError
        A wrong option, an unknown instrument in it, or a file given twice.
    DataError
        Data that cannot be converted as they stand: the message names file, line and value.
    StoreError
        A damaged archive or store, or a folder that holds something else.
    FileError
        Reading or writing failed; nothing was changed.
    """
    options = options or ConvertOptions()
    for name in {*options.tick_size, *options.price_unit, *options.lot_size}:
        options.given(name)  # mistakes show before any work
    for name in {*options.contract, *options.multiplier, *options.currencies}:
        options.terms(name)
    root = Path(out)
    files = find_sources(sources, options.format, options.read)
    with ExitStack() as stack:
        if options.dry_run:
            temp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mmbt-dry-run-")))
        else:
            temp = stack.enter_context(workspace(root))
        with io_errors(root, "reading"):
            old = Manifest.load(root)
        return _convert(files, root, temp, old or Manifest(_converter()), options, progress or _quiet)


def _convert(
    files: list[tuple[Path, RawFormat]],
    root: Path,
    temp: Path,
    old: Manifest,
    options: ConvertOptions,
    progress: Progress,
) -> ConvertReport:
    def given(name: str) -> GivenUnits:
        before = old.instruments.get(name)
        return options.given(name).over(before.given) if before else options.given(name)

    spill = Spill(temp / "spill")
    try:
        ingest = Ingest(spill, Rules(options.crossed, options.max_disorder), given, temp / QUARANTINE)
        entries, skipped = _read(files, old, ingest, options, progress)
        spill.flush()
        names = {name for name, _, _ in ingest.pieces}
        stated = {
            name for units in (options.tick_size, options.price_unit, options.lot_size) for name in units if name != "*"
        }
        for name in sorted(stated - names - set(old.instruments)):
            known = sorted(names | set(old.instruments))
            raise UsageError(
                f"a unit is given for {printable(name)!r}, which is in none of the files{did_you_mean(name, known)}"
            )
        terms = (options.contract, options.multiplier, options.currencies)
        check_names(terms, names | set(old.instruments))
        stated |= {name for term in terms for name in term if name != EVERY}
        if any(EVERY in term for term in terms):
            stated |= {p.instrument for p in old.partitions if skipped.intersection(p.sources)}
        builder = Builder(
            root,
            temp,
            old,
            ingest,
            given,
            options.terms,
            options.dedup == "exact",
            options.dry_run,
            lambda done, total: progress("write", done, total, ingest.rows),
        )
        new = builder.build(names | stated, _converter()) if ingest.sources or stated else old
    finally:
        spill.close()
    gained = sum(p.rows for p in new.partitions) - sum(p.rows for p in old.partitions)
    report = _report(root, entries, new, gained, ingest, builder.notes, options)
    if not options.dry_run and new is not old:
        for source in ingest.sources:
            if source.quarantine:
                builder.files[temp / source.quarantine["path"]] = source.quarantine["path"]
        publish(root, temp, new, builder.files)
    return report


def _read(
    files: list[tuple[Path, RawFormat]], old: Manifest, ingest: Ingest, options: ConvertOptions, progress: Progress
) -> tuple[list[dict[str, object]], set[str]]:
    """What is told of each file; and which sources were in the store already."""
    stored, heads = recognised([file for file, _ in files], old.sources, options.read)
    sizes = {file: file.stat().st_size for file, _ in files}
    total = sum(sizes.values())
    before = 0
    entries: list[dict[str, object]] = []
    for file, fmt in files:
        if file in stored:
            source = stored[file]
            ingest.notes.append(f"{printable(str(file))}: already in the store; its rows are counted as dropped")
        else:
            source = ingest.read(file, fmt, options.read, heads[file], partial(_advance, progress, before, total))
            if source.content_sha256 in old.sources:  # a format that reads other archives than we know
                raise UsageError(f"{printable(str(file))}: the store has a file of the same bytes; leave it out")
        entries.append(file_entry(str(file), source, file in stored))
        before += sizes[file]
        progress("read", before, total, ingest.rows)
    return entries, {source.content_sha256 for source in stored.values()}


def _report(
    root: Path,
    files: list[dict[str, object]],
    new: Manifest,
    gained: int,
    ingest: Ingest,
    notes: list[str],
    options: ConvertOptions,
) -> ConvertReport:
    rows_in = sum(entry["rows"] for entry in files)  # type: ignore[misc]
    quarantined = sum(entry["quarantined"] for entry in files)  # type: ignore[misc]
    dropped = sum(entry["dropped"] for entry in files)  # type: ignore[misc]
    duplicates = rows_in - quarantined - dropped - gained
    if duplicates < 0 or (duplicates and options.dedup == "none"):
        raise AssertionError(f"{rows_in} rows in, but {gained} out, {quarantined} quarantined, {dropped} dropped")
    instruments = instrument_rows(new, day_clocks(root, new.partitions, measure=False))
    return ConvertReport(
        str(root),
        files,
        instruments,
        rows_in,
        gained,
        quarantined,
        dropped + duplicates,
        new.content_hash,
        options.dry_run,
        [*ingest.notes, *notes],
        warnings_of(instruments),
    )


def _converter() -> str:
    try:
        return f"mmbt {version('mmbt')}"
    except PackageNotFoundError:
        return "mmbt (not installed)"


def _advance(progress: Progress, before: int, total: int, done: int, rows: int) -> None:
    progress("read", before + done, total, rows)


def _quiet(stage: str, done: int, total: int, rows: int) -> None:
    pass
