"""Run the suite on a checked build: `checked.py asan|debug [pytest options]`, with that build's own interpreter.

Before the suite, three things are made sure of: that `cysim` is the build it should be, that it lies in this
environment and not in the checkout, and that a bug planted in an extension built with the same flags is caught.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["law", "cysim", "backtest", "differential", "properties", "golden", "formats", "store", "faults", "strategies",
         "synth", "synthetic", "portfolio", "envs", "learn", "cli", "report"]  # native code is in them

PLANTED = """
from libc.stdlib cimport calloc, free

cdef int write_at(size_t count, int index) except -1 nogil:
    cdef int* cells = <int*>calloc(count, sizeof(int))
    cells[index] = 7
    cdef int seen = cells[index]
    free(cells)
    return seen

def heap(size_t count, int index):
    return write_at(count, index)

def view(int[::1] cells, int index):
    return cells[index]

def add(long long a, long long b):
    return a + b
"""

# expression run in a child -> what its standard error must hold, or the signal that must end it
CATCHES = {
    "asan": {"planted.heap(4, 4)": "heap-buffer-overflow", "planted.add(2**63 - 1, 1)": "signed integer overflow"},
    "debug": {"planted.view(array('i', [1, 2]), 2)": "IndexError", "planted.add(2**63 - 1, 1)": -4},
}


def environment(build: str) -> dict[str, str]:
    """The variables under which a checked build runs."""
    variables = os.environ | {"MMBT_BUILD": build, "PYTHONSAFEPATH": "1"}
    variables.setdefault("MMBT_HYPOTHESIS", "checked")
    variables.setdefault("MMBT_DIFF_STEPS", "50000")
    variables.pop("PYTHONPATH", None)
    if build == "asan":
        found = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
                 .stdout.strip() for name in ("libasan.so", "libstdc++.so")]
        variables |= {
            "LD_PRELOAD": " ".join(found),  # libstdc++ too, else the first C++ exception inside pyarrow ends the run
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "PYTHONMALLOC": "malloc",
            "ARROW_DEFAULT_MEMORY_POOL": "system",
        }
    return variables


def assert_build(build: str, variables: dict[str, str]) -> None:
    code = "import cysim; print(cysim.build_info()['mode'], cysim.__file__)"
    found, place = subprocess.run([sys.executable, "-c", code], env=variables, cwd=tempfile.gettempdir(),
                                  capture_output=True, text=True, check=True).stdout.split(maxsplit=1)
    if found != build or not Path(place).is_relative_to(sys.prefix):
        sys.exit(f"this environment imports a {found} build from {place}: expected a {build} build under {sys.prefix}")


def assert_planted_bugs_are_caught(build: str, variables: dict[str, str]) -> None:
    """Build an extension with the project's own setup.py, and so its flags, and see it die."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "cysim").mkdir()
        (home / "cysim" / "planted.pyx").write_text(PLANTED, encoding="utf-8")
        shutil.copy(ROOT / "setup.py", home)
        quiet = {key: value for key, value in variables.items() if key != "LD_PRELOAD"}
        subprocess.run([sys.executable, "setup.py", "--quiet", "build_ext", "--build-lib", folder], cwd=home, env=quiet,
                       check=True, stdout=subprocess.DEVNULL)
        module = next(home.glob("cysim/planted*.so"))
        for expression, sign in CATCHES[build].items():
            code = f"import planted; from array import array; print({expression})"
            child = subprocess.run([sys.executable, "-c", code], env=variables | {"PYTHONPATH": str(module.parent)},
                                   cwd=home, capture_output=True, text=True, check=False)
            caught = child.returncode == sign if isinstance(sign, int) else sign in child.stderr and child.returncode
            if not caught:
                sys.exit(f"the {build} build let a planted bug pass: {expression} ended with {child.returncode}, "
                         f"{sign} was expected\n{child.stdout}{child.stderr}")
            print(f"planted bug caught by the {build} build: {expression}", flush=True)


def main() -> int:
    build, options = sys.argv[1], sys.argv[2:]
    variables = environment(build)
    assert_build(build, variables)
    assert_planted_bugs_are_caught(build, variables)
    named = any(Path(option.partition("::")[0]).exists() for option in options)
    folders = [] if named else [str(ROOT / "tests" / name) for name in TESTS]
    pytest = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider",
              *(options or ["-n", "2"]), *folders]
    return subprocess.run(pytest, cwd=ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
