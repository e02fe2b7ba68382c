"""Raw files: their bytes, their names, and that none is ever half there."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbt.errors import FileError, UsageError
from mmbt.synth import generate, make_config, writer
from mmbt.synth.text import day_name, decimals, lines, number, stamp, text
from tests.synth.helpers import columns, tables

CONFIG = make_config("triangle", {"duration": "4min", "start": "2022-09-20T23:58:00"})
NAMES = ["tob_2022-09-20.csv", "tob_2022-09-21.csv", "trade_2022-09-20.csv", "trade_2022-09-21.csv"]


def as_strings(matrix: np.ndarray) -> list[str]:
    return lines([(np.arange(len(matrix)), [matrix])]).decode().splitlines()


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=20), st.integers(0, 9))
def test_numbers_are_plain_decimals(units, places):
    expected = [f"{Decimal(u).scaleb(-places):.{places}f}" for u in units]
    assert as_strings(number(np.array(units), places)) == expected


@given(st.lists(st.integers(0, 86_400 * 10**6 - 1), min_size=1, max_size=20), st.integers(0, 60_000))
def test_stamps_are_iso(micros, day):
    seen = as_strings(stamp(np.array(micros) * 1000 + day * 86_400 * 10**9, day))
    expected = [str(np.datetime64(m + day * 86_400 * 10**6, "us")).replace("T", " ") for m in micros]
    assert seen == expected
    assert seen[0].startswith(day_name(day))


def test_rows_merge_by_time_and_ties_keep_the_order_of_tables():
    merged = lines([(np.array([1, 3, 3]), [text("first", 3)]), (np.array([0, 3]), [text("second", 2), text("x", 2)])])
    assert merged == b"second;x\nfirst\nfirst\nfirst\nsecond;x\n"


@pytest.mark.parametrize(("unit", "expected"), [
    ("0.0025", (25, 4)), ("1", (1, 0)), ("0.5", (5, 1)), ("0.00001", (1, 5)),
])
def test_units_as_integers(unit, expected):
    assert decimals(unit) == expected


def test_files_hold_the_rows_of_the_market(tmp_path):
    manifest = generate(CONFIG, tmp_path / "raw")
    folder = tmp_path / "raw"
    assert sorted(p.name for p in folder.iterdir()) == ["synth.json", *NAMES]
    assert json.loads((folder / "synth.json").read_text(encoding="utf-8")) == manifest
    market = tables(CONFIG)
    for kind, index in (("tob", 0), ("trade", 1)):
        seen: dict[str, list[list[str]]] = {name: [] for name in market}
        stamps = []
        for path in sorted(folder.glob(f"{kind}_*.csv")):
            head, *body = path.read_text().splitlines()
            assert head == writer.HEADERS[kind].decode().strip()
            entry = next(e for e in manifest["files"] if e["path"] == path.name)
            assert entry["rows"] == len(body)
            assert entry["bytes"] == path.stat().st_size
            assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            for line in body:
                when, name, *fields = line.split(";")
                assert when.startswith(path.stem[-10:])
                seen[name].append([when, *fields])
                stamps.append(when)
        assert stamps == sorted(stamps)
        for name, pair in market.items():
            table, unit = pair[index], CONFIG.pairs[name]
            tick, lot = Decimal(unit.tick_size), Decimal(unit.lot_size)
            assert len(seen[name]) == len(table.ts) == manifest["rows"][name][f"{kind}_rows"]
            for row, values in zip(seen[name], zip(*(c.tolist() for c in columns(table)), strict=True), strict=True):
                assert np.datetime64(row[0].replace(" ", "T"), "ns").astype(np.int64) == values[0]
                if kind == "tob":
                    whole = [values[1] * tick, values[2] * lot, values[3] * tick, values[4] * lot]
                    assert [Decimal(x) for x in row[1:]] == whole
                else:
                    assert [Decimal(x) for x in row[1:3]] == [values[1] * tick, values[2] * lot]
                    assert row[3] == {1: "B", -1: "S"}[values[3]]


@pytest.mark.parametrize(("compression", "plain"), [
    ("gz", gzip.decompress), ("bz2", bz2.decompress), ("xz", lzma.decompress),
    ("zst", lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()),
])
def test_compressed_files_hold_the_same_bytes(tmp_path, compression, plain):
    generate(CONFIG, tmp_path / "plain")
    first = generate(CONFIG, tmp_path / "packed", compression=compression)
    again = generate(CONFIG, tmp_path / "again", compression=compression)
    assert first["files"] == again["files"]
    for name in NAMES:
        packed = (tmp_path / "packed" / f"{name}.{compression}").read_bytes()
        assert plain(packed) == (tmp_path / "plain" / name).read_bytes()


def test_block_size_changes_no_byte(tmp_path, monkeypatch):
    one = generate(make_config("triangle", {"duration": "15min"}), tmp_path / "a")
    monkeypatch.setattr(writer, "BLOCK_ROWS", 1)
    assert generate(make_config("triangle", {"duration": "15min"}), tmp_path / "b") == one


def test_a_day_without_rows_has_its_header(tmp_path):
    config = make_config("triangle", {"duration": "2s", "start": "2022-09-20T23:59:59", "order_rate": 0,
                                      "pairs": "BTC/RUB_T+0"})
    generate(config, tmp_path)
    assert (tmp_path / "trade_2022-09-21.csv").read_bytes() == writer.HEADERS["trade"]


def test_progress_reaches_the_end(tmp_path):
    told: list[tuple[float, int]] = []
    manifest = generate(CONFIG, tmp_path, lambda share, rows: told.append((share, rows)))
    assert told == sorted(told)
    assert told[-1] == (1.0, sum(file["rows"] for file in manifest["files"]))


def test_raw_files_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "tob_2020-01-01.csv").write_text("mine")
    (tmp_path / "notes.txt").write_text("kept")
    with pytest.raises(UsageError, match=r"already holds tob_2020-01-01\.csv"):
        generate(CONFIG, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "tob_2020-01-01.csv"]
    generate(CONFIG, tmp_path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "synth.json", *NAMES]


def test_unknown_compression(tmp_path):
    with pytest.raises(UsageError, match="did you mean"):
        generate(CONFIG, tmp_path, compression="zstd")


def test_a_failure_leaves_nothing(tmp_path):
    def fail(share: float, rows: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="No space left"):
        generate(CONFIG, tmp_path / "raw", fail)
    assert list((tmp_path / "raw").iterdir()) == []


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(share: float, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(CONFIG, tmp_path, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_target_is_a_file(tmp_path):
    (tmp_path / "raw").write_text("")
    with pytest.raises(FileError):
        generate(CONFIG, tmp_path / "raw")


def test_leftovers_of_a_killed_run_are_swept(tmp_path):
    dead = tmp_path / ".synth-tmp-4194305"  # above the kernel's largest process id
    dead.mkdir()
    (dead / "tob_2022-09-20.csv").write_text("half")
    generate(CONFIG, Path(tmp_path))
    assert not dead.exists()
