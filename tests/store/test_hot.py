"""The hot store: the same rows as Parquet, as views, under names that can never be stale."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mmbt.backtest import BacktestConfig, FillRules, run_backtest
from mmbt.errors import StoreError
from mmbt.store import Catalog, HotCache, HotMarket, convert, hotcache, open_store
from mmbt.store.hotfile import BLOCK, checksum
from mmbt.strategies.registry import make
from mmbt.synth import generate, make_config
from tests.store.helpers import BASE, DAY, quotes, tob, trades

X = "BTC/USD_T+0"
ROWS = 2 * BLOCK + 4_464


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMBT_HOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users-cache"))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A day of several blocks, a short one, and prints whose bytes are no whole number of words."""
    books = tob(tmp_path / "tob.csv", [*quotes(ROWS, step=10**6), *quotes(50, start=BASE + DAY)])
    prints = tmp_path / "trade.csv"
    rows = "".join(f"{BASE + i};{BASE + i + i % 5};{X};{100 + i % 9};1;{'BS'[i % 2]}\n" for i in range(4_001))
    prints.write_text(f"exchange_time;local_time;instrument;price;qty;side\n{rows}")
    convert([books, prints], tmp_path / "store")
    return open_store(tmp_path / "store")


def rows(catalog: Catalog, **selection: Any) -> list[list[Any]]:
    """Every column of the selection, local times included where the store has any."""
    with catalog.select([X], **selection) as market:
        local = any(partition.local for partition in market.partitions)
    with catalog.select([X], local=local, **selection) as market:
        tables = [[tuple(batch) for batch in table(X)] for table in (market.tob, market.trades)]
    return [
        np.concatenate(column).tolist() for batches in tables for column in zip(*batches, strict=True) if local
        or column[0] is not None
    ]


def cached(catalog: Catalog) -> list[Path]:
    return sorted((catalog.root / ".hot").glob("*"))


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"batch_rows": 1_000},
        {"batch_rows": 1 << 40},
        {"prefetch": 2},
        {"dates": ("2022-09-21", "2022-09-21")},
        {"start": BASE + 70_000 * 10**6 + 1},
        {"start": BASE + 5, "end": BASE + 140_000_000_000 + 3, "batch_rows": 77_777},
        {"end": BASE + 3_000},
    ],
    ids=str,
)
def test_rows_are_those_of_parquet(catalog: Catalog, selection: dict[str, Any]) -> None:
    expected = rows(catalog, **selection)
    assert rows(catalog, hot=True, **selection) == expected  # built
    assert rows(catalog, hot=True, **selection) == expected  # found


def test_batches_are_blocks_and_a_day_can_be_one_view(catalog: Catalog) -> None:
    with catalog.select([X], hot=True) as market:
        assert [len(batch.ts) for batch in market.tob(X)] == [BLOCK, BLOCK, ROWS - 2 * BLOCK, 50]
    with catalog.select([X], hot=True, batch_rows=1 << 40) as market:
        assert isinstance(market, HotMarket)
        assert [len(batch.ts) for batch in market.tob(X)] == [ROWS, 50]


def test_columns_are_views_that_outlive_market_and_cache(catalog: Catalog) -> None:
    with catalog.select([X], hot=True, batch_rows=1 << 40) as market:
        day = next(market.tob(X))
        prints = next(market.trades(X))
    expected = day.bid_px.tolist()
    for column in (*day[:-1], *prints[:-1]):
        assert column.flags.c_contiguous
        assert column.flags.aligned
        assert not column.flags.owndata
        assert not column.flags.writeable
    HotCache(catalog.root).clear(catalog.manifest.partitions)
    del market
    gc.collect()
    assert not cached(catalog)
    assert day.bid_px.tolist() == expected


def test_nothing_is_cached_unless_asked_for(catalog: Catalog) -> None:
    rows(catalog)
    assert not cached(catalog)
    rows(catalog, hot=True, dates=("2022-09-22", None))
    assert len(cached(catalog)) == 1  # only what was read


def test_a_cached_file_is_plain_arrow(catalog: Catalog) -> None:
    rows(catalog, hot=True)
    for partition in catalog.manifest.partitions:
        path = catalog.root / ".hot" / f"{partition.sha256}.v1.arrow"
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        assert table.num_rows == partition.rows
        assert table.column("ts").type == pa.timestamp("ns", "UTC")
        assert not any(column.null_count for column in table.columns)
        assert all(column.num_chunks == 1 for column in table.columns)


@pytest.mark.parametrize("fills", ["seed", "conservative", "optimistic"])
def test_the_engine_makes_the_same_fills(tmp_path: Path, fills: str) -> None:
    generate(make_config("triangle", {"seed": 5, "duration": "60s"}), tmp_path / "raw")
    convert([tmp_path / "raw"], tmp_path / "store")
    catalog = open_store(tmp_path / "store")
    names = tuple(catalog.names)
    config = BacktestConfig(instruments=names, fills=FillRules.parse(fills))
    hashes = []
    for selection in ({}, {"hot": True}, {"hot": True, "batch_rows": 97, "prefetch": 1}):
        with catalog.select(names, **selection) as market:  # type: ignore[arg-type]
            result = run_backtest(market, make("fixed-spread", ["half_spread_ticks=1"]), config)
        assert result.summary["fills"] > 10
        hashes.append(result.result_hash)
    assert len(set(hashes)) == 1


def test_a_partition_that_changes_gets_another_file_and_the_old_one_goes(catalog: Catalog, tmp_path: Path) -> None:
    day = {"dates": ("2022-09-22", "2022-09-22")}
    before = rows(catalog, hot=True, **day)
    (old,) = cached(catalog)
    convert([tob(tmp_path / "more.csv", [(BASE + DAY + 1, X, "50.001", 1, 109, 1)])], catalog.root)
    again = open_store(catalog.root)
    after = rows(again, hot=True, **day)
    assert after == rows(again, **day)
    assert after != before
    (new,) = cached(catalog)
    assert new != old


def test_files_are_named_after_what_they_hold_and_their_version(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(catalog, hot=True)
    named = {partition.sha256 for partition in catalog.manifest.partitions}
    assert {path.name.partition(".")[0] for path in cached(catalog)} == named
    monkeypatch.setattr(hotcache, "_SUFFIX", ".v2.arrow")
    with catalog.select([X], hot=True) as market:  # of a later version: files of its own, the others go
        next(market.tob(X))
    assert [path.name.partition(".")[2] for path in cached(catalog)] == ["v2.arrow"]


def test_a_folder_can_be_named(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMBT_HOT", str(tmp_path / "elsewhere" / "deep"))
    expected = rows(catalog)
    assert rows(catalog, hot=True) == expected
    assert not cached(catalog)
    assert len([*(tmp_path / "elsewhere" / "deep").iterdir()]) == len(catalog.manifest.partitions)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody may write there, not even root."""
    if os.geteuid():
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    mounted = subprocess.run(["mount", "--bind", folder, folder], capture_output=True).returncode == 0
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_store_that_cannot_be_written_is_cached_for_the_user(catalog: Catalog, tmp_path: Path) -> None:
    expected = rows(catalog)
    with read_only(catalog.root):
        assert rows(catalog, hot=True) == expected
        assert len([*(tmp_path / "users-cache" / "mmbt" / "hot").iterdir()]) == len(catalog.manifest.partitions)


def test_a_cache_that_lies_in_a_read_only_store_is_used(catalog: Catalog, tmp_path: Path) -> None:
    expected = rows(catalog, hot=True)
    with read_only(catalog.root):
        assert rows(catalog, hot=True) == expected
    assert not (tmp_path / "users-cache").exists()


def test_clear_removes_what_is_ours(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shared"
    monkeypatch.setenv("MMBT_HOT", str(folder))
    rows(catalog, hot=True)
    (folder / ("0" * 64 + ".v1.arrow")).write_bytes(b"another store's")
    (folder / "rest.tmp").write_bytes(b"of a killed builder")
    cache = HotCache(catalog.root)
    assert len(cache.clear(catalog.manifest.partitions)) == len(catalog.manifest.partitions)
    assert [path.name for path in folder.iterdir()] == ["0" * 64 + ".v1.arrow"]
    assert len(cache.clear(catalog.manifest.partitions, everything=True)) == 1


def test_an_opened_day_is_verified_once_a_process(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmbt.store import hotfile

    count = 0

    def counting(column: Any) -> str:
        nonlocal count
        count += 1
        return checksum(column)

    rows(catalog, hot=True)
    monkeypatch.setattr(hotfile, "checksum", counting)
    rows(catalog, hot=True)
    assert count == 0
    for path in cached(catalog):
        os.utime(path, ns=(1, 1))
    rows(catalog, hot=True)
    assert count == 5 * 3 + 5 + 5  # blocks of quotes on two days, and of prints


def test_X5_a_manifest_cannot_name_a_path_for_the_cache(catalog: Catalog) -> None:
    from dataclasses import replace

    bad = replace(catalog.manifest.partitions[0], sha256="../../outside")
    with pytest.raises(StoreError, match="tampered"):
        HotCache(catalog.root).open(bad)


@pytest.mark.parametrize("dtype", [np.int64, np.int8])
def test_checksums_find_what_they_promise(dtype: type) -> None:
    rng = np.random.default_rng(3)
    column = rng.integers(0, 100, BLOCK).astype(dtype)
    good = checksum(column)
    assert good == checksum(column.copy())
    for _ in range(200):
        bad = column.copy()
        bad[rng.integers(BLOCK)] ^= dtype(1 << int(rng.integers(7)))
        assert checksum(bad) != good
    page = 4096 // column.itemsize
    swapped = column.copy()
    swapped[:page], swapped[page : 2 * page] = column[page : 2 * page], column[:page]
    zeroed = column.copy()
    zeroed[page : 2 * page] = 0
    assert len({good, checksum(swapped), checksum(zeroed), checksum(column[:-1])}) == 4


def test_a_day_of_one_row_is_whole(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(1)), trades(tmp_path / "t.csv", [(BASE, X, 1, 1, "B")])], tmp_path / "s")
    catalog = open_store(tmp_path / "s")
    assert rows(catalog, hot=True) == rows(catalog)
