"""The benchmark of a learned strategy runs and does what it says; nothing here looks at a clock."""

from __future__ import annotations

from pathlib import Path

from benchmarks import decisions
from benchmarks.ours import convert, write_raw


def test_a_learned_strategy_is_measured_beside_a_fixed_spread(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(decisions, "CALLS", 50)
    write_raw(tmp_path / "raw", 6_000)
    convert(tmp_path / "raw", tmp_path / "store")
    decisions.make_model(tmp_path / "store", tmp_path / "model")
    report = decisions.measure(tmp_path / "store", tmp_path / "model", 1)
    assert report["decisions"] > 30
    assert report["fills"]["dqn"] > 0 < report["fills"]["fixed spread in Python"]
    assert report["fills"]["looking"] == 0
    assert len(report["parts_ns"]) == 7
    assert "forward pass, 32-64-64-25" in decisions.show(report)
