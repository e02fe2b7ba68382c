"""Instructions an event of the hot loop, counted by callgrind: the same on every quiet or busy machine.

    valgrind --tool=callgrind python -m benchmarks.instructions CASE EVENTS     one run, for a closer look
    python -m benchmarks.instructions --count [CASE]... [--json FILE]           instructions an event, by two lengths

| case     | what runs                                                              |
|----------|------------------------------------------------------------------------|
| `idle`   | a strategy without hooks                                               |
| `quotes` | the built-in `linear-skew`, both quotes every 100 ms                   |
| `event`  | `on_tob` and `on_trade` in Python, each reading bid and ask            |

`--count` replays two heads of one fixed stream in one process under callgrind, after a run that is not counted, and
divides the difference by the further events: imports, generation, set-up and the end of a run cancel. The hash seed is
fixed and the garbage collector is off while it counts.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.stream import Stream

__all__ = ["CASES", "LENGTHS", "count", "count_all", "replay", "replay_marked", "under_callgrind"]

CASES = {"idle": "idle", "quotes": "quotes", "event": "python-event"}
LENGTHS = (20_000, 60_000)
MARK = "getloadavg"  # a function that nobody else calls: callgrind writes its counts down whenever we do
ROOT = Path(__file__).resolve().parent.parent


def replay(case: str, events: int, stream: Stream | None = None) -> int:
    """Replay the head of the fixed stream; the number of events replayed."""
    from benchmarks import ours
    from benchmarks.stream import generate

    stream = stream or generate(max(events, LENGTHS[-1]))
    return int(ours.replay(stream.head(events).market, ours.strategy(CASES[case]))["events"])


def replay_marked(cases: Iterable[str], run: Callable[[str, int], int], lengths: Sequence[int]
                  ) -> dict[str, list[int]]:
    """Under callgrind: for each case the first length, uncounted, then each length between two marks."""
    replayed: dict[str, list[int]] = {}
    gc.disable()
    for case in cases:
        run(case, lengths[0])
        replayed[case] = []
        for length in lengths:
            gc.collect()
            os.getloadavg()
            replayed[case].append(run(case, length))
            os.getloadavg()
    return replayed


def count(case: str) -> float:
    """Instructions an event of one case; several are counted more quickly together, by `count_all`."""
    return count_all([case])[case]


def count_all(cases: Iterable[str]) -> dict[str, float]:
    """Instructions an event of each case.

    Raises
    ------
    RuntimeError
        When valgrind is missing or fails.
    """
    replayed, parts = under_callgrind("benchmarks.instructions", "--marked", *cases)
    counts = {}
    for place, (case, (fewer, more)) in enumerate(replayed.items()):
        # Parts of a case: up to its first mark, the short head, the collection between, the long head.
        _, short, _, long = parts[4 * place : 4 * place + 4]
        counts[case] = (long - short) / (more - fewer)
    return counts


def under_callgrind(module: str, *arguments: str) -> tuple[dict[str, list[int]], list[int]]:
    """Run a module whose runs stand between marks; what it prints, and the instructions up to each mark.

    Raises
    ------
    RuntimeError
        When valgrind is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={out}",
                   sys.executable, "-m", module, *arguments]
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONHASHSEED": "0",
            "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        }
        try:
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RuntimeError(f"{' '.join(command)} failed: {getattr(error, 'stderr', None) or error}") from error
        replayed: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
        marks = 2 * sum(len(lengths) for lengths in replayed.values())
        return replayed, [_total(Path(f"{out}.{number}")) for number in range(1, marks + 1)]


def _total(path: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.MULTILINE) if path.exists() else None
    if found is None:
        raise RuntimeError(f"callgrind left no totals in {path.name}: was {MARK} not seen?")
    return int(found[1])


def main() -> None:
    """Run one case, or count them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions",
                                     description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("case", nargs="*", help=f"{', '.join(CASES)}; with EVENTS when not counting")
    parser.add_argument("--count", action="store_true", help="run callgrind and print instructions an event as JSON")
    parser.add_argument("--marked", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the counts here as well")
    options = parser.parse_args()
    if not (options.count or options.marked):
        if len(options.case) != 2 or options.case[0] not in CASES or not options.case[1].isdigit():
            parser.error(f"give a case ({', '.join(CASES)}) and a number of events, or --count")
        print(replay(options.case[0], int(options.case[1])))
        return
    unknown = [case for case in options.case if case not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}: there are {', '.join(CASES)}")
    cases = options.case or list(CASES)
    if options.marked:
        from benchmarks.stream import generate

        stream = generate(LENGTHS[-1])
        print(json.dumps(replay_marked(cases, lambda case, events: replay(case, events, stream), LENGTHS)))
        return
    counts = {case: round(number, 1) for case, number in count_all(cases).items()}
    text = json.dumps({"instructions_per_event": counts, "python": sys.version.split()[0]}, indent=1)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
