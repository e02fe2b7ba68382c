"""Models at the command line: run, shown, exported, and named wrongly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmbt import BacktestConfig
from mmbt.cli import main
from mmbt.learn.model import Model
from mmbt.store import open_store
from mmbt.testing.models import random_model

NAME = "BTC/USD_T+0"
RUN = "runs/20240301-101500-train"


@pytest.fixture(scope="module")
def model(project: Path) -> Model:
    config = BacktestConfig(instruments=(NAME,))
    with open_store(project / "data" / "store").select([NAME]) as market:
        return random_model([market], config, layers=(8, 8), scores={"F": 0.125})


@pytest.fixture
def here(inside: Path, model: Model) -> Path:
    """A folder with data and a run that holds a model."""
    model.save(inside / RUN / "model")
    return inside


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_backtest_takes_the_latest_model_and_names_it(
    here: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    told = answer(capsys, "backtest", "--strategy", "dqn", "--instrument", NAME)
    assert told["about"] == {"model": f"{RUN}/model", "model_hash": model.hash}
    assert told["warnings"] == []
    assert told["decisions"] > 20
    manifest = json.loads((Path(told["run"]) / "manifest.json").read_text())
    assert manifest["strategy"]["about"] == told["about"]
    assert main(["backtest", "--strategy", "dqn", "--instrument", NAME, "-S", f"model={RUN}"]) == 0
    shown = capsys.readouterr().out
    assert f"model {RUN}/model" in shown
    assert told["result_hash"] in shown
    assert "WARNING" not in shown


def test_other_conditions_warn_before_and_in_the_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["backtest", "--strategy", "dqn", "--instrument", NAME, "--fills", "queue", "--latency", "5ms"]
    assert main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    warnings = json.loads(out)["warnings"]
    assert len(warnings) == 2
    assert "runs with queue (" in warnings[0]
    assert "place latency 0 and runs with 5ms" in warnings[1]
    assert all(f"warning: {text}" in err for text in warnings)
    assert main(arguments) == 0
    assert all(f"WARNING: {text}" in capsys.readouterr().out for text in warnings[:1])


@pytest.mark.parametrize(("strategy", "code", "said"), [
    ([], 2, "mmbt train"),
    (["-S", "model=nowhere"], 2, "no model 'nowhere'"),
    (["-S", "model=data"], 2, "holds no model"),
    (["-S", "interval=0"], 2, "positive"),
    (["-S", "lr=0"], 2, "lr"),
])
def test_without_a_model_it_says_what_to_do(
    inside: Path, capsys: pytest.CaptureFixture[str], strategy: list[str], code: int, said: str
) -> None:
    assert main(["backtest", "--strategy", "dqn", *strategy]) == code
    assert said in capsys.readouterr().err
    assert not (inside / "runs").exists()


def test_a_damaged_model_is_exit_code_4(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = next((here / RUN / "model").glob("0-kernel-*.npy"))
    kernel.write_bytes(kernel.read_bytes()[:-1] + b"\x7f")
    for arguments in (["backtest", "--strategy", "dqn"], ["model", "show"], ["model", "export", "--onnx", "x.onnx"]):
        assert main(arguments) == 4
        assert "damaged" in capsys.readouterr().err


def test_a_model_is_shown(here: Path, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "model", "show", RUN)
    assert told["hash"] == model.hash
    assert told["inputs"] == list(model.info.inputs)
    assert told["conditions"]["fills"]["preset"] == "seed"
    assert len(told["action_names"]) == told["actions"]
    assert told["weights"] == sum(array.size for array in model.weights)
    assert main(["model", "show"]) == 0
    shown = capsys.readouterr().out
    for text in (model.hash, "imbalance", "no quotes", "preset=seed", "F 0.125", "interval 1"):
        assert text in shown


def test_a_model_is_exported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("keras")
    told = answer(capsys, "model", "export", "--keras", "policy.keras")
    assert told["files"] == {"keras": "policy.keras"}
    assert Path("policy.keras").stat().st_size > 1000
    assert main(["model", "export", RUN, "--keras", "policy.keras"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["model", "export", RUN, "--keras", "policy.keras", "--overwrite"]) == 0
    assert "written to policy.keras" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code", "said"), [
    ([], 2, "--keras FILE or --onnx FILE"),
    (["--keras", "policy.h5"], 2, "ends in .keras"),
    (["--keras", "nowhere/policy.keras"], 2, "nowhere is no folder"),
    (["nothing", "--keras", "policy.keras"], 2, "mmbt train"),
    (["a", "b", "--keras", "policy.keras"], 2, "one model at a time"),
])
def test_wrong_exports_say_what_is_wrong(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    pytest.importorskip("keras")
    assert main(["model", "export", *arguments]) == code
    assert said in capsys.readouterr().err


def test_other_kinds_are_shown_and_not_run(here: Path, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(RUN)
    info = model.info.model_copy(update={"kind": "base-model", "world": {"params": {"k": 1}}})
    Model(info, model.weights).save(Path("runs/exact/model"))
    assert answer(capsys, "model", "show")["action_names"] is None
    odd = info.model_copy(update={"world": {"options": [1, None]}, "provenance": {"by": "\x1b[31m hand"}})
    Model(odd, model.weights).save(Path("runs/exact/model"))
    assert main(["model", "show"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["model", "show", "exact"]) == 0
    assert "base-model" in capsys.readouterr().out
    assert main(["backtest", "--strategy", "dqn"]) == 2
    assert "no model of the kind market" in capsys.readouterr().err
    assert main(["backtest", "--strategy", "dqn", "-S", "model=exact"]) == 2
    assert "learned in the world base-model" in capsys.readouterr().err
