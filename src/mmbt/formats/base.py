"""What a raw format is: bytes of one file in, chunks of exact rows of one table out.

A format finds its files (`matches`, `sniff`) and opens one (`open`). The open file is iterated once, from the first row
to the last, and gives `RawChunk`s of bounded size. Nothing vanishes: for every chunk, and so for every file,

    rows = len(chunk) + len(rejected) + sum(dropped)

where `rows` leaves out the header and blank lines. A price or quantity is a pair (mantissa, decimals), worth exactly
mantissa * 10**-decimals. An absent side of a quote has price and quantity (0, 0).

| the file                                                            | raises                                  | exit |
|---------------------------------------------------------------------|-----------------------------------------|------|
| cannot be what it says: columns, encoding, mixed or ambiguous times | `DataError`                             | 3    |
| is a truncated, damaged or bomb-like archive                        | `StoreError`                            | 4    |
| cannot be read                                                      | `FileError`                             | 6    |
| has a bad row                                                       | nothing: the row becomes a `Rejected`   |      |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["REASONS", "VALUES", "Number", "RawChunk", "RawFile", "RawFormat", "ReadOptions", "Rejected", "Sniff",
           "Table"]

Table: TypeAlias = Literal["tob", "trades"]
Number: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int8]]

VALUES: dict[Table, tuple[str, ...]] = {
    "tob": ("bid_px", "bid_qty", "ask_px", "ask_qty"),
    "trades": ("px", "qty"),
}

REASONS = {
    "TRUNCATED_TAIL": "the last line has no end: the file was cut; --accept-unterminated takes it as it stands",
    "FIELD_COUNT": "the line has more or fewer fields than the header",
    "ROW_TOO_LONG": "a line may have 65536 bytes",
    "NUL": "the line holds a NUL byte: was the file cut by a crash?",
    "BAD_BYTE": "the line is not valid UTF-8: convert the file, e.g. iconv -f latin1 -t utf-8",
    "BAD_QUOTE": "a quoted field must open and close with \" and hold none",
    "BAD_NUMBER": "write a plain decimal number such as 61.25; a decimal comma needs the decimal = \",\" option",
    "NUMBER_RANGE": "at most 18 significant digits and 18 decimal places are held exactly",
    "NON_POSITIVE_PRICE": "prices must be above 0",
    "NON_POSITIVE_QTY": "traded quantities must be above 0 and displayed ones not below 0",
    "EMPTY_FIELD": "a value is required here",
    "BAD_TIME": "write ISO times such as 2024-08-08 23:54:14.024619, or an epoch in s, ms, us or ns",
    "TIME_GAP": "clocks were put forward over this local time: is the time zone right?",
    "BAD_SIDE": "write buy, sell, B, S, 1, -1, or leave the side empty if unknown",
    "BAD_INSTRUMENT": "a name has 1 to 255 bytes, no control characters and no space around it",
}
"""Every reason a row is rejected for, and the hint that goes with it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was not taken, with all that is needed to find and mend it."""

    line: int  # in the file, the header being line 1
    offset: int  # byte of the row's start in the decompressed stream
    reason: str  # a key of `REASONS`
    column: str | None  # as the header names it; None when the row as a whole is at fault
    raw: bytes  # the row without its line end, at most 4096 bytes of it
    hint: str  # what is wrong with which value, and what to do


@dataclass(slots=True)
class RawChunk:
    """Consecutive rows of one file and table, instruments interleaved, in file order.

    All columns have the same length n, which may be 0 when every row was rejected or dropped.
    """

    table: Table
    names: list[str]  # instruments of the file so far; only ever grows, shared by all chunks of the file
    instrument: NDArray[np.int32]  # code into `names`
    ts: NDArray[np.int64]  # exchange time, ns since the epoch, UTC
    local_ts: NDArray[np.int64] | None  # time of receipt, if the source has it; 0: not of this row
    values: dict[str, Number]  # by the names in `VALUES[table]`
    side: NDArray[np.int8] | None  # trades: +1 buyer-initiated, -1 seller-initiated, 0 unknown; None for tob
    line: NDArray[np.int64]  # line number in the file, the header being line 1
    offset: NDArray[np.int64]  # byte of the row's start in the decompressed stream
    rejected: list[Rejected] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)  # documented drops by reason, e.g. "repeated_header"
    rows: int = 0  # rows read for this chunk, header and blank lines not counted

    def __len__(self) -> int:
        return len(self.ts)


class ReadOptions(BaseModel):
    """How raw files are read; the defaults suit clean UTC data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tz: str = "UTC"
    """Zone of times that name none: an IANA name such as `Europe/Moscow`, or a fixed offset such as `+03:00`."""
    ambiguous: Literal["error", "earlier", "later", "infer"] = "error"
    """Which instant a local time is that comes twice when clocks go back; `infer`: the nearer to the row before."""
    accept_unterminated: bool = False
    """Take a last line without line end; otherwise it is rejected as TRUNCATED_TAIL."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Between fields; None finds it in the header."""
    decimal: Literal[".", ","] = "."
    """The decimal mark of prices and quantities."""
    time: str = "auto"
    """`auto`, `iso`, `s`, `ms`, `us`, `ns`, `time-of-day`, or a format such as `%Y%m%d %H:%M:%S.%f`."""
    mapping: Path | None = None
    """A TOML file that describes the columns of any other CSV (format `generic`)."""
    chunk_rows: int = Field(default=65536, ge=1, le=1 << 20)
    """Rows of a chunk at most."""
    max_ratio: int = Field(default=250, ge=1)
    """Decompressed to compressed bytes beyond which, after the first 8 MiB, an archive is taken for a bomb."""
    max_bytes: int | None = Field(default=None, ge=1)
    """Decompressed bytes of one file at most; None for no limit."""

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, tz: str) -> str:
        from mmbt.formats.times import check_zone

        return check_zone(tz)


@dataclass(frozen=True, slots=True)
class Sniff:
    """How sure a format is that a file is its own."""

    score: int  # 0..100; the highest wins: 90 by name and header, 60 by header only, 10 by name only
    table: Table | None
    why: str  # what was recognised or what is missing, for messages


@runtime_checkable
class RawFile(Protocol):
    """An open raw file: iterate it once, then read the totals.

    `with fmt.open(path, options) as raw: for chunk in raw: ...`
    """

    path: Path
    format: str  # name of the format
    table: Table
    notes: list[str]  # what a person should know: ignored columns, another delimiter; may grow until the end
    time_unit: str | None  # iso, iso+offset, s, ms, us, ns, time-of-day or the format; None before the first row
    local_time_unit: str | None
    tz: str  # zone used for times that name none
    bytes_done: int  # bytes of the (compressed) source read so far
    bytes_total: int
    rows: int  # totals so far: rows = rows_out + rejected + sum(dropped)
    rows_out: int
    rejected: int
    dropped: dict[str, int]

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the source bytes as they lie on disk; RuntimeError before the last chunk was read."""
        ...

    @property
    def content_sha256(self) -> str:
        """That of the bytes decompressed, the same for a file that is not compressed: by it a file is known."""
        ...

    def __iter__(self) -> Iterator[RawChunk]: ...

    def close(self) -> None:
        """Release the file; safe to call twice."""
        ...

    def __enter__(self) -> RawFile: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class RawFormat(Protocol):
    """A kind of raw file. Instances are stateless; register one under the entry point group `mmbt.formats`."""

    name: str
    description: str  # one line, for `mmbt formats`
    tables: tuple[Table, ...]
    patterns: tuple[str, ...]  # file names taken when a folder is given, for `mmbt formats`

    def matches(self, path: Path, options: ReadOptions) -> bool:
        """Whether a file found in a folder belongs to this format, by its name alone."""
        ...

    def sniff(self, path: Path, options: ReadOptions) -> Sniff | None:
        """Look at the first bytes of a file; None when it is surely something else."""
        ...

    def open(self, path: Path, options: ReadOptions) -> RawFile:
        """Open one file and read its header.

        Raises
        ------
        DataError, StoreError, FileError
            As in the table of the module.
        """
        ...

