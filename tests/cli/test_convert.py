"""`mmbt convert` as a new user types it."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmbt.cli import main


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def raw(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "data/raw-data", "data/raw-data")
    return tmp_path


def test_the_document_keeps_the_contract(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "convert", "raw-data")
    assert found["store"] == "data/store"
    for entry in found["files"]:
        assert {"path", "format", "rows", "quarantined"} <= set(entry)
    assert len(found["files"]) == 4
    for entry in found["instruments"]:
        assert {
            "instrument",
            "tick_size",
            "price_unit",
            "lot_size",
            "tob_rows",
            "trade_rows",
            "first_ts",
            "last_ts",
        } <= set(entry)
    assert found["rows_in"] == found["rows_out"] + found["quarantined"] + found["dropped"] > 0
    assert found["rows_in"] == sum(entry["tob_rows"] + entry["trade_rows"] for entry in found["instruments"])


def test_converting_again_changes_nothing(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = document(capsys, "convert", "raw-data")
    again = document(capsys, "convert", "raw-data")
    assert (again["rows_out"], again["dropped"]) == (0, first["rows_in"])
    assert again["content_hash"] == first["content_hash"]


def test_a_dry_run_writes_nothing(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "convert", "raw-data", "--dry-run", "--out", "mine")
    assert found["rows_in"] > 0
    assert not Path("mine").exists()
    assert main(["convert", "raw-data", "--dry-run"]) == 0
    assert "Nothing was written to data/store." in capsys.readouterr().out


def test_the_report_for_people(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tob = next(Path("data/raw-data").glob("tob*20.csv"))
    tob.write_bytes(tob.read_bytes() + b"2022-09-20T23:59:59.999999;BTC/USD_T+0;x;1;2;3\n")
    assert main(["convert", "raw-data", "--out", "my store"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in ("tob_2022-09-20.csv", "BTC/USD_T+0", "1 quarantined", "my store/quarantine", "The store is my store."):
        assert text in out, text
    assert max(map(len, out.splitlines())) <= 80


def test_units_may_be_stated(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(
        capsys, "convert", "raw-data", "--tick-size", "BTC/USD_T+0=0.05", "--lot-size", "ETH/USD_T+0=0.0001"
    )
    sizes = {entry["instrument"]: (entry["tick_size"], entry["lot_size"]) for entry in found["instruments"]}
    assert sizes["BTC/USD_T+0"][0] == "0.05"
    assert sizes["ETH/USD_T+0"][1] == "0.0001"


def test_compressed_files_by_name(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = document(capsys, "convert", "raw-data", "--out", "plain")
    for path in sorted(Path("data/raw-data").glob("*.csv")):
        Path(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    names = sorted(str(path) for path in Path().glob("*.gz"))
    assert document(capsys, "convert", *names, "--out", "packed")["content_hash"] == plain["content_hash"]


def ruin(text: bytes) -> None:
    path = next(Path("data/raw-data").glob("trade*20.csv"))
    path.write_bytes(text)


WRONG = {
    "empty_folder": (["convert", "empty"], 2, "no raw data in this folder"),
    "twice": (["convert", "raw-data", "data/raw-data"], 2, "given twice"),
    "zone": (["convert", "raw-data", "--tz", "Mars/Base"], 2, "Mars/Base"),
    "delimiter": (["convert", "raw-data", "--delimiter", "--"], 2, "--delimiter"),
    "tick": (["convert", "raw-data", "--tick-size", "big"], 2, "tick_size"),
    "tick_of_nobody": (["convert", "raw-data", "--tick-size", "BTC/EUR=1"], 2, "BTC/EUR"),
    "two_ticks": (["convert", "raw-data", "--tick-size", "1", "--tick-size", "2"], 2, "--tick-size is given twice"),
    "mapping": (["convert", "raw-data", "--mapping", "no.toml"], 2, "no such file: 'no.toml'"),
    "foreign_folder": (["convert", "raw-data", "--out", "data/raw-data"], 4, "data/raw-data"),
    "out_is_a_file": (["convert", "raw-data", "--out", "file"], 6, "file"),
    "no_columns": (["convert", "bad.csv"], 3, "bad.csv"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests(case: str, raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, code, message = WRONG[case]
    Path("empty").mkdir()
    Path("file").write_text("")
    Path("bad.csv").write_text("a;b;c\n1;2;3\n")
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_a_truncated_archive_is_corrupt(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(Path("data/raw-data").glob("tob*20.csv"))
    whole = gzip.compress(path.read_bytes())
    Path("tob_2022-09-20.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert main(["convert", "tob_2022-09-20.csv.gz"]) == 4
    assert not Path("data/store").exists()


@pytest.mark.parametrize(
    ("name", "shown"),
    [("BTC\u202e/USD", "BTC\\u202e/USD"), ("[/red]/USD", "[/red]/USD"), (":smile:/USD", ":smile:/USD")],
)
def test_a_name_is_shown_as_it_is_and_does_nothing(
    name: str, shown: str, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(Path("data/raw-data").glob("tob*20.csv"))
    Path("tob_x.csv").write_text(path.read_text(encoding="utf-8").replace("BTC/USD_T+0", name), encoding="utf-8")
    assert main(["convert", "tob_x.csv", "--out", "mine"]) == 0
    out = capsys.readouterr().out
    assert "\u202e" not in out
    assert shown in out
