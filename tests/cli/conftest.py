"""The command line as a program of its own, on the code under test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cysim
import mmbt
from mmbt.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def _children_find_the_code() -> None:
    # Tests change directory, so a relative PYTHONPATH would lead children elsewhere.
    homes = dict.fromkeys([str(Path(mmbt.__file__).parents[1]), str(Path(cysim.__file__).parents[1])])
    os.environ["PYTHONPATH"] = os.pathsep.join(homes)


@pytest.fixture
def run() -> Run:
    """Run `mmbt` with these arguments in a process of its own."""

    def program(*arguments: str, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        start = ["-c", code] if code else ["-m", "mmbt"]
        return subprocess.run(
            [sys.executable, *start, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
            timeout=300,
        )

    return program


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw data of four pairs over 40 s and the store made of them, by the command line itself."""
    folder = tmp_path_factory.mktemp("project")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert (
            main(
                [
                    "synth",
                    "--out",
                    "data/raw-data",
                    "--start",
                    "2022-09-20T23:59:40",
                    "--duration",
                    "40s",
                    "--seed",
                    "5",
                ]
            )
            == 0
        )
        assert main(["convert", "raw-data"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def inside(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory whose `data` are those of the project."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(project / "data", target_is_directory=True)
    return tmp_path
