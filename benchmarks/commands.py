"""The user's own commands, each in a process of its own; what is done already in a folder is not done again."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import environment, note

__all__ = ["Done", "Workplace"]


class Done(NamedTuple):
    """A command that has ended well."""

    document: dict[str, Any]  # what it says with --json
    cpu_s: float  # of the whole process
    wall_s: float


class Workplace:
    """A folder that commands are run in: stores, runs and the log of test days lie in it.

    Parameters
    ----------
    folder
        Made if needed. Answers are kept under `done/`: whoever runs the same program there again gets them at once,
        and no test day is used twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._answers = self.folder / "done"
        self._answers.mkdir(parents=True, exist_ok=True)

    def mmbt(self, name: str, *arguments: object) -> Done:
        """Run `mmbt ARGUMENTS --json`; `name` is that of the answer."""
        command = [*map(str, arguments), "--json"]
        kept = self._answers / f"{name}.json"
        if kept.exists():
            told = json.loads(kept.read_text("utf-8"))
            if told["command"] != command:
                raise SystemExit(f"{kept} is the answer to {' '.join(told['command'])}: work in another folder")
            return Done(told["document"], told["cpu_s"], told["wall_s"])
        note(f"mmbt {' '.join(command)}")
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        ran = subprocess.run([sys.executable, "-m", "mmbt", *command], cwd=self.folder, env=environment(), text=True,
                             stdout=subprocess.PIPE, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if ran.returncode:
            raise SystemExit(f"mmbt {' '.join(command)} failed with exit code {ran.returncode}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        done = Done(json.loads(ran.stdout), cpu, time.perf_counter() - start)
        text = json.dumps({"command": command, **done._asdict()}, indent=2) + "\n"
        part = kept.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(kept)
        return done
