"""Other CSVs by a mapping file, the registry of formats, and what sniffing says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from mmbt.errors import DataError, FileError, UsageError
from mmbt.formats import RawFormat, ReadOptions, choose, formats, get
from mmbt.formats.times import zone_table

from .conftest import ROW, TOB, TRADE

QUOTES = """
[tob]
files = "q_*.csv"
delimiter = ","
instrument_from_name = 'q_([A-Z]+)_'
time = "%d.%m.%Y %H:%M:%S.%f"
tz = "+03:00"
[tob.columns]
time = "Time"
bid_px = "Bid"
bid_qty = "BidVol"
ask_px = "Ask"
ask_qty = "AskVol"
"""


@pytest.fixture
def mapped(read, write):
    def do(mapping: str, name: str, data: str, **options):
        return read(name, data, "generic", mapping=write("map.toml", mapping), **options)

    return do


def test_columns_by_name_instrument_by_file_and_a_format_of_time(mapped):
    got = mapped(QUOTES, "q_EURUSD_1.csv", "Ask,AskVol,Bid,BidVol,Time,More\n1.1,5,1.0,6,09.08.2024 02:54:14.024619,x\n"
                                           "1.1,5,1.0,6,09.08.2024 02:54:14,x\n")
    assert got.ts == [1723161254024619000, 1723161254000000000]
    assert got.values[0] == (Decimal(1), Decimal(6), Decimal("1.1"), Decimal(5))
    assert got.rows[0][3] == "EURUSD"
    assert got.raw.notes == ["columns not used: More"]
    assert (got.raw.time_unit, got.raw.tz, got.raw.format) == ("%d.%m.%Y %H:%M:%S.%f", "+03:00", "generic")


def test_no_header_columns_by_number_and_words_of_side(mapped):
    got = mapped("""
        [trades]
        header = false
        instrument = "X"
        columns = { time = 1, px = 2, qty = 3, side = 4 }
        side = { buy = ["False"], sell = ["true"] }
        """, "my_trades.csv", "".join(f"1723161254123,61,5,{word}\n" for word in ("FALSE", "true", "", "b")))
    assert [r[:2] + r[5:] for r in got.rows] == [(1, 0, 1), (2, 25, -1), (3, 49, 0)]
    assert got.reasons == ["BAD_SIDE"]


def test_decimal_comma(mapped):
    got = mapped("""
        [trades]
        decimal = ","
        [trades.columns]
        time = "t"
        instrument = "i"
        px = "p"
        qty = "q"
        """, "trades.csv", "t;i;p;q\n2024-08-08 00:00:00;X;61,25;1\n")
    assert got.values == [(Decimal("61.25"), Decimal(1))]


@pytest.mark.parametrize(("mapping", "message"), [
    ("[tob]\nfils = 'x'", r"unknown key 'tob.fils'; did you mean 'files'"),
    ("[tob]\ncolumns = { time = 1, bid = 2 }", r"tob.columns.bid_px: Field required.*key 'tob.columns.bid'; did"),
    ("[tobb]", "unknown key 'tobb'; did you mean 'tob'"),
    ("", "needs \\[tob\\], \\[trades\\]"),
    ("[tob", "is not TOML"),
    (QUOTES.replace("instrument_from_name = 'q_([A-Z]+)_'", ""), "exactly one of instrument"),
    (QUOTES.replace("([A-Z]+)", "x"), "exactly one group"),
    (QUOTES.replace("%d", "%j"), "%j is not supported"),
    (QUOTES.replace("%Y", ""), "has no %Y"),
    (QUOTES.replace("+03:00", "Europe/Mosco"), "did you mean 'Europe/Moscow'"),
    (QUOTES.replace('"Bid"', '"Ask"'), "uses one column twice"),
    (QUOTES.replace('"Bid"', "0"), "greater than or equal to 1"),
    (QUOTES.replace("[tob.columns]", "header = false\n[tob.columns]"), "columns as numbers"),
])
def test_mistakes_in_a_mapping_are_usage_errors(mapped, mapping, message):
    with pytest.raises(UsageError, match=message) as caught:
        mapped(mapping, "q_EURUSD_1.csv", "x\n")
    assert caught.value.exit_code == 2


def test_mapped_column_that_the_file_lacks(mapped):
    with pytest.raises(DataError, match="no column 'Bid' for bid_px; did you mean 'Bod'"):
        mapped(QUOTES, "q_EURUSD_1.csv", "Ask,AskVol,Bod,BidVol,Time\n")


def test_file_name_without_the_instrument(mapped):
    with pytest.raises(DataError, match="does not match instrument_from_name"):
        mapped(QUOTES, "q_1.csv", "Ask,AskVol,Bid,BidVol,Time\n")


def test_generic_needs_a_mapping_that_takes_the_name(write):
    path = write("q.csv", TOB)
    with pytest.raises(UsageError, match="needs --mapping"):
        get("generic").open(path, ReadOptions())
    with pytest.raises(UsageError, match="no table of"):
        get("generic").open(path, ReadOptions(mapping=write("map.toml", QUOTES)))
    with pytest.raises(FileError):
        get("generic").open(path, ReadOptions(mapping=Path("/nowhere/map.toml")))


def test_choose_prefers_a_mapping_then_names_and_headers(write):
    options = ReadOptions(mapping=write("map.toml", QUOTES))
    assert choose(write("q_X_1.csv", TOB), options).name == "generic"
    assert choose(write("tob_1.csv", TOB), options).name == "seed"
    with pytest.raises(DataError, match=r"cannot tell its format.*needs column"):
        choose(write("other.csv", "a;b\n"), ReadOptions())


def test_choose_leaves_the_blame_to_the_format_the_name_points_to(write):
    path = write("tob_1.csv", "a;b\n")
    fmt = choose(path, ReadOptions())
    with pytest.raises(DataError, match="tob needs column"):
        fmt.open(path, ReadOptions())


@pytest.mark.parametrize(("name", "taken"), [
    ("tob.csv", True), ("TOB_2022-09-21.CSV", True), ("tob_1.csv.gz", True), ("trade_1.csv.zst", True),
    ("trades.zip", True), ("tob_1.csv.bak", False), ("tob_1.csv~", False), ("tob_1.parquet", False),
    ("my_tob.csv", False), ("README.md", False),
])
def test_names_taken_from_a_folder(name, taken):
    assert get("seed").matches(Path(name), ReadOptions()) is taken


def test_formats_are_listed_and_of_the_right_shape():
    known = formats()
    assert list(known)[:2] == ["seed", "generic"]
    for name, fmt in known.items():
        assert isinstance(fmt, RawFormat)
        assert fmt.name == name
        assert fmt.description
    with pytest.raises(UsageError, match="did you mean 'seed'"):
        get("sed")


def test_sniff_says_why(write):
    seed = get("seed")
    found = seed.sniff(write("tob_1.csv", TOB + ROW), ReadOptions())
    assert (found.score, found.table) == (90, "tob")
    found = seed.sniff(write("x.csv", TRADE), ReadOptions())
    assert (found.score, found.table) == (60, "trades")
    assert seed.sniff(write("x2.csv", "a\n"), ReadOptions()).score == 0


@pytest.mark.parametrize("bad", [{"tz": "Mars"}, {"chunk_rows": 0}, {"decimal": "x"}, {"unknown": 1}])
def test_options_refuse_nonsense(bad):
    with pytest.raises(ValidationError):
        ReadOptions.model_validate(bad)


@pytest.mark.parametrize("kind", ["minutes", "%H:%M", "%Y%m%d %q", "%Y%m%d%d", "%z%Y%m%d"])
def test_time_option_refuses_nonsense(read, kind):
    with pytest.raises(UsageError):
        read("tob_1.csv", TOB + ROW, time=kind)


@pytest.mark.parametrize(("kind", "text", "ns"), [
    ("%Y%m%d%H%M%S", "20240808235414", 1723161254 * 10**9),
    ("%Y%m%d %H:%M:%S.%f %z", "20240809 02:54:14.5 +0300", 1723161254 * 10**9 + 5 * 10**8),
    ("%d/%m/%Y%%%H", "08/08/2024%23", 1723158000 * 10**9),
])
def test_formats_of_time(read, kind, text, ns):
    got = read("tob_1.csv", TOB + ROW.replace("2024-08-08 23:54:14.024619", text) + ROW, time=kind)
    assert got.ts == [ns]
    assert got.reasons == ["BAD_TIME"]


def test_zone_table_begins_in_the_far_past_and_ascends():
    since, offsets = zone_table("Europe/Moscow")
    assert (since[1:] > since[:-1]).all()
    assert len(since) == len(offsets) > 50
    assert offsets[-1] == 3 * 3600 * 10**9
