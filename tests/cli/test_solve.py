"""`mmbt solve`: the machine contract, the table, and what wrong usage is told."""

from __future__ import annotations

import json

import pytest

from mmbt.cli import main


def solved(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[float | None]]:
    assert main(["solve", *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found: dict[str, list[float | None]] = json.loads(out)
    return found


def test_base_model(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["base-model", "-S", "k=1", "-S", "r=0.1", "-S", "beta=0.9", "-S", "q_max=2", "-S", "shifts=0,0.5,1,2"]
    found = solved(capsys, *given)
    assert list(found) == ["Q", "V", "ask_shift", "bid_shift"]
    assert found["Q"] == [-2, -1, 0, 1, 2]
    assert found["V"][2] == pytest.approx(11.1266483796)
    assert found["ask_shift"] == [None, 0.5, 0.5, 0, 0]
    assert solved(capsys, *given, "-S", "delay=0", "-S", "p0=1") == found


def test_base_model_takes_a_range_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    found = solved(capsys, "base-model", "-S", "q-max=3")
    assert found == solved(capsys, "base-model", "-S", "q_max=3", "-S", "shifts=-1:4:0.05")


def test_exact_market(capsys: pytest.CaptureFixture[str]) -> None:
    found = solved(capsys, "exact-market", "-S", "q_max=2", "-S", "spread_moves=[[0.5, 0.5], [0.5, 0.5]]")
    assert list(found) == ["Q", "I", "s", "V", "skew", "half_spread", "start"]
    assert len(found["skew"]) == 30


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "base-model", "-S", "q_max=1", "-S", "shifts=0,1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["Q", "V", "ask_shift", "bid_shift"]
    assert [line[0] for line in lines[1:]] == ["-1", "0", "1"]
    assert lines[1][2] == lines[3][3] == "-"
    assert main(["solve", "exact-market", "-S", "q_max=1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("start  ")


WRONG = {
    "no_model": ([], "name a model: base-model, cartea-jaimungal, exact-market, planted-edge"),
    "model": (["base_modl"], "did you mean 'base-model'?"),
    "parameter": (["base-model", "-S", "sift=1"], "did you mean 'shifts'"),
    "grid": (["base-model", "-S", "shifts=1:2"], "'1:2' is not FIRST:LAST:STEP"),
    "bound": (["base-model", "-S", "beta=1"], "beta = 1: must be less than 1"),
    "truth": (["base-model", "-S", "k=true"], "must be a number, not true or false"),
    "pending": (["base-model", "-S", "pending=[0.33, 0]"], "0.33 is none of the ask's shifts"),
    "matrix": (["exact-market", "-S", "spread_moves=[[1, 0], [0.5, 0.4]]"], "must add up to 1"),
    "levels": (["exact-market", "-S", "spreads=[1, 2, 3]"], "must have 3 rows of 3 chances"),
    "stray": (["base-model", "k=2"], "write -S k=2"),
    "two_models": (["base-model", "exact-market"], "one model at a time"),
    "too_large": (["base-model", "-S", "delay=3"], "take a coarser list of quotes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_says_what_to_do(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = WRONG[case]
    assert main(["solve", *arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert message in json.loads(out)["error"]["message"]
    assert message in err
