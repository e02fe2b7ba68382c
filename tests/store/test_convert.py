"""Raw files to a store and back, against a plain sort in decimals; order and grouping of files never matter."""

from __future__ import annotations

import hashlib
import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmbt.errors import DataError, FileError, StoreError, UsageError
from mmbt.formats import ReadOptions
from mmbt.store import ConvertOptions, ConvertReport, convert, open_store
from tests.store.helpers import BASE, DAY, Row, contents, parts, quotes, tob, trades

NAME = "BTC/USD_T+0"
QUOTE = st.tuples(
    st.integers(0, 8).map(lambda i: BASE + DAY - 4 * 10**9 + i * 10**9),
    st.sampled_from([NAME, "ETH/USD"]),
    st.sampled_from(["61.25", "61.3", "62", "61.26"]),
    st.sampled_from(["1", "2.5", "0.001"]),
    st.sampled_from(["61.5", "63", "61.27", "61.1"]),
    st.sampled_from(["3", "10"]),
)


def ordered(files: list[tuple[Path, list[Row]]], name: str) -> list[tuple[Any, ...]]:
    rows = []
    for path, content in files:
        key = (content[0][0], hashlib.sha256(path.read_bytes()).hexdigest())
        rows += [(row[0], key, i, row) for i, row in enumerate(content) if row[1] == name]
    return [(row[0], *map(Decimal, row[2:])) for _, _, _, row in sorted(rows, key=lambda item: item[:3])]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(files=st.lists(st.lists(QUOTE, min_size=1, max_size=12), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_C25_any_order_and_grouping_of_files_gives_the_same_store(
    files: list[list[Row]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("c25")
    written = []
    for i, rows in enumerate(files):
        content = [*rows, (BASE + DAY, NAME, "61.25", 1, "61.26", i + 1)]  # no two files are alike
        written.append((tob(root / f"tob_{i}.csv", content), content))
    paths = [path for path, _ in written]
    at_once = convert(paths, root / "once")
    shuffled = random.Random(seed).sample(paths, len(paths))
    convert(shuffled, root / "shuffled")
    for path in shuffled:
        convert([path], root / "steps")
    for name in {row[1] for _, content in written for row in content}:
        assert contents(root / "once", name)[0] == ordered(written, name)
    assert parts(root / "shuffled") == parts(root / "once")
    steps = open_store(root / "steps").manifest
    assert steps.content_hash == at_once.content_hash
    assert {p.path: p.sha256 for p in steps.partitions} == {
        p.path: p.sha256 for p in open_store(root / "once").manifest.partitions
    }


def test_C25_split_of_a_raw_file(tmp_path: Path) -> None:
    rows = quotes(5000)
    whole = convert([tob(tmp_path / "whole" / "tob.csv", rows)], tmp_path / "s1")
    cuts = [0, 1, 700, 701, 2500, 5000]
    pieces = [tob(tmp_path / "cut" / f"tob_{a}.csv", rows[a:b]) for a, b in pairwise(cuts)]
    split = convert(pieces[::-1], tmp_path / "s2")
    assert split.content_hash == whole.content_hash
    assert split.rows_out == whole.rows_out == 5000


def test_rows_groups_and_batches_do_not_show(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(3000))
    one = convert([path], tmp_path / "s1", ConvertOptions(read=ReadOptions(chunk_rows=7)))
    other = convert([path], tmp_path / "s2")
    assert one.content_hash == other.content_hash
    assert parts(tmp_path / "s1") == parts(tmp_path / "s2")


def test_the_report_is_the_machine_contract(tmp_path: Path) -> None:
    files = [
        tob(tmp_path / "raw" / "tob_1.csv", [*quotes(5), (BASE, NAME, "nan", 1, 102, 1)]),
        trades(tmp_path / "raw" / "trade_1.csv", [(BASE, NAME, "101.5", "0.25", "B"), (BASE + 1, NAME, 102, 1, "")]),
    ]
    report = convert([tmp_path / "raw"], tmp_path / "store").to_dict()
    assert {"store", "files", "instruments", "rows_in", "rows_out", "quarantined", "dropped"} <= set(report)
    assert [(f["path"], f["format"], f["rows"], f["quarantined"]) for f in report["files"]] == [
        (str(files[0]), "seed", 6, 1),
        (str(files[1]), "seed", 2, 0),
    ]
    (row,) = report["instruments"]
    assert row["instrument"] == NAME
    assert (row["tick_size"], row["price_unit"], row["lot_size"]) == ("0.1", "0.1", "0.01")
    assert (row["tob_rows"], row["trade_rows"]) == (5, 2)
    assert (row["first_ts"], row["last_ts"]) == (BASE, BASE + 4 * 10**6)
    assert (report["rows_in"], report["rows_out"], report["quarantined"], report["dropped"]) == (8, 7, 1, 0)


def test_files_of_older_encodings_are_read_and_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def older(sink: Any, schema: Any) -> pq.ParquetWriter:
        delta = [name for name in schema.names if name.endswith(("ts", "px"))]
        dictionary = [name for name in schema.names if name not in delta]
        encoding = dict.fromkeys(delta, "DELTA_BINARY_PACKED")
        return pq.ParquetWriter(
            sink, schema, compression="zstd", use_dictionary=dictionary, column_encoding=encoding,
            write_page_checksum=True,
        )

    first, second = tob(tmp_path / "tob-1.csv", quotes(300)), tob(tmp_path / "tob-2.csv", quotes(40, start=BASE + 7))
    prints = trades(tmp_path / "trade.csv", [(BASE + i, NAME, 100, 1 + i % 3, "BS"[i % 2]) for i in range(90)])
    with monkeypatch.context() as patch:
        patch.setattr("mmbt.store.partition.parquet_writer", older)
        convert([first, prints], tmp_path / "old")
    convert([first, prints], tmp_path / "new")
    old, new = (open_store(tmp_path / name).manifest for name in ("old", "new"))
    assert {p.sha256 for p in old.partitions}.isdisjoint(p.sha256 for p in new.partitions)
    assert old.content_hash == new.content_hash
    assert contents(tmp_path / "old", NAME) == contents(tmp_path / "new", NAME)
    for name in ("old", "new"):
        convert([second], tmp_path / name)
    assert open_store(tmp_path / "old").manifest.content_hash == open_store(tmp_path / "new").manifest.content_hash


def test_running_again_changes_nothing(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(50))
    convert([path], tmp_path / "s")
    before = parts(tmp_path / "s")
    again = convert([path], tmp_path / "s")
    assert (again.rows_in, again.rows_out, again.dropped) == (50, 0, 50)
    assert parts(tmp_path / "s") == before


def test_finer_units_in_later_files_rewrite_the_instrument(tmp_path: Path) -> None:
    coarse = tob(tmp_path / "tob_1.csv", [(BASE, NAME, "61.5", 1, "62", 2)])
    fine = tob(tmp_path / "tob_2.csv", [(BASE + 2 * DAY, NAME, "61.255", "0.5", "61.3", 2)])
    first = convert([coarse], tmp_path / "steps")
    assert first.instruments[0]["tick_size"] == "0.5"
    steps = convert([fine], tmp_path / "steps")
    once = convert([coarse, fine], tmp_path / "once")
    assert steps.instruments == once.instruments
    assert steps.instruments[0]["tick_size"] == "0.005"
    assert contents(tmp_path / "steps", NAME) == contents(tmp_path / "once", NAME)


def test_finer_units_than_those_given_are_an_error_with_the_remedy(tmp_path: Path) -> None:
    coarse = tob(tmp_path / "tob_1.csv", [(BASE, NAME, "61.5", 1, "62", 2)])
    fine = tob(tmp_path / "tob_2.csv", [(BASE, NAME, "61.5", 1, "62", 2), (BASE + DAY, NAME, "61.255", 1, "61.3", 2)])
    convert([coarse], tmp_path / "s", ConvertOptions(tick_size={NAME: "0.1"}))
    before = parts(tmp_path / "s")
    with pytest.raises(
        DataError, match=r"tob_2\.csv, line 3: BTC/USD_T\+0: price 61\.255 is no whole .* of 0\.1.*give a finer"
    ):
        convert([fine], tmp_path / "s")
    assert parts(tmp_path / "s") == before
    again = convert([fine], tmp_path / "s", ConvertOptions(tick_size={NAME: "0.005"}))
    assert again.instruments[0]["tick_size"] == "0.005"
    assert contents(tmp_path / "s", NAME)[0][0][1] == Decimal("61.5")


def test_prints_wait_with_pending_units_until_quotes_come(tmp_path: Path) -> None:
    prints = trades(tmp_path / "trade_1.csv", [(BASE, NAME, "61.26", 1, "B"), (BASE, NAME, "61.5", 1, "S")])
    books = tob(tmp_path / "tob_1.csv", [(BASE, NAME, "61", 1, "61.25", 2)])
    pending = convert([prints], tmp_path / "s")
    assert pending.instruments[0]["tick_size"] is None
    assert "pending" in pending.warnings[0]
    with pytest.raises(UsageError, match="no quotes"):
        open_store(tmp_path / "s").instrument(NAME)
    assert convert([books], tmp_path / "s").instruments == convert([books, prints], tmp_path / "t").instruments
    instrument = open_store(tmp_path / "s").instrument(NAME)
    assert (instrument.tick_size, instrument.price_unit) == ("0.25", "0.01")


def test_dry_run_reports_and_writes_nothing(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(50))
    dry = convert([path], tmp_path / "s", ConvertOptions(dry_run=True))
    assert not (tmp_path / "s").exists()
    real = convert([path], tmp_path / "s")
    assert {**dry.to_dict(), "dry_run": False} == real.to_dict()


def test_local_times_are_kept_and_filled_where_missing(tmp_path: Path) -> None:
    header = "exchange_time;local_time;instrument;bid;bid_size;ask;ask_size\n"
    with_local = tmp_path / "tob_1.csv"
    with_local.write_text(header + f"{BASE};{BASE + 500};X;1;1;2;1\n{BASE + 10};{BASE + 5};X;1;2;2;1\n")
    without = tob(tmp_path / "tob_2.csv", [(BASE + 20, "X", 1, 1, 2, 1)])
    report = convert([with_local, without], tmp_path / "s")
    assert report.instruments[0]["counts"]["negative_latency"] == 1
    assert any("received before" in warning for warning in report.warnings)
    assert any("local time" in note for note in report.notes)
    with open_store(tmp_path / "s").select(["X"], local=True) as market:
        assert [ts for batch in market.tob("X") for ts in batch.local_ts.tolist()] == [
            BASE + 505,  # the clock runs 5 ns behind
            BASE + 10,
            BASE + 20,
        ]


def test_progress_tells_bytes_then_rows(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(500))
    seen: list[tuple[str, int, int, int]] = []
    convert([path], tmp_path / "s", progress=lambda *call: seen.append(call))
    assert ("read", path.stat().st_size, path.stat().st_size, 500) in seen
    assert seen[-1] == ("write", 500, 500, 500)


def test_wrong_commands_say_what_to_do(tmp_path: Path) -> None:
    path = tob(tmp_path / "raw" / "tob.csv", quotes(3))
    with pytest.raises(FileError, match=r"did you mean 'tob\.csv'"):
        convert([tmp_path / "raw" / "tab.csv"], tmp_path / "s")
    with pytest.raises(UsageError, match=r"given for 'BTC/USD'.*did you mean"):
        convert([path], tmp_path / "s", ConvertOptions(tick_size={"BTC/USD": "0.1"}))
    with pytest.raises(UsageError, match=r"no format 'sead'.*did you mean"):
        convert([path], tmp_path / "s", ConvertOptions(format="sead"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no raw data"):
        convert([tmp_path / "empty"], tmp_path / "s")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="holds other files"):
        convert([path], tmp_path / "home")
    assert not (tmp_path / "s").exists()


@pytest.mark.captures
def test_the_seed_shape_capture(captures: Path, tmp_path: Path) -> None:
    import lzma

    folder = captures / "seed-shape"
    report = convert([folder], tmp_path / "xz")
    assert sum(f["rows"] for f in report.files if f["table"] == "tob") == 215_850
    assert sum(f["rows"] for f in report.files if f["table"] == "trades") == 43_249
    assert report.rows_in == report.rows_out + report.quarantined + report.dropped == 259_099
    assert [(i["instrument"], i["tick_size"], i["lot_size"]) for i in report.instruments] == [
        ("BTC/USDT_T+0", "0.01", "0.00001"), ("BTC/USD_T+0", "0.1", "1"),
        ("ETH/USDT_T+0", "0.01", "0.0001"), ("ETH/USD_T+0", "0.01", "1"),
    ]  # fmt: skip
    plain = []
    for path in sorted(folder.glob("*.xz")):
        plain.append(tmp_path / "plain" / path.stem)
        plain[-1].parent.mkdir(exist_ok=True)
        plain[-1].write_bytes(lzma.decompress(path.read_bytes()))

    def hashes(report: ConvertReport) -> dict[str, str]:
        return {row["instrument"]: row["content_hash"] for row in report.instruments}

    assert hashes(convert(plain[::-1], tmp_path / "plain-store")) == hashes(report)
    for path in sorted(folder.glob("*.xz"), reverse=True):
        last = convert([path], tmp_path / "one-by-one")
    assert hashes(last) == hashes(report)
    assert last.content_hash == report.content_hash


@pytest.mark.captures
def test_the_equity_capture(captures: Path, tmp_path: Path) -> None:
    report = convert([captures / "equity-days"], tmp_path / "s")
    assert sum(i["tob_rows"] for i in report.instruments) == 1_262_101
    assert sum(i["trade_rows"] for i in report.instruments) == 96_833
    assert all(i["counts"]["crossed"] and i["counts"]["locked"] for i in report.instruments)
