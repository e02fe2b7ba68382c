"""Score every line of the machine's hot bodies: a Python operation in one of them is an error.

A hot body is that of a function declared `nogil`, whether it may raise or not. The compiler already refuses Python
objects there; this adds what it lets pass, such as a check that may raise or a conversion. The score is the one that
Cython's own annotated listing colours, taken for .pxd files too, whose inline functions that listing leaves out.
"""

from __future__ import annotations

import re
import runpy
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import Cython.Build
from Cython.Compiler.Annotate import AnnotationCCodeWriter

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = {
    5: re.compile(r"Py[A-Z][a-z]+_[A-Z][a-z][A-Za-z_]*(?=\()"),
    2: re.compile(r"(?:__Pyx_[A-Z][a-z_][A-Za-z_]*|__pyx_convert_[A-Za-z_]*)(?=\()"),
    1: re.compile(r"(?:__Pyx_[A-Z][A-Z_]+|Py[A-Z][a-z]+_[A-Z][A-Z_]+)(?=\()"),
}
COMMENT = re.compile(r"/\*.*?\*/", re.S)
HEAD = re.compile(r"\s*(?:cdef|cpdef)\s[^=]*\(")
NOGIL = re.compile(r"\)[^)]*\bnogil\b")


def generated_code() -> dict[Path, dict[int, str]]:
    """The C code that each line of each source became, in every module that uses it."""
    code: dict[Path, dict[int, str]] = defaultdict(lambda: defaultdict(str))

    def keep(writer: Any, source_filename: str, target_filename: str, coverage_xml: Any = None) -> None:
        for filename, lines in writer.code.items():
            if filename is None:
                continue
            for line, text in lines.items():
                code[Path(filename).resolve()][line] += text

    AnnotationCCodeWriter.save_annotation = keep
    cythonize = Cython.Build.cythonize
    with tempfile.TemporaryDirectory() as folder:

        def stop_after(extensions: Any, **options: Any) -> None:
            cythonize(extensions, **options | {"build_dir": folder, "annotate": True, "force": True, "quiet": True,
                                               "nthreads": 0})  # in this process, to be kept here
            raise SystemExit

        Cython.Build.cythonize = stop_after
        try:
            runpy.run_path(str(ROOT / "setup.py"), run_name="__main__")
        except SystemExit as stop:
            if stop.code:
                raise
        finally:
            Cython.Build.cythonize = cythonize
    return code


def hot_lines(source: Path) -> Iterator[tuple[str, int, str]]:
    """(function, line number, text) of each line in the hot bodies of a source."""
    lines = source.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        if not HEAD.match(lines[number]):
            number += 1
            continue
        start, head = number, lines[number].split("#")[0]
        while not head.rstrip().endswith(":") and number + 1 < len(lines) and head.count("(") > head.count(")"):
            number += 1
            head += lines[number].split("#")[0]
        number += 1
        if not (head.rstrip().endswith(":") and NOGIL.search(head)):
            continue
        name = head.split("(")[0].split()[-1]
        indent = len(lines[start]) - len(lines[start].lstrip())
        while number < len(lines):
            text = lines[number]
            if text.strip() and len(text) - len(text.lstrip()) <= indent:
                break
            yield name, number + 1, text
            number += 1


def score(code: str) -> int:
    """What Cython's listing would colour a line of Cython with: 0 is pure C."""
    code = COMMENT.sub("", code)
    return sum(weight * len(pattern.findall(code)) for weight, pattern in WEIGHTS.items())


def main() -> int:
    code = generated_code()
    bodies, faults = set(), []
    for source in sorted([*ROOT.glob("cysim/*.p[xy][dx]"), *ROOT.glob("src/mmbt/**/*.p[xy][dx]")]):
        for name, number, text in hot_lines(source):
            bodies.add((source, name))
            points = score(code[source].get(number, ""))
            if points:
                faults.append(f"{source.relative_to(ROOT)}:{number}: score {points} in {name}: {text.strip()}")
    print("\n".join(faults) or f"{len(bodies)} hot bodies, every line pure C")
    if not bodies:
        print("no hot body was found: is the machine still written as `nogil` functions?")
    return 1 if faults or not bodies else 0


if __name__ == "__main__":
    sys.exit(main())
