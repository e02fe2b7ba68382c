"""Days of a planted edge: their law, found again in the rows, and what the command writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mmbt.cli import main
from mmbt.errors import UsageError
from mmbt.exact_models import PlantedEdgeParams
from mmbt.synth.planted import NAME, PlantedDays
from mmbt.theory.planted_edge import fill_probability

LONG = PlantedEdgeParams(steps=60_000, edge=0.6)


def test_the_law_is_found_again() -> None:
    tob, trades = PlantedDays(LONG, 1, seed=3).market(0).tables(NAME)
    mid, heavy = (tob.bid_px + tob.ask_px) // 2, np.sign(tob.bid_qty - tob.ask_qty)
    heavy[np.abs(tob.bid_qty - tob.ask_qty) < 20] = 0
    assert set(tob.ask_px - tob.bid_px) == {LONG.spread}
    moves = np.diff(mid)
    assert set(moves) == {-1, 0, 1}
    for level in (-1, 0, 1):
        at = moves[heavy[:-1] == level]
        assert at.mean() == pytest.approx(LONG.move * LONG.edge * level, abs=4 * 0.8 / np.sqrt(len(at)))
    step = np.searchsorted(tob.ts, trades.ts, "right") - 1
    assert ((trades.ts > tob.ts[step]) & (trades.ts < tob.ts[step] + 10**9)).all()
    distance = trades.side * (trades.px - mid[step])
    for far in (2, 3, 5, 8):
        for side in (1, -1):
            share = np.count_nonzero(distance[trades.side == side] > far) / LONG.steps
            assert share == pytest.approx(float(fill_probability(LONG, far)), abs=0.009)


def test_no_edge_foretells_nothing_at_all() -> None:
    params = LONG.model_copy(update={"edge": 0.0})
    tob, trades = PlantedDays(params, 1, seed=3).market(0).tables(NAME)
    moves = np.diff(tob.bid_px)
    told = np.sign(tob.bid_qty - tob.ask_qty)[:-1]
    assert abs(np.corrcoef(moves, told)[0, 1]) < 4 / np.sqrt(len(moves))
    flow = np.bincount(np.searchsorted(tob.ts, trades.ts, "right") - 1, trades.side, len(tob.ts))[:-1]
    assert abs(np.corrcoef(moves[1:], flow[:-1])[0, 1]) < 4 / np.sqrt(len(moves))


def test_a_day_does_not_depend_on_the_others() -> None:
    few, many = PlantedDays(PlantedEdgeParams(steps=50), 2), PlantedDays(PlantedEdgeParams(steps=50), 9)
    for day in range(2):
        for mine, its in zip(few.market(day).tables(NAME), many.market(day).tables(NAME), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(mine[:4], its[:4], strict=True))
    first, second = few.market(0).tables(NAME)[0], few.market(1).tables(NAME)[0]
    assert not np.array_equal(first.bid_px, second.bid_px)


def test_there_must_be_a_day() -> None:
    with pytest.raises(UsageError, match="at least one day, not 0"):
        PlantedDays(PlantedEdgeParams(), 0)


def test_the_command_writes_days_that_convert_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["-S", "days=3", "-S", "edge=0.4", "-S", "steps=60", "--seed", "4", "--start", "2024-03-30"]
    assert main(["synth", "planted-edge", "--out", "raw", *given]) == 0
    truth = json.loads((tmp_path / "raw" / "synth.json").read_text("utf-8"))
    assert truth["law"]["edge"] == 0.4
    assert truth["start"] == "2024-03-30"
    capsys.readouterr()
    assert main(["convert", "raw", "--out", "store", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["quarantined"] == 0
    (instrument,) = told["instruments"]
    assert instrument["tick_size"] == "0.01"
    assert instrument["tob_rows"] == 3 * 61
    assert sum(each["path"].startswith("tob") or "tob" in each["path"] for each in told["files"]) == 3


@pytest.mark.parametrize(("given", "said"), [
    (["--duration", "1h"], "a day lasts `-S steps=` seconds"),
    (["-S", "days=many"], "days is a whole number"),
    (["--start", "yesterday"], "a date such as 2024-01-01"),
    (["-S", "edge=2"], "edge = 2"),
    (["-S", "egde=1"], "egde: unknown parameter; did you mean 'edge'"),
    (["-S", "spread=3"], "spread = 3"),
    (["-S", "days=0"], "at least one day"),
])
def test_wrong_usage_is_told(given: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["synth", "planted-edge", *given]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
