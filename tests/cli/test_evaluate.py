"""`mmbt evaluate`: the machine contract, days apart, the log of uses, and what wrong usage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmbt.cli import main
from mmbt.cli.evaluate import split_days
from mmbt.errors import UsageError

FEW = ["--against", "no-quotes", "--against", "linear-skew", "--trials", "3", "--no-figures"]
MINE = ["--strategy", "imbalance-skew", "-S", "half_spread_ticks=2.5", "-S", "lean_ticks=1.8", "-S",
        "skew_ticks_per_lot=0.05"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen short days of a planted edge."""
    folder = tmp_path_factory.mktemp("planted")
    raw = str(folder / "raw")
    assert main(["synth", "planted-edge", "--out", raw, "-S", "days=14", "-S", "steps=240"]) == 0
    assert main(["convert", raw, "--out", str(folder / "store")]) == 0
    return folder / "store"


@pytest.fixture
def here(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "store").symlink_to(store, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    code = main(["evaluate", *arguments, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out), err


def test_the_document(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, err = evaluated(capsys, *MINE, *FEW, "--validate", "2024-01-02..2024-01-03", "--test", "2024-01-04..",
                          "--out", "runs/mine")
    assert err == ""
    assert told["run"] == "runs/mine"
    assert [len(told["days"][part]) for part in ("train", "validate", "test")] == [0, 2, 11]
    assert [row["baseline"] for row in told["baselines"]] == ["no-quotes", "linear-skew"]
    assert [row["contender"] for row in told["scores"]] == ["imbalance-skew", "no-quotes", "linear-skew"] or \
        told["scores"][0]["contender"] == "imbalance-skew (yours)"
    assert told["scores"][0]["params"][0]["max_position"] == 10  # what all keep to
    assert told["scores"][0]["params"][0]["interval"] == "1s"
    assert told["baselines"][1]["params"]["interval"] == "1s"
    assert {row["kind"] for row in told["comparisons"]} == {"across-days"}
    assert told["claim"]["baseline"] == told["best_baseline"]
    assert set(told["scores"][0]) >= {"pnl", "spread", "inventory", "hedge", "fees", "closing", "pnl_spreads",
                                      "mean_position", "drawdown", "fills", "turnover_lots", "quoting", "abstains"}
    assert told["config"]["fills"]["preset"] == "seed"
    assert json.loads((here / "runs" / "mine" / "evaluation.json").read_text("utf-8")) == told


def test_a_second_use_of_test_days_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [*FEW, "--validate", "2024-01-01", "--test", "2024-01-05..2024-01-06"]
    told, err = evaluated(capsys, *given)
    assert told["earlier_uses"] == []
    told, err = evaluated(capsys, *FEW, "--validate", "2024-01-01", "--test", "2024-01-06..2024-01-07")
    assert len(told["earlier_uses"]) == 1  # one day in common
    assert "these test days were used before, 1 times" in err
    told, err = evaluated(capsys, *FEW, "--validate", "2024-01-01", "--test", "2024-01-08")
    assert told["earlier_uses"] == []
    assert len((here / "runs" / "test-uses.jsonl").read_text("utf-8").splitlines()) == 3


def test_the_tables(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", *MINE, *FEW, "--test", "2024-01-04..", "--validate", "2024-01-01..2024-01-03"]) == 0
    out = capsys.readouterr().out
    assert "0 training, 3 validation, 11 test days" in out
    assert "best baseline on validation: linear-skew (3 trials each)" in out
    assert "one training, whose luck no interval shows" in out
    assert "within-day" not in out
    assert "…" not in out
    assert max(map(len, out.splitlines()[:-1])) <= 100
    assert main(["evaluate", *MINE, *FEW, "--test", "2024-01-04..2024-01-05", "--validate", "2024-01-01"]) == 0
    assert "within-day: of these very days" in capsys.readouterr().out


def test_no_quotes_abstain_and_baselines_alone_are_judged(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--strategy", "no-quotes", *FEW]) == 0
    assert "no-quotes (yours) abstains: it quotes 0.0% of the time" in capsys.readouterr().out
    told, _ = evaluated(capsys, *FEW)
    assert told["contender"] is None
    assert told["claim"] is None
    assert not told["wins"]


def test_several_trainings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, _ = evaluated(capsys, *MINE[:2], *FEW, "--vary", "half_spread_ticks=2", "--vary", "half_spread_ticks=3")
    assert [each["half_spread_ticks"] for each in told["scores"][0]["params"]] == [2, 3]
    assert len(told["scores"][0]["daily_pnl"][0]) == 2


def test_the_baselines_keep_to_what_the_contender_keeps_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, _ = evaluated(capsys, *MINE, *FEW, "-S", "interval=2s", "-S", "max_position=3")
    assert told["terms"] == {"interval": "2s", "size": 1, "max_position": 3}
    assert told["baselines"][1]["params"]["max_position"] == 3


DAYS = [f"2024-01-{day:02d}" for day in range(1, 11)]


def test_days_are_split_in_time() -> None:
    assert [len(part) for part in split_days(DAYS, None, None, None).values()] == [6, 2, 2]
    assert split_days(DAYS[:3], None, None, None) == {"train": DAYS[:1], "validate": DAYS[1:2], "test": DAYS[2:3]}
    with pytest.raises(UsageError, match="2 days are too few"):
        split_days(DAYS[:2], None, None, None)


@pytest.mark.parametrize(("given", "said"), [
    (["--test", "2024-01-05"], "name both the days that choose, --validate, and the days that judge, --test"),
    (["--validate", "2024-01-05", "--test", "2024-01-05"], "--test begins on 2024-01-05, not after 2024-01-05"),
    (["--validate", "2024-01-06", "--test", "2024-01-05"], "follow each other in time"),
    (["--train", "2024-01-01..2024-01-03", "--validate", "2024-01-03", "--test", "2024-01-05"], "--validate begins on"),
    (["--validate", "2024-01-01", "--test", "2025-01-01"], "--test: the store has no such day"),
    (["--against", "liner-skew"], "did you mean 'linear-skew'"),
    (["-S", "k=1"], "name it with --strategy"),
    (["--strategy", "imbalance-skew", "-S", "lean=3"], "lean: unknown parameter"),
    (["--strategy", "imbalance-skw"], "there is no strategy 'imbalance-skw'"),
    (["--interval", "0"], "--interval: must be positive"),
    (["--interval", "soon"], "--interval: 'soon' is not a duration"),
    (["--instrument", "X/Y"], "no instrument 'X/Y'"),
    (["--data", "nowhere"], "no such store"),
    (["imbalance-skew"], "to name a strategy write --strategy imbalance-skew"),
])
def test_wrong_usage_is_told_and_no_test_day_is_used(given: list[str], said: str, here: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["evaluate", *given]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (here / "runs" / "test-uses.jsonl").exists()


def test_an_output_folder_that_holds_something_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine").mkdir()
    (here / "mine" / "note.txt").write_text("keep", "utf-8")
    assert main(["evaluate", *FEW, "--out", "mine"]) == 2
    assert "already holds something" in capsys.readouterr().err
    assert not (here / "runs" / "test-uses.jsonl").exists()


def test_figures(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    told, _ = evaluated(capsys, *MINE, *FEW[:-1], "--figures", "--out", "runs/drawn")
    assert told["figures"] == ["runs/drawn/evaluation.png", "runs/drawn/evaluation.svg"]
    assert (here / "runs" / "drawn" / "evaluation.png").read_bytes()[:4] == b"\x89PNG"
