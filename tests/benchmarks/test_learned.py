"""The programs that train and judge run through, on days and trainings that are far too small to learn from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmbt.cli import main as mmbt

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.filterwarnings("ignore")  # TensorFlow's own


def test_a_planted_edge_is_trained_on_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.edge import main

    found = tmp_path / "edge.json"
    given = ["--steps", "40000", "--seconds", "200", "--days", "2", "1", "10", "--trials", "2", "--json", str(found),
             "--out", str(tmp_path / "work")]
    main([*given, "--picture", str(tmp_path / "policy.png")])
    assert (tmp_path / "policy.png").read_bytes()[:4] == b"\x89PNG"
    out = capsys.readouterr().out
    assert "of the exact" in out
    (row,) = json.loads(found.read_text("utf-8"))
    assert row["exact"] > row["model"]
    assert row["low"] <= row["difference"] <= row["high"]
    main(given)  # what is done is not done again
    assert capsys.readouterr().out == out
    assert len((tmp_path / "work" / "runs" / "test-uses.jsonl").read_text("utf-8").splitlines()) == 1
    with pytest.raises(SystemExit, match="work in another folder"):
        main([*given, "--trials", "3"])


@pytest.mark.slow
def test_real_days_are_trained_on_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.equity import main

    raw = tmp_path / "raw"
    assert mmbt(["synth", "planted-edge", "--out", str(raw), "-S", "days=4", "-S", "steps=200"]) == 0
    main([str(raw), "--out", str(tmp_path / "work"), "--size", "1", "--max-position", "5", "--steps", "40000",
          "--seeds", "1", "--trials", "2", "--page", str(tmp_path / "page.md")])
    out = capsys.readouterr().out
    assert (tmp_path / "page.md").read_text("utf-8").count("## EDGE/USD") == 2
    assert out.count("best baseline on validation") == 2
    assert out.count("used 0 times before") == out.count("used 1 times before") == 1  # once a preset
    assert out.count("| dqn |") + out.count("| dqn (abstains) |") == 2
