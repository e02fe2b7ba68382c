"""A raw file and its compressed copies are one file: the same place among ties, and never in a store twice."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zipfile
from collections.abc import Callable
from itertools import count, product
from pathlib import Path

import pyarrow as pa
import pytest

from mmbt.errors import StoreError, UsageError
from mmbt.formats import ReadOptions
from mmbt.store import convert, open_store
from tests.store.helpers import BASE, Row, contents, parts, quotes, tob

NAME = "BTC/USD_T+0"


def _zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tob.csv", data)
    return out.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
    "zip": _zip,
}


def packed(path: Path, kind: str) -> Path:
    """A compressed copy beside a file."""
    copy = path.with_name(f"{path.name}.{kind}")
    copy.write_bytes(PACK[kind](path.read_bytes()))
    return copy


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def data_files(root: Path) -> dict[str, bytes]:
    """The files of a store but for its manifest, which names the paths of the sources."""
    return {path: data for path, data in parts(root).items() if path != "manifest.json"}


def tied(folder: Path) -> tuple[Path, Path]:
    """Two files of the same stamps, in another order by the SHA-256 of their xz copies than by their own."""
    for n in count(1):
        rows: list[list[Row]] = [
            [(BASE, NAME, "61", n, "62", i), (BASE, NAME, "60", n, "63", i), (BASE + 1, NAME, "60", n, "62", i)]
            for i in (1, 2)
        ]
        a, b = (tob(folder / f"tob_{i}.csv", content) for i, content in enumerate(rows))
        if (digest(a) < digest(b)) != (digest(packed(a, "xz")) < digest(packed(b, "xz"))):
            return a, b
    raise AssertionError


def test_O1_ties_between_files_do_not_depend_on_their_compression(tmp_path: Path) -> None:
    pair = tied(tmp_path / "raw")
    plain = convert(pair, tmp_path / "plain")
    for a, b in product(["", *PACK], repeat=2):
        files = [packed(path, kind) if kind else path for path, kind in zip(pair, (a, b), strict=True)]
        store = tmp_path / f"store-{a}-{b}"
        assert convert(files, store).content_hash == plain.content_hash
        assert data_files(store) == data_files(tmp_path / "plain")
    first, _ = sorted(pair, key=digest)
    assert contents(tmp_path / "plain", NAME)[0][0][4] == pair.index(first) + 1


def test_O1_ties_with_a_file_added_later_do_not_either(tmp_path: Path) -> None:
    pair = tied(tmp_path / "raw")
    convert(pair, tmp_path / "plain")
    for kind in PACK:
        for one, other in (pair, pair[::-1]):
            store = tmp_path / f"store-{kind}-{one.name}"
            convert([packed(one, kind)], store)
            convert([other], store)
            assert data_files(store) == data_files(tmp_path / "plain")


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("rows", [1, 5000])
def test_C25_a_file_and_its_compressed_copy_in_one_command_are_refused(tmp_path: Path, kind: str, rows: int) -> None:
    path = tob(tmp_path / "raw" / "tob.csv", quotes(rows))
    packed(path, kind)
    with pytest.raises(UsageError, match=rf"tob\.csv\.{kind}: the same file as .*tob\.csv, once decompressed; give it"):
        convert([tmp_path / "raw" / "tob.csv", tmp_path / "raw" / f"tob.csv.{kind}"], tmp_path / "s")
    assert not (tmp_path / "s" / "manifest.json").exists()


def test_two_archives_of_one_file_are_refused_stored_or_not(tmp_path: Path) -> None:
    path = tob(tmp_path / "tob.csv", quotes(5000))
    copies = [packed(path, "xz"), packed(path, "gz")]
    with pytest.raises(UsageError, match="the same file as"):
        convert(copies, tmp_path / "s")
    convert([path], tmp_path / "s")
    for twice in (copies, [path, copies[0]], [copies[0], path]):
        with pytest.raises(UsageError, match="the same file as"):
            convert(twice, tmp_path / "s")


@pytest.mark.parametrize(("stored", "given"), [(a, b) for a, b in product(["", *PACK], repeat=2) if "" in (a, b)])
def test_C25_a_stored_file_in_another_compression_changes_nothing(tmp_path: Path, stored: str, given: str) -> None:
    path = tob(tmp_path / "tob.csv", [*quotes(5000), (BASE, NAME, "nan", 1, 102, 1)])
    before, after = (packed(path, kind) if kind else path for kind in (stored, given))
    other = tob(tmp_path / "tob_2.csv", quotes(7, start=BASE + 10**12))
    convert([before, other], tmp_path / "s")
    was = parts(tmp_path / "s")
    for _ in range(2):
        again = convert([after], tmp_path / "s")
        assert (again.rows_in, again.rows_out, again.quarantined, again.dropped) == (5001, 0, 0, 5001)
        assert again.files[0]["skipped"]
        assert "already in the store" in again.notes[0]
        assert parts(tmp_path / "s") == was


def test_a_stored_file_is_told_by_its_bytes_on_disk_without_unpacking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tob(tmp_path / "tob.csv", quotes(5000)), "xz")
    convert([path], tmp_path / "s")

    def never(path: Path, options: ReadOptions) -> str:
        raise AssertionError(path)

    monkeypatch.setattr("mmbt.store.sources.head_sha256", never)
    monkeypatch.setattr("mmbt.store.sources.content_sha256", never)
    assert convert([path], tmp_path / "s").dropped == 5000


def test_only_files_that_begin_alike_are_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmbt.formats.sources import content_sha256

    read: list[Path] = []

    def noted(path: Path, options: ReadOptions) -> str:
        read.append(path)
        return content_sha256(path, options)

    monkeypatch.setattr("mmbt.store.sources.content_sha256", noted)
    rows = quotes(5000)
    short, long = tob(tmp_path / "tob_1.csv", rows[:4000]), packed(tob(tmp_path / "tob_2.csv", rows), "xz")
    other = packed(tob(tmp_path / "tob_3.csv", rows[1:]), "xz")
    assert short.stat().st_size > 1 << 16
    convert([short, other], tmp_path / "s")
    assert read == []
    assert convert([long], tmp_path / "s").rows_out == 5000
    assert read == [long]


def test_the_manifest_names_both_hashes(tmp_path: Path) -> None:
    plain = tob(tmp_path / "tob_1.csv", quotes(5000))
    path = packed(tob(tmp_path / "tob_2.csv", quotes(5000, start=BASE + 1)), "xz")
    convert([plain, path], tmp_path / "s")
    sources = open_store(tmp_path / "s").manifest.sources
    for file, content in ((plain, plain), (path, tmp_path / "tob_2.csv")):
        source = sources[digest(content)]
        assert (source.path, source.content_sha256, source.sha256) == (str(file), digest(content), digest(file))
        assert source.head_sha256 == hashlib.sha256(content.read_bytes()[: 1 << 16]).hexdigest()
        assert source.bytes == file.stat().st_size


@pytest.mark.parametrize("kind", PACK)
def test_C19_a_damaged_copy_of_a_stored_file_is_exit_4(tmp_path: Path, kind: str) -> None:
    path = tob(tmp_path / "tob.csv", quotes(20_000))
    convert([path], tmp_path / "s")
    was = parts(tmp_path / "s")
    copy = packed(path, kind)
    copy.write_bytes(copy.read_bytes()[:-9])
    with pytest.raises(StoreError, match="not a whole"):
        convert([copy], tmp_path / "s")
    assert parts(tmp_path / "s") == was


def test_a_copy_that_only_its_format_can_unpack_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tob(tmp_path / "tob.csv", quotes(50))
    convert([path], tmp_path / "s")
    was = parts(tmp_path / "s")

    def unknown(path: Path, options: ReadOptions) -> str:
        raise StoreError(f"{path} is packed in a way of its own")

    monkeypatch.setattr("mmbt.store.sources.head_sha256", unknown)
    with pytest.raises(UsageError, match=r"tob\.csv\.xz: the store has a file of the same bytes; leave it out"):
        convert([packed(path, "xz")], tmp_path / "s")
    assert parts(tmp_path / "s") == was
