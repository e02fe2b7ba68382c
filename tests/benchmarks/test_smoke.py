"""The benchmark programs run and do the work they claim; nothing here looks at a clock."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bounds, machine, ours, own_lines, steps, stream, table, to_docs, worlds
from benchmarks.instructions import CASES as COUNTED
from benchmarks.instructions import replay as replay_counted
from benchmarks.peers import events as peer_events
from benchmarks.peers import plain
from benchmarks.run import JOBS, summary

EVENTS = 20_000


@pytest.fixture(scope="module")
def pinned() -> stream.Stream:
    return stream.generate(EVENTS)


def test_the_stream_has_the_pinned_shape(pinned: stream.Stream) -> None:
    described = pinned.describe()
    assert described["events"] == pytest.approx(EVENTS, rel=0.1)
    assert described["events_per_s"] == pytest.approx(144, rel=0.15)
    assert described["print_share"] == pytest.approx(0.22, abs=0.04)


def test_the_stream_survives_its_files(pinned: stream.Stream, tmp_path: Path) -> None:
    stream.save(pinned, tmp_path, peer=True)
    again = stream.load(tmp_path)
    assert again.instrument == pinned.instrument
    for mine, other in zip((*pinned.tob[:5], *pinned.trades[:4]), (*again.tob[:5], *again.trades[:4]), strict=True):
        assert mine.dtype == other.dtype
        assert np.array_equal(mine, other)
    meta = json.loads((tmp_path / "meta.json").read_text())
    with np.load(tmp_path / "hftbacktest.npz") as file:
        assert len(file["data"]) == meta["hftbacktest_events"] >= meta["events"]


@pytest.mark.parametrize("case", ["idle", "quotes", "python-timer", "python-counted", "python-event"])
def test_our_side_replays_every_event(pinned: stream.Stream, case: str) -> None:
    result = ours.replay(pinned.market, ours.strategy(case))
    assert result["events"] == pinned.events
    assert (result["fills"] > 0) == (case in ("quotes", "python-timer", "python-counted"))


def test_the_quotes_are_the_same_written_in_c_in_python_and_in_a_plain_loop(pinned: stream.Stream) -> None:
    native, python = (ours.replay(pinned.market, ours.strategy(case)) for case in ("quotes", "python-timer"))
    assert native["result_hash"] == python["result_hash"]
    assert plain.timer_loop(plain.rows(pinned)) == (native["fills"], native["position_lots"])


@pytest.mark.parametrize("taken", [False, True])
def test_a_world_of_the_stream_tells_of_intervals(pinned: stream.Stream, tmp_path: Path, taken: bool) -> None:
    stream.save(pinned, tmp_path)
    result = worlds.measure(tmp_path, 0.0, simulators=8, threads=1, taken=taken)
    assert result["events"] == (8 if taken else 16) * worlds.STEPS
    assert (result["actions_a_row"] > 5) == (not taken)


@pytest.mark.parametrize("branches", [False, True])
def test_the_vector_engine_steps_through_the_stream(pinned: stream.Stream, tmp_path: Path, branches: bool) -> None:
    stream.save(pinned, tmp_path)
    result = steps.measure(tmp_path, 0.0, simulators=8, threads=2, branches=branches)
    assert result["events"] == 8 * steps.ROUNDS if not branches else 8 < result["events"] <= 8 * len(steps.GRID)


def test_the_hot_store_gives_what_parquet_gives(tmp_path: Path) -> None:
    ours.write_raw(tmp_path / "raw", 5_000)
    ours.convert(tmp_path / "raw", tmp_path / "store")
    hashes = {ours.replay(ours.open_market(tmp_path / "store", hot), ours.strategy("hot"))["result_hash"]
              for hot in (False, True, True)}
    assert len(hashes) == 1
    assert [*(tmp_path / "store" / ".hot").iterdir()]


def test_what_bounds_the_way_from_disk_is_measured_and_told(tmp_path: Path) -> None:
    ours.write_raw(tmp_path / "raw", 2_000)
    ours.convert(tmp_path / "raw", tmp_path / "store")
    found = bounds.measure(tmp_path / "store")
    assert found["whole"] > 0
    assert sum(found["steps"].values()) == pytest.approx(found["whole"])
    assert found["column_bytes"] == pytest.approx(0.78 * 40 + 0.22 * 25, rel=0.1)
    assert [row[0] for row in table.encoding_rows(found)] == list(bounds.ENCODINGS)
    assert len(table.step_rows(found)) == len(found["steps"]) + 1


def test_memory_bandwidth_is_measured() -> None:
    assert machine.memory_gb_per_s() > 0


def test_one_more_event_costs_what_the_longer_run_takes_more() -> None:
    row = {"backtest_peak_rss_mb": 200.0, "convert_peak_rss_mb": 150.0, "convert_rows_per_cpu_s": 1e6}
    rows = [row | {"events": events, "events_per_cpu_s": events / (1 + 50e-9 * events), "store_bytes": 9 * events}
            for events in (10**6, 10**7)]
    assert [told[3] for told in table.memory_rows(rows)] == ["", "50.0"]


def test_plain_loops_agree_with_each_other(pinned: stream.Stream) -> None:
    columns = plain.rows(pinned)
    assert plain.event_loop(columns) == plain.inline_loop(columns)


def test_the_peer_is_given_the_same_market(pinned: stream.Stream) -> None:
    """Replayed as hftbacktest would, its events give back every quote row and every print."""
    events = peer_events.hftbacktest_events(pinned)
    assert np.all(np.diff(events["exch_ts"]) >= 0)
    is_trade = (events["ev"] & 0xFF) == peer_events.TRADE
    assert np.count_nonzero(is_trade) == len(pinned.trades.ts)
    assert np.array_equal(np.rint(events["px"][is_trade] / 0.01).astype(int), pinned.trades.px)
    depth: tuple[dict[int, int], dict[int, int]] = ({}, {})
    books = {}
    for row in events[~is_trade]:
        side = depth[0] if int(row["ev"]) & peer_events.BUY else depth[1]
        px, qty = round(row["px"] / 0.01), round(row["qty"] / 0.00001)
        if qty:
            side[px] = qty
        else:
            del side[px]
        books[int(row["exch_ts"])] = [*max(depth[0].items(), default=(0, 0)), *min(depth[1].items(), default=(0, 0))]
    last_of_instant = np.append(np.diff(pinned.tob.ts) > 0, True)
    quotes = zip(*(column[last_of_instant].tolist() for column in pinned.tob[:5]), strict=True)
    expected = {ts: book for ts, *book in quotes}
    assert books == expected


@pytest.mark.parametrize("case", COUNTED)
def test_counted_cases_run(case: str) -> None:
    assert replay_counted(case, 2_000) == pytest.approx(2_000, rel=0.2)


def test_results_become_a_table_and_a_page() -> None:
    one = {"events": 1000, "own_events": 1500, "repeats": 2, "cpu_s": 0.5, "wall_s": 0.5, "peak_rss_mb": 100.0,
           "fills": 3, "decisions": 70}
    mine, theirs = summary([one | {"own_events": 1000}] * 3), summary([one | {"cpu_s": 5.0}] * 3)
    case = {"title": "a case", "parties": [{"party": "mmbt", "peer": False, **mine},
                                           {"party": "hftbacktest", "peer": True, **theirs}]}
    assert [row[-1] for row in table.case_rows(case)] == ["", "10.0 x"]  # of the time for the same stream
    where = {"cpu": "a", "cores": 2, "memory_gib": 8.0, "memory_gb_per_s": 10.0, "system": "s", "python": "3",
             "compiler": "cc", "versions": {}, "peer_versions": None, "load_before": 0.1, "date": "2022-09-21"}
    described = {"seed": 1, "events": 1000, "seconds": 7.0, "events_per_s": 144.0, "print_share": 0.22,
                 "hftbacktest_events": 1500}
    way = {"stored_bytes": 9.0, "column_bytes": 41.0, "steps": {"read": 1.0, "decode": 12.0}, "whole": 13.0,
           "encodings": {"deltas": {name: {"ns": 2.5, "bytes": 3.0} for name in ("ts", "bid_px", "bid_qty")}}}
    page = to_docs.page({"machine": where, "runs": 3, "stream": described, "cases": dict.fromkeys(JOBS, case),
                         "bounds": way, "own_lines_ns": 300.0}, None)
    assert "| hftbacktest |" in page
    assert "100 bytes, which this machine's\nmemory moves in 10.0 ns" in page
    assert "| deltas | 2.5 ns, 3.00 B |" in page
    assert "lines take 300 ns of Python of the 3571429 ns between two timers" in page  # 250 us, 14.3 events
    assert "| replay in memory, nothing to do | 150 M | 0.004 M | missed by 100% |" in page
    assert "{" not in page


def test_own_lines_take_time() -> None:
    assert own_lines.measure(100) > 0
