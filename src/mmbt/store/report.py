"""What a conversion did, as `convert --json` prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmbt.store.clocks import DayClock, clock_summary
from mmbt.store.manifest import Manifest, Source
from mmbt.store.names import printable

__all__ = ["ConvertReport", "clock_text", "file_entry", "instrument_rows", "warnings_of"]


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """The outcome of a conversion: `rows_in = rows_out + quarantined + dropped`.

    `files` are those of the command; `instruments` describe the whole store as it is now.
    """

    store: str
    files: list[dict[str, Any]]
    instruments: list[dict[str, Any]]
    rows_in: int
    rows_out: int  # rows the store has gained
    quarantined: int
    dropped: int
    content_hash: str
    dry_run: bool = False
    notes: list[str] = field(default_factory=list)  # what was assumed or ignored
    warnings: list[str] = field(default_factory=list)  # what looks wrong in the data

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `convert --json`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def file_entry(path: str, source: Source, skipped: bool) -> dict[str, Any]:
    """One of `files`; a file that was in the store already counts all its rows as dropped."""
    if skipped:
        return {
            "path": path,
            "format": source.format,
            "table": source.table,
            "rows": source.rows,
            "quarantined": 0,
            "dropped": source.rows,
            "skipped": True,
        }
    return {
        "path": path,
        "format": source.format,
        "table": source.table,
        "rows": source.rows,
        "quarantined": source.quarantined,
        "dropped": sum(source.dropped.values()),
        "skipped": False,
    }


def instrument_rows(manifest: Manifest, clocks: Sequence[DayClock]) -> list[dict[str, Any]]:
    """One entry an instrument: units, rows, span, counts of what is odd, and its clock of receipt if it has one."""
    totals: dict[str, dict[str, Any]] = {}
    for name, entry in sorted(manifest.instruments.items(), key=lambda item: item[0].encode()):
        units = entry.units
        totals[name] = {
            "instrument": name,
            "tick_size": units.tick_size,
            "price_unit": units.price_unit,
            "lot_size": units.lot_size,
            "base": entry.base,
            "quote": entry.quote,
            "contract": entry.contract,
            "multiplier": entry.multiplier,
            "tob_rows": 0,
            "trade_rows": 0,
            "first_ts": None,
            "last_ts": None,
            "content_hash": entry.content_hash,
            "counts": {},
        }
    for partition in manifest.partitions:
        total = totals[partition.instrument]
        total["tob_rows" if partition.table == "tob" else "trade_rows"] += partition.rows
        total["first_ts"] = min(
            partition.first_ts, total["first_ts"] if total["first_ts"] is not None else partition.first_ts
        )
        total["last_ts"] = max(
            partition.last_ts, total["last_ts"] if total["last_ts"] is not None else partition.last_ts
        )
        for key, count in partition.counts.items():
            total["counts"][key] = total["counts"].get(key, 0) + count
    of: dict[str, list[DayClock]] = {}
    for day in clocks:
        of.setdefault(day.instrument, []).append(day)
    for name, days in of.items():
        if any(day.tables for day in days):
            totals[name]["clock"] = clock_summary(days)
    return list(totals.values())


def warnings_of(instruments: list[dict[str, Any]]) -> list[str]:
    """What a person should look at."""
    found = []
    for row in instruments:
        name, counts = printable(row["instrument"]), row["counts"]
        if row["tick_size"] is None:
            found.append(f"{name}: prints without any quotes; its tick size is pending until quotes are converted")
        for key, what in (
            ("jumps", "prices 100 times above or below the one before"),
            ("crossed", "crossed quotes"),
            ("negative_latency", "rows received before they were sent; --feed-latency local sets their clock forward"),
        ):
            if counts.get(key):
                found.append(f"{name}: {counts[key]} {what}")
    return found


def clock_text(clock: Mapping[str, int]) -> str:
    """A summary of clocks in words."""
    told = "never behind the exchange's"
    if clock["days_behind"]:
        told = (f"behind the exchange's on {clock['days_behind']} of {clock['days']} days, by "
                f"{clock['offset_max_ns'] / 1e9:.4g} s at most")
    missing = f"; {clock['missing']:,} rows have no local time" if clock["missing"] else ""
    return f"its local clock runs {told}{missing}"
