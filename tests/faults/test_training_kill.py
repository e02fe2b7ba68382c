"""Fault R1: `kill -9` at random moments and resumption end in the bits of an uninterrupted run; `make kill-training`
does it twenty times."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("tensorflow")

ROOT = Path(__file__).resolve().parents[2]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kill_training", ROOT / "tools" / "kill_training.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("market", ["exact-market", pytest.param("recorded", marks=pytest.mark.slow)])
def test_R1_killed_twice_and_resumed(tmp_path: Path, market: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    kill = tool()
    assert kill.compare(market, tmp_path, 2, 1, kill.data_options(market, tmp_path)) == []
