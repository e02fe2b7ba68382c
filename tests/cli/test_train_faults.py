"""What befalls a training at the command line: signals, full disks, numbers that are none, runs of others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from mmbt.cli import main
from mmbt.learn.checkpoint import Checkpoints
from mmbt.learn.training import Trainer
from mmbt.training.run import TrainingRun
from mmbt.training.settings import parse_settings
from tests.faults.kills import small_disk

OPTIONS = {"q_max": 2, "learn_start": 500, "steps": 2500, "capacity": 2000, "batch": 32, "updates": 4, "layers": 8,
           "markets": 16}
MODEL = ["train", "--market", "exact-market", *(word for name, value in OPTIONS.items()
                                                for word in ("-S", f"{name}={value}"))]
ALWAYS = ["--checkpoint-every", "1ns"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What is said on stderr by one that ends with that code; nothing that only a terminal understands."""
    assert main([*arguments]) == code
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    return err


def end(run: Path) -> dict[str, bytes]:
    found, wrong = Checkpoints(run / "checkpoints").latest()
    assert found is not None
    assert wrong == []
    return {name: array.tobytes() for name, array in found.arrays.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = tmp_path_factory.mktemp("whole") / "run"
    assert main([*MODEL, "--out", str(run)]) == 0
    return end(run)


def at_block(monkeypatch: pytest.MonkeyPatch, block: int, act: Callable[[Trainer], None]) -> None:
    """Do something while a block is under way."""
    real = Trainer.advance

    def advance(trainer: Trainer) -> Any:
        if trainer.block == block:
            act(trainer)
        return real(trainer)

    monkeypatch.setattr(Trainer, "advance", advance)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_second_signal_does_not_wait_and_the_rest_is_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], number: int
) -> None:
    def twice(trainer: Trainer) -> None:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        at_block(patched, 40, twice)
        said = told(capsys, 130, *MODEL, *ALWAYS, "--out", "a run")
    assert said.splitlines()[-2:] == ["interrupted", "to go on: mmbt train --resume 'a run'"]
    assert json.loads(Path("a run/manifest.json").read_text())["status"] == "interrupted"
    told(capsys, 0, "train", "--resume", "a run")
    assert end(Path("a run")) == whole


def test_R4_a_batch_that_is_no_number_stops_the_run_and_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(trainer: Trainer) -> None:
        real = trainer._batches
        monkeypatch.setattr(trainer, "_batches", lambda: real()._replace(reward=np.full_like(real().reward, np.nan)))

    at_block(monkeypatch, 45, spoil)
    said = told(capsys, 7, *MODEL, *ALWAYS, "--out", "run", "--seed", "5")
    assert "the loss or its gradient is not a number" in said
    assert "what it was met with is in run/nan_report: batches, weights as arrays" in said
    assert "start a new run" in said
    assert "--resume" not in said  # it would come here again
    report = json.loads(Path("run/nan_report/report.json").read_text())
    assert (report["seed"], report["block"]) == (5, 45)
    with np.load("run/nan_report/batches.npz", allow_pickle=False) as batches:
        assert np.isnan(batches["reward"]).all()
    assert json.loads(Path("run/manifest.json").read_text())["status"] == "failed"
    end(Path("run"))


def test_R10_a_full_disk_ends_a_training_and_with_more_room_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], whole: dict[str, bytes]
) -> None:
    with small_disk(tmp_path) as small:
        (small / "filler").write_bytes(bytes(1 << 17))
        said = told(capsys, 6, *MODEL, *ALWAYS, "--out", f"{small}/run")
        assert "No space left on device" in said
        assert "bytes are free" in said
        assert said.splitlines()[-1] == f"to go on: mmbt train --resume {small}/run"
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        told(capsys, 0, "train", "--resume", f"{small}/run")
        assert end(small / "run") == whole
        assert json.loads((small / "run" / "manifest.json").read_text())["status"] == "complete"


def test_options_that_turn_out_not_to_fit_leave_no_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert "capacity: a block stores" in told(capsys, 2, *MODEL[:3], "-S", "markets=100000", "--out", "run")
    assert not Path("run").exists()
    assert "a block stores" in told(capsys, 2, *MODEL[:3], "-S", "markets=100000")
    assert list(Path("runs").iterdir()) == []


def test_a_folder_in_which_none_can_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("in the way")
    assert "a part of the path is a file" in told(capsys, 6, *MODEL, "--out", "file/run")
    assert "writing" in told(capsys, 6, *MODEL, "--out", "/proc/run")
    Path("runs").write_text("in the way")
    assert "name another with --out" in told(capsys, 6, *MODEL)


def begun(**changes: Any) -> None:
    """A run on a store that began and saved nothing yet, with such a manifest."""
    manifest = {"market": "recorded", "settings": parse_settings("recorded").dump(),
                "conditions": {"instruments": ["BTC/USD_T+0"]}, "split": {"kind": "days"},
                "data": {"store": "gone/store", "dates": None, "hot": False, "files": []}}
    with TrainingRun.create(Path("run"), manifest | changes) as run:
        run.end("interrupted")


@pytest.mark.parametrize(("changes", "code", "words"), [
    ({}, 6, ["gone/store: no such store", "if that has moved, say where to by --data"]),
    ({"settings": {"steps": 5, "gone": 1}}, 4, ["does not know (gone)", "start a new run"]),
    ({"settings": {"steps": "many"}}, 4, ["its options cannot be read", "steps"]),
    ({"market": "nowhere"}, 4, ["its options cannot be read"]),
    ({"conditions": {"instruments": 3}}, 4, ["its conditions cannot be read"]),
    ({"conditions": None}, 4, ["its conditions cannot be read"]),
    ({"data": None}, 4, ["does not say which data"]),
    ({"data": {"store": 3}}, 4, ["is damaged: data.store"]),
], ids=range(8))
def test_a_run_that_cannot_go_on_says_why(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: int, words: list[str]
) -> None:
    begun(**changes)
    said = told(capsys, code, "train", "--resume", "run")
    assert [word for word in words if word not in said] == [], said


def test_what_is_no_training_cannot_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("backtest").mkdir()
    Path("backtest/manifest.json").write_text(json.dumps({"strategy": {"name": "linear-skew"}}))
    assert "there is no manifest.json in it" in told(capsys, 2, "train", "--resume", "empty")
    assert "there is no manifest.json in it" in told(capsys, 2, "train", "--resume", "nowhere")
    assert "backtest is a backtest" in told(capsys, 2, "train", "--resume", "backtest")
    assert "another mmbt train" not in told(capsys, 2, "train", "--resume", "backtest/manifest.json")


@pytest.mark.parametrize(("text", "words"), [
    (b"steps = ", ["mine.toml is no TOML file"]), (b"\xff\xfe", ["mine.toml is no TOML file"]),
    (b"stepps = 5\n", ["unknown parameter", "did you mean 'steps'"]),
    (b"[train.params]\nsteps = 5\n", ["train: unknown parameter"]),
    (b"steps = -5\nlayers = 'x'\n", ["steps", "layers"]),
], ids=range(5))
def test_a_wrong_file_of_options(capsys: pytest.CaptureFixture[str], text: bytes, words: list[str]) -> None:
    Path("mine.toml").write_bytes(text)
    said = told(capsys, 2, *MODEL[:3], "--config", "mine.toml")
    assert [word for word in words if word not in said] == [], said
    assert not Path("runs").exists()
