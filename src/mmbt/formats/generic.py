"""Any CSV that a TOML file describes; see `mapping`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmbt.errors import DataError, UsageError, did_you_mean
from mmbt.formats.base import RawFile, ReadOptions, Sniff, Table
from mmbt.formats.columns import normal, refuse_duplicates
from mmbt.formats.csvfile import DELIMITERS, SIDE_WORDS, CsvFile, CsvLayout, Head, read_head
from mmbt.formats.mapping import TobMapping, TradeMapping, load_mapping
from mmbt.formats.seed import check_delimiter
from mmbt.formats.sources import Source

__all__ = ["GENERIC", "GenericFormat"]

_DEFAULT_FILES: dict[Table, str] = {"tob": "*tob*", "trades": "*trade*"}


class GenericFormat:
    """Any CSV, its columns described in a TOML file."""

    name = "generic"
    description = "any CSV whose columns a TOML file describes (--mapping FILE)"
    tables: tuple[Table, ...] = ("tob", "trades")
    patterns = ("as the mapping says",)

    def matches(self, path: Path, options: ReadOptions) -> bool:
        """Whether the mapping's patterns take the name."""
        return _table_of(path, options) is not None

    def sniff(self, path: Path, options: ReadOptions) -> Sniff | None:
        """With a mapping that takes the name: surely; else not at all."""
        if options.mapping is None or (found := _table_of(path, options)) is None:
            return None
        return Sniff(100, found[0], f"named in {options.mapping}")

    def open(self, path: Path, options: ReadOptions) -> RawFile:
        """Open a file as the mapping describes it."""
        if options.mapping is None:
            raise UsageError(f"{path}: the generic format needs --mapping FILE, a TOML file that describes the columns")
        if (found := _table_of(path, options)) is None:
            raise UsageError(f"{path}: no table of {options.mapping} takes a file of this name: set `files` in it")
        table, mapping = found
        source = Source(path, options.max_ratio, options.max_bytes)
        try:
            head = read_head(source)
            layout, notes = _layout(path, head, table, mapping, options)
            return CsvFile(self.name, source, head, layout, options, notes, header=mapping.header)
        except BaseException:
            source.close()
            raise


GENERIC = GenericFormat()


def _table_of(path: Path, options: ReadOptions) -> tuple[Table, TobMapping | TradeMapping] | None:
    if options.mapping is None:
        return None
    tables = load_mapping(options.mapping).tables()
    taken = [(table, mapping) for table, mapping in tables.items() if mapping.takes(path, _DEFAULT_FILES[table])]
    if len(taken) > 1:
        raise UsageError(f"{path}: both tables of {options.mapping} take this file: make their `files` differ")
    return taken[0] if taken else None


def _layout(path: Path, head: Head, table: Table, mapping: TobMapping | TradeMapping,
            options: ReadOptions) -> tuple[CsvLayout, list[str]]:
    decimal = mapping.decimal or options.decimal
    wanted = {role: column for role, column in mapping.columns.model_dump().items() if column is not None}
    delimiter = mapping.delimiter or options.delimiter
    if delimiter is None:
        marks = [mark for mark in DELIMITERS if mark not in (" ", decimal)]
        delimiter = max(marks, key=head.line.count)
    check_delimiter(delimiter, decimal)
    names = head.fields(delimiter)
    if mapping.header:
        refuse_duplicates(path, names)
    else:
        names = [f"column {k + 1}" for k in range(len(names))]
    columns = {role: _find(path, role, column, names) for role, column in wanted.items()}
    ignored = [name for index, name in enumerate(names) if index not in columns.values() and name]
    words = mapping.side if isinstance(mapping, TradeMapping) else None
    layout = CsvLayout(
        table, tuple(names), columns, delimiter, decimal,
        instrument=_instrument(path, mapping),
        tz=mapping.tz or options.tz,
        ambiguous=mapping.ambiguous or options.ambiguous,
        time=mapping.time or options.time,
        local_time=mapping.local_time or "auto",
        side_words=SIDE_WORDS if words is None else {
            side: tuple(word.lower() for word in found)
            for side, found in ((1, words.buy), (-1, words.sell), (0, words.unknown))
        },
        header_words=frozenset(map(normal, names)) if mapping.header else frozenset(),
    )
    return layout, [f"columns not used: {', '.join(ignored)}"] if ignored else []


def _find(path: Path, role: str, column: int | str, names: Sequence[str]) -> int:
    if isinstance(column, int):
        if column > len(names):
            raise DataError(f"{path}, line 1: {role} is column {column} of the mapping, but there are {len(names)}")
        return column - 1
    if column in names:
        return names.index(column)
    near = [index for index, name in enumerate(names) if normal(name) == normal(column)]
    if len(near) == 1:
        return near[0]
    raise DataError(f"{path}, line 1: no column {column!r} for {role}{did_you_mean(column, names) or '.'} "
                    f"Found: {', '.join(map(repr, names))}")


def _instrument(path: Path, mapping: TobMapping | TradeMapping) -> str | None:
    if mapping.instrument_from_name is None:
        return mapping.instrument
    match = re.search(mapping.instrument_from_name, path.name)
    if match is None or not match[1]:
        raise DataError(f"{path}: its name does not match instrument_from_name = {mapping.instrument_from_name!r}")
    return match[1]
