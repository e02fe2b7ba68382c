"""The seed's format: `tob*.csv` and `trade*.csv`, `;` between fields, a header, many instruments in one file.

Columns are found by name, whatever their order and case (`ALIASES`); a side, and a time of receipt, are optional.
Another delimiter is found and noted.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

from mmbt.errors import DataError, StoreError
from mmbt.formats.base import RawFile, ReadOptions, Sniff, Table
from mmbt.formats.columns import KNOWN, missing_columns, refuse_duplicates, resolve
from mmbt.formats.csvfile import DELIMITERS, CsvFile, CsvLayout, Head, read_head
from mmbt.formats.sources import Source

__all__ = ["SEED", "SeedFormat", "check_delimiter"]

_TABLES: tuple[Table, ...] = ("tob", "trades")
_NAME = re.compile(r"(tob|trade).*?(\.csv(\.(gz|zst|xz|bz2|zip))?|\.zip)\Z", re.IGNORECASE)


class SeedFormat:
    """`tob*.csv` and `trade*.csv` with `;`, header and columns known by name."""

    name = "seed"
    description = "tob*.csv and trade*.csv, ';' between fields, header, many instruments; plain, gz, xz, zst, bz2, zip"
    tables = _TABLES
    patterns = ("tob*.csv", "tob*.csv.*", "trade*.csv", "trade*.csv.*")

    def matches(self, path: Path, options: ReadOptions) -> bool:
        """Whether the name is that of a tob or trade file."""
        return _NAME.match(path.name) is not None

    def sniff(self, path: Path, options: ReadOptions) -> Sniff | None:
        """Judge by name and header."""
        named = self.matches(path, options)
        try:
            with closing(Source(path, options.max_ratio, options.max_bytes)) as source:
                layout, _ = _layout(path, read_head(source), options)
        except DataError as error:
            return Sniff(10 if named else 0, _table_in_name(path), str(error))
        except StoreError as error:  # a damaged archive: `open` will say so
            return Sniff(5, _table_in_name(path), str(error))
        return Sniff(90 if named else 60, layout.table, f"columns of {layout.table}")

    def open(self, path: Path, options: ReadOptions) -> RawFile:
        """Open a file and find its columns."""
        source = Source(path, options.max_ratio, options.max_bytes)
        try:
            head = read_head(source)
            layout, notes = _layout(path, head, options)
            return CsvFile(self.name, source, head, layout, options, notes)
        except BaseException:
            source.close()
            raise


SEED = SeedFormat()


def check_delimiter(delimiter: str, decimal: str) -> str:
    """The delimiter itself.

    Raises
    ------
    DataError
        When it can stand inside a field.
    """
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in f'{decimal}"\r\n\0+-:._':
        raise DataError(f"delimiter {delimiter!r} cannot separate fields: use one of "
                        f"{', '.join(repr(known) for known in DELIMITERS if known != decimal)}")
    return delimiter


def _table_in_name(path: Path) -> Table | None:
    match = _NAME.match(path.name)
    return None if match is None else "tob" if match[1].lower() == "tob" else "trades"


def _layout(path: Path, head: Head, options: ReadOptions) -> tuple[CsvLayout, list[str]]:
    named = _table_in_name(path)
    tables = _TABLES if named is None else (named,)
    marks = [mark for mark in DELIMITERS if mark != options.decimal]
    if options.delimiter is not None:
        marks = [check_delimiter(options.delimiter, options.decimal)]
    splits = [(table, mark, head.fields(mark)) for mark in marks for table in tables]
    # the split that finds most columns; of equals the first, so `;` and tob
    table, mark, names = max(splits, key=lambda split: -len(resolve(split[2], split[0]).missing))
    resolved = resolve(names, table)
    if resolved.missing:
        raise missing_columns(path, table, _longest(head, marks, names, resolved.columns), resolved)
    refuse_duplicates(path, names)
    notes = [] if mark == ";" or options.delimiter else [f"{DELIMITERS[mark]} {mark!r} between fields instead of ';'"]
    if resolved.ignored:
        notes.append(f"columns not used: {', '.join(resolved.ignored)}")
    layout = CsvLayout(table, tuple(names), resolved.columns, mark, options.decimal, tz=options.tz,
                       ambiguous=options.ambiguous, time=options.time, header_words=KNOWN)
    return layout, notes


def _longest(head: Head, marks: list[str], names: list[str], columns: dict[str, int]) -> list[str]:
    # Where no delimiter finds a column, show the header as the one that cuts it most would.
    return names if columns else max((head.fields(mark) for mark in marks if mark != " "), key=len)
