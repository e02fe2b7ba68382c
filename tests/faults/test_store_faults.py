"""Faults C of converter and store that need no kill, flipped bit or full disk; each test is named after its row."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmbt.errors import DataError, FileError, StoreError, UsageError
from mmbt.formats import ReadOptions
from mmbt.store import ConvertOptions, convert, open_store
from mmbt.store.files import locked
from mmbt.store.manifest import Manifest
from tests.store.helpers import BASE, DAY, contents, parts, quotes, tob, trades

X = "BTC/USD_T+0"


def quarantine(root: Path) -> list[dict[str, object]]:
    return [row for path in sorted((root / "quarantine").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_C5_a_cut_last_line_is_quarantined_unless_accepted(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(4))
    path.write_bytes(path.read_bytes()[:-1])
    report = convert([path], tmp_path / "s")
    assert (report.rows_in, report.rows_out, report.quarantined) == (4, 3, 1)
    (row,) = quarantine(tmp_path / "s")
    assert (row["file"], row["line"], row["reason"]) == (str(path), 5, "TRUNCATED_TAIL")
    assert path.read_bytes()[row["offset"] :].decode() == row["raw"]  # type: ignore[misc]
    accepted = convert([path], tmp_path / "t", ConvertOptions(read=ReadOptions(accept_unterminated=True)))
    assert (accepted.rows_out, accepted.quarantined) == (4, 0)


def test_C6_bad_rows_and_repeated_headers_are_all_accounted_for(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(4))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], lines[0], lines[2] + ";7", "a;b", *lines[3:]]) + "\n")
    report = convert([path], tmp_path / "s")
    assert report.rows_in == report.rows_out + report.quarantined + report.dropped == 6
    assert (report.rows_out, report.quarantined, report.dropped) == (3, 2, 1)
    assert [(row["line"], row["reason"]) for row in quarantine(tmp_path / "s")] == [
        (4, "FIELD_COUNT"),
        (5, "FIELD_COUNT"),
    ]
    assert open_store(tmp_path / "s").manifest.sources.popitem()[1].dropped == {"repeated_header": 1}


def test_C8_prices_must_be_positive_and_jumps_are_warned_of(tmp_path: Path) -> None:
    prices = [(100, 1, 101), (0, 1, 101), (-5, 1, 101), (99, 0, 101), (100, 1, 101), (100, 1, 101000), (100, 1, 101)]
    rows = [(BASE + i, X, bid, size, ask, 1) for i, (bid, size, ask) in enumerate(prices)]
    report = convert([tob(tmp_path / "tob.csv", rows)], tmp_path / "s")
    assert (report.rows_out, report.quarantined) == (5, 2)
    assert report.instruments[0]["counts"]["jumps"] == 2
    assert any("2 prices 100 times" in warning for warning in report.warnings)
    assert contents(tmp_path / "s", X)[0][1] == (BASE + 3, 0, 0, 101, 1)


def test_C9_an_empty_side_is_absent_and_nan_is_not(tmp_path: Path) -> None:
    rows = [
        (BASE, X, "", "", 101, 1),
        (BASE + 1, X, 100, 1, "", ""),
        (BASE + 2, X, "", "", "", ""),
        (BASE + 3, X, "nan", 1, 101, 1),
    ]
    report = convert([tob(tmp_path / "tob.csv", rows)], tmp_path / "s")
    assert (report.rows_out, report.quarantined) == (3, 1)
    assert [row[1:] for row in contents(tmp_path / "s", X)[0]] == [(0, 0, 101, 1), (100, 1, 0, 0), (0, 0, 0, 0)]
    counts = report.instruments[0]["counts"]
    assert (counts["one_sided"], counts["empty"], counts["crossed"], counts["locked"]) == (2, 1, 0, 0)


def test_C10_crossed_and_locked_quotes_are_kept_and_counted_dropped_or_refused(tmp_path: Path) -> None:
    rows = [(BASE, X, 100, 1, 101, 1), (BASE + 1, X, "102.5", 1, 101, 1), (BASE + 2, X, 101, 1, 101, 1)]
    path = tob(tmp_path / "tob.csv", rows)
    kept = convert([path], tmp_path / "keep")
    assert (kept.rows_out, kept.instruments[0]["counts"]["crossed"], kept.instruments[0]["counts"]["locked"]) == (
        3,
        1,
        1,
    )
    drop = convert([path], tmp_path / "drop", ConvertOptions(crossed="drop"))
    assert (drop.rows_in, drop.rows_out, drop.dropped) == (3, 2, 1)
    assert drop.instruments[0]["tick_size"] == "1"
    with pytest.raises(DataError, match=r"tob\.csv, line 3: BTC/USD_T\+0 is crossed: bid 102\.5 > ask 101"):
        convert([path], tmp_path / "fail", ConvertOptions(crossed="fail"))


def test_C11_bounded_disorder_is_sorted_and_ties_keep_file_order(tmp_path: Path) -> None:
    late = [
        (BASE + 5 * 10**9, 1),
        (BASE, 2),
        (BASE + 9 * 10**9, 3),
        (BASE, 4),
        (BASE + 5 * 10**9, 5),
        (BASE + 9 * 10**9, 6),
    ]
    path = tob(tmp_path / "tob.csv", [(ts, X, 100, size, 101, 1) for ts, size in late])
    for chunk_rows in (1, 2, 65536):
        root = tmp_path / f"s{chunk_rows}"
        convert([path], root, ConvertOptions(read=ReadOptions(chunk_rows=chunk_rows)))
        assert [int(row[2]) for row in contents(root, X)[0]] == [2, 4, 1, 5, 3, 6]


def test_C11_deeper_disorder_names_the_first_pair(tmp_path: Path) -> None:
    rows = [(BASE + 20 * 10**9, X, 100, 1, 101, 1), (BASE, "OTHER", 5, 1, 6, 1), (BASE + 9 * 10**9, X, 100, 1, 101, 1)]
    path = tob(tmp_path / "tob.csv", rows)
    for chunk_rows in (1, 65536):
        options = ConvertOptions(read=ReadOptions(chunk_rows=chunk_rows))
        with pytest.raises(
            DataError, match=r"line 4: BTC/USD_T\+0 goes back by 11s.* on line 2; at most 10s .*--max-disorder 12s"
        ):
            convert([path], tmp_path / "s", options)
    report = convert([path], tmp_path / "s", ConvertOptions(max_disorder="11s"))
    assert report.rows_out == 3


def test_C11_disorder_over_midnight(tmp_path: Path) -> None:
    stamps = [BASE + DAY - 1, BASE + DAY + 1, BASE + DAY - 2, BASE + DAY]
    convert([tob(tmp_path / "tob.csv", [(ts, X, 100, i + 1, 101, 1) for i, ts in enumerate(stamps)])], tmp_path / "s")
    assert [row[0] for row in contents(tmp_path / "s", X)[0]] == sorted(stamps)
    assert [p.date for p in open_store(tmp_path / "s").manifest.partitions] == ["2022-09-21", "2022-09-22"]


def test_C12_duplicates(tmp_path: Path) -> None:
    row = (BASE, X, 100, 1, "B")
    first = trades(tmp_path / "trade_1.csv", [row, row, (BASE + 1, X, 100, 1, "S")])
    second = trades(tmp_path / "trade_2.csv", [(BASE, X, 100, 2, "B"), row, (BASE, X, 100, 1, "S")])
    copy = tmp_path / "trade_copy.csv"
    shutil.copy(first, copy)
    kept = convert([first, second], tmp_path / "keep")
    assert (kept.rows_out, kept.dropped) == (6, 0)
    exact = convert([first, second], tmp_path / "exact", ConvertOptions(dedup="exact"))
    assert (exact.rows_in, exact.rows_out, exact.dropped) == (6, 4, 2)
    steps = ConvertOptions(dedup="exact")
    assert [convert([path], tmp_path / "steps", steps).dropped for path in (second, first)] == [0, 2]
    assert open_store(tmp_path / "steps").content_hash == exact.content_hash
    for twice in ([first, copy], [first, first]):
        with pytest.raises(UsageError, match="the same file"):
            convert(twice, tmp_path / "twice")
    again = convert([copy], tmp_path / "keep")
    assert (again.rows_in, again.rows_out, again.dropped) == (3, 0, 3)


def test_C16_rows_received_before_they_were_sent_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "trade.csv"
    path.write_text(
        f"exchange_time;local_time;instrument;price;qty\n{BASE};{BASE - 1};X;1;1\n{BASE};{BASE + 1};X;1;1\n"
    )
    report = convert([path], tmp_path / "s")
    assert report.instruments[0]["counts"]["negative_latency"] == 1


def test_C17_interleaved_and_hostile_names(tmp_path: Path) -> None:
    names = [
        "USD/RUB_T+0",
        "usd/rub_t+0",
        "../../etc/passwd",
        "..",
        "CON",
        "a b",
        "Ω≈ç√",
        "x" * 255,
        "%2F",
        "-rm",
        "_",
        "A.",
        ".A",
    ]
    rows = [(BASE + i, name, 100, 1 + i, 101, 1) for i, name in enumerate(names * 3)]
    report = convert([tob(tmp_path / "raw" / "tob.csv", rows)], tmp_path / "in" / "s")
    assert report.rows_out == len(rows)
    assert [row["instrument"] for row in report.instruments] == sorted(names, key=str.encode)
    folders = [path.name for path in (tmp_path / "in" / "s" / "tob").iterdir()]
    assert len({folder.casefold() for folder in folders}) == len(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "raw"]
    for i, name in enumerate(names):
        assert [row[2] for row in contents(tmp_path / "in" / "s", name)[0]] == [
            Decimal(1 + i + k * len(names)) for k in range(3)
        ]


def test_C17_an_unknown_instrument_gets_close_names(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(3))], tmp_path / "s")
    with pytest.raises(UsageError, match=r"no instrument 'BTC/USDT_T\+0'.*did you mean 'BTC/USD_T\+0'"):
        open_store(tmp_path / "s").select(["BTC/USDT_T+0"])


def test_C19_a_damaged_archive_leaves_nothing(tmp_path: Path) -> None:
    import gzip

    good = tob(tmp_path / "tob_1.csv", quotes(2000))
    bad = tmp_path / "tob_2.csv.gz"
    bad.write_bytes(gzip.compress(tob(tmp_path / "x.csv", quotes(3000)).read_bytes())[:-30])
    with pytest.raises(StoreError, match=r"tob_2\.csv\.gz"):
        convert([good, bad], tmp_path / "s")
    assert not (tmp_path / "s").exists()
    convert([good], tmp_path / "s")
    before = parts(tmp_path / "s")
    with pytest.raises(StoreError):
        convert([bad], tmp_path / "s")
    assert parts(tmp_path / "s") == before


def test_C22_a_second_converter_fails_fast_with_the_holders_pid(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(3))
    with locked(tmp_path / "s"), pytest.raises(FileError, match=rf"pid {os.getpid()}\) is writing this store"):
        convert([path], tmp_path / "s")
    assert convert([path], tmp_path / "s").rows_out == 3


def test_C22_two_converters_at_once_give_what_one_gives(tmp_path: Path) -> None:
    files = [tob(tmp_path / f"tob_{i}.csv", quotes(20_000, start=BASE + i * DAY)) for i in range(2)]
    code = "import sys; from mmbt.store import convert; convert([sys.argv[1]], sys.argv[2])"
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(tmp_path / "s")], stderr=subprocess.PIPE)
        for path in files
    ]
    errors = [process.communicate()[1].decode() for process in running]
    for process, error, path in zip(running, errors, files, strict=True):
        if process.returncode:
            assert "is writing this store" in error
            convert([path], tmp_path / "s")
    convert(files, tmp_path / "once")
    assert open_store(tmp_path / "s").content_hash == open_store(tmp_path / "once").content_hash


def test_C24_truncated_empty_foreign_and_newer_files(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(10))], tmp_path / "s")
    (partition,) = open_store(tmp_path / "s").manifest.partitions
    path = tmp_path / "s" / partition.path
    whole = path.read_bytes()

    def read() -> None:
        with open_store(tmp_path / "s").select([X]) as market:
            list(market.tob(X))

    for size in (0, 3, 11, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreError, match="truncated"):
            read()
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        read()


def test_C24_foreign_and_newer_schemas_are_told_apart(tmp_path: Path) -> None:
    from mmbt.store.schema import arrow_schema, check_schema, check_version, open_parquet

    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    with pytest.raises(StoreError, match=r"not written by mmbt.*a tob file needs ts, bid_px, bid_qty, ask_px, ask_qty"):
        check_schema(foreign, open_parquet(foreign).schema_arrow, "tob")
    newer = arrow_schema("tob", False, {"converter": "mmbt 9.0"}).with_metadata(
        {"mmbt.schema": "2", "mmbt.converter": "mmbt 9.0"}
    )
    with pytest.raises(StoreError, match=r"written by mmbt 9\.0 .*upgrade"):
        check_schema(foreign, newer, "tob")
    with pytest.raises(StoreError, match="unknown schema version 'x'"):
        check_version("here", "x", "?")
    with pytest.raises(StoreError, match="not those of a trades file"):
        check_schema(foreign, arrow_schema("tob", False, {}), "trades")
    (tmp_path / "short.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="not a readable Parquet file"):
        open_parquet(tmp_path / "short.parquet")


def test_C24_foreign_newer_and_damaged_manifests(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(10))], tmp_path / "s")
    path = tmp_path / "s" / "manifest.json"
    body = json.loads(path.read_text())
    for text, message in (
        (json.dumps({**body, "mmbt_store": 2, "converter": "mmbt 9.0"}), "written by mmbt 9.0 .*upgrade"),
        (json.dumps({"name": "x"}), "not the manifest of an mmbt store"),
        (path.read_text().replace('"rows": 10', '"rows": 11'), "damaged, its checksum"),
        (path.read_text()[:100], "not readable as JSON"),
        ("", "not readable as JSON"),
    ):
        path.write_text(text)
        with pytest.raises(StoreError, match=message):
            open_store(tmp_path / "s")
    path.unlink()
    with pytest.raises(StoreError, match=r"no manifest\.json in it"):
        open_store(tmp_path / "s")
    with pytest.raises(FileError, match="no such store"):
        open_store(tmp_path / "none")


@pytest.mark.parametrize("name", ["with space", "Кириллица", "new\nline", "semi;colon", "x" * 200])
def test_C26_odd_output_names_work(tmp_path: Path, name: str) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(3))], tmp_path / name)
    assert len(contents(tmp_path / name, X)[0]) == 3


def test_C26_impossible_outputs_get_a_plain_message(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(3))
    file = tmp_path / "file"
    file.write_text("mine")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for out, message in ((file, "is a file"), (file / "below", "a part of the path is a file"), (loop, "symbolic link"),
                         (loop / "x", "symbolic link"), (tmp_path / ("y" * 300), "too long")):  # fmt: skip
        with pytest.raises(FileError, match=message):
            convert([path], out)
    assert file.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_C26_a_folder_without_permission(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(3))
    (tmp_path / "ro").mkdir(mode=0o500)
    with pytest.raises(FileError, match="check its permissions"):
        convert([path], tmp_path / "ro" / "s")


def test_C26_a_store_on_read_only_media_is_read_and_not_written(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(3))
    media = tmp_path / "media"
    convert([path], media / "s")
    mounted = subprocess.run(["mount", "--bind", media, media], capture_output=True).returncode == 0
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", media], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert len(contents(media / "s", X)[0]) == 3
        for out in ("s", "new"):
            with pytest.raises(FileError, match="Read-only file system; choose another folder"):
                convert([path], media / out)
    finally:
        subprocess.run(["umount", media], check=True)


def test_C27_a_price_off_the_given_tick_names_the_value(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", [*quotes(3), (BASE + 10**9, X, "100.001", 1, "108.5", 1)])
    with pytest.raises(DataError, match=r"line 5: .*price 100\.001 is no whole number of units of 0\.1"):
        convert([path], tmp_path / "s", ConvertOptions(tick_size={"*": "0.10"}))
    with pytest.raises(DataError, match=r"line 5: .*price 100\.001 is no whole"):
        convert([path], tmp_path / "s", ConvertOptions(price_unit={X: "0.01"}))
    with pytest.raises(DataError, match=r"line 2: .*quantity 1\.5 is no whole"):
        convert(
            [tob(tmp_path / "t2.csv", [(BASE, X, 1, "1.5", 2, 1)])], tmp_path / "s", ConvertOptions(lot_size={X: "1"})
        )
    report = convert([path], tmp_path / "s", ConvertOptions(tick_size={X: "0.0010"}))
    assert report.instruments[0]["tick_size"] == "0.001"


def test_C27_values_too_far_apart_are_refused_not_wrapped(tmp_path: Path) -> None:
    path = tob(tmp_path / "t1.csv", [(BASE, X, "0.000000000000000001", 1, "999999999999", 1)])
    with pytest.raises(DataError, match=r"t1\.csv, line 2: .*too far apart"):
        convert([path], tmp_path / "s")
    path = tob(tmp_path / "t2.csv", [(BASE, X, "0.000001", 1, "99999999", 1)])
    with pytest.raises(DataError, match=r"price 99999999 is 2\^40 units of 0\.000001 or more"):
        convert([path], tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_X5_paths_of_a_manifest_stay_in_the_store(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(10))], tmp_path / "s")
    good = Manifest.load(tmp_path / "s")
    assert good is not None
    for path in ("../outside.parquet", "/etc/passwd", "tob/../../x", ""):
        from dataclasses import replace

        bad = replace(good, partitions=tuple(replace(p, path=path) for p in good.partitions))
        (tmp_path / "s" / "manifest.json").write_bytes(bad.to_bytes())
        with pytest.raises(StoreError, match="leads out of the store"):
            open_store(tmp_path / "s")
    (partition,) = good.partitions
    shutil.move(tmp_path / "s" / partition.path, tmp_path / "outside.parquet")
    (tmp_path / "s" / partition.path).symlink_to(tmp_path / "outside.parquet")
    (tmp_path / "s" / "manifest.json").write_bytes(good.to_bytes())
    with pytest.raises(StoreError, match="leads out of the store"), open_store(tmp_path / "s").select([X]) as market:
        list(market.tob(X))


def test_X6_names_are_shown_escaped(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob\x1b[31m.csv", [(BASE, X, 2, 1, 1, 1)])
    with pytest.raises(DataError) as error:
        convert([path], tmp_path / "s", ConvertOptions(crossed="fail"))
    assert "\x1b" not in str(error.value)
