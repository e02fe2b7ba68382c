"""Run as a program: convert in a child process that is killed, many times, and say what became of it.

Reads orders as lines of JSON, `{sources, out, after: SECONDS}` or `{sources, out, at: CALL}`; answers `killed` or
`done N`, N the number of file system calls that change something. `at: CALL` kills at the start of that call, so that
every such instant can be tried. With `hot: true` the child fills the hot store of `out` instead.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mmbt.store import ConvertOptions, HotCache, convert, files, open_store, spill

calls = 0


def counted(function: Any, limit: int) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        global calls
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return call


def work(order: dict[str, Any]) -> None:
    if not order.get("hot"):
        convert(order["sources"], order["out"])
        return
    catalog = open_store(order["out"])
    for partition in catalog.manifest.partitions:
        HotCache(catalog.root).open(partition)


def child(order: dict[str, Any], limit: int, answer: int) -> None:
    for name in ("replace", "rename", "unlink", "mkdir", "rmdir"):
        setattr(Path, name, counted(getattr(Path, name), limit))
    os.fsync = counted(os.fsync, limit)
    shutil.rmtree = counted(shutil.rmtree, limit)  # type: ignore[assignment]
    files.write_some = counted(files.write_some, limit)
    spill.write_some = files.write_some
    work(order)
    os.write(answer, f"{calls}\n".encode())


def main() -> None:
    warm = False
    for line in sys.stdin:
        order = json.loads(line)
        if not warm:  # what is imported lazily is imported once, here, not in every child
            convert(order["sources"], order["out"], ConvertOptions(dry_run=True))
            warm = True
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            try:
                child(order, order.get("at", 0), write)
            finally:
                os._exit(0)
        os.close(write)
        if "after" in order:
            time.sleep(order["after"])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        text = os.read(read, 100).decode().strip()
        os.close(read)
        killed = os.WIFSIGNALED(status)
        print("killed" if killed else f"done {text or 'failed'}", flush=True)


if __name__ == "__main__":
    main()
