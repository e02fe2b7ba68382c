"""A TOML file that describes the columns of any CSV.

    [tob]
    files = "quotes_*.csv*"
    delimiter = ","
    instrument = "BTC/USD"             # or a column, or instrument_from_name = 'quotes_([A-Z]+)_'
    time = "%Y%m%d %H:%M:%S.%f"        # or auto, iso, s, ms, us, ns, time-of-day
    tz = "Europe/Moscow"
    [tob.columns]
    time = "Time"                      # a name, or a number counted from 1
    bid_px = "Bid"
    bid_qty = "BidVol"
    ask_px = "Ask"
    ask_qty = "AskVol"

    [trades]
    header = false
    [trades.columns]
    time = 1
    instrument = 2
    px = 3
    qty = 4
    side = 5
    [trades.side]
    buy = ["false"]
    sell = ["true"]
"""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mmbt.errors import FileError, UsageError, did_you_mean
from mmbt.formats.base import Table
from mmbt.formats.times import check_zone, time_kind

__all__ = ["Mapping", "TableMapping", "load_mapping"]

Column = Annotated[int, Field(ge=1, strict=True)] | Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TobColumns(_Model):
    """Columns of a top-of-book file, each by name or by number counted from 1."""

    time: Column
    local_time: Column | None = None
    instrument: Column | None = None
    bid_px: Column
    bid_qty: Column
    ask_px: Column
    ask_qty: Column


class TradeColumns(_Model):
    """Columns of a trade file, each by name or by number counted from 1."""

    time: Column
    local_time: Column | None = None
    instrument: Column | None = None
    px: Column
    qty: Column
    side: Column | None = None


class SideWords(_Model):
    """Words for who initiated a trade; case does not count."""

    buy: tuple[str, ...] = ()
    sell: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _distinct(self) -> SideWords:
        words = [word.lower() for word in (*self.buy, *self.sell, *self.unknown)]
        if not words or len(set(words)) != len(words):
            raise ValueError("give words for buy and sell, each once")
        if len(words) > 64 or any(not 0 < len(word.encode()) <= 15 for word in words):
            raise ValueError("at most 64 words of 1 to 15 bytes")
        return self


class TableMapping(_Model):
    """One table's files; what is left out comes from the command's options."""

    files: str | None = None
    """Pattern of file names taken from a folder; by default those that contain the table's name."""
    delimiter: str | None = None
    header: bool = True
    decimal: Literal[".", ","] | None = None
    instrument: str | None = Field(default=None, min_length=1, max_length=255)
    """The one instrument of all files."""
    instrument_from_name: str | None = None
    """A regular expression on the file name whose one group is the instrument."""
    time: str | None = None
    local_time: str | None = None
    tz: str | None = None
    ambiguous: Literal["error", "earlier", "later", "infer"] | None = None

    @field_validator("tz")
    @classmethod
    def _zone(cls, tz: str | None) -> str | None:
        return tz if tz is None else check_zone(tz)

    @field_validator("time", "local_time")
    @classmethod
    def _time(cls, text: str | None) -> str | None:
        if text is not None:
            time_kind(text, "time")
        return text

    @field_validator("instrument_from_name")
    @classmethod
    def _pattern(cls, text: str | None) -> str | None:
        if text is not None and re.compile(text).groups != 1:
            raise ValueError("needs exactly one group, such as 'quotes_([A-Z]+)_'")
        return text

    def takes(self, path: Path, default: str) -> bool:
        """Whether a file of a folder is one of this table."""
        return fnmatchcase(path.name.lower(), (self.files or default).lower())


class TobMapping(TableMapping):
    """Files of the top of the book."""

    columns: TobColumns


class TradeMapping(TableMapping):
    """Files of trades."""

    columns: TradeColumns
    side: SideWords | None = None


class Mapping(_Model):
    """A whole mapping file."""

    tob: TobMapping | None = None
    trades: TradeMapping | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Mapping:
        if self.tob is None and self.trades is None:
            raise ValueError("a mapping needs [tob], [trades] or both")
        for table, mapping in self.tables().items():
            ways = [mapping.instrument, mapping.instrument_from_name, mapping.columns.instrument]
            if sum(way is not None for way in ways) != 1:
                raise ValueError(f"[{table}] needs exactly one of instrument, instrument_from_name, columns.instrument")
            if not mapping.header and any(isinstance(c, str) for c in mapping.columns.model_dump().values()):
                raise ValueError(f"[{table}] has header = false: give its columns as numbers counted from 1")
            used = [column for column in mapping.columns.model_dump().values() if column is not None]
            if len(set(used)) != len(used):
                raise ValueError(f"[{table}.columns] uses one column twice")
        return self

    def tables(self) -> dict[Table, TobMapping | TradeMapping]:
        """The tables described."""
        found: dict[Table, TobMapping | TradeMapping] = {}
        if self.tob is not None:
            found["tob"] = self.tob
        if self.trades is not None:
            found["trades"] = self.trades
        return found


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises
    ------
    FileError
        When it cannot be read.
    UsageError
        When it is no TOML or no mapping; the message has every mistake at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: a mapping is a TOML file") from None
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        raise UsageError(f"{path}: " + "; ".join(_mistake(detail) for detail in error.errors())) from None


def _mistake(detail: Any) -> str:
    place = [str(part) for part in detail["loc"]]
    if detail["type"] != "extra_forbidden":
        return f"{'.'.join(place) or 'mapping'}: {detail['msg'].removeprefix('Value error, ')}"
    inside: dict[str, type[BaseModel]] = {"tob": TobMapping, "trades": TradeMapping, "side": SideWords,
                                          "columns": TobColumns if place[0] == "tob" else TradeColumns}
    model = inside.get(place[-2], Mapping) if len(place) > 1 else Mapping
    known = model.model_fields
    return f"unknown key {'.'.join(place)!r}{did_you_mean(place[-1], known) or ';'} known: {', '.join(known)}"
