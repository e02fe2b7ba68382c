"""`import mmbt`: what it offers and what it does not load."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import mmbt


def test_everything_promised_is_there_and_sorted() -> None:
    assert mmbt.__all__ == sorted(mmbt.__all__)
    assert all(getattr(mmbt, name) is not None for name in mmbt.__all__)
    assert set(mmbt.__all__) <= set(dir(mmbt))


def test_names_are_those_of_their_homes() -> None:
    from mmbt.backtest import run_backtest
    from mmbt.strategies.base import Strategy

    assert mmbt.Strategy is Strategy
    assert mmbt.run_backtest is run_backtest


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Strategi'"):
        _ = mmbt.Strategi  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == mmbt.__version__


@pytest.mark.parametrize("statement", ["import mmbt", "import mmbt.cli", "from mmbt.cli import main"])
def test_importing_loads_nothing_heavy(statement: str, run) -> None:  # type: ignore[no-untyped-def]
    heavy = ("numpy", "pandas", "pyarrow", "pydantic", "rich", "tensorflow", "cysim")
    child = run(code=f"{statement}; import sys; print([m for m in {heavy!r} if m in sys.modules])")
    assert child.stdout.strip() == "[]"
