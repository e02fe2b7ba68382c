"""`mmbt hot`: the cache of a store that runs read without decoding: what there is, fill it, clear it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmbt.cli.app import LazyGroup, command
from mmbt.cli.options import DATES, find_store
from mmbt.cli.output import Document, emit, note, progress, safe

if TYPE_CHECKING:
    from mmbt.store.manifest import Partition

__all__ = ["build", "clear", "hot", "ls"]

_DATA = click.option("--data", metavar="STORE", help="The store, here or under data/.  [default: data/store]")


@click.group(
    "hot",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""
    mmbt hot build --dates 2022-09-20..2022-09-21
    mmbt backtest --strategy linear-skew --hot
    mmbt hot ls
    mmbt hot clear
    """,
    lazy={
        "ls": ("mmbt.cli.hot:ls", "List what is cached, and where."),
        "build": ("mmbt.cli.hot:build", "Cache days now instead of when they are first needed."),
        "clear": ("mmbt.cli.hot:clear", "Remove what is cached; the store stays as it is."),
    },
)
def hot() -> None:
    """Show, fill or clear the hot store of a store.

    It holds days uncompressed, in files that every run on this machine maps and shares. Use it with `backtest --hot`
    when the same days are replayed many times. It lies in .hot inside the store, or where MMBT_HOT says, and is never
    trimmed by itself: about 40 bytes a quote and 25 a print.
    """


@command("ls", examples="mmbt hot ls --data my-store")
@_DATA
def ls(data: str | None) -> Document:
    """List what is cached, and where."""
    from mmbt.store import HotCache, open_store

    catalog = open_store(find_store(data))
    cache = HotCache(catalog.root)
    found = cache.files(catalog.manifest.partitions)
    named = [(path, part) for path, part in found.items() if part is not None]
    mine = dict(sorted(named, key=lambda item: (item[1].instrument, item[1].table, item[1].date)))
    others = [path for path, partition in found.items() if partition is None]
    document = {
        "store": str(catalog.root),
        "folders": [str(folder) for folder in cache.folders],
        "files": [_plain(path, partition) for path, partition in mine.items()],
        "bytes": _size(mine),
        "partitions": len(catalog.manifest.partitions),
        "others": {"files": len(others), "bytes": _size(others)},
    }

    def show() -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("instrument", "table", "day"):
            table.add_column(title, overflow="fold")
        table.add_column("MiB", justify="right")
        for path, partition in mine.items():
            table.add_row(safe(partition.instrument), partition.table, partition.date, _mib(_size([path])))
        if mine:
            emit(table, "")
        count = f"{len({path.name for path in mine})} of {len(catalog.manifest.partitions)}"
        emit(f"{count} files of the store are cached: {_mib(_size(mine))} MiB.")
        if others:
            emit(f"{len(others)} more, of other stores or older versions: {_mib(_size(others))} MiB.")
        for folder in cache.folders:
            emit(f"folder: {safe(folder)}{'' if folder.is_dir() else ' (not there)'}")

    return Document(document, show)


@command(
    "build",
    examples="""
    mmbt hot build
    mmbt hot build --instrument BTC/USD_T+0 --dates 2022-09-20..2022-09-21
    """,
)
@_DATA
@click.option("--instrument", "instruments", metavar="I", multiple=True, help="Only this one; repeat.  [default: all]")
@click.option("--dates", type=DATES, metavar="A..B", help="Only these days, both included.")
def build(data: str | None, instruments: tuple[str, ...], dates: tuple[date | None, date | None] | None) -> Document:
    """Cache days now instead of when they are first needed.

    Days that are cached already stay as they are.
    """
    from mmbt.store import HotCache, open_store

    catalog = open_store(find_store(data))
    cache = HotCache(catalog.root, warn=note)
    names = instruments or [item.name for item in catalog.summaries() if item.tick_size is not None]
    days = None if dates is None else (_iso(dates[0]), _iso(dates[1]))
    done = 0
    with catalog.select(names, days) as market, progress("caching", "rows") as bar:
        total = sum(partition.rows for partition in market.partitions)
        for partition in market.partitions:
            cache.open(partition)
            done += partition.rows
            bar.update(done, total, done)
        paths = [path for path, partition in cache.files(market.partitions).items() if partition is not None]
    size = _size(paths)
    document = {"store": str(catalog.root), "files": [str(path) for path in paths], "rows": done, "bytes": size}
    return Document(document, lambda: emit(f"{done:,} rows are cached in {len(paths)} files, {_mib(size)} MiB."))


@command(
    "clear",
    examples="""
    mmbt hot clear
    mmbt hot clear --all
    """,
)
@_DATA
@click.option("--all", "everything", is_flag=True, help="Also files of other stores in the same folders.")
def clear(data: str | None, everything: bool) -> Document:
    """Remove what is cached; the store stays as it is.

    A run that is reading a cached file keeps it until it ends.
    """
    from mmbt.store import HotCache, open_store

    catalog = open_store(find_store(data))
    cache = HotCache(catalog.root)
    sizes = {path: _size([path]) for path in cache.files(catalog.manifest.partitions)}
    removed = cache.clear(catalog.manifest.partitions, everything)
    freed = sum(sizes.get(path, 0) for path in removed)
    return Document(
        {"store": str(catalog.root), "removed": [str(path) for path in removed], "bytes": freed},
        lambda: emit(f"{len(removed)} files removed, {_mib(freed)} MiB freed."),
    )


def _plain(path: Path, partition: Partition) -> dict[str, object]:
    return {
        "path": str(path),
        "instrument": partition.instrument,
        "table": partition.table,
        "date": partition.date,
        "bytes": _size([path]),
    }


def _size(paths: Iterable[Path]) -> int:
    """Bytes of these files; those that vanish meanwhile have none."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _mib(count: int) -> str:
    return f"{count / 2**20:,.1f}"


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
