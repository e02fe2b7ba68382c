"""Every look at test days is written down, by what the days hold: a second look is no test any more.

`test-uses.jsonl` lies beside the runs, a line a use, in the order of the uses. A use is written before the days are
run: one that breaks off has seen them as well. Whether days were used before is a matter of their rows, not of their
names, and one day in common is enough.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmbt.errors import FileError, StoreError
from mmbt.evaluate.days import EvaluationDay

__all__ = ["FILE", "earlier_uses", "log_use"]

FILE = "test-uses.jsonl"


def earlier_uses(folder: Path, days: Sequence[EvaluationDay]) -> list[dict[str, Any]]:
    """Uses of any of these days that were written down, the first one first.

    Raises
    ------
    StoreError
        When the file is damaged.
    FileError
        When it cannot be read.
    """
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    wanted = {day.hash for day in days}
    found = []
    for number, line in enumerate(lines, 1):
        try:
            use = json.loads(line)
            hashes = {str(each) for each in use["days"].values()}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StoreError(f"{path}, line {number}: not a use of test days; repair the line, or move the file away "
                             "if its history may be lost") from None
        if wanted & hashes:
            found.append(use)
    return found


def log_use(folder: Path, days: Sequence[EvaluationDay], what: dict[str, Any]) -> None:
    """Write a use down, on disk before this returns.

    Parameters
    ----------
    folder
        Of the runs; made if needed.
    what
        Whatever tells what the days were used for, as JSON types.

    Raises
    ------
    FileError
        When it cannot be written: then the days must not be looked at.
    """
    path = folder / FILE
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = {"time": now, "days": {day.name: day.hash for day in days}, **what}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")  # one write of one line: uses at the same time do not mix
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileError(f"cannot write down the use of the test days in {path}: {error.strerror or error}; free space "
                        "there first") from error
