"""Compare instructions per event of the hot loop with those kept in instructions.json, and early ones with late ones.

    python tools/instructions.py [--update]

Counts depend on the compiler and on Python, not on the machine's speed or load; where either differs from the
baseline's, the counts are shown and not judged. That an event costs no more late in a run than early is always judged.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "tools" / "instructions.json"
TOLERANCE = 0.05
GROWTH = 0.01


def toolchain() -> dict[str, str]:
    """What the counts depend on."""
    compiler = subprocess.run(["cc", "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()
    import Cython

    return {"python": ".".join(platform.python_version_tuple()[:2]), "cc": compiler.split(".")[0],
            "cython": ".".join(Cython.__version__.split(".")[:2]), "machine": platform.machine()}


def main() -> int:
    if shutil.which("valgrind") is None:
        print("SKIPPED: valgrind is not installed; instruction counts were not compared")
        return 0
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    from benchmarks.growth import growth
    from benchmarks.instructions import CASES, count

    counts = {case: round(count(case), 1) for case in CASES}
    if "--update" in sys.argv[1:]:
        kept = {"toolchain": toolchain(), "instructions_per_event": counts}
        BASELINE.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    baseline = json.loads(BASELINE.read_text("utf-8"))
    same = baseline["toolchain"] == toolchain()
    worse = []
    for case, found in counts.items():
        expected = baseline["instructions_per_event"][case]
        change = found / expected - 1
        print(f"{case:8} {found:10.1f} instructions an event, baseline {expected:10.1f} ({change:+.1%})")
        if same and change > TOLERANCE:
            worse.append(case)
    if not same:
        print(f"not judged: the baseline is of {baseline['toolchain']}, this is {toolchain()}")
    if worse:
        print(f"more than {TOLERANCE:.0%} above the baseline: {', '.join(worse)}")
        print("if that is meant: make instructions ARGS=--update")
    grown = []
    for case, (early, late) in growth().items():
        print(f"{case:8} {early:10.1f} instructions an event early in a run, {late:10.1f} ten times later"
              f" ({late / early - 1:+.1%})")
        if late / early - 1 > GROWTH:
            grown.append(case)
    if grown:
        print(f"an event costs over {GROWTH:.0%} more late in a run: {', '.join(grown)}")
    return 1 if worse or grown else 0


if __name__ == "__main__":
    sys.exit(main())
