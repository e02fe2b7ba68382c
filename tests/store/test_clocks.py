"""Clocks of receipt: what a store knows of them, and how local times are set right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmbt.errors import UsageError
from mmbt.store import Catalog, convert, open_store
from mmbt.store.clocks import Clock, ClockCounter
from tests.store.helpers import BASE, DAY, quotes, tob, trades, write_raw

X = "BTC/USD"
TOB = "exchange_time;local_time;instrument;bid;bid_size;ask;ask_size"
TRADES = "exchange_time;local_time;instrument;price;qty;side"
Lags = Iterable[tuple[int, int | None]]  # exchange time after BASE, latency; None: no local time


def received_at(ts: int, lag: int | None) -> int | str:
    return "" if lag is None else BASE + ts + lag


def books(path: Path, lags: Lags) -> Path:
    rows = [(BASE + ts, received_at(ts, lag), X, 100 + i % 7, 1, 110, 1) for i, (ts, lag) in enumerate(lags)]
    return write_raw(path, TOB, rows)


def prints(path: Path, lags: Lags) -> Path:
    return write_raw(path, TRADES, [(BASE + ts, received_at(ts, lag), X, 100, 1, "B") for ts, lag in lags])


def lags(catalog: Catalog, table: str = "tob", **selection: object) -> list[int]:
    """Latencies as a run meets them."""
    with catalog.select([X], local=True, **selection) as market:  # type: ignore[arg-type]
        batches = list(market.tob(X) if table == "tob" else market.trades(X))
    return [lag for batch in batches for lag in (batch.local_ts - batch.ts).tolist()]


@pytest.fixture
def behind(tmp_path: Path) -> Catalog:
    """Two days: on the first the clock runs 30 ns behind at the least, as a print shows, on the second it does not."""
    convert([books(tmp_path / "tob.csv", [(0, -10), (5, -20), (9, 40), (DAY, 3), (DAY + 1, 7)]),
             prints(tmp_path / "trade.csv", [(1, -30), (DAY + 1, 1)])], tmp_path / "s")
    return open_store(tmp_path / "s")


def test_a_clock_behind_is_set_forward_by_its_smallest_latency_of_the_day(behind: Catalog) -> None:
    assert lags(behind) == [20, 10, 70, 3, 7]
    assert lags(behind, "trades") == [0, 1]
    assert [(day.date, day.offset, day.missing) for day in behind.clocks()] == [
        ("2022-09-21", 30, 0), ("2022-09-22", 0, 0),
    ]


def test_the_manifest_tells_of_each_partition(behind: Catalog) -> None:
    tob_clock = next(p.clock for p in behind.manifest.partitions if (p.table, p.date) == ("tob", "2022-09-21"))
    assert tob_clock == Clock(missing=0, negative=2, min=-20, p01=-20, p50=-10, p99=-10, max=40)
    with behind.select([X], local=True) as market:
        assert market.clocks is not None
        assert market.clocks[0] == {
            "instrument": X, "date": "2022-09-21", "offset_ns": 30, "missing": 0,
            "tob": {"missing": 0, "negative": 2, "min": -20, "p01": -20, "p50": -10, "p99": -10, "max": 40},
            "trades": {"missing": 0, "negative": 1, "min": -30, "p01": -30, "p50": -30, "p99": -30, "max": -30},
        }


def test_local_times_come_only_when_asked_for(behind: Catalog) -> None:
    with behind.select([X]) as market:
        assert {batch.local_ts for batch in market.tob(X)} | {batch.local_ts for batch in market.trades(X)} == {None}
        assert market.clocks is None


def test_the_offset_is_the_days_whatever_part_of_it_is_replayed(behind: Catalog) -> None:
    assert lags(behind, start=BASE + 4, end=BASE + 8) == [10]
    assert lags(behind, start=BASE + 9) == [70, 3, 7]
    assert lags(behind, dates=("2022-09-22", None)) == [3, 7]
    assert lags(behind, batch_rows=2, prefetch=0) == lags(behind)


def test_rows_without_a_local_time_are_seen_at_their_exchange_time(tmp_path: Path) -> None:
    convert([books(tmp_path / "tob.csv", [(0, None), (5, -20), (9, None), (DAY, None)]),
             trades(tmp_path / "trade.csv", [(BASE + 1, X, 100, 1, "B")])], tmp_path / "s")
    catalog = open_store(tmp_path / "s")
    assert lags(catalog) == [0, 0, 0, 0]
    assert lags(catalog, "trades") == [0]
    first, second = catalog.clocks()
    assert (first.missing, first.offset, sorted(first.tables)) == (3, 20, ["tob"])
    assert (second.missing, second.offset, second.tables["tob"].min) == (1, 0, None)


def test_files_with_and_without_local_times_meet_in_any_order(tmp_path: Path) -> None:
    with_local = books(tmp_path / "tob_1.csv", [(0, -20), (10, 5)])
    without = tob(tmp_path / "tob_2.csv", [(BASE + 5, X, 101, 1, 110, 1)])
    found = []
    for name, steps in (("at-once", [[with_local, without]]), ("in-steps", [[with_local], [without]]),
                        ("reversed", [[without], [with_local]])):
        for step in steps:
            convert(step, tmp_path / name)
        catalog = open_store(tmp_path / name)
        found.append((lags(catalog), catalog.clocks(), catalog.content_hash))
    assert found[0][0] == [0, 0, 25]
    assert found[0][1][0].missing == 1
    assert found[0] == found[1] == found[2]


def test_a_store_without_local_times_refuses_with_a_remedy(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(5, X))], tmp_path / "s")
    with pytest.raises(UsageError, match=r"no local times in that part of .*; give a latency instead of local"):
        open_store(tmp_path / "s").select([X], local=True)
    assert [day.tables for day in open_store(tmp_path / "s").clocks()] == [{}]


def test_a_store_of_an_older_version_is_measured_on_the_way(behind: Catalog, tmp_path: Path) -> None:
    expected = behind.clocks()
    assert len(expected) == 2
    old = replace(behind.manifest, partitions=tuple(replace(p, clock=None) for p in behind.manifest.partitions))
    text = old.to_bytes().decode()
    assert '"clock": null' in text
    old.save(behind.root, tmp_path / "manifest")
    again = open_store(behind.root)
    assert again.clocks() == []
    assert again.clocks(measure=True) == expected
    assert lags(again) == [20, 10, 70, 3, 7]


def test_conversion_tells_of_the_clock(behind: Catalog, tmp_path: Path) -> None:
    report = convert([books(tmp_path / "more.csv", [(2 * DAY, None)])], behind.root)
    assert report.instruments[0]["clock"] == {
        "days": 3, "days_behind": 1, "offset_max_ns": 30, "negative": 3, "missing": 1,
    }
    assert any("--feed-latency local" in warning for warning in report.warnings)


def fed(latency: np.ndarray, pieces: int) -> Clock:
    counter = ClockCounter()
    for part in np.array_split(latency, pieces):
        if len(part):
            counter.add(np.full(len(part), BASE), part + BASE)
    return counter.clock()


@pytest.mark.parametrize("rows", [1, 2, 100, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 300_000])
def test_statistics_do_not_depend_on_how_rows_come(rows: int) -> None:
    latency = np.random.default_rng(rows).integers(-(10**9), 10**9, rows)
    whole = fed(latency, 1)
    assert fed(latency, 3) == fed(latency, 29) == whole
    assert (whole.min, whole.max) == (latency.min(), latency.max())
    assert whole.negative == (latency < 0).sum()
    ranked = np.sort(latency)
    assert whole.p01 is not None
    assert whole.p50 is not None
    assert whole.p99 is not None
    if rows <= 1 << 16:
        assert [whole.p01, whole.p50, whole.p99] == [ranked[(rows - 1) * percent // 100] for percent in (1, 50, 99)]
    else:
        assert abs(whole.p50 - np.median(latency)) < 3e7
        assert abs(whole.p99 - ranked[rows * 99 // 100]) < 1e7


@pytest.mark.captures
def test_a_real_clock_that_runs_behind_is_found_and_set_right(captures: Path, tmp_path: Path) -> None:
    source = captures / "binance-raw" / "cm_ethusd_perp_20240808.gz"
    if not source.exists():
        pytest.skip("no raw stream capture")
    rows = []
    with gzip.open(source, "rt") as lines:
        for line in lines:
            local, _, text = line.partition(" ")
            data = json.loads(text).get("data", {})
            if data.get("e") == "bookTicker":
                rows.append((data["T"] * 10**6, local, X, data["b"], data["B"], data["a"], data["A"]))
    report = convert([write_raw(tmp_path / "tob.csv", TOB, rows)], tmp_path / "s")
    clock = report.instruments[0]["clock"]
    assert clock["negative"] == report.rows_out == len(rows)
    assert 1.26e9 < clock["offset_max_ns"] < 1.28e9
    found = np.array(lags(open_store(tmp_path / "s")))
    assert found.min() == 0
    assert 10**6 < np.median(found) < 10**8
