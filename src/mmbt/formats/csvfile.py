"""One delimited text file, read as chunks: what every CSV format shares once it knows which column is what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np

from mmbt.errors import DataError
from mmbt.formats._csv import Tokenizer
from mmbt.formats.base import REASONS, VALUES, RawChunk, ReadOptions, Rejected, Table
from mmbt.formats.columns import normal
from mmbt.formats.sources import Source
from mmbt.formats.times import date_in_name, time_kind, zone_table

__all__ = ["DELIMITERS", "CsvFile", "CsvLayout", "Head", "read_head"]

DELIMITERS = {";": "semicolon", ",": "comma", "\t": "tab", "|": "bar", " ": "space"}
SIDE_WORDS = {
    1: ("b", "buy", "bid", "buyer", "bought", "long", "1", "+1"),
    -1: ("s", "sell", "ask", "a", "offer", "seller", "sold", "short", "-1"),
    0: ("0", "n", "none", "unknown", "unspecified"),
}
_BOM = b"\xef\xbb\xbf"
_WIDE = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_HEAD_MAX = 1 << 16
_RAW_MAX = 4096
_REJECTS_MAX = 4096
_HEADER_REASONS = ("FIELD_COUNT", "BAD_NUMBER", "BAD_TIME")
_HEADER_START = re.compile(rb"[^\W\d]|[\"\xc3-\xef]")
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """Which column is what, and how its text is meant."""

    table: Table
    names: tuple[str, ...]  # of all columns, as the header names them
    columns: dict[str, int]  # role -> column, counted from 0
    delimiter: str
    decimal: str = "."
    instrument: str | None = None  # of the whole file, where no column names it
    tz: str = "UTC"
    ambiguous: str = "error"
    time: str = "auto"
    local_time: str = "auto"
    side_words: dict[int, tuple[str, ...]] = field(default_factory=lambda: SIDE_WORDS)
    header_words: frozenset[str] = frozenset()  # normal names by which a header inside the file is recognised


@dataclass(slots=True)
class Head:
    """The first line of a file that is not blank, and the stream from there on."""

    line: str
    raw: bytes
    number: int  # its line number
    start: int  # its first byte in the decompressed stream
    after: int  # the first byte behind its line end
    held: bytes  # of the stream from `start` on, as far as it was read
    blocks: Iterator[bytes]

    def fields(self, delimiter: str) -> list[str]:
        """The line cut at a delimiter, without quotes and the space around names."""
        return [name.strip().strip('"').strip() for name in self.line.split(delimiter)]


def read_head(source: Source) -> Head:
    """Read up to the end of the first line that is not blank.

    Raises
    ------
    DataError
        When the file is empty, no UTF-8 text, or its first line has no end within 64 KiB.
    """
    blocks = source.blocks()
    held = b""
    ended = False
    start, number = 0, 1
    while True:
        if not ended:
            block = next(blocks, None)
            ended = block is None
            held += block or b""
        if not start and (wide := next((name for mark, name in _WIDE.items() if held.startswith(mark)), None)):
            raise DataError(f"{source.path} is {wide} text: convert it, e.g. iconv -f {wide} -t utf-8")
        if not start and held.startswith(_BOM):
            start, held = len(_BOM), held[len(_BOM):]
        while (match := _LINE_END.search(held)) and (ended or match.end() < len(held)):
            line = held[:match.start()]
            if line.strip(b" \t"):
                return _head(source, line, number, start, match.end(), held, blocks)
            start, number, held = start + match.end(), number + 1, held[match.end():]
        if ended and match is None:
            if not held.strip(b" \t"):
                raise DataError(f"{source.path} is empty: fetch it again")
            return _head(source, held, number, start, len(held), held, blocks)
        if match is None and len(held) > _HEAD_MAX:
            raise DataError(f"{source.path}, line {number}: no line end within {_HEAD_MAX} bytes: this is no CSV text")


def _head(source: Source, line: bytes, number: int, start: int, length: int, held: bytes,
          blocks: Iterator[bytes]) -> Head:
    if b"\0" in line:
        raise DataError(f"{source.path}, line {number}: NUL bytes in the header: "
                        "convert the file to UTF-8 if it is UTF-16 or UTF-32 text, e.g. iconv -f utf-16 -t utf-8")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{source.path}, line {number}, byte {start + error.start}: 0x{line[error.start]:02x} is not "
                        "UTF-8: convert the file, e.g. iconv -f latin1 -t utf-8") from None
    return Head(text, line, number, start, start + length, held, blocks)


class CsvFile:
    """A `RawFile` of delimited text; made by a format's `open`."""

    def __init__(self, fmt: str, source: Source, head: Head, layout: CsvLayout, options: ReadOptions,
                 notes: list[str], *, header: bool = True) -> None:
        self.path: Path = source.path
        self.format = fmt
        self.table: Table = layout.table
        self.notes = [*source.notes, *notes]
        self.tz = layout.tz
        self.time_unit: str | None = None
        self.local_time_unit: str | None = None
        self.bytes_done, self.bytes_total = 0, source.total
        self.rows = self.rows_out = self.rejected = 0
        self.dropped: dict[str, int] = {}
        self.names: list[str] = [] if layout.instrument is None else [layout.instrument]
        self._source = source
        self._layout = layout
        self._mark = layout.delimiter.encode()
        self._room = options.chunk_rows
        rest = head.held[head.after - head.start:] if header else head.held
        self._blocks = chain([rest] if rest else [], head.blocks)
        self._begun = False
        self._tokenizer = _tokenizer(source.path, head, layout, options, header)

    @property
    def sha256(self) -> str:
        """SHA-256 of the source bytes as they lie on disk."""
        return self._source.sha256

    @property
    def content_sha256(self) -> str:
        """SHA-256 of the source bytes, decompressed."""
        return self._source.content_sha256

    def __iter__(self) -> Iterator[RawChunk]:
        if self._begun:
            raise RuntimeError(f"{self.path} is iterated once; open it again")
        self._begun = True
        tokenizer, ended, more = self._tokenizer, False, True
        while more:
            chunk, mantissa, decimals = self._begin()
            while True:
                full = tokenizer.fill()
                self._collect(chunk)
                if tokenizer.n == self._room or len(chunk.rejected) >= _REJECTS_MAX:
                    break
                if full:
                    continue
                if ended:
                    more = False
                    break
                block = next(self._blocks, None)
                ended = block is None
                tokenizer.feed(block or b"", ended)
                self.bytes_done = self._source.done
            if (done := self._end(chunk, mantissa, decimals)) is not None:
                yield done
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._source.close()

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _begin(self) -> tuple[RawChunk, np.ndarray, np.ndarray]:
        n, tob, width = self._room, self.table == "tob", len(VALUES[self.table])
        chunk = RawChunk(
            self.table, self.names,
            instrument=np.empty(n, np.int32),
            ts=np.empty(n, np.int64),
            local_ts=np.empty(n, np.int64) if "local_time" in self._layout.columns else None,
            values={},
            side=None if tob else np.empty(n, np.int8),
            line=np.empty(n, np.int64),
            offset=np.empty(n, np.int64),
        )
        mantissa, decimals = np.empty((width, n), np.int64), np.empty((width, n), np.int8)
        self._tokenizer.begin(chunk.ts, chunk.local_ts, chunk.instrument, mantissa, decimals, chunk.side, chunk.line,
                              chunk.offset)
        return chunk, mantissa, decimals

    def _end(self, chunk: RawChunk, mantissa: np.ndarray, decimals: np.ndarray) -> RawChunk | None:
        tokenizer = self._tokenizer
        n = tokenizer.n
        if tokenizer.repeated:
            chunk.dropped["repeated_header"] = chunk.dropped.get("repeated_header", 0) + tokenizer.repeated
        chunk.rows = tokenizer.rows
        if chunk.rows != n + len(chunk.rejected) + sum(chunk.dropped.values()):
            raise AssertionError(f"{self.path}: {chunk.rows} rows != {n} + {len(chunk.rejected)} + {chunk.dropped}")
        if tokenizer.name_count > len(self.names):
            self.names += tokenizer.names(len(self.names))
        for name in ("instrument", "ts", "local_ts", "side", "line", "offset"):
            if (column := getattr(chunk, name)) is not None:
                setattr(chunk, name, column[:n])
        chunk.values = {name: (mantissa[k, :n], decimals[k, :n]) for k, name in enumerate(VALUES[self.table])}
        self.rows += chunk.rows
        self.rows_out += n
        self.rejected += len(chunk.rejected)
        for reason, count in chunk.dropped.items():
            self.dropped[reason] = self.dropped.get(reason, 0) + count
        self.time_unit = _unit(tokenizer.time_kind, self._layout.time)
        self.local_time_unit = _unit(tokenizer.local_time_kind, self._layout.local_time)
        return chunk if chunk.rows else None

    def _collect(self, chunk: RawChunk) -> None:
        names = self._layout.names
        for line, offset, reason, column, raw in self._tokenizer.rejected(_RAW_MAX):
            if reason not in REASONS:
                self._fail(line, offset, reason, column, raw)
            if reason in _HEADER_REASONS and self._is_header(line, raw):
                chunk.dropped["repeated_header"] = chunk.dropped.get("repeated_header", 0) + 1
                continue
            if column >= 0:
                what = f"{self._value(raw, column)!r} in column {names[column]!r}"
            elif reason == "FIELD_COUNT":
                what = f"{raw.count(self._mark) + 1} fields instead of {len(names)}"
            else:
                what = f"{raw[:40]!r}"
            chunk.rejected.append(Rejected(line, offset, reason, names[column] if column >= 0 else None, raw,
                                           f"{what}: {REASONS[reason]}"))

    def _is_header(self, line: int, raw: bytes) -> bool:
        # The same header in other letters is dropped; another one would shift every row behind it.
        if self._mark not in raw or not _HEADER_START.match(raw):
            return False
        words = [normal(word) for word in raw.decode(errors="replace").split(self._layout.delimiter)]
        known = {word: index for index, word in enumerate(words) if word in self._layout.header_words}
        if len(known) < 2 or 2 * len(known) < len(words):
            return False
        own = [normal(name) for name in self._layout.names]
        if words == own:
            return True
        if len(words) == len(own) and all(own[index] == word for word, index in known.items()):
            return False  # a damaged copy of the header shifts nothing
        raise DataError(f"{self.path}, line {line}: another header begins here ({raw.decode(errors='replace')}): "
                        "these are two files in one; split them")

    def _value(self, raw: bytes, column: int) -> str:
        fields = raw.split(self._mark)
        value = fields[column] if column < len(fields) else b""
        return value[:80].decode(errors="backslashreplace")

    def _fail(self, line: int, offset: int, reason: str, column: int, raw: bytes) -> NoReturn:
        value = self._value(raw, column)
        why = {
            "MIXED_TIMES": f"a time of another kind than before ({self._tokenizer.time_kind}): split the file by kind",
            "AMBIGUOUS_EPOCH": "no magnitude of s, ms, us or ns since 1970: say which time it is with the time option",
            "AMBIGUOUS_FOLD": f"this local time happens twice in {self.tz}: choose --ambiguous earlier, later or infer",
            "NO_DATE": "a time of day, and the file's name has no date: put one in, such as tob_2022-09-21.csv",
            "TOO_MANY_NAMES": "more than 65536 instruments: is this the right column?",
        }.get(reason)
        if why is None:
            raise MemoryError
        raise DataError(f"{self.path}, line {line}, byte {offset}, column {self._layout.names[column]!r}: "
                        f"{value!r}: {why}")


def _unit(kind: str | None, wanted: str) -> str | None:
    return wanted if kind == "format" else kind


def _tokenizer(path: Path, head: Head, layout: CsvLayout, options: ReadOptions, header: bool) -> Tokenizer:
    since, offset = zone_table(layout.tz)
    kind, pattern = time_kind(layout.time, "time")
    local_kind, local_pattern = time_kind(layout.local_time, "local_time")
    column = layout.columns.get
    return Tokenizer(
        tob=layout.table == "tob",
        n_columns=len(layout.names),
        time=layout.columns["time"],
        local_time=column("local_time", -1),
        instrument=column("instrument", -1),
        values=[layout.columns[name] for name in VALUES[layout.table]],
        side=column("side", -1),
        delimiter=ord(layout.delimiter),
        mark=ord(layout.decimal),
        accept_unterminated=options.accept_unterminated,
        header=head.raw if header else b"",
        offset=head.after if header else head.start,
        line=head.number if header else head.number - 1,
        zone_since=since,
        zone_offset=offset,
        fold=layout.ambiguous,
        time_kind=kind,
        pattern=pattern,
        local_time_kind=local_kind,
        local_pattern=local_pattern,
        first_day=date_in_name(path),
        words=[(word.encode(), side) for side, words in layout.side_words.items() for word in words],
    )
