"""Plant the bugs of mutants.toml, wake them one at a time, and see that the suite catches each.

    python tools/mutants.py [NAME...] [--every N] [--jobs N] [--list]

All are compiled into one copy of the tree under build/mutants, asleep (plant.py). The tests are collected once and run
for each bug until one fails (wake.py), those named after the clause it breaks first: a bug that survives survived all
of them, and one is caught if the test that fails with it awake passes with it asleep.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import Counter

from plant import Mutant, plant
from tree import ROOT, Tree

TESTS = ("tests/differential", "tests/law", "tests/properties", "tests/cysim")
TEST_SECONDS = 900  # all tests take about a tenth of it


def mutants() -> list[Mutant]:
    tables = tomllib.loads((ROOT / "tools" / "mutants.toml").read_text("utf-8"))["mutant"]
    return [Mutant(**table) for table in tables]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mutants to try; all by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th of them")
    parser.add_argument("--list", action="store_true", help="list the mutants and whether each can be planted")
    options = parser.parse_args()
    known = mutants()
    if unknown := set(options.names) - {mutant.name for mutant in known}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    numbered = {number: mutant for number, mutant in enumerate(known, 1)
                if not options.names or mutant.name in options.names}
    numbered = dict(list(numbered.items())[:: options.every])
    planted, faults = plant({mutant.file: (ROOT / mutant.file).read_text("utf-8") for mutant in known}, known)
    for mutant in numbered.values() if options.list else known:
        if options.list or mutant.name in faults:
            print(f"{mutant.name:38} {mutant.clause:4} {mutant.file:22} {faults.get(mutant.name, '')}")
    if faults or options.list:
        return 2 if faults else 0

    begin = time.monotonic()
    tree = Tree(ROOT / "build" / "mutants", "-O1 -g0")
    tree.fill(planted)
    tree.build(options.jobs)
    print(f"{len(known)} planted in {time.monotonic() - begin:.0f} s", flush=True)

    chosen = [f"{number}:{mutant.clause}" for number, mutant in numbered.items()]
    environment = {"MMBT_DIFF_STEPS": "50000"} | tree.environment
    environment["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'tools'}"
    command = [sys.executable, str(ROOT / "tools" / "wake.py"), str(options.jobs), str(TEST_SECONDS), *chosen, "--",
               "-m", "not slow", "-p", "no:cacheprovider", *TESTS]
    verdicts, others = Counter[str](), list[str]()
    with subprocess.Popen(command, cwd=tree.home, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if not line.startswith("["):
                others.append(line)
                continue
            number, test, how = json.loads(line)
            verdict = "SURVIVED" if not how else "ERROR" if how == "fails asleep" else "caught"
            verdicts[verdict] += 1
            mutant = numbered[number]
            print(f"{verdict:8} {mutant.name:40} {mutant.clause:4} {how:6} {test}", flush=True)
    if verdicts["ERROR"] or child.returncode or verdicts.total() < len(numbered):
        print("".join(others[-40:]) + f"{verdicts['ERROR']} failures without a bug; pytest ended: {child.returncode}")
        return 2
    print(f"{verdicts['caught']} of {len(numbered)} planted bugs caught in {time.monotonic() - begin:.0f} s")
    return 0 if verdicts["caught"] == len(numbered) else 1


if __name__ == "__main__":
    sys.exit(main())
