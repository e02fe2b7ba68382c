"""The tokenizer against its slow twin, on clean, mutated and random files."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from mmbt.errors import DataError
from mmbt.formats import ReadOptions, get

from .conftest import collect
from .twin import Fatal, Twin

TOB = (["time", "instrument", "bid_px", "bid_qty", "ask_px", "ask_qty"],
       b"exchange_time;instrument;bid;bid_size;ask;ask_size")
TRADES = (["time", "instrument", "px", "qty", "side"], b"exchange_time;instrument;price;qty;side")
NAMES = ["BTC/USD_T+0", "X", "Рубль", "a-very-long-name-of-an-instrument-indeed", "X" * 255]
BYTES = [b"", b"\0", b"\r", b"\n", b";", b'"', b"\xe9", b"\xe2\x82", b"-", b"9", b" ", b"\t"]
ENDS = ["\n", "\n", "\n", "\r\n", "\r", "\n\n"]


def decimal(rng):
    kind = rng.random()
    if kind < 0.03:
        return rng.choice(["", "0", "0.0", "-1", "nan", "1e5", "1.50e-3", "1e-19", "61.", ".5", "00.1", "-0", "9" * 19])
    text = f"{rng.randrange(10 ** rng.randrange(1, 12))}"
    return text if kind < 0.3 else f"{text}.{rng.randrange(10 ** rng.randrange(1, 9))}" + "0" * (kind > 0.9)


def moment(rng, kind):
    ns = 1723161254 * 10**9 + rng.randrange(10**14)
    match kind:
        case "iso" | "iso+offset":
            import datetime

            text = str(datetime.datetime.fromtimestamp(ns // 10**9, datetime.UTC).replace(tzinfo=None))
            digits = rng.randrange(10)
            text += f".{ns % 10**9:09}"[:digits + 1] if digits else ""
            return text + (rng.choice(["Z", "+03:00", "-0530", "+09"]) if kind == "iso+offset" else "")
        case "s":
            return f"{ns // 10**9}" + rng.choice(["", f".{ns % 10**9:09}", ".5"])
        case "ms":
            return f"{ns // 10**6}" + rng.choice(["", f".{ns % 10**6:06}"])
        case _:
            return f"{ns // 10**3}" if kind == "us" else f"{ns}"


def file(rng, table, n):
    columns, header = table
    kind = rng.choice(["iso", "iso", "iso+offset", "s", "ms", "us", "ns"])
    lines = [header.decode() + "\n"]
    for _ in range(n):
        fields = [moment(rng, kind), rng.choice(NAMES), *(decimal(rng) for _ in columns[2:])]
        if "side" in columns:
            words = ["B", "S", "", "buy", "SELL", "1", "-1", "x"]
            fields[-1] = rng.choice(words if rng.random() < 0.1 else words[:2])
        lines.append(";".join(fields) + rng.choice(ENDS))
        if rng.random() < 0.02:
            lines.append(rng.choice([header.decode() + "\n", " \t\n", ";\n"]))
    return "".join(lines).encode()


def mutate(rng, data, header):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(header) + 1, len(data))
        match rng.randrange(4):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at:at + 1] = rng.choice(BYTES)
            case 2:
                del data[at:at + rng.randrange(1, 40)]
            case _:
                data[at:at] = data[max(len(header) + 1, at - 30):at]
        if len(data) <= len(header) + 2:
            break
    return bytes(data[:rng.randrange(len(header) + 2, len(data) + 1)] if rng.random() < 0.3 else data)


def agree(path, data, table, rows, block=None):
    columns, _ = table
    path.write_bytes(data)
    twin = Twin(columns)
    try:
        twin.read(data)
    except Fatal as fatal:
        with pytest.raises(DataError) as caught:
            collect(get("seed").open(path, ReadOptions(chunk_rows=rows)))
        words = {"MIXED_TIMES": "another kind", "AMBIGUOUS_EPOCH": "magnitude", "NO_DATE": "no date"}[str(fatal)]
        assert words in str(caught.value)
        return 0
    try:
        got = collect(get("seed").open(path, ReadOptions(chunk_rows=rows)))
    except DataError as error:  # a repeated header, damaged so that columns may have moved
        if "another header" not in str(error):
            raise
        return 0
    assert got.rows == twin.rows
    assert [(r.line, r.offset, r.reason) for r in got.rejected] == twin.rejects
    assert got.raw.dropped.get("repeated_header", 0) == twin.repeated
    for reject in got.rejected:
        assert data[reject.offset:reject.offset + len(reject.raw)] == reject.raw
    return len(twin.rows)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("table", [TOB, TRADES], ids=["tob", "trades"])
def test_agrees_with_the_twin_on_random_files(tmp_path, seed, table):
    rng = random.Random(seed)
    name = "tob_1.csv" if table is TOB else "trade_1.csv"
    assert agree(tmp_path / name, file(rng, table, 300), table, rng.choice([1, 7, 1024, 65536])) > 100


def test_agrees_with_the_twin_on_mutated_files(tmp_path):
    rng, rows = random.Random(7), 0
    for _ in range(200):
        table = rng.choice([TOB, TRADES])
        name = "tob_1.csv" if table is TOB else "trade_1.csv"
        data = mutate(rng, file(rng, table, rng.randrange(1, 40)), table[1])
        rows += agree(tmp_path / name, data, table, rng.choice([1, 7, 1024]))
    assert rows > 1000


@pytest.mark.slow
def test_agrees_with_the_twin_on_very_many_mutated_files(tmp_path):
    rng = random.Random(77)
    for _ in range(10_000):
        table = rng.choice([TOB, TRADES])
        name = "tob_1.csv" if table is TOB else "trade_1.csv"
        agree(tmp_path / name, mutate(rng, file(rng, table, rng.randrange(1, 40)), table[1]), table, 64)


@pytest.mark.parametrize("block", [1, 2, 3, 17, 64, 1000])
def test_block_and_chunk_size_do_not_matter(tmp_path, monkeypatch, block):
    rng = random.Random(3)
    data = mutate(rng, file(rng, TOB, 200), TOB[1])
    path = tmp_path / "tob_1.csv"
    want = agree(path, data, TOB, 65536)
    monkeypatch.setattr("mmbt.formats.sources._BLOCK", block)
    for rows in (1, 3, 64, 65536):
        assert agree(path, data, TOB, rows) == want


def test_numbers_agree_with_decimal_in_bulk(tmp_path):
    rng = random.Random(5)
    texts = []
    for _ in range(20_000):
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 22)))
        point = rng.randrange(len(digits) + 1)
        text = digits[:point] + rng.choice(["", "."]) + digits[point:]
        texts.append(text + rng.choice(["", "", "", "e3", "E-4", "0000", "e-18"]))
    lines = [f"2024-08-08 00:00:00;X;1;{text};1;1\n" for text in texts]
    agree(tmp_path / "tob_1.csv", (TOB[1].decode() + "\n" + "".join(lines)).encode(), TOB, 65536)


def test_twin_knows_the_law_by_itself():
    twin = Twin(TOB[0]).read(TOB[1] + b"\n2024-08-08 23:54:14.5;X;61.250;1;;\n2024-08-08 23:54:14;X;nan;1;2;2\n1;2")
    assert twin.rows == [(2, 51, 1723161254500000000, "X", (Decimal("61.25"), 1, 0, 0), 0)]
    assert twin.rejects == [(3, 86, "BAD_NUMBER"), (4, 118, "TRUNCATED_TAIL")]


@pytest.mark.captures
@pytest.mark.parametrize(("folder", "tob", "trades", "names"), [("seed-shape", 215_850, 43_249, 4),
                                                                ("equity-days", 1_262_101, 96_833, 3)])
def test_captures_lose_nothing(captures, folder, tob, trades, names):
    rows, seen = {"tob": 0, "trades": 0}, set()
    for path in sorted((captures / folder).iterdir()):
        with get("seed").open(path, ReadOptions()) as raw:
            for chunk in raw:
                assert (chunk.ts[1:] >= chunk.ts[:-1]).all()
            rows[raw.table] += raw.rows_out
            seen.update(raw.names)
            assert raw.rejected == 0
    assert rows == {"tob": tob, "trades": trades}
    assert len(seen) == names


@pytest.mark.captures
def test_captures_agree_with_the_twin(captures, tmp_path):
    import lzma

    for name, table in (("tob_2024-08-09.csv", TOB), ("trade_2024-08-09.csv", TRADES)):
        with lzma.open(captures / "seed-shape" / f"{name}.xz") as file:
            data = b"".join(line for _, line in zip(range(5000), file, strict=False))
        assert agree(tmp_path / name, data, table, 1024) == 4999
