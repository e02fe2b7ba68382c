"""Compressed raw files, sound and broken (C19)."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import random
import zipfile
from itertools import pairwise

import pyarrow as pa
import pytest

from mmbt.errors import DataError, StoreError
from mmbt.formats import ReadOptions
from mmbt.formats.sources import content_sha256, head_sha256

from .conftest import TOB

T = "2024-08-08 23:54:14"
NS = 1723161254 * 10**9


def row(bid="61.25", bid_size="1", ask="61.26", ask_size="2", when=T, instrument="X/Y"):
    return ";".join([when, instrument, bid, bid_size, ask, ask_size]) + "\n"


def deal(price="61.25", qty="1", side="B", when=T, instrument="X/Y"):
    return ";".join([when, instrument, price, qty, side]) + "\n"


TEXT = (TOB + "".join(row(bid=f"{n}.25") for n in range(1, 3000))).encode()


def zipped(*members, name="tob.csv"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, member in enumerate(members):
            archive.writestr(name if k == 0 else f"{k}-{name}", member)
    return out.getvalue()


def zstd(data):
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


PACK = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstd, "zip": zipped}


class TestC19Archives:
    @pytest.mark.parametrize("kind", PACK)
    def test_C19_same_rows_as_plain(self, read, kind):
        plain, packed = read("tob_1.csv", TEXT), read(f"tob_1.csv.{kind}", PACK[kind](TEXT))
        assert packed.rows == plain.rows

    @pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zst"])
    def test_C19_many_members(self, read, kind):
        cut = [0, 1, 100, 101, 5000, len(TEXT)]
        parts = [PACK[kind](TEXT[a:b]) for a, b in pairwise(cut)]
        assert read(f"tob_1.csv.{kind}", b"".join(parts)).rows == read("tob_1.csv", TEXT).rows

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_truncated_is_exit_4(self, read, kind):
        data = PACK[kind](TEXT)
        for size in {0, 1, 5, 11, len(data) // 2, len(data) - 9, len(data) - 1}:
            with pytest.raises(StoreError, match="fetch it again") as caught:
                read(f"tob_1.csv.{kind}", data[:size])
            assert caught.value.exit_code == 4

    @pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip"])
    def test_C19_flips_never_change_rows(self, read, kind):
        data, rng = PACK[kind](TEXT), random.Random(19)
        want = read("tob_1.csv", TEXT).rows
        caught = 0
        for _ in range(60):
            flipped = bytearray(data)
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            try:
                got = read(f"tob_1.csv.{kind}", bytes(flipped))
            except (StoreError, DataError):
                caught += 1
            else:  # a header field that nobody needs, such as the time of packing
                assert got.rows == want
        assert caught > 40

    @pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zst"])
    def test_C19_junk_behind_is_exit_4(self, read, kind):
        with pytest.raises(StoreError):
            read(f"tob_1.csv.{kind}", PACK[kind](TEXT) + b"junk")

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_bomb(self, read, kind):
        with pytest.raises(StoreError, match="bomb"):
            read(f"tob_1.csv.{kind}", PACK[kind](TEXT + bytes(24 << 20)))

    def test_C19_size_limit(self, read):
        with pytest.raises(StoreError, match="more than 1000 bytes"):
            read("tob_1.csv.gz", gzip.compress(TEXT), max_bytes=1000)

    def test_C19_zip_of_two_files(self, read):
        with pytest.raises(DataError, match="holds 2 files"):
            read("tob_1.zip", zipped(TEXT, TEXT))

    @pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "a/b/c.csv"])
    def test_C19_zip_member_is_never_a_path(self, read, tmp_path, name):
        assert read("tob_1.csv.zip", zipped(TEXT, name=name)).rows
        assert [path.name for path in tmp_path.iterdir()] == ["tob_1.csv.zip"]

    def test_C19_zip_of_a_link(self, read):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            member = zipfile.ZipInfo("tob.csv")
            member.external_attr = 0o120777 << 16
            archive.writestr(member, "/etc/passwd")
        with pytest.raises(StoreError, match="symbolic link"):
            read("tob_1.csv.zip", out.getvalue())

    def test_C19_archive_without_its_suffix(self, read):
        got = read("tob_1.csv", gzip.compress(TEXT))
        assert len(got.rows) == 2999
        assert "gz" in got.raw.notes[0]

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_plain_text_with_an_archive_suffix(self, read, kind):
        with pytest.raises(StoreError, match="not a whole"):
            read(f"tob_1.csv.{kind}", TEXT)

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_hashes_are_those_of_the_file_and_of_its_content(self, read, kind):
        data = PACK[kind](TEXT)
        raw = read(f"tob_1.csv.{kind}", data).raw
        assert raw.sha256 == hashlib.sha256(data).hexdigest()
        assert raw.content_sha256 == hashlib.sha256(TEXT).hexdigest()

    def test_C19_hashes_of_a_plain_file_are_one(self, read):
        raw = read("tob_1.csv", TEXT).raw
        assert raw.content_sha256 == raw.sha256 == hashlib.sha256(TEXT).hexdigest()

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_hashes_without_reading_rows(self, write, kind):
        path = write(f"tob_1.csv.{kind}", PACK[kind](TEXT))
        assert len(TEXT) > 1 << 16
        assert content_sha256(path, ReadOptions()) == hashlib.sha256(TEXT).hexdigest()
        assert head_sha256(path, ReadOptions()) == hashlib.sha256(TEXT[: 1 << 16]).hexdigest()

    @pytest.mark.parametrize("kind", PACK)
    def test_C19_hashing_keeps_the_limits(self, write, kind):
        bomb = write(f"tob_1.csv.{kind}", PACK[kind](TEXT + bytes(24 << 20)))
        with pytest.raises(StoreError, match="bomb"):
            content_sha256(bomb, ReadOptions())
        with pytest.raises(StoreError, match="more than 1000 bytes"):
            head_sha256(bomb, ReadOptions(max_bytes=1000))
