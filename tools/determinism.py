"""Run the determinism matrix on builds of every kind, each under two hash seeds: one table of digests must come out.

    python tools/determinism.py [BUILD...] [--jobs N]

Copies of the tree are built under build/determinism and kept. The tests of tests/determinism vary what can vary on one
build.
"""

from __future__ import annotations

import argparse
import json
import sys

from tree import ROOT, Tree

# What is added to the compiler's flags, and the mode of setup.py.
BUILDS = {"release": ("-g0", "release"), "O3": ("-O3 -g0", "release"), "O1": ("-O1 -g0", "release"),
          "O0": ("-O0 -g0", "release"), "debug": ("-g0", "debug")}
HASH_SEEDS = ("0", "20220921")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="*", metavar="BUILD", help=f"of {', '.join(BUILDS)}; all by default")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if unknown := set(options.builds) - set(BUILDS):
        parser.error(f"no such build: {', '.join(sorted(unknown))}; there are {', '.join(BUILDS)}")
    expected: dict[str, str] = {}
    parted = []
    for build in options.builds or BUILDS:
        flags, mode = BUILDS[build]
        tree = Tree(ROOT / "build" / "determinism" / build, flags, mode)
        tree.fill({})
        tree.build(options.jobs)
        for seed in HASH_SEEDS:
            child = tree.run("tests/determinism/matrix.py", PYTHONHASHSEED=seed)
            if child.returncode:
                raise RuntimeError(f"the matrix does not run on the build {build}:\n{child.stderr[-4000:]}")
            told = json.loads(child.stdout)
            if told["build"] != mode:
                raise RuntimeError(f"{build} should be of mode {mode}, not {told['build']}")
            expected = expected or told["digests"]
            other = [name for name, digest in told["digests"].items() if digest != expected[name]]
            parted += other
            print(f"{build:8} hash seed {seed:9} {len(told['digests']) - len(other)} of {len(expected)} digests equal"
                  + (f"; not {', '.join(other)}" if other else ""), flush=True)
    return 1 if parted else 0


if __name__ == "__main__":
    sys.exit(main())
