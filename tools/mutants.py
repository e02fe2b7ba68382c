"""Plant the bugs of mutants.toml one at a time, build, and see that the law and differential tests catch each.

    python tools/mutants.py [NAME...] [--every N] [--jobs N] [--list]

A mutant changes one place in a source. One that does not apply, or does not build, is an error: it proves nothing.
Every worker has a copy of the tree under build/mutants, so the checkout is never touched.
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "build" / "mutants"
TESTS = ("tests/law", "tests/cysim", "tests/differential", "tests/properties")
COPIED = ("cysim", "src", "tests", "docs", "setup.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")
TEST_SECONDS = 600


class Mutant(NamedTuple):
    name: str
    clause: str
    file: str
    find: str
    replace: str


def mutants() -> list[Mutant]:
    tables = tomllib.loads((ROOT / "tools" / "mutants.toml").read_text("utf-8"))["mutant"]
    return [Mutant(**table) for table in tables]


class Worker:
    """A copy of the tree that is built, changed in one place, built and tested again."""

    def __init__(self, number: int) -> None:
        self.tree = HOME / str(number)
        shutil.rmtree(self.tree, ignore_errors=True)
        self.tree.mkdir(parents=True)
        ignored = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "*.html")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.tree / name, ignore=ignored)
            elif source.exists():
                shutil.copy(source, self.tree / name)
        compiler = self.tree / "cc"
        compiler.write_text('#!/bin/sh\nexec cc "$@" -O1 -g0\n', "utf-8")  # half the time of the project's -O3
        compiler.chmod(0o755)
        self.environment = os.environ | {
            "CC": str(compiler),
            "PYTHONPATH": f"{self.tree / 'src'}{os.pathsep}{self.tree}",
            "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "MMBT_HYPOTHESIS": "ci",
            "MMBT_DIFF_STEPS": os.environ.get("MMBT_DIFF_STEPS", "50000"),
        }
        self.environment.pop("MMBT_BUILD", None)

    def run(self, *command: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *command], cwd=self.tree, env=self.environment, capture_output=True,
                              text=True, check=False, timeout=seconds)

    def build(self) -> str | None:
        """Compile what changed; the compiler's complaint if it fails."""
        child = self.run("setup.py", "--quiet", "build_ext", "--inplace")
        return None if child.returncode == 0 else (child.stdout + child.stderr)[-2000:]

    def test(self) -> tuple[bool, str]:
        """Whether the tests pass, and their last words."""
        folders = [name for name in TESTS if (self.tree / name).is_dir()]
        try:
            child = self.run("-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *folders,
                             seconds=TEST_SECONDS)
        except subprocess.TimeoutExpired:
            return False, f"still running after {TEST_SECONDS} s"
        if child.returncode in {2, 3, 4, 5}:
            raise RuntimeError(f"pytest could not run:\n{child.stdout[-2000:]}{child.stderr[-2000:]}")
        failed = [line for line in child.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return child.returncode == 0, failed[0] if failed else f"exit {child.returncode}"

    def prepare(self) -> None:
        """Build the tree as it is and see that its own modules are tested, and pass."""
        complaint = self.build()
        if complaint:
            raise RuntimeError(f"the tree does not build:\n{complaint}")
        place = self.run("-c", "import cysim; print(cysim.__file__)").stdout.strip()
        if not Path(place).is_relative_to(self.tree):
            raise RuntimeError(f"the tests would import {place}, not the copy in {self.tree}")

    def try_out(self, mutant: Mutant) -> tuple[str, str]:
        """Verdict (caught, SURVIVED or ERROR) and what told it."""
        path = self.tree / mutant.file
        sound = path.read_text("utf-8")
        if sound.count(mutant.find) != 1:
            return "ERROR", f"its text occurs {sound.count(mutant.find)} times in {mutant.file}, not once"
        try:
            path.write_text(sound.replace(mutant.find, mutant.replace), "utf-8")
            complaint = self.build()
            if complaint:
                return "ERROR", f"does not build: {complaint}"
            passed, words = self.test()
            return ("SURVIVED" if passed else "caught"), words
        finally:
            path.write_text(sound, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mutants to try; all by default")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th of them")
    parser.add_argument("--list", action="store_true", help="list the mutants and whether each applies")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants() if not options.names or mutant.name in options.names]
    unknown = set(options.names) - {mutant.name for mutant in chosen}
    if unknown or not chosen:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = chosen[:: options.every]
    if options.list:
        for mutant in chosen:
            times = (ROOT / mutant.file).read_text("utf-8").count(mutant.find)
            print(f"{mutant.name:38} {mutant.clause:4} {mutant.file:22} {'' if times == 1 else f'FOUND {times} TIMES'}")
        return 0

    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in chosen:
        waiting.put(mutant)
    verdicts: dict[str, str] = {}
    failures: list[BaseException] = []
    begin = time.monotonic()

    def work(number: int) -> None:
        try:
            worker = Worker(number)
            worker.prepare()
            if number == 0:
                passed, words = worker.test()
                if not passed:
                    raise RuntimeError(f"the sound tree does not pass: {words}")
            while not failures:
                mutant = waiting.get_nowait()
                verdicts[mutant.name], words = worker.try_out(mutant)
                print(f"{verdicts[mutant.name]:8} {mutant.name:38} {mutant.clause:4} {words}", flush=True)
        except queue.Empty:
            pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(min(options.jobs, len(chosen)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        print(failures[0])
        return 2
    caught = sum(verdict == "caught" for verdict in verdicts.values())
    print(f"{caught} of {len(chosen)} planted bugs caught in {time.monotonic() - begin:.0f} s")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
