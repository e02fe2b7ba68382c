"""`mmbt strategies new`: what it writes passes its own tests, and nothing is ever overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cysim
import mmbt
from mmbt.errors import FileError, UsageError
from mmbt.strategies.registry import make
from mmbt.strategies.skeleton import write_skeleton


def test_the_skeletons_own_tests_pass(tmp_path: Path) -> None:
    written = write_skeleton("my-skew", tmp_path / "new" / "place")
    assert [path.name for path in written] == ["my_skew.py", "test_my_skew.py"]
    paths = os.pathsep.join(str(Path(module.__file__).resolve().parents[1]) for module in (mmbt, cysim))
    child = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(written[1])],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    assert "12 passed" in child.stdout


def test_the_skeleton_takes_parameters_by_path(tmp_path: Path) -> None:
    source, _ = write_skeleton("edge2", tmp_path)
    strategy = make(f"{source}:Edge2", ["half_spread_ticks=3", "interval=1s"])
    assert strategy.params.half_spread_ticks == 3
    assert strategy.interval_ns == 10**9


def test_the_skeleton_is_clean(tmp_path: Path) -> None:
    written = write_skeleton("a_b-c9", tmp_path)
    assert "class ABC9(Strategy)" in written[0].read_text(encoding="utf-8")
    settings = Path(__file__).parents[2] / "pyproject.toml"
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", str(settings)]
    child = subprocess.run([*ruff, *map(str, written)], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr


@pytest.mark.parametrize("present", ["my_skew.py", "test_my_skew.py"])
def test_a_file_that_exists_is_never_overwritten(tmp_path: Path, present: str) -> None:
    (tmp_path / present).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=f"{present}.* exists already"):
        write_skeleton("my-skew", tmp_path)
    assert [(path.name, path.read_text("utf-8")) for path in tmp_path.iterdir()] == [(present, "mine")]


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "my_skew.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(UsageError, match="exists already"):
        write_skeleton("my-skew", tmp_path)
    assert not (tmp_path / "elsewhere.py").exists()


@pytest.mark.parametrize(("name", "said"), [
    ("MySkew", "such as 'my-skew'"), ("my skew", "such as 'my-skew'"), ("../evil", "such as 'evil'"),
    ("", "lower-case"), ("a/b", "lower-case"), ("9lives", "lower-case"), ("-x", "lower-case"), ("x-", "lower-case"),
    ("é", "lower-case"), ("x\n", "lower-case"), ("a" * 65, "lower-case"), ("ladder", "is a built-in strategy"),
    ("linear_skew", "is a built-in strategy"), ("class", "already means"), ("json", "already means"),
    ("strategy", "already means"), ("mmbt", "already means"),
])
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_skeleton(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="cannot write the strategy into"):
        write_skeleton("my-skew", tmp_path / "file")
