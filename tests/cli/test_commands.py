"""strategies, formats, synth and doctor."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from mmbt.cli import doctor, main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main([*arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_strategies_ls(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "strategies", "ls")["strategies"]
    assert {item["name"] for item in found} >= {"fixed-spread", "linear-skew", "ladder", "random"}
    assert all(set(item) == {"name", "origin", "summary"} for item in found)
    out = shown(capsys, "strategies", "ls")
    assert all(item["name"] in out for item in found)


def test_strategies_show(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "strategies", "show", "linear-skew")
    names = [parameter["name"] for parameter in found["parameters"]]
    assert "half_spread_ticks" in names
    out = shown(capsys, "strategies", "show", "linear-skew")
    assert all(name in out for name in names)
    assert max(map(len, out.splitlines())) <= 80
    assert "mmbt backtest --strategy linear-skew -S half_spread_ticks=" in out


def test_strategies_new_can_be_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "strategies", "new", "my-maker")
    assert found["files"] == ["my_maker.py", "test_my_maker.py"]
    assert document(capsys, "strategies", "show", found["strategy"])["summary"]
    assert main(["strategies", "new", "my-maker"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_formats(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "formats")["formats"]
    assert {"seed", "generic"} <= {item["name"] for item in found}
    assert all(set(item) == {"name", "description", "tables", "patterns"} for item in found)
    assert "seed" in shown(capsys, "formats")


def test_synth_is_a_function_of_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["synth", "btc-spot", "--duration", "2s", "--seed", "3", "-S", "order_rate=20"]
    first = document(capsys, *wanted, "--out", "a")
    second = document(capsys, *wanted, "--out", "b")
    assert first["files"] == second["files"]
    assert first["out"] == "a"
    assert sorted(path.name for path in Path("a").iterdir()) == sorted(
        [*(file["path"] for file in first["files"]), "synth.json"]
    )


def test_synth_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(capsys, "synth", "--duration", "1s")
    assert "mmbt convert data/synth --out data/synth-store" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trangle"], "did you mean 'triangle'"),
        (["--out", "x", "-S", "oder_rate=2"], "did you mean 'order_rate'"),
        (["-S", "order_rate=many"], "order_rate"),
        (["--duration", "long"], "long"),
        (["--start", "someday"], "someday"),
        (["--seed", "-1"], "--seed"),
        (["--compression", "rar", "--duration", "1s"], "rar"),
        (["triangle", "folder"], "--out folder"),
        (["triangle", "order_rate=2"], "-S order_rate=2"),
    ],
)
def test_synth_wrong_requests(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().rglob("*.csv"))


def states(found: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in found["checks"]}


def test_doctor_finds_this_installation_well(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "doctor")
    assert found["ok"] is True
    assert states(found)["self-test"] == "ok"
    assert states(found)["store"] == "note"
    assert states(found)["engine"] in {"ok", "note"}
    assert "All is well." in shown(capsys, "doctor")


def test_doctor_imports_no_learning_library(run: Run) -> None:
    code = (
        "import sys; from mmbt.cli import main; code = main(['doctor', '--json']); "
        "print([m for m in ('tensorflow', 'keras', 'ray') if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    child = run(code=code)
    assert (child.returncode, child.stderr.strip()) == (0, "[]")


@pytest.mark.parametrize("full", [[], ["--full"]], ids=["quick", "full"])
def test_doctor_and_a_whole_store(full: list[str], inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert states(document(capsys, "doctor", *full))["store"] == "ok"


@pytest.mark.parametrize(("damage", "full"), [("cut", []), ("flip", ["--full"]), ("gone", [])])
def test_doctor_and_a_damaged_store(
    damage: str, full: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(project / "data/store", "data/store")
    victim = next(Path("data/store/tob").rglob("*.parquet"))
    raw = bytearray(victim.read_bytes())
    if damage == "gone":
        victim.unlink()
    else:
        raw[100] ^= 1
        victim.write_bytes(raw if damage == "flip" else raw[:-7])
    found = document(capsys, "doctor", *full, code=4)
    assert states(found)["store"] == "problem"
    assert found["ok"] is False


def test_doctor_tells_when_engine_and_reference_differ(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmbt.testing import reference

    class Wrong(reference.ReferenceSimulator):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "place_latency": 0})

    monkeypatch.setattr(reference, "ReferenceSimulator", Wrong)
    found = document(capsys, "doctor", code=1)
    assert states(found)["self-test"] == "problem"


def test_a_look_that_fails_is_a_problem_not_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise RuntimeError("no such luck")
        yield

    monkeypatch.setattr(doctor, "_disk", broken)
    found = document(capsys, "doctor", code=1)
    assert states(found)["broken"] == "problem"
    assert states(found)["self-test"] == "ok"


@pytest.mark.parametrize(("named", "expected"), [("", "jemalloc"), ("system", "system")])
def test_arrow_takes_jemalloc_unless_the_environment_names_another(run: Run, named: str, expected: str) -> None:
    if "jemalloc" not in pyarrow.supported_memory_backends() or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        pytest.skip("no jemalloc here")
    code = (
        "import os\n"
        f"os.environ.update(ARROW_DEFAULT_MEMORY_POOL={named!r}) if {named!r} else "
        "os.environ.pop('ARROW_DEFAULT_MEMORY_POOL', None)\n"
        "from mmbt.cli import main; main(['formats'])\n"
        "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    )
    child = run(code=code)
    assert child.stdout.split()[-1] == expected
    assert not child.stderr
