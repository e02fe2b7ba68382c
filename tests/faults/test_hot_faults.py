"""The hot store survives what the store survives: kills, full disks, flipped bits, and builders that meet."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt.errors import FileError, StoreError
from mmbt.store import Catalog, HotCache, convert, files, hotcache, open_store
from mmbt.store.hotfile import BLOCK
from tests.faults.kills import fail_each_write, kill_at_every_call, kill_at_random_times, small_disk
from tests.store.helpers import BASE, quotes, tob, trades

X = "BTC/USD_T+0"


@pytest.fixture(autouse=True)
def _own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMBT_HOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users-cache"))


def make(folder: Path, count: int = 3_000) -> Catalog:
    prints = [(BASE + i, X, 100 + i % 7, 1 + i % 3, "BS"[i % 2]) for i in range(count // 4)]
    convert([tob(folder / "tob.csv", quotes(count)), trades(folder / "trade.csv", prints)], folder / "s")
    return open_store(folder / "s")


def read(catalog: Catalog, hot: bool | HotCache) -> list[Any]:
    """All columns of both tables."""
    with catalog.select([X], hot=hot, prefetch=0) as market:
        tables = [zip(*(batch[:-1] for batch in batches), strict=True) for batches in (market.tob(X), market.trades(X))]
        return [np.concatenate(column).tolist() for table in tables for column in table]


class Heard(list[str]):
    """What a cache warned of."""

    def cache(self, catalog: Catalog) -> HotCache:
        return HotCache(catalog.root, self.append)


def built(catalog: Catalog) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((catalog.root / ".hot").glob("*"))}


def test_C23_flipped_bits_of_cached_files_never_become_numbers(memory_path: Path) -> None:
    catalog = make(memory_path)
    expected, heard = read(catalog, False), Heard()
    read(catalog, hot=True)
    whole = built(catalog)
    assert len(whole) == 2
    rng = random.Random(23)
    found = 0
    for _ in range(400):
        name = rng.choice(sorted(whole))
        path = catalog.root / ".hot" / name
        bad = bytearray(whole[name])
        edge = rng.randrange(min(len(bad), 1_500))  # messages and footer lie there
        bad[rng.choice([rng.randrange(len(bad)), edge, len(bad) - 1 - edge])] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        heard.clear()
        assert read(catalog, heard.cache(catalog)) == expected
        if heard:
            found += 1
            assert name in heard[0]
            read(catalog, hot=True)
            assert built(catalog) == whole  # made anew
        path.write_bytes(whole[name])
    assert found > 200  # the others hit what nothing depends on: padding, names of fields, the schema's second copy


def test_C23_a_block_damaged_in_the_middle_of_a_run(tmp_path: Path) -> None:
    catalog = make(tmp_path, 3 * BLOCK)
    expected, heard = read(catalog, False), Heard()
    read(catalog, hot=True)
    whole = built(catalog)
    path = max((catalog.root / ".hot").glob("*.arrow"), key=lambda path: path.stat().st_size)
    bad = bytearray(whole[path.name])
    bad[len(bad) - 100_000] ^= 4  # in the last block of the last column
    path.write_bytes(bad)
    assert read(catalog, heard.cache(catalog)) == expected
    assert len(heard) == 1
    assert "damaged in ask_qty, rows 131,072 and after" in heard[0]
    assert not path.exists()
    read(catalog, hot=True)
    assert built(catalog) == whole


def test_C24_truncated_empty_and_foreign_files_are_made_anew(memory_path: Path) -> None:
    catalog = make(memory_path)
    expected, heard = read(catalog, False), Heard()
    read(catalog, hot=True)
    whole = built(catalog)
    first, second = sorted(whole)
    path = catalog.root / ".hot" / first
    for content in (b"", b"x", b"ARROW1", whole[first][:-1], whole[first][: len(whole[first]) // 2], whole[second],
                    whole[first] + b"x", os.urandom(5_000)):  # fmt: skip
        path.write_bytes(content)
        heard.clear()
        assert read(catalog, heard.cache(catalog)) == expected
        assert len(heard) == 1
        assert "discarded" in heard[0]
        assert built(catalog) == whole


def test_C26_what_cannot_be_opened_is_left_alone(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    expected, heard = read(catalog, False), Heard()
    for partition in catalog.manifest.partitions:
        (catalog.root / ".hot" / f"{partition.sha256}.v1.arrow").mkdir(parents=True)
    assert read(catalog, heard.cache(catalog)) == expected
    assert len(heard) == 1
    assert "mmbt hot clear" in heard[0]
    assert all(path.is_dir() for path in (catalog.root / ".hot").iterdir())


def test_C24_a_damaged_partition_is_an_error_and_is_not_cached(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    path = catalog.root / catalog.manifest.partitions[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"):
        read(catalog, hot=True)
    assert not built(catalog)


class Case:
    """A hot store that was filled undisturbed, to compare with."""

    def __init__(self, folder: Path, count: int = 3_000):
        self.catalog = make(folder, count)
        self.order = {"sources": [folder / "trade.csv"], "out": self.catalog.root, "hot": True}
        self.expected = read(self.catalog, False)
        read(self.catalog, hot=True)
        self.whole = built(self.catalog)

    def reset(self) -> None:
        HotCache(self.catalog.root).clear(self.catalog.manifest.partitions)

    def check(self) -> None:
        """Whole files or none beside temporary ones; and the next reader makes the rest."""
        left = {name: data for name, data in built(self.catalog).items() if not name.endswith(".tmp")}
        assert left.items() <= self.whole.items()
        assert read(self.catalog, hot=True) == self.expected
        assert built(self.catalog) == self.whole  # the rests are gone too


def test_C21_killed_at_every_file_system_call(memory_path: Path) -> None:
    case = Case(memory_path)
    kill_at_every_call(case.order, case.reset, case.check)


@pytest.mark.slow
def test_C21_killed_at_random_times_on_disk(tmp_path: Path) -> None:
    case = Case(tmp_path, 3 * BLOCK)
    assert kill_at_random_times(case.order, case.reset, case.check, times=100, seed=21) > 30


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_C20_each_write_fails_in_turn(memory_path: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(memory_path)

    def check() -> None:
        heard = Heard()
        assert read(case.catalog, heard.cache(case.catalog)) == case.expected
        assert len(heard) == 1  # one word, whatever fails after it
        assert os.strerror(code) in heard[0]
        assert not [name for name in built(case.catalog) if name.endswith(".tmp")]

    fail_each_write(monkeypatch, code, case.reset, lambda: read(case.catalog, hot=True), check)


def test_C20_a_full_disk_is_told_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = make(tmp_path, 60_000)
    with small_disk(tmp_path) as small:
        monkeypatch.setenv("MMBT_HOT", str(small / "hot"))
        with pytest.warns(RuntimeWarning, match=r"No space left on device \([0-9,]+ bytes are free; [0-9,]+ bytes are"):
            assert read(catalog, hot=True) == read(catalog, hot=False)
        with pytest.raises(FileError, match="No space left") as error:
            HotCache(catalog.root).open(max(catalog.manifest.partitions, key=lambda partition: partition.rows))
        assert error.value.exit_code == 6
        assert not [*(small / "hot").glob("*.tmp")]


def test_C22_builders_that_start_together_make_one_file(tmp_path: Path) -> None:
    catalog = make(tmp_path, 100_000)
    expected = read(catalog, False)
    code = (
        "import sys, time, hashlib, os; from pathlib import Path\n"
        "from mmbt.store import HotCache, open_store, hotcache\n"
        "catalog, real = open_store(sys.argv[1]), hotcache.write\n"
        "def told(*arguments): print('built', flush=True); real(*arguments)\n"
        "hotcache.write = told\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for partition in catalog.manifest.partitions: HotCache(catalog.root).open(partition).column('ts', 0, 9)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(catalog.root)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]  # fmt: skip
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = "".join(process.communicate("go\n")[0] for process in running)
    assert [process.returncode for process in running] == [0] * 4
    assert said.count("built") == 2
    assert len(built(catalog)) == 2
    assert read(catalog, hot=True) == expected


def test_C22_who_waits_uses_what_the_other_made(tmp_path: Path) -> None:
    catalog = make(tmp_path)
    (first, *_) = catalog.manifest.partitions
    cache = HotCache(catalog.root)
    cache.open(first)
    (final,) = (catalog.root / ".hot").iterdir()
    done = final.read_bytes()
    final.unlink()
    temp = final.with_suffix(".tmp")
    with temp.open("wb") as file:
        assert files.try_lock(file.fileno())
        waiting = threading.Thread(target=cache.open, args=[first])
        waiting.start()
        file.write(done)
        file.flush()
        temp.replace(final)
    inode = final.stat().st_ino
    waiting.join()
    assert final.stat().st_ino == inode
    assert len(built(catalog)) == 1


def test_C22_a_builder_that_hangs_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = make(tmp_path)
    cache = HotCache(catalog.root)
    for partition in catalog.manifest.partitions:
        cache.open(partition)
    temps = [path.rename(path.with_suffix(".tmp")) for path in (catalog.root / ".hot").iterdir()]
    monkeypatch.setattr(hotcache, "WAIT_S", 0.1)
    held = [path.open("rb") for path in temps]
    assert all(files.try_lock(file.fileno()) for file in held)
    with pytest.warns(RuntimeWarning, match="another process has been writing it"):
        assert read(catalog, hot=True) == read(catalog, hot=False)
    for file in held:
        file.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(catalog, hot=True) == read(catalog, hot=False)
    assert len(built(catalog)) == 2
