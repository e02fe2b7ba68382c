"""Small raw files, and a store read back whole in exact decimals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from mmbt.store import open_store

BASE = 1_663_718_400_000_000_000  # 2022-09-21 00:00 UTC, ns
DAY = 86_400 * 10**9
TOB = "exchange_time;instrument;bid;bid_size;ask;ask_size"
TRADES = "exchange_time;instrument;price;qty;side"
Row = Sequence[Any]


def write_raw(path: Path, header: str, rows: Iterable[Row]) -> Path:
    """A file in the seed's format; the first field of a row is ns since the epoch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in [header, *(";".join(map(str, row)) for row in rows)]))
    return path


def tob(path: Path, rows: Iterable[Row]) -> Path:
    """Quotes: (ns, instrument, bid, bid size, ask, ask size)."""
    return write_raw(path, TOB, rows)


def trades(path: Path, rows: Iterable[Row]) -> Path:
    """Prints: (ns, instrument, price, qty, side)."""
    return write_raw(path, TRADES, rows)


def quotes(count: int, name: str = "BTC/USD_T+0", start: int = BASE, step: int = 10**6) -> list[Row]:
    """Plain quotes that differ from row to row."""
    return [
        (start + i * step, name, f"{100 + i % 7}.{i % 10}", 1 + i % 13, f"{108 + i % 5}.{i % 10}", f"{1 + i % 3}.5")
        for i in range(count)
    ]


def contents(root: Path, name: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """All quotes and prints of an instrument, prices and quantities as decimals."""
    catalog = open_store(root)
    unit = catalog.manifest.instruments[name].units
    price, lot = Decimal(unit.price_unit), Decimal(unit.lot_size)
    with catalog.select([name]) as market:
        book = [
            (ts, bid * price, bid_qty * lot, ask * price, ask_qty * lot)
            for batch in market.tob(name)
            for ts, bid, bid_qty, ask, ask_qty in zip(*(column.tolist() for column in batch[:5]), strict=True)
        ]
        prints = [
            (ts, px * price, qty * lot, side)
            for batch in market.trades(name)
            for ts, px, qty, side in zip(*(column.tolist() for column in batch[:4]), strict=True)
        ]
    return book, prints


def parts(root: Path) -> dict[str, bytes]:
    """Every file of a store that is not a lock, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".mmbt.")
    }
