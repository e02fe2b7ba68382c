"""Faults C20, C21: `kill -9` or a failing disk at any instant leaves the old store or the new one; a rerun mends it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from mmbt.errors import FileError, MmbtError
from mmbt.store import convert, open_store
from tests.faults.kills import fail_each_write, kill_at_every_call, kill_at_random_times, small_disk
from tests.store.helpers import BASE, DAY, parts, quotes, tob, trades

X = "BTC/USD_T+0"


def raw(folder: Path, rows: int) -> tuple[list[Path], list[Path]]:
    """Files for a first conversion, and for a second that touches its days and makes its units finer."""
    half = DAY // rows // 2
    first = [
        tob(folder / "tob_1.csv", [*quotes(rows, step=2 * half), (BASE, X, "nan", 1, 1, 1)]),
        trades(folder / "trade_1.csv", [(BASE + i, X, "101.5", 1, "B") for i in range(rows)]),
    ]
    second = [tob(folder / "tob_2.csv", [(BASE + half * i, X, "100.25", 1, "109.5", "0.001") for i in range(rows)])]
    return first, second


class Case:
    """An uninterrupted conversion to compare with, over no store and over an existing one."""

    def __init__(self, folder: Path, over_existing: bool, rows: int):
        first, second = raw(folder / "raw", rows)
        self.before = folder / "before"
        if over_existing:
            convert(first, self.before)
        self.sources = second if over_existing else first
        self.out = folder / "out"
        self.order = {"sources": self.sources, "out": self.out}
        self.reset()
        self.old = parts(self.out)
        convert(self.sources, self.out)
        self.new = parts(self.out)

    def reset(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)
        if self.before.exists():
            shutil.copytree(self.before, self.out)

    def check(self) -> None:
        """The old store or the new one, whole; and the rerun is byte-identical to the uninterrupted run."""
        manifest = self.out / "manifest.json"
        if manifest.exists():
            found = manifest.read_bytes()
            state = self.new if found == self.new["manifest.json"] else self.old
            assert found == state["manifest.json"]
            there = parts(self.out)
            assert {path: there.get(path) for path in state} == state
            open_store(self.out).verify()
        else:
            assert not self.old
            with pytest.raises(MmbtError):
                open_store(self.out)
        convert(self.sources, self.out)
        assert parts(self.out) == self.new


@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C21_killed_at_every_file_system_call(memory_path: Path, over_existing: bool) -> None:
    case = Case(memory_path, over_existing, 300)
    kill_at_every_call(case.order, case.reset, case.check)


@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C21_killed_at_random_times(memory_path: Path, over_existing: bool) -> None:
    case = Case(memory_path, over_existing, 2000)
    assert kill_at_random_times(case.order, case.reset, case.check, times=20, seed=over_existing) > 3


@pytest.mark.slow
@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C21_killed_at_random_times_on_disk_110_times(tmp_path: Path, over_existing: bool) -> None:
    case = Case(tmp_path, over_existing, 5_000)
    assert kill_at_random_times(case.order, case.reset, case.check, times=110, seed=10 + over_existing) > 30


def test_C21_rests_of_a_killed_conversion_are_swept(memory_path: Path) -> None:
    case = Case(memory_path, over_existing=True, rows=50)
    (case.out / ".convert-tmp").mkdir()
    (case.out / ".convert-tmp" / "spill").write_bytes(b"rest")
    orphan = case.out / "tob" / "instrument=OLD" / "date=2022-01-01" / "part-0.parquet"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"rest")
    convert(case.sources, case.out)
    assert parts(case.out) == case.new
    assert not orphan.parent.parent.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C20_each_write_fails_in_turn(
    memory_path: Path, over_existing: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case(memory_path, over_existing, 300)

    def check() -> None:
        with pytest.raises(FileError) as error:
            convert(case.sources, case.out)
        assert str(case.out) in str(error.value)
        if code == errno.ENOSPC:
            assert "bytes are free" in str(error.value)
        assert parts(case.out) == case.old  # no temporary file is left, nothing new under a final name

    fail_each_write(monkeypatch, code, case.reset, lambda: convert(case.sources, case.out), check)
    case.check()


def test_C20_a_full_disk(tmp_path: Path) -> None:
    big, little = tob(tmp_path / "tob_big.csv", quotes(60_000)), tob(tmp_path / "tob_little.csv", quotes(100))
    said = r"No space left on device \([0-9,]+ bytes are free; [0-9,]+ bytes are needed"
    with small_disk(tmp_path) as small:
        with pytest.raises(FileError, match=said):
            convert([big], small / "s")
        assert not (small / "s").exists()
        assert convert([little], small / "s").rows_out == 100
        before = parts(small / "s")
        with pytest.raises(FileError, match="No space left"):
            convert([big], small / "s")
        assert parts(small / "s") == before
