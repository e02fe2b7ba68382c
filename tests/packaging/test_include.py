"""Cython finds the declarations of the machine through `cysim.get_include`, wherever mmbt is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cysim

CONSUMER = Path(__file__).with_name("consumer") / "lean_maker" / "native.pyx"


def test_cython_finds_declarations_by_the_include_path(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-P", "-m", "cython", "-3", "-I", cysim.get_include(), "-o", "native.c", CONSUMER]
    child = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr[-4000:]
    assert (tmp_path / "native.c").stat().st_size > 0


def test_it_names_the_folder_of_the_package_that_was_imported() -> None:
    assert Path(cysim.get_include(), "cysim", "native.pxd").samefile(Path(cysim.__file__).with_name("native.pxd"))
