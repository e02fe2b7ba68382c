"""The generated market as raw files: `tob_DATE.csv` and `trade_DATE.csv`, all instruments interleaved by time.

    exchange_time;instrument;bid;bid_size;ask;ask_size
    exchange_time;instrument;price;qty;side

Everything is written into a temporary folder inside the target, flushed to disk, and moved to its name at the end: a
file under its final name is whole. `synth.json`, moved last, is the manifest: the truth, each file's rows and SHA-256.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal, Protocol, get_args

import numpy as np

from mmbt.errors import FileError, UsageError, did_you_mean
from mmbt.market import Instrument, TobBatch
from mmbt.synth.config import SynthConfig
from mmbt.synth.laws import truth
from mmbt.synth.market import Block, MarketBlocks
from mmbt.synth.text import DAY_NS, day_name, decimals, lines, number, stamp, text

__all__ = ["Compression", "Source", "generate"]

Compression = Literal["none", "gz", "bz2", "xz", "zst"]
Progress = Callable[[float, int], None]
HEADERS = {"tob": b"exchange_time;instrument;bid;bid_size;ask;ask_size\n",
           "trade": b"exchange_time;instrument;price;qty;side\n"}
BLOCK_ROWS = 100_000


class Source(Protocol):
    """A market of consecutive blocks, and what is true of it."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments."""

    @property
    def span_ns(self) -> tuple[int, int]:
        """Its start and end."""

    def __iter__(self) -> Iterator[Block]:
        """The blocks, in order of time."""

    def truth(self) -> dict[str, Any]:
        """Every parameter by name, as JSON types."""


class _Configured:
    """The market of a config as a source."""

    def __init__(self, config: SynthConfig):
        self._config = config
        self._blocks = MarketBlocks(config, BLOCK_ROWS)
        self.instruments = self._blocks.instruments
        self.span_ns = (config.start_ns, config.start_ns + 1000 * config.duration_us)

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    def truth(self) -> dict[str, Any]:
        return truth(self._config)


def generate(config: SynthConfig | Source, out_dir: str | os.PathLike[str], progress: Progress | None = None, *,
             compression: Compression = "none", overwrite: bool = False) -> dict[str, Any]:
    """Write a market as raw files with its manifest.

    Parameters
    ----------
    config
        The market, or whatever draws one; the same config gives the same bytes.
    out_dir
        The folder, made if needed.
    progress
        Called after each block with the share done (0..1) and the rows written so far.
    compression
        Of the files: ``none``, ``gz``, ``bz2``, ``xz`` or ``zst``.
    overwrite
        Replace raw files that are already there, whatever made them.

    Returns
    -------
    dict
        The manifest, as in `synth.json`.

    Raises
    ------
    UsageError
        When the folder holds raw files already, or the compression is unknown.
    FileError
        When writing fails; nothing is left under a final name unless it is whole.
    """
    if compression not in get_args(Compression):
        raise UsageError(f"compression {compression!r} is unknown{did_you_mean(compression, get_args(Compression))}; "
                         f"there are {', '.join(get_args(Compression))}")
    out = Path(out_dir)
    room = out / f".synth-tmp-{os.getpid()}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        older = _raw_files(out)
        if older and not overwrite:
            raise UsageError(f"{out} already holds {older[0].name}: choose another folder, or give --overwrite")
        _sweep(out)
        room.mkdir()
        try:
            source = _Configured(config) if isinstance(config, SynthConfig) else config
            manifest = _write(source, room, progress, compression)
            for path in older:
                path.unlink()
            for entry in [*manifest["files"], {"path": "synth.json"}]:
                (room / entry["path"]).replace(out / entry["path"])
        finally:
            shutil.rmtree(room, ignore_errors=True)
    except OSError as error:
        raise FileError(f"writing the market to {out} failed: {error}") from error
    return manifest


class _DayFile:
    """One raw file on its way."""

    def __init__(self, room: Path, table: str, day: int, compression: Compression):
        self.path = room / f"{table}_{day_name(day)}.csv{'' if compression == 'none' else '.' + compression}"
        self.rows = 0
        self._raw = self.path.open("wb")
        self._text = _compressed(self._raw, compression)
        self._text.write(HEADERS[table])

    def write(self, data: bytes, rows: int) -> None:
        self._text.write(data)
        self.rows += rows

    def drop(self) -> None:
        # Whatever cannot be written any more is dropped with the folder; the file must be closed all the same.
        with suppress(OSError):
            self._text.close()
        with suppress(OSError):
            self._raw.close()

    def close(self) -> dict[str, Any]:
        self._text.close()
        self._raw.close()
        with self.path.open("rb") as stream:
            os.fsync(stream.fileno())
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"path": self.path.name, "rows": self.rows, "bytes": self.path.stat().st_size, "sha256": sha256}


def _write(source: Source, room: Path, progress: Progress | None, compression: Compression) -> dict[str, Any]:
    instruments = {instrument.name: instrument for instrument in source.instruments}
    counts = {name: {"tob_rows": 0, "trade_rows": 0} for name in instruments}
    first, last = source.span_ns
    files: list[dict[str, Any]] = []
    day, now = -1, list[_DayFile]()
    total = 0
    try:
        for block in source:
            for today in range(block.start_ns // DAY_NS, (block.end_ns - 1) // DAY_NS + 1):
                if today > day:
                    files += [file.close() for file in now]
                    day, now = today, [_DayFile(room, table, today, compression) for table in HEADERS]
                for table, file in enumerate(now):
                    data, rows = _text(instruments, block, table, today)
                    file.write(data, rows)
                    total += rows
            for name, (tob, trades) in block.tables.items():
                counts[name]["tob_rows"] += len(tob.ts)
                counts[name]["trade_rows"] += len(trades.ts)
            if progress is not None:
                progress((block.end_ns - first) / (last - first), total)
        files += [file.close() for file in now]
    except BaseException:
        for file in now:
            file.drop()
        raise
    manifest = source.truth() | {"rows": counts, "files": files}
    path = room / "synth.json"
    with path.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    return manifest


def _text(instruments: Mapping[str, Instrument], block: Block, table: int, day: int) -> tuple[bytes, int]:
    parts = []
    for name, tables in block.tables.items():
        tick, tick_places = decimals(instruments[name].tick_size)
        lot, lot_places = decimals(instruments[name].lot_size)
        whole = tables[table]
        begin, end = np.searchsorted(whole.ts, [day * DAY_NS, (day + 1) * DAY_NS], "left")
        rows = int(end - begin)
        if not rows:
            continue
        ts = whole.ts[begin:end]
        fields = [stamp(ts, day), text(name, rows)]
        if isinstance(whole, TobBatch):
            for column, unit, places in ((whole.bid_px, tick, tick_places), (whole.bid_qty, lot, lot_places),
                                         (whole.ask_px, tick, tick_places), (whole.ask_qty, lot, lot_places)):
                fields.append(number(column[begin:end] * unit, places))
        else:
            fields += [number(whole.px[begin:end] * tick, tick_places), number(whole.qty[begin:end] * lot, lot_places),
                       np.where(whole.side[begin:end, None] > 0, ord("B"), ord("S")).astype(np.uint8)]
        parts.append((ts, fields))
    return (lines(parts) if parts else b""), sum(len(ts) for ts, _ in parts)


def _compressed(raw: IO[bytes], compression: Compression) -> Any:
    match compression:
        case "none":
            return raw
        case "gz":
            return gzip.GzipFile("", "wb", 6, raw, mtime=0)  # no name, no clock: the same bytes every time
        case "bz2":
            return bz2.BZ2File(raw, "wb")
        case "xz":
            return lzma.LZMAFile(raw, "wb", preset=3)
        case "zst":
            import pyarrow as pa

            return pa.CompressedOutputStream(pa.PythonFile(raw, "w"), "zstd")


def _raw_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name.startswith(("tob_", "trade_")) and ".csv" in p.suffixes[:1])


def _sweep(folder: Path) -> None:
    # Leftovers of a run that was killed; a living one keeps its folder.
    for room in folder.glob(".synth-tmp-*"):
        owner = room.name.rpartition("-")[2]
        if not owner.isdigit() or not Path(f"/proc/{owner}").exists() or int(owner) == os.getpid():
            shutil.rmtree(room, ignore_errors=True)
