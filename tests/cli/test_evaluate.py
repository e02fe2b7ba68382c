"""`mmbt evaluate`: the machine contract, days apart, the log of uses, and what wrong usage is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmbt import BacktestConfig, FillRules
from mmbt.cli import main
from mmbt.cli.evaluate import split_days
from mmbt.envs.options import MarketOptions
from mmbt.errors import UsageError
from mmbt.store import open_store
from mmbt.synth.planted import NAME
from mmbt.testing.models import random_model

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
    (["maker.py:Mine"], "to name a strategy write --strategy maker.py:Mine"),
    (["half_spread_ticks=3"], "to set a parameter write -S half_spread_ticks=3"),
    (["runs/nowhere"], "there is no model 'runs/nowhere'"),
    (["runs/nowhere", "--strategy", "dqn"], "judge either the models of runs, or the strategy dqn"),
    (["runs/nowhere", "-S", "k=1"], "name it with --strategy"),
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


def a_run(name: str, *, split: dict[str, list[str]] | None = None, fills: str = "conservative", seed: int = 0) -> str:
    """What `mmbt train` leaves: a model, and a manifest with store, conditions and split."""
    catalog = open_store(Path("data/store"))
    config = BacktestConfig(instruments=(NAME,), fills=FillRules.parse(fills), maker_fee="0.1", seed=seed)
    learned = {part.path: part.sha256 for part in catalog.manifest.partitions if part.date <= DAYS[2]}
    options = MarketOptions(interval="2s", max_position=6, actions={"sizes": [2]})
    with catalog.select([NAME], (DAYS[0], DAYS[0])) as market:
        model = random_model([market], config, options, layers=(8,), seed=seed,
                             provenance={f"data {path}": sha256 for path, sha256 in learned.items()})
    path = Path("runs") / name
    model.save(path / "model")
    parts = split or {"train": DAYS[:2], "validation": [DAYS[2]], "test": DAYS[3:5]}
    manifest = {"kind": "training", "conditions": config.model_dump(mode="json"), "data": {"store": "data/store"},
                "split": {"kind": "days", **{part: [{"date": day} for day in days] for part, days in parts.items()}}}
    (path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return str(path)


def test_models_are_judged_on_the_days_and_under_the_conditions_of_their_training(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [a_run("a"), a_run("b", seed=1)]
    told, err = evaluated(capsys, *runs, *FEW, "--out", "runs/judged")
    assert err == ""
    assert [list(told["days"][part]) for part in ("train", "validate", "test")] == [DAYS[:2], [DAYS[2]], DAYS[3:5]]
    assert told["config"]["fills"]["preset"] == "conservative"
    assert told["config"]["maker_fee"] == "0.1"
    assert told["terms"] == {"interval": "2s", "size": 2, "max_position": 6}
    assert told["contender"] == told["strategy"] == "dqn"
    assert told["scores"][0]["params"] == [{"model": run} for run in runs]
    assert [each["model"] for each in told["about"]] == [f"{run}/model" for run in runs]
    assert told["warnings"] == []
    assert told["baselines"][1]["params"] | {"size": 2, "interval": "2s"} == told["baselines"][1]["params"]
    found = told["scores"][0]
    assert found["pnl_spreads"] == pytest.approx(found["pnl"] / (0.01 * 4 * 2), rel=1e-6)


def test_options_win_over_what_a_training_says(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, err = evaluated(capsys, a_run("a"), *FEW, "--fills", "seed", "--validate", DAYS[3], "--test", DAYS[6])
    assert told["config"]["fills"]["preset"] == "seed"
    assert list(told["days"]["test"]) == [DAYS[6]]
    assert told["config"]["maker_fee"] == "0.1"
    assert "warning: the model learned with fills" in err
    assert told["warnings"]


def test_a_day_that_a_model_learned_from_is_no_test_day(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--validate", DAYS[0], "--test", f"{DAYS[2]}..{DAYS[3]}"]
    for who in ([a_run("a")], ["--strategy", "dqn", "-S", "model=runs/a"]):
        assert main(["evaluate", *who, *FEW, *given]) == 2
        assert "runs/a learned from 2024-01-03, or was chosen by it" in " ".join(capsys.readouterr().err.split())
    assert not (here / "runs" / "test-uses.jsonl").exists()


def test_trainings_of_another_kind_are_judged_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [a_run("a"), a_run("b", fills="queue")]
    assert main(["evaluate", *runs, *FEW]) == 2
    assert "no trainings of one kind, their conditions differ" in " ".join(capsys.readouterr().err.split())


def test_a_model_without_its_run_is_judged_on_days_that_are_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(a_run("a"), "model").rename("policy")
    told, _ = evaluated(capsys, "policy", *FEW, "--validate", DAYS[3], "--test", DAYS[4])
    assert told["config"]["fills"]["preset"] == "conservative"
    (here / "manifest.json").write_text("{", "utf-8")
    assert main(["evaluate", "policy", *FEW]) == 4
    assert "damaged" in capsys.readouterr().err


def test_what_a_model_quotes_is_drawn(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert main(["evaluate", a_run("a"), *FEW[:-1], "--figures", "--out", "drawn"]) == 0
    names = [f"drawn/{name}" for name in ("evaluation.png", "evaluation.svg", "policy.png", "policy.svg")]
    assert "figures " + ", ".join(names) in " ".join(capsys.readouterr().out.split())
    assert json.loads(Path("drawn/evaluation.json").read_text("utf-8"))["figures"] == names
    assert Path("drawn/policy.png").read_bytes()[:4] == b"\x89PNG"
