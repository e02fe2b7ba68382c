"""What keeps the house habitable: short modules, one version, light imports, and pure C in the hot loop."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("cysim", "src", "tests", "tools", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".pyx", ".pxd", ".pyi"} and "build" not in path.parts
)
CROWDED = 450  # about 400; past this a second room is cheaper


def test_no_module_is_crowded() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {name: length for name, length in lengths.items() if length > CROWDED}


def test_files_carry_no_directives() -> None:
    pattern = re.compile(r"^#\s*(cython|distutils)\s*:", re.M)
    bad = [str(path) for path in SOURCES if path.suffix in {".pyx", ".pxd"} and pattern.search(path.read_text("utf-8"))]
    assert not bad


def test_every_compiled_module_has_a_stub() -> None:
    compiled = [path for path in SOURCES if path.suffix == ".pyx" and not path.is_relative_to(ROOT / "tests")]
    assert not [path for path in compiled if not path.with_suffix(".pyi").exists()]


def test_every_public_module_says_what_it_is() -> None:
    bad = [str(path.relative_to(ROOT)) for path in SOURCES
           if path.suffix in {".py", ".pyx"} and path.is_relative_to(ROOT / "src") and path.stat().st_size
           and not path.read_text("utf-8").lstrip().startswith(('"""', 'r"""'))]
    assert not bad


def version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"])


def test_one_version_everywhere() -> None:
    import mmbt

    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert mmbt.__version__ == version()
    assert f"## [{version()}]" in changelog or "## [Unreleased]" in changelog


def test_floors_that_close_known_holes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert "pyarrow>=14.0.1" in project["dependencies"]  # CVE-2023-47248


def test_each_lint_exception_gives_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    table = tomllib.loads(text)["tool"]["ruff"]["lint"]
    bare = [rule for rule in table["ignore"] if not re.search(rf'"{rule}",?\s*#', text)]
    assert set(bare) <= {"RUF002", "RUF003"}, "an ignored rule without a reason beside it"


HEAVY = ("tensorflow", "pandas", "pyarrow", "plotly", "matplotlib", "scipy")


@pytest.mark.parametrize("statement", ["import mmbt", "import mmbt.cli", "import cysim"])
def test_light_imports(statement: str) -> None:
    code = f"{statement}; import sys, json; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(child.stdout) == []


def test_no_absolute_paths_of_somebodys_machine() -> None:
    tracked = [*SOURCES, *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("Makefile")]
    pattern = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w")
    bad = [str(path.relative_to(ROOT)) for path in tracked if path != Path(__file__).resolve()
           and "_build" not in path.parts and pattern.search(path.read_text("utf-8"))]
    assert not bad


def test_hot_bodies_hold_no_python_operation() -> None:
    child = subprocess.run([sys.executable, "tools/annotate.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr


def test_cython_lint_is_clean() -> None:
    tools = str(Path(sys.executable).parent)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"  # it calls pycodestyle by name
    child = subprocess.run([f"{tools}/cython-lint", "cysim", "src"], cwd=ROOT, env=os.environ | {"PATH": path},
                           capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr
