"""`mmbt train` as people use it: on the sample, on models, stopped, resumed, and used wrongly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from mmbt.cli import main
from mmbt.learn.checkpoint import Checkpoints
from mmbt.learn.model import Model

LEARNER = {"learn_start": 500, "steps": 2500, "capacity": 2000, "batch": 32, "updates": 4, "layers": 8, "markets": 16}
DAYS = LEARNER | {"window": 60, "validations": 3, "patience": "none"}


def words(options: dict[str, Any]) -> list[str]:
    return [word for name, value in options.items() for word in ("-S", f"{name}={value}")]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    """A folder with the repository's sample, converted."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(project_root / "data" / "raw-data", folder / "data" / "raw-data")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["convert", "raw-data"]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(sample / "data", target_is_directory=True)
    return tmp_path


def trained(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document of a training that goes well."""
    assert main(["train", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def told(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What is said on stderr by one that ends with that code."""
    assert main(["train", *arguments]) == code
    return capsys.readouterr().err


def lines(run: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "clock"} for line in found]


def last_arrays(run: Path) -> dict[str, bytes]:
    found, _ = Checkpoints(run / "checkpoints").latest()
    assert found is not None
    return {name: array.tobytes() for name, array in found.arrays.items()}


def weights(run: Path) -> list[bytes]:
    return [array.tobytes() for array in Model.load(run / "model").weights]


@pytest.fixture(scope="module")
def whole(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the sample that nothing interrupted."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main(["train", "--data", str(sample / "data/store"), *words(DAYS), "--out", str(run), "--json"]) == 0
    return run


def test_a_run_on_the_sample(whole: Path) -> None:
    answer = json.loads((whole / "metrics.json").read_text())
    manifest = json.loads((whole / "manifest.json").read_text())
    assert answer["status"] == manifest["status"] == manifest["sessions"][0]["status"] == "complete"
    assert answer["steps"] >= 2500
    assert set(answer["validation"]) == {"F", "pnl", "position", "quoting", "decisions"}
    assert manifest["settings"]["layers"] == [8]
    assert manifest["conditions"]["fills"]["preset"] == "seed"
    assert {each["sha256"] for each in manifest["data"]["files"]}
    split = manifest["split"]
    assert split["kind"] == "days"
    assert [part["date"] for part in split["train"] + split["validation"]] == ["2022-09-20", "2022-09-21"]
    assert split["validation"][0]["from_ts"] - split["train"][0]["to_ts"] >= 120 * 10**9
    judged = [line["validation"] for line in lines(whole) if "validation" in line]
    assert len(judged) == 3
    model = Model.load(whole / "model")
    assert model.info.kind == "market"
    assert model.info.scores == answer["validation"] == max(judged, key=lambda scores: scores["F"])
    assert model.info.conditions == manifest["conditions"]
    assert len(model.info.inputs) == model.weights[0].shape[0]
    assert model.info.world["frozen"]["names"] == list(model.info.inputs)[: len(model.info.world["frozen"]["names"])]
    assert list((whole / "tensorboard").iterdir())


@pytest.mark.parametrize("option", ["--time-limit", "--checkpoint-every"])
def test_a_span_of_nothing_is_refused(here: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    said = told(capsys, 2, "--market", "exact-market", option, "0s")
    assert option in said
    assert "more than nothing" in said
    assert not (here / "runs").exists()


def test_R1_time_is_up_and_the_rest_is_the_same(
    here: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trained(capsys, *words(DAYS), "--out", "run", "--time-limit", "1ms")
    assert first["status"] == "time limit"
    assert first["blocks"] == 1
    assert Model.load(here / "run" / "model").info.scores == {}
    second = trained(capsys, "--resume", "run", "-S", "layers=8", "--threads", "2")
    assert (second["status"], second["resumed_from_block"]) == ("complete", 1)
    assert lines(here / "run") == lines(whole)
    assert last_arrays(here / "run") == last_arrays(whole)
    assert weights(here / "run") == weights(whole)
    sessions = json.loads((here / "run" / "manifest.json").read_text())["sessions"]
    assert [(session["from_block"], session["status"]) for session in sessions] == [
        (0, "time limit"), (1, "complete")]


def test_what_a_resumed_run_may_not_change(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, *words(DAYS), "--out", "run", "--time-limit", "1ms")
    assert "goes on as it began, not with r = 0.5 (was 0.02), steps = 7 (was 2500)" in told(
        capsys, 2, "--resume", "run", "-S", "steps=7", "-S", "r=.5")
    assert "--fills, --seed cannot be given with --resume" in told(
        capsys, 2, "--resume", "run", "--fills", "queue", "--seed", "1")
    assert "holds no training" in told(capsys, 2, "--resume", "data")
    assert "already holds something" in told(capsys, 2, *words(DAYS), "--out", "run")
    manifest = json.loads((here / "run" / "manifest.json").read_text())
    manifest["settings"]["r"] = 0.5
    (here / "run" / "manifest.json").write_text(json.dumps(manifest))
    assert "is of a training with other options" in told(capsys, 4, "--resume", "run")
    (here / "run" / "manifest.json").write_text("{}")
    assert "is no manifest of a training" in told(capsys, 4, "--resume", "run")


def test_another_installation_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(capsys, *words(DAYS), "--out", "run", "--time-limit", "1ms")
    monkeypatch.setattr("mmbt.training.run._processor", lambda: "another")
    said = told(capsys, 0, "--resume", "run", "--time-limit", "1ms")
    assert "processor is another, was " in said
    assert "may differ from that of an uninterrupted run" in said


def other_store(here: Path, capsys: pytest.CaptureFixture[str], date: str) -> Path:
    """The sample with other sizes on one day."""
    raw = here / "other-raw"
    shutil.copytree(here / "data" / "raw-data", raw)
    path = raw / f"tob_{date}.csv"
    first, *rows = path.read_text().splitlines()
    place = first.split(";").index("bid_size")
    changed = []
    for row in rows:
        cells = row.split(";")
        cells[place] = "9" + cells[place]
        changed.append(";".join(cells))
    path.write_text("\n".join([first, *changed]) + "\n")
    assert main(["convert", str(raw), "--out", "other"]) == 0
    capsys.readouterr()
    return here / "other"


def test_R6_other_data_are_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(capsys, *words(DAYS), "--out", "run", "--time-limit", "1ms")
    other = other_store(here, capsys, "2022-09-21")
    shutil.copytree(here / "data" / "store", here / "same")
    trained(capsys, "--resume", "run", "--data", "same", "--time-limit", "1ms")
    assert "are not those that run began with" in told(capsys, 4, "--resume", "run", "--data", str(other))
    said = told(capsys, 0, "--resume", "run", "--data", "other", "--force-data-change", "--time-limit", "1ms")
    assert "the data have changed since the run began" in said
    assert json.loads((here / "run" / "manifest.json").read_text())["data"]["changed"]


def test_R7_days_that_validate_teach_nothing(here: Path, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other_store(here, capsys, "2022-09-21")
    trained(capsys, "--data", "other", *words(DAYS), "--out", "run")

    def learned(arrays: dict[str, bytes]) -> dict[str, bytes]:
        return {name: bits for name, bits in arrays.items() if not name.startswith("best.")}

    assert learned(last_arrays(here / "run")) == learned(last_arrays(whole))
    models = [Model.load(run / "model").info.world["frozen"] for run in (here / "run", whole)]
    assert models[0] == models[1]
    assert lines(here / "run") != lines(whole)  # they are judged by other days


def test_a_single_day_is_split_by_its_hours_and_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hours = ["--dates", "2022-09-20", "-S", "validation=0.5", "-S", "test=0"]
    assert main(["train", *hours, *words(DAYS), "--out", "run", "--time-limit", "1ms"]) == 0
    out, err = capsys.readouterr()
    assert "validated within one day" in out
    assert "to go on: mmbt train --resume run" in err
    split = json.loads((here / "run" / "manifest.json").read_text())["split"]
    assert split["kind"] == "within one day"
    assert split["validation"][0]["from_ts"] == split["train"][0]["to_ts"] + 120 * 10**9
    assert "leaves nothing of the validation part" in told(capsys, 2, "--dates", "2022-09-20")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_saves_at_the_barrier_and_says_how_to_go_on(here: Path, number: signal.Signals) -> None:
    start = [sys.executable, "-m", "mmbt", "train", *words(DAYS | {"steps": 10**7}), "--out", "run", "--json"]
    with subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        deadline = time.monotonic() + 120
        while not (here / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(number)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert "interrupted; to go on: mmbt train --resume run" in err
    answer = json.loads(out)
    assert answer["status"] == "interrupted"
    found, _ = Checkpoints(here / "run" / "checkpoints").latest()
    assert found is not None
    assert found.block == answer["blocks"]


@pytest.mark.parametrize("model", [
    ["exact-market", "-S", "q_max=2"], ["base-model", "-S", "q_max=2", "-S", "shifts=0,.5,1", "-S", "delay=1"]])
def test_models_end_with_the_exact_score(here: Path, capsys: pytest.CaptureFixture[str], model: list[str]) -> None:
    answer = trained(capsys, "--market", *model, *words(LEARNER), "--seed", "4", "--out", "run")
    assert list(answer)[-1] == "exact"
    assert list(answer["exact"]) == ["start", "occupancy", "worst", "regret"]
    assert 0 < answer["exact"]["start"] <= 1
    assert answer["exact"]["regret"] > 0
    manifest = json.loads((here / "run" / "manifest.json").read_text())
    assert manifest["settings"]["seed"] == 4
    info = Model.load(here / "run" / "model").info
    assert info.kind == model[0]
    assert len(info.inputs) == Model.load(here / "run" / "model").weights[0].shape[0]


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["-S", "layer=3", "-S", "markets=0"], 2, ["unknown parameter; did you mean 'layers'", "markets = 0: must be"]),
    (["-S", "n_step=3"], 2, ["n_step: more than one step needs backup = taken"]),
    (["-S", "embargo=1s"], 2, ["embargo = '1s'"]),
    (["--instrument", "BTC"], 2, ["no instrument 'BTC'"]),
    (["--data", "nowhere"], 2, ["no such store"]),
    (["--market", "exact-market", "--fills", "queue", "--hot"], 2, ["--fills, --hot: a model has no days"]),
    (["--market", "base-model", "-S", "drift=1"], 2, ["drift: unknown parameter"]),
    (["--market", "exact"], 2, ["exact-market"]),
    (["steps=3"], 2, ["to set an option of training write -S steps=3"]),
    (["--dates", "2030-01-01"], 2, ["no day in that time"]),
    (["--config", "missing.toml"], 6, ["missing.toml"]),
    (["--synthetic", "nonsense"], 2, ["nonsense"]),
])
def test_wrong_usage(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: list[str]
) -> None:
    said = told(capsys, code, *arguments)
    assert [word for word in words if word not in said] == [], said
    assert not Path("runs").exists()


def test_options_come_from_files_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmbt.toml").write_text('[train]\nfills = "queue"\ntime_limit = "1ms"\n'
                                 "[train.params]\nr = 0.5\nmarkets = 8\nsteps = 900\n")
    Path("mine.toml").write_text('r = 0.25\nlayers = [4]\ninterval = "2s"\n')

    def settings(*arguments: str) -> dict[str, Any]:
        answer = trained(capsys, *arguments)
        manifest = json.loads(Path(answer["run"], "manifest.json").read_text())
        assert manifest["conditions"]["fills"]["preset"] == "queue"
        found: dict[str, Any] = manifest["settings"]
        return found

    found = settings("-S", "markets=4")
    assert (found["r"], found["markets"], found["steps"]) == (0.5, 4, 900)
    found = settings("--config", "mine.toml", "-S", "markets=4")
    assert (found["r"], found["markets"], found["steps"]) == (0.25, 4, 1_000_000)
    assert (found["layers"], found["interval"]) == ([4], 2 * 10**9)


@pytest.mark.parametrize("market", [[], ["--market", "base-model"]], ids=str)
def test_options_are_listed_with_their_meaning(capsys: pytest.CaptureFixture[str], market: list[str]) -> None:
    found = {item["name"]: item for item in trained(capsys, *market, "--options")["options"]}
    assert not [name for name, item in found.items() if not item["description"]]
    assert found["steps"]["default"] == 1_000_000
    if not market:
        assert (found["interval"]["type"], found["interval"]["default"]) == ("duration", "1s")
    assert main(["train", *market, "--options"]) == 0
    assert "relabel" in capsys.readouterr().out


def test_without_tensorflow_the_extra_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmbt.cli.train.find_spec", lambda name: None)
    assert "pip install 'mmbt[train]'" in told(capsys, 2)


def test_a_second_process_does_not_touch_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmbt.training.run import TrainingRun

    trained(capsys, *words(DAYS), "--out", "run", "--time-limit", "1ms")
    with TrainingRun.open(here / "run"):
        assert f"another mmbt train (pid {os.getpid()}) is at work" in told(capsys, 6, "--resume", "run")
    assert np.isfinite(json.loads((here / "run" / "metrics.json").read_text())["wall_s"])
