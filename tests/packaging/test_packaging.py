"""The sdist is complete, as the wheel is built from it alone; a clean environment runs it and cimports the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path, **environment: str) -> str:
    variables = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "MMBT_BUILD"}}
    child = subprocess.run([str(word) for word in command], cwd=cwd, env=variables | environment, capture_output=True,
                           text=True, check=False)
    assert child.returncode == 0, f"{' '.join(map(str, command))}\n{child.stdout[-4000:]}{child.stderr[-4000:]}"
    return child.stdout


def tracked_sources(suffixes: tuple[str, ...]) -> set[str]:
    found = set()
    for folder, prefix in ((ROOT / "cysim", ROOT), (ROOT / "src" / "mmbt", ROOT / "src")):
        found |= {path.relative_to(prefix).as_posix() for path in folder.rglob("*") if path.suffix in suffixes}
    return found


@pytest.fixture(scope="module")
def quick_cc(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A compiler that does not optimise: what is tested here is what the archives hold."""
    path = tmp_path_factory.mktemp("cc") / "cc"
    path.write_text('#!/bin/sh\nexec cc "$@" -O0 -g0\n', "utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def archives(quick_cc: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An sdist of the checkout, and a wheel built from that sdist: what a release would upload.

    A copy is packed: to pack the checkout would translate its sources anew, and its next build would compile them all.
    """
    out = tmp_path_factory.mktemp("dist")
    tree = shutil.copytree(ROOT, out / "tree", symlinks=True, ignore=shutil.ignore_patterns(
        ".git", ".venv*", ".bench-venv", ".sb3-venv", ".*_cache", ".hypothesis", "__pycache__", "_build", "build",
        "results", "runs", "*.so", "*.egg-info"))
    run(sys.executable, "-m", "build", "--outdir", out, tree, cwd=out, CC=quick_cc)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def clean(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment into which only the wheel was installed."""
    home = tmp_path_factory.mktemp("clean") / "venv"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", archives[1], cwd=home)
    return python


def test_the_sdist_holds_every_source(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[0]) as archive:
        names = {name.split("/", 1)[-1].removeprefix("src/") for name in archive.getnames()}
    missing = tracked_sources((".py", ".pyx", ".pxd", ".pyi", ".typed", ".toml", ".tmpl")) - names
    assert not missing
    assert {"setup.py", "pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md"} <= names


def test_the_wheel_holds_maps_stubs_and_marks(archives: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(archives[1]).namelist())
    missing = tracked_sources((".py", ".pyx", ".pxd", ".pyi", ".typed", ".toml", ".tmpl")) - names
    assert not missing
    assert any(name.startswith("cysim/") and name.endswith(".so") for name in names)
    strangers = {name.split("/")[0] for name in names} - {"mmbt", "cysim"}
    assert all(name.endswith(".dist-info") for name in strangers), strangers


def test_the_wheel_runs_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    assert "backtest" in run(clean.parent / "mmbt", "--help", cwd=tmp_path)
    place = run(clean, "-c", "import cysim, mmbt; print(cysim.build_info()['mode'], cysim.__file__)", cwd=tmp_path)
    assert place.startswith("release ")
    assert str(clean.parent.parent) in place


def test_a_third_party_extension_cimports_the_machine(clean: Path, tmp_path: Path) -> None:
    run(clean, "-m", "pip", "install", "--quiet", "cython>=3.1", "setuptools>=77", cwd=tmp_path)
    modules = sorted(path.stem for path in (ROOT / "cysim").glob("*.pxd") if path.stem != "__init__")
    assert modules
    lines = "\n".join(f"from cysim cimport {module}" for module in modules)
    (tmp_path / "consumer.pyx").write_text(f"# cython: language_level=3\n{lines}\n\ndef imported():\n    return True\n")
    run(clean.parent / "cythonize", "--inplace", "consumer.pyx", cwd=tmp_path)
    assert run(clean, "-c", "import consumer; print(consumer.imported())", cwd=tmp_path).strip() == "True"


def test_a_third_party_strategy_in_native_code_runs_by_name(clean: Path, quick_cc: str, tmp_path: Path) -> None:
    run(clean, "-m", "pip", "install", "--quiet", "cython>=3.1", "setuptools>=77", cwd=tmp_path)
    shutil.copytree(ROOT / "tests" / "packaging" / "consumer", tmp_path / "consumer")
    run(clean, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", tmp_path / "consumer",
        cwd=tmp_path, CC=quick_cc)
    mmbt = clean.parent / "mmbt"
    run(mmbt, "convert", ROOT / "data" / "raw-data", "--out", tmp_path / "store", cwd=tmp_path)
    native, plain = (
        json.loads(run(mmbt, "backtest", "--data", tmp_path / "store", "--strategy", name, "--json", cwd=tmp_path))
        for name in ("lean-maker", "lean-maker-python")
    )
    assert native["fills"] > 20
    assert native["result_hash"] == plain["result_hash"]
