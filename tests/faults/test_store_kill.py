"""Faults C20, C21: `kill -9` or a failing disk at any instant leaves the old store or the new one; a rerun mends it."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmbt.errors import FileError, MmbtError
from mmbt.store import convert, files, open_store, spill
from tests.store.helpers import BASE, DAY, parts, quotes, tob, trades

X = "BTC/USD_T+0"


@contextmanager
def crasher() -> Iterator[Any]:
    """Gives a function that converts in a child process which dies at a time or at a call."""
    command = [sys.executable, str(Path(__file__).with_name("crash.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def crash(sources: list[Path], out: Path, **when: float) -> str:
            process.stdin.write(json.dumps({"sources": list(map(str, sources)), "out": str(out), **when}) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield crash
        process.stdin.close()


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
    case.reset()
    with crasher() as crash:
        answer = crash(case.sources, case.out, at=0)
        assert answer.startswith("done ")
        calls = int(answer.split()[1])
        assert calls > 20
        for call in range(1, calls + 1):
            case.reset()
            assert crash(case.sources, case.out, at=call) == "killed"
            case.check()


def kill_at_random_times(case: Case, times: int, seed: int) -> int:
    rng = random.Random(seed)
    killed = 0
    with crasher() as crash:
        for _ in range(2):  # the second time everything is imported, and its duration is what counts
            case.reset()
            started = time.perf_counter()
            crash(case.sources, case.out, at=0)
            seconds = time.perf_counter() - started
        for _ in range(times):
            case.reset()
            killed += crash(case.sources, case.out, after=rng.uniform(0, 1.1 * seconds)) == "killed"
            case.check()
    return killed


@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C21_killed_at_random_times(memory_path: Path, over_existing: bool) -> None:
    case = Case(memory_path, over_existing, 2000)
    assert kill_at_random_times(case, 20, seed=over_existing) > 3


@pytest.mark.slow
@pytest.mark.parametrize("over_existing", [False, True], ids=["fresh", "existing"])
def test_C21_killed_at_random_times_on_disk_110_times(tmp_path: Path, over_existing: bool) -> None:
    assert kill_at_random_times(Case(tmp_path, over_existing, 5_000), 110, seed=10 + over_existing) > 30


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
    real, count, limit = files.write_some, 0, 0

    def failing(file: Any, data: Any) -> int:
        nonlocal count
        count += 1
        if count == limit:
            raise OSError(code, os.strerror(code))
        return real(file, data)

    monkeypatch.setattr(files, "write_some", failing)
    monkeypatch.setattr(spill, "write_some", failing)
    case.reset()
    convert(case.sources, case.out)
    writes = count
    assert writes > 10
    for nth in range(1, writes + 1):
        case.reset()
        count, limit = 0, nth
        with pytest.raises(FileError) as error:
            convert(case.sources, case.out)
        assert str(case.out) in str(error.value)
        if code == errno.ENOSPC:
            assert "bytes are free" in str(error.value)
        assert parts(case.out) == case.old  # no temporary file is left, nothing new under a final name
    limit = 0
    case.check()


def test_C20_a_full_disk(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        big = tob(tmp_path / "tob_big.csv", quotes(60_000))
        with pytest.raises(
            FileError, match=r"No space left on device \([0-9,]+ bytes are free; [0-9,]+ bytes are needed"
        ):
            convert([big], small / "s")
        assert not (small / "s").exists()
        little = tob(tmp_path / "tob_little.csv", quotes(100))
        assert convert([little], small / "s").rows_out == 100
        before = parts(small / "s")
        with pytest.raises(FileError, match="No space left"):
            convert([big], small / "s")
        assert parts(small / "s") == before
    finally:
        subprocess.run(["umount", small], check=True)
