"""`backtest --hot` gives what `--no-hot` gives; `mmbt hot` shows, fills and clears."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmbt.cli import main
from mmbt.store import files

FIXED = ["backtest", "--strategy", "fixed-spread", "-S", "half_spread_ticks=1"]


@pytest.fixture
def store(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a copy of the project's store, which has no cache yet."""
    monkeypatch.delenv("MMBT_HOT", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users-cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "data" / "store", tmp_path / "data" / "store", ignore=shutil.ignore_patterns(".hot"))
    return tmp_path / "data" / "store"


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    out, err = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found, err


def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any, data: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_some", full)


def test_hot_and_not_hot_are_one_result(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold, _ = document(capsys, *FIXED)
    assert not (store / ".hot").exists()
    for _ in range(2):
        hot, err = document(capsys, *FIXED, "--hot")
        assert hot["result_hash"] == cold["result_hash"]
        assert hot["fills"] == cold["fills"] > 0
        assert err == ""
    told = [json.loads((Path(run["run"]) / "manifest.json").read_text())["inputs"] for run in (cold, hot)]
    assert [inputs.pop("hot") for inputs in told] == [False, True]
    assert told[0] == told[1]


def test_a_backtest_goes_on_without_a_cache_and_says_so_once(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cold, _ = document(capsys, *FIXED)
    with monkeypatch.context() as patch:
        failing(patch)
        hot, err = document(capsys, *FIXED, "--hot")
    assert hot["result_hash"] == cold["result_hash"]
    assert err.count("No space left") == err.count("\n") == 1
    assert "Parquet is" in err


def test_build_ls_and_clear(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, "hot", "ls")[0]["files"] == []
    built, _ = document(capsys, "hot", "build", "--instrument", "BTC/USD_T+0", "--dates", "2022-09-20")
    assert len(built["files"]) == 2
    assert built["rows"] > 100
    every, _ = document(capsys, "hot", "build")
    listed, _ = document(capsys, "hot", "ls")
    assert len(listed["files"]) == listed["partitions"] == len(every["files"]) > 2
    assert listed["bytes"] == every["bytes"] == sum(entry["bytes"] for entry in listed["files"])
    assert listed["folders"][0] == str(Path("data/store/.hot"))
    assert listed["others"] == {"files": 0, "bytes": 0}
    capsys.readouterr()
    assert main(["hot", "ls"]) == 0
    out, err = capsys.readouterr()
    assert "BTC/USD_T+0" in out
    assert f"{listed['partitions']} of {listed['partitions']} files of the store are cached" in out
    assert err == ""
    cleared, _ = document(capsys, "hot", "clear")
    assert len(cleared["removed"]) == listed["partitions"]
    assert cleared["bytes"] == listed["bytes"]
    assert not (store / ".hot").exists()
    assert main(["hot", "clear"]) == 0


def test_a_cache_that_cannot_be_built_is_an_input_output_failure(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch)
    found, err = document(capsys, "hot", "build", code=6)
    assert found["error"]["type"] == "FileError"
    assert "No space left on device" in err
    assert "bytes are needed" in err


@pytest.mark.parametrize(("setting", "flags", "cached"), [("hot = true", [], True), ("no_hot = true", [], False),
                                                          ("hot = true", ["--no-hot"], False)])  # fmt: skip
def test_the_settings_file_may_ask_for_it_and_flags_win(
    store: Path, capsys: pytest.CaptureFixture[str], setting: str, flags: list[str], cached: bool
) -> None:
    Path("mmbt.toml").write_text(f"[backtest]\n{setting}\n")
    document(capsys, *FIXED, *flags)
    assert (store / ".hot").exists() == cached
