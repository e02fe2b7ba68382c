"""A child killed, and a write failing, at every instant in turn: what the store and the hot store must survive alike.

`reset` brings back the state before the work, `check` asserts what must hold after it was cut short.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mmbt.store import files, spill

Step = Callable[[], object]


@contextmanager
def crasher() -> Iterator[Callable[..., str]]:
    """Gives a function that does the work of an order in a child process which dies at a time or at a call."""
    command = [sys.executable, str(Path(__file__).with_name("crash.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def crash(order: dict[str, Any], **when: float) -> str:
            process.stdin.write(json.dumps(order | when, default=str) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield crash
        process.stdin.close()


def kill_at_every_call(order: dict[str, Any], reset: Step, check: Step) -> None:
    """At the start of each file system call that changes something."""
    with crasher() as crash:
        reset()
        answer = crash(order, at=0)
        assert answer.startswith("done ")
        calls = int(answer.split()[1])
        assert calls > 20
        for call in range(1, calls + 1):
            reset()
            assert crash(order, at=call) == "killed"
            check()


def kill_at_random_times(order: dict[str, Any], reset: Step, check: Step, *, times: int, seed: int) -> int:
    """How often it was killed, rather than done already."""
    rng = random.Random(seed)
    killed = 0
    with crasher() as crash:
        for _ in range(2):  # the second time everything is imported, and its duration is what counts
            reset()
            started = time.perf_counter()
            crash(order, at=0)
            seconds = time.perf_counter() - started
        for _ in range(times):
            reset()
            killed += crash(order, after=rng.uniform(0, 1.1 * seconds)) == "killed"
            check()
    return killed


def fail_each_write(monkeypatch: pytest.MonkeyPatch, code: int, reset: Step, work: Step, check: Step) -> None:
    """Each write that `work` does fails in turn, with that error; `check` does the work then."""
    real, count, limit = files.write_some, 0, 0

    def failing(file: Any, data: Any) -> int:
        nonlocal count
        count += 1
        if count == limit:
            raise OSError(code, os.strerror(code))
        return real(file, data)

    monkeypatch.setattr(files, "write_some", failing)
    monkeypatch.setattr(spill, "write_some", failing)
    reset()
    work()
    assert count > 10
    for nth in itertools.count(1):
        reset()
        count, limit = 0, nth
        try:
            check()
        except (AssertionError, pytest.fail.Exception) as error:
            if count >= limit:
                raise AssertionError(f"write {nth} failed, and was not told as it should be") from error
            break  # all writes have failed in turn: this time none did
    limit = 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of half a mebibyte; the test is skipped where none can be mounted."""
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield small
    finally:
        subprocess.run(["umount", small], check=True)
