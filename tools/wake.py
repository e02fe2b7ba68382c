"""Collect the tests once; then, for each planted bug, fork, wake it, and run them until one fails.

    python wake.py JOBS SECONDS NUMBER:CLAUSE... -- [pytest options]

prints a JSON line for each NUMBER as it is decided: the number, the test that ended it, and how: `failed`, `died`,
`hung`, or `fails asleep` when the same test, forked likewise with nobody awake, does not pass either; both are empty
when all passed. Tests named after the clause go first, those of the reference are left out: no bug is planted there.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import tempfile
import time
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest
from plant import CHOICE


class Child(NamedTuple):
    number: int
    asleep: str  # how the test ended that is now tried with nobody awake; empty: somebody is
    deadline: float
    home: tempfile.TemporaryDirectory[str]


class Waker:
    """A plugin of pytest that runs its tests once for each number."""

    def __init__(self, jobs: int, seconds: float, chosen: list[tuple[int, str]]) -> None:
        self.jobs, self.seconds, self.chosen = jobs, seconds, chosen
        self.running: dict[int, Child] = {}
        self.failed = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if not re.search(r"(\[|-)reference\b", item.name)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        waiting = list(reversed(self.chosen))
        while waiting or self.running:
            while waiting and len(self.running) < self.jobs:
                number, clause = waiting.pop()
                self.wake(sorted(session.items, key=lambda item: f"_{clause}_" not in item.name), number)
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                self.judge(session, self.running.pop(pid), status)
                continue
            time.sleep(0.02)
            for late in [pid for pid, child in self.running.items() if time.monotonic() > child.deadline]:
                os.kill(late, signal.SIGKILL)
        return True

    def wake(self, items: list[pytest.Item], number: int, asleep: str = "") -> None:
        """Run the tests in a child until one fails; it leaves the name of the one it is at."""
        home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        pid = os.fork()
        if pid:
            self.running[pid] = Child(number, asleep, time.monotonic() + self.seconds, home)
            return
        status = 1
        try:
            os.environ |= {CHOICE: "0" if asleep else str(number), "PYTEST_DEBUG_TEMPROOT": home.name}
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            at = Path(home.name) / "at"
            for item, following in zip_longest(items, items[1:]):
                at.write_text(item.nodeid, "utf-8")
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self.failed:
                    break
            status = 2 if self.failed else 0
        finally:
            os._exit(status)

    def judge(self, session: pytest.Session, child: Child, status: int) -> None:
        """Tell what became of a child, or try the test that ended it with nobody awake."""
        at = (Path(child.home.name) / "at").read_text("utf-8")
        child.home.cleanup()
        ended = {0: "", 2: "failed"}.get(os.waitstatus_to_exitcode(status), "died")
        if ended == "died" and time.monotonic() > child.deadline:
            ended = "hung"
        if ended and not child.asleep:
            self.wake([item for item in session.items if item.nodeid == at], child.number, asleep=ended)
            return
        how = "fails asleep" if ended else child.asleep
        print(json.dumps([child.number, at if how else "", how]), flush=True)


def main() -> int:
    split = sys.argv.index("--")
    jobs, seconds, *chosen = sys.argv[1:split]
    pairs = [(int(number), clause) for number, _, clause in (word.partition(":") for word in chosen)]
    return pytest.main(["-q", "-s", *sys.argv[split + 1:]], [Waker(int(jobs), float(seconds), pairs)])


if __name__ == "__main__":
    sys.exit(main())
