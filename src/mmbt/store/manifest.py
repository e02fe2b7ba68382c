"""`manifest.json`: what a store holds. It is switched last, by one rename: a reader sees the old store or the new one.

Part files are named after their own SHA-256, so no rename ever changes a file the present manifest names. What no
manifest names is an orphan and is swept by the next conversion. The manifest carries its own checksum; nothing in it
depends on the clock or on the order in which files were given.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mmbt.errors import StoreError
from mmbt.store.clocks import Clock
from mmbt.store.files import inside, looks_inside, write_atomically
from mmbt.store.infer import GivenUnits, Grid, Grids, Units
from mmbt.store.names import parse_name, printable
from mmbt.store.schema import SCHEMA_VERSION, Table, check_version

__all__ = ["MANIFEST", "InstrumentEntry", "Manifest", "Partition", "Source", "store_hash"]

MANIFEST = "manifest.json"
_CHECKSUM = '"checksum": "sha256:'
_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Source:
    """A raw file whose rows are in the store."""

    path: str
    content_sha256: str  # of its decompressed bytes: by it the file is known, compressed or not
    head_sha256: str  # of the first 64 KiB of these, so that few files are read to tell they are others; "": unknown
    sha256: str  # of its bytes on disk
    bytes: int  # on disk
    format: str
    table: Table
    time_unit: str | None
    local_time_unit: str | None
    tz: str
    first_stamp: int | None  # of its first row, ns; with `content_sha256` it places the file among others
    rows: int
    quarantined: int
    dropped: dict[str, int] = field(default_factory=dict)
    quarantine: dict[str, Any] | None = None  # path, sha256 and bytes of the file that keeps the rejected rows

    @property
    def key(self) -> tuple[int, str]:
        """The place of the file among the sources."""
        return (self.first_stamp or 0, self.content_sha256)


@dataclass(frozen=True, slots=True)
class Partition:
    """One Parquet file: an instrument's rows of one table and UTC day."""

    table: Table
    instrument: str
    date: str
    path: str
    sha256: str
    bytes: int
    content_hash: str
    rows: int
    local: bool
    first_ts: int
    last_ts: int
    counts: dict[str, int]
    sources: tuple[str, ...]  # `content_sha256` of the files its rows came from
    order: str  # whose row each is: see `provenance`
    clock: Clock | None = None  # None: no local times, or written before clocks were looked at


@dataclass(frozen=True, slots=True)
class InstrumentEntry:
    """An instrument's units, and what is known of its contract."""

    units: Units
    grids: Grids
    given: GivenUnits
    content_hash: str
    contract: str | None = None  # None: not declared, valued as linear
    multiplier: str = "1"
    base: str | None = None
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole of a store."""

    converter: str
    instruments: dict[str, InstrumentEntry] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)  # by `content_sha256`
    partitions: tuple[Partition, ...] = ()

    @property
    def content_hash(self) -> str:
        """One hash of all values in the store, whatever files they came from and however these were grouped."""
        return store_hash((name, entry.content_hash) for name, entry in self.instruments.items())

    def save(self, root: Path, temp: Path) -> None:
        """Make this the store's manifest, in one step."""
        write_atomically(root / MANIFEST, self.to_bytes(), temp)

    def to_bytes(self) -> bytes:
        """The JSON document, checksum included."""
        sources = sorted(self.sources.values(), key=lambda source: (source.table, *source.key))
        body = {
            "mmbt_store": SCHEMA_VERSION,
            "checksum": "sha256:" + "0" * _LENGTH,
            "converter": self.converter,
            "content_hash": self.content_hash,
            "instruments": {name: _instrument_json(name, entry) for name, entry in sorted(self.instruments.items())},
            "sources": [asdict(source) for source in sources],
            "partitions": [asdict(p) for p in sorted(self.partitions, key=lambda p: (p.instrument, p.table, p.date))],
        }
        text = json.dumps(body, indent=1, ensure_ascii=True)
        return (_sealed(text) + "\n").encode("ascii")

    @classmethod
    def load(cls, root: Path) -> Manifest | None:
        """The manifest of the store at `root`; None when there is none.

        Raises
        ------
        StoreError
            When it is damaged, foreign, or of a newer version.
        """
        path = root / MANIFEST
        where = printable(str(path))
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            text = data.decode("ascii")
            body = json.loads(text)
        except ValueError as error:
            raise StoreError(f"{where}: damaged, not readable as JSON ({error}); restore it or convert again") from None
        if not isinstance(body, dict) or "mmbt_store" not in body:
            raise StoreError(f"{where}: not the manifest of an mmbt store; choose another folder")
        check_version(where, body["mmbt_store"], str(body.get("converter", "?")))
        if _sealed(text.rstrip("\n")) + "\n" != text:
            raise StoreError(f"{where}: damaged, its checksum does not match its contents; restore it or convert again")
        return cls._from_json(root, body)

    @classmethod
    def _from_json(cls, root: Path, body: dict[str, Any]) -> Manifest:
        try:
            manifest = cls(
                body["converter"],
                {name: _instrument(entry) for name, entry in body["instruments"].items()},
                {source["content_sha256"]: Source(**source) for source in body["sources"]},
                tuple(_partition(p) for p in body["partitions"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{printable(str(root / MANIFEST))}: incomplete or foreign ({error!r}); convert again"
            ) from None
        for partition in manifest.partitions:
            if not looks_inside(partition.path):
                inside(root, partition.path)
        return manifest


def store_hash(instruments: Any) -> str:
    """The hash of (instrument, content hash) pairs, in the order of the names' bytes."""
    digest = hashlib.sha256(b"mmbt-store-1\n")
    for name, content in sorted(instruments, key=lambda pair: pair[0].encode()):
        digest.update(f"{json.dumps(name)} {content}\n".encode())
    return digest.hexdigest()


def _sealed(text: str) -> str:
    start = text.find(_CHECKSUM) + len(_CHECKSUM)
    blank = text[:start] + "0" * _LENGTH + text[start + _LENGTH :]
    return text[:start] + hashlib.sha256(blank.encode()).hexdigest() + text[start + _LENGTH :]


def _partition(body: dict[str, Any]) -> Partition:
    clock = body.get("clock")
    return Partition(**{**body, "sources": tuple(body["sources"]), "clock": Clock(**clock) if clock else None})


def _instrument_json(name: str, entry: InstrumentEntry) -> dict[str, Any]:
    grids = {key: str(getattr(entry.grids, key)) for key in ("quotes", "prints", "quantities")}
    return {
        **asdict(entry.units),
        "base": entry.base,
        "quote": entry.quote,
        "settlement": parse_name(name).settlement,
        "contract": entry.contract,
        "multiplier": entry.multiplier,
        "content_hash": entry.content_hash,
        "given": asdict(entry.given),
        "grids": grids,
    }


def _instrument(body: dict[str, Any]) -> InstrumentEntry:
    grids = {key: Grid.parse(text) if text != "0" else Grid() for key, text in body["grids"].items()}
    return InstrumentEntry(
        Units(body["tick_size"], body["price_unit"], body["lot_size"]),
        Grids(**grids),
        GivenUnits(**body["given"]),
        body["content_hash"],
        body["contract"],
        body["multiplier"],
        body["base"],
        body["quote"],
    )
