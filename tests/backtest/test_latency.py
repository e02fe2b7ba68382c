"""Models of latency: their texts, their files, and what a stored configuration gives back."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from mmbt.backtest import BacktestConfig
from mmbt.backtest.latency import Constant, Empirical, Lognormal, Recorded, parse_latency
from mmbt.errors import DataError, FileError, UsageError


def write(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def values(text: str) -> list[int]:
    """The values an empirical model of the file draws from, in the file's order of size."""
    model = parse_latency(text)
    drawn = model.native(1)
    return sorted({drawn.draw(1, ts, 0) for ts in range(500)})


@pytest.mark.parametrize(("text", "model", "printed"), [
    ("0", Constant(ns=0), "0"),
    ("5ms", Constant(ns=5_000_000), "5ms"),
    (" 1.5us ", Constant(ns=1500), "1500ns"),
    ("lognormal:median=1ms,sigma=0.5", Lognormal(median=10**6, sigma=0.5), "lognormal:median=1ms,sigma=0.5"),
    ("lognormal: sigma = 2 , floor=200us, median=3s", Lognormal(median="3s", sigma=2.0, floor=200_000),
     "lognormal:median=3s,sigma=2.0,floor=200us"),
])
def test_a_text_is_a_model_that_prints_itself(text: str, model: Any, printed: str) -> None:
    assert parse_latency(text) == model
    assert str(model) == printed
    assert parse_latency(printed) == model


@pytest.mark.parametrize(("text", "message"), [
    ("5 bananas", "'5 bananas' is not a duration"),
    ("-5ms", "is not a duration"),
    ("", "is not a duration"),
    ("logormal:median=1ms", r"unknown latency model 'logormal'; did you mean 'lognormal'\?"),
    ("lognormal:median=1ms", "sigma: Field required"),
    ("lognormal:median=1ms,sigma=much", "sigma: Input should be a valid number"),
    ("lognormal:median=1ms,sigma=nan", "sigma: Input should be"),
    ("lognormal:median=1ms,sigma=-1", "sigma: Input should be greater"),
    ("lognormal:median=0,sigma=1", "median: Input should be greater"),
    ("lognormal:median=100d,sigma=1", "median: Input should be less"),
    ("lognormal:median=1ms,sigma=1,floor=12d", "floor: Input should be less"),
    ("lognormal:meedian=1ms,sigma=1", "unknown setting 'meedian'; did you mean 'median'"),
    ("lognormal:median=1ms,median=2ms,sigma=1", "median is given twice"),
    ("lognormal:median,sigma=1", "median has no value"),
    ("empirical:", "write empirical:FILE"),
])
def test_a_wrong_text_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_latency(text)


def test_whole_ns_and_durations_are_constants_and_stay_so_in_a_manifest() -> None:
    config = BacktestConfig(instruments=("X",), place_latency=3_000_000, cancel_latency="1ms")
    assert config.place_latency == Constant(ns=3_000_000)
    stored = json.loads(config.model_dump_json())
    assert (stored["place_latency"], stored["cancel_latency"]) == (3_000_000, 1_000_000)
    assert (stored["response_latency"], stored["feed_latency"]) == (0, 0)
    assert BacktestConfig.model_validate(stored) == config


def test_a_stored_configuration_gives_the_same_latencies(tmp_path: Path) -> None:
    sampled = write(tmp_path / "sampled.csv", "5\n7\n9\n")
    measured = write(tmp_path / "measured.csv", "ts,latency\n10,5\n20,7us\n")
    config = BacktestConfig(instruments=("X",), place_latency="lognormal:median=1ms,sigma=0.5",
                            cancel_latency=f"empirical:{sampled}", response_latency=f"recorded:{measured}",
                            feed_latency="local")
    stored = json.loads(config.model_dump_json())
    assert stored["place_latency"] == {"kind": "lognormal", "median": 10**6, "sigma": 0.5, "floor": 0}
    assert stored["cancel_latency"] == {"kind": "empirical", "file": sampled, "rows": 3,
                                        "sha256": hashlib.sha256(b"5\n7\n9\n").hexdigest()}
    assert stored["feed_latency"] == "local"
    again = BacktestConfig.model_validate(stored)
    assert again == config
    assert str(again.response_latency) == f"recorded:{measured}"
    assert again.response_latency.native(0).draw(3, 20, 0) == 7000
    write(tmp_path / "sampled.csv", "5\n7\n10\n")
    with pytest.raises(ValidationError, match="not the file that this configuration was made with"):
        BacktestConfig.model_validate(stored)
    with pytest.raises(DataError, match="changed after it was checked"):
        config.cancel_latency.native(0)


@pytest.mark.parametrize("wrong", [
    True, 1.5, None, -1, 2**62, {"kind": "uniform"}, {"kind": "constant", "ns": 1, "x": 1},
])
def test_other_things_are_no_latency(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="place_latency"):
        BacktestConfig(instruments=("X",), place_latency=wrong)


def test_only_the_feed_may_be_local() -> None:
    with pytest.raises(ValidationError, match="'local' is not a duration"):
        BacktestConfig(instruments=("X",), response_latency="local")


@pytest.mark.parametrize("text", [
    "30\n10\n20\n", "30\n10\n\n20", "latency\n10\n20\n30\n", "latency\r\n10ns\r\n0.02us\r\n30\r\n",
    "no,latency\n1,10\n2,20\n3,30\n", "\ufeffno;latency;x\n1;10;y\n2;20;z\n3;30;\n",
])
def test_empirical_files_of_text(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.csv", text)
    assert parse_latency(f"empirical:{path}").rows == 3
    assert values(f"empirical:{path}") == [10, 20, 30]


def test_files_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for column in (pa.array([30, 10, 20]), pa.array([30, 10, 20], pa.duration("ns")), pa.array([30.0, 10.0, 20.0]),
                   pa.array(["30", "10ns", "20"])):
        pq.write_table(pa.table({"latency": column, "other": ["a", "b", "c"]}), path)
        assert values(f"empirical:{path}") == [10, 20, 30]
    times = pa.array([0, 1, 1], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"ts": times, "latency": pa.array([1, 2, 3], pa.duration("ms"))}), path)
    recorded = parse_latency(f"recorded:{path}").native(0)
    assert [recorded.draw(1, ts, 0) for ts in (0, 999, 1000)] == [10**6, 10**6, 3 * 10**6]


@pytest.mark.parametrize(("kind", "text", "message"), [
    ("empirical", "latency\n5\nfast\n", r"bad.csv, line 3: latency 'fast' is neither whole ns nor a duration"),
    ("empirical", "5\nnan\n", r"bad.csv, line 2: latency 'nan' is neither"),
    ("empirical", "latency\n5\n\n-1\n", r"bad.csv, line 4: latency -1 is negative"),
    ("empirical", f"5\n{2**62}\n", r"bad.csv, line 2: latency \d+ is 2\^62 ns or more"),
    ("empirical", "lag\n5\n", r"bad.csv, line 1: latency 'lag' is neither"),
    ("empirical", "lag,x\n5,6\n", "no column 'latency'; found 'lag', 'x'"),
    ("empirical", "latency,latency\n5,6\n", "two columns 'latency'"),
    ("empirical", "latency,x\n5,6\n7\n", "line 3: 1 fields, the header has 2"),
    ("empirical", "", "no latencies in it"),
    ("empirical", "latency\n", "no latencies in it"),
    ("recorded", "5\n", "no column 'ts'"),
    ("recorded", "ts,latency\n", "no latencies in it"),
    ("recorded", "ts,latency\n5,1\n4,1\n", "line 3: ts 4 comes before 5 above it; times must ascend"),
    ("recorded", "ts,latency\n-5,1\n", "line 2: ts -5 is negative"),
    ("recorded", "ts,latency\n2022-09-21,1\n", "line 2: ts '2022-09-21' is not a whole number of ns"),
])
def test_bad_files_are_named_with_line_and_reason(tmp_path: Path, kind: str, text: str, message: str) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(DataError, match=message):
        parse_latency(f"{kind}:{path}")


@pytest.mark.parametrize(("column", "message"), [
    (pa.array([1.0, float("nan")]), "row 1: latency nan is not a whole number"),
    (pa.array([1.5]), "row 0: latency 1.5 is not"),
    (pa.array([1, None]), "row 1: latency is missing"),
    (pa.array([3, -1]), "row 1: latency -1 is negative"),
])
def test_bad_parquet_is_named_with_row_and_reason(tmp_path: Path, column: Any, message: str) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"latency": column}), path)
    with pytest.raises(DataError, match=message):
        parse_latency(f"empirical:{path}")


def test_a_file_that_is_not_there_or_no_parquet(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nothing.csv: No such file"):
        parse_latency(f"recorded:{tmp_path / 'nothing.csv'}")
    (tmp_path / "torn").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="torn: not a readable Parquet file"):
        parse_latency(f"empirical:{tmp_path / 'torn'}")
    (tmp_path / "latin").write_bytes(b"latency\n5\xff\n")
    with pytest.raises(DataError, match="latin: not UTF-8"):
        parse_latency(f"empirical:{tmp_path / 'latin'}")


def test_models_are_frozen_and_compare_by_value(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "5\n6\n")
    assert Empirical(file=path) == Empirical(file=path) != Empirical(file=write(tmp_path / "b.csv", "5\n6\n"))
    with pytest.raises(ValidationError):
        Empirical(file=path).file = "other"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Recorded(file=write(tmp_path / "c.csv", "ts,latency\n1,1\n"), speed=1)


def test_empirical_draws_use_the_sorted_values(tmp_path: Path) -> None:
    text = "\n".join(map(str, np.random.default_rng(1).permutation(1000)))
    shuffled, ordered = write(tmp_path / "a.csv", text), write(tmp_path / "b.csv", "\n".join(map(str, range(1000))))
    a, b = (parse_latency(f"empirical:{path}").native(4) for path in (shuffled, ordered))
    assert [a.draw(1, ts, 0) for ts in range(200)] == [b.draw(1, ts, 0) for ts in range(200)]
