"""What a store holds, and the part of it that a run asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mmbt.errors import FileError, StoreError, UsageError, did_you_mean
from mmbt.market import Instrument
from mmbt.store.clocks import DayClock
from mmbt.store.files import io_errors
from mmbt.store.hotcache import HotCache
from mmbt.store.hotmarket import HotMarket
from mmbt.store.manifest import MANIFEST, InstrumentEntry, Manifest, Partition
from mmbt.store.market import StoreMarket
from mmbt.store.names import printable
from mmbt.store.stored import day_clocks, verify

__all__ = ["Catalog", "InstrumentSummary", "open_store"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


@dataclass(frozen=True, slots=True)
class InstrumentSummary:
    """An instrument of a store and how much there is of it."""

    name: str
    tick_size: str | None  # None: pending, there are prints but no quotes
    price_unit: str
    lot_size: str
    tob_rows: int
    trade_rows: int
    first_ts: int
    last_ts: int
    dates: tuple[str, ...]
    content_hash: str
    counts: dict[str, int]


class Catalog:
    """An opened store.

    Parameters
    ----------
    root
        Its folder.

    Raises
    ------
    FileError
        When there is no such folder.
    StoreError
        When it holds no store, a damaged one, or one of a newer version.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)
        where = printable(str(self.root))
        with io_errors(self.root, "reading"):
            manifest = Manifest.load(self.root)
            if manifest is None and not self.root.exists():
                raise FileError(f"{where}: no such store; make one with `mmbt convert RAW --out {where}`")
        if manifest is None:
            raise StoreError(
                f"{where}: no {MANIFEST} in it: not a store, or a conversion was interrupted; run `mmbt convert`"
            )
        self.manifest: Manifest = manifest

    @property
    def names(self) -> list[str]:
        """The instruments, by the UTF-8 bytes of their names."""
        return sorted(self.manifest.instruments, key=str.encode)

    @property
    def content_hash(self) -> str:
        """One hash of all values in the store."""
        return self.manifest.content_hash

    def summaries(self) -> list[InstrumentSummary]:
        """Every instrument with its counts."""
        parts: dict[str, list[Partition]] = {name: [] for name in self.names}
        for partition in self.manifest.partitions:
            parts[partition.instrument].append(partition)
        return [_summary(name, self.manifest.instruments[name], parts[name]) for name in self.names]

    def default_instrument(self) -> str:
        """The instrument with the most prints; among equals the one with most quotes, then the first by name.

        Raises
        ------
        UsageError
            When no instrument has quotes.
        """
        ready = [summary for summary in self.summaries() if summary.tick_size is not None]
        if not ready:
            raise UsageError(f"{printable(str(self.root))}: no instrument with quotes in it; convert tob files too")
        return max(ready, key=lambda s: (s.trade_rows, s.tob_rows, [-byte for byte in s.name.encode()])).name

    def instrument(self, name: str) -> Instrument:
        """An instrument as the engine needs it.

        Raises
        ------
        UsageError
            When the store has none of that name, or it has no quotes and so no tick size.
        """
        entry = self.manifest.instruments.get(name)
        if entry is None:
            near = did_you_mean(name, self.names) or "."
            raise UsageError(
                f"no instrument {printable(name)!r} in {printable(str(self.root))}{near} "
                f"It has: {', '.join(map(printable, self.names))}"
            )
        if entry.units.tick_size is None:
            raise UsageError(
                f"{printable(name)} has prints but no quotes, so its tick size is unknown: convert its quotes, or "
                f"give --tick-size {printable(name)}=SIZE to convert"
            )
        return Instrument(
            name,
            entry.units.tick_size,
            entry.units.price_unit,
            entry.units.lot_size,
            entry.base,
            entry.quote,
            entry.contract,
            entry.multiplier,
        )

    def select(
        self,
        instruments: Sequence[str] | None = None,
        dates: tuple[str | None, str | None] | None = None,
        start: int | None = None,
        end: int | None = None,
        *,
        local: bool = False,
        batch_rows: int | None = None,
        prefetch: int | None = None,
        hot: bool | HotCache = False,
    ) -> StoreMarket:
        """The market data of some instruments and times; nothing is read before the engine asks.

        Parameters
        ----------
        instruments
            Their names; None: the default one.
        dates
            First and last UTC day, both included, as `2024-08-08`; None leaves an end open.
        start, end
            Times in ns since the epoch, `start` included, `end` not.
        local
            Hand the times of receipt over too, by the exchange's clock (docs: latency).
        batch_rows
            Rows handed over at a time; None: a row group, or a block of the hot store. Results never depend on it.
        prefetch
            Batches read ahead in a thread by each open table; 0: no thread. None: 2 of Parquet, none of the hot store.
        hot
            Read from the hot store, whose files are made where they are missing; a `HotCache` says which. Results
            never depend on it.

        Raises
        ------
        UsageError
            For an unknown name, a selection without any row, or no times of receipt where they are wanted.
        """
        names = list(dict.fromkeys(instruments)) if instruments else [self.default_instrument()]
        chosen = [self.instrument(name) for name in names]
        first, last = (_day(text) for text in dates or (None, None))
        if first and last and first > last:
            raise UsageError(f"the first day, {first}, is after the last, {last}")
        if start is not None and end is not None and start >= end:
            raise UsageError(f"the selection ends, at {end}, before it starts, at {start}")
        parts = [
            p
            for p in self.manifest.partitions
            if p.instrument in names
            and (not first or p.date >= first)
            and (not last or p.date <= last)
            and (start is None or p.last_ts >= start)
            and (end is None or p.first_ts < end)
        ]
        if not parts:
            have = sorted({p.date for p in self.manifest.partitions if p.instrument in names})
            raise UsageError(
                f"{', '.join(map(printable, names))}: no rows in that time; the store has {have[0]} to {have[-1]}"
            )
        clocks = None
        if local:
            if not any(p.local for p in parts):
                raise UsageError(
                    f"{', '.join(map(printable, names))}: no local times in that part of {printable(str(self.root))}: "
                    "its sources had no column of times of receipt; give a latency instead of local, such as 5ms"
                )
            days = {(p.instrument, p.date) for p in parts}
            clocks = day_clocks(self.root, [p for p in self.manifest.partitions if (p.instrument, p.date) in days])
        if hot is False:
            ahead = 2 if prefetch is None else prefetch
            return StoreMarket(
                self.root, chosen, parts, start, end, clocks=clocks, batch_rows=batch_rows, prefetch=ahead
            )
        cache = HotCache(self.root) if hot is True else hot
        return HotMarket(
            self.root, chosen, parts, start, end, cache=cache, clocks=clocks, batch_rows=batch_rows,
            prefetch=prefetch or 0,
        )

    def clocks(self, *, measure: bool = False) -> list[DayClock]:
        """The clocks of receipt by instrument and day; `measure` reads the files of older stores that do not say."""
        return day_clocks(self.root, self.manifest.partitions, measure=measure)

    def verify(self) -> int:
        """Compare every file with its SHA-256; returns how many were right.

        Raises
        ------
        StoreError
            For the first file that is missing or damaged.
        """
        for partition in self.manifest.partitions:
            verify(self.root, partition)
        return len(self.manifest.partitions)


def open_store(root: str | Path) -> Catalog:
    """Open the store at `root`; see `Catalog`."""
    return Catalog(root)


def _summary(name: str, entry: InstrumentEntry, parts: Sequence[Partition]) -> InstrumentSummary:
    counts: dict[str, int] = {}
    for part in parts:
        for key, count in part.counts.items():
            counts[key] = counts.get(key, 0) + count
    return InstrumentSummary(
        name,
        entry.units.tick_size,
        entry.units.price_unit,
        entry.units.lot_size,
        sum(p.rows for p in parts if p.table == "tob"),
        sum(p.rows for p in parts if p.table == "trades"),
        min(p.first_ts for p in parts),
        max(p.last_ts for p in parts),
        tuple(sorted({p.date for p in parts})),
        entry.content_hash,
        counts,
    )


def _day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        if not _DATE.match(text):
            raise ValueError
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"{text!r} is not a day: write it as 2024-08-08") from None
