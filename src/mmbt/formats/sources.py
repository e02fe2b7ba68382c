"""Bytes of a file as a stream, decompressed, hashed and measured on the way.

| kind | told by its first bytes | damage that is noticed                                                    |
|------|-------------------------|---------------------------------------------------------------------------|
| gz   | 1F 8B                   | truncation, CRC, junk after the last member; any number of members       |
| xz   | FD 37 7A 58 5A 00       | truncation, check, junk; any number of streams                            |
| bz2  | BZh                     | truncation, CRC, junk; any number of streams                              |
| zst  | 28 B5 2F FD             | truncation, junk, and flips where frames carry checksums (zstd's default) |
| zip  | PK 03 04                | truncation, CRC; exactly one member, read as a stream whatever its name   |

Each of them, and output out of all proportion, is a `StoreError`: nothing of such a file may be kept.

A file is known by the SHA-256 of its decompressed bytes, so that it and its compressed copies are one.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from mmbt.errors import DataError, FileError, MmbtError, StoreError
from mmbt.formats.base import ReadOptions

__all__ = ["SUFFIXES", "Source", "content_sha256", "head_sha256"]

SUFFIXES = {".gz": "gz", ".xz": "xz", ".bz2": "bz2", ".zst": "zst", ".zip": "zip"}
_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst", b"PK\x03\x04": "zip",
          b"PK\x05\x06": "zip"}
_BZ2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_BLOCK = 1 << 20  # decompressed
_RAW_BLOCK = 1 << 17
_HEAD = 1 << 16  # decompressed
_FREE = 8 << 20  # bytes a small archive may give whatever its ratio
_XZ_MEMORY = 256 << 20
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, pa.ArrowException)


class Source:
    """One file, read once from start to end.

    Attributes
    ----------
    kind : "plain" or a value of `SUFFIXES`
    total, done : bytes of the file, and those read of it
    notes : what a person should know
    """

    def __init__(self, path: Path, max_ratio: int = 250, max_bytes: int | None = None) -> None:
        self.path = path
        self.notes: list[str] = []
        self.done = 0
        self._max_ratio = max_ratio
        self._max_bytes = max_bytes
        self._complete = False
        try:
            self.total = path.stat().st_size
            with path.open("rb") as file:
                self.kind = self._kind(file.read(10))
            self._file = path.open("rb")
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror}") from error
        self._hash = hashlib.sha256()
        self._content = self._hash if self.kind == "plain" else hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the bytes on disk; RuntimeError before the last block was read."""
        return self._digest(self._hash)

    @property
    def content_sha256(self) -> str:
        """SHA-256 (hex) of the decompressed bytes, likewise."""
        return self._digest(self._content)

    def blocks(self, size: int | None = None) -> Iterator[bytes]:
        """The decompressed bytes in blocks of at most `size`, by default 1 MiB."""
        made = 0
        try:
            for block in self._decoded(size or _BLOCK):
                made += len(block)
                if self._content is not self._hash:
                    self._content.update(block)
                if self._max_bytes is not None and made > self._max_bytes:
                    raise StoreError(f"{self.path} holds more than {self._max_bytes} bytes: raise the limit to take it")
                if self.kind != "plain" and made > _FREE and made > self._max_ratio * self.done:
                    raise StoreError(f"{self.path}: {made} bytes out of {self.done} look like a decompression bomb; "
                                     "unpack it by hand if it is genuine")
                yield block
        except MmbtError:
            raise
        except _DAMAGE as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            if error.errno is None:  # bz2 and pyarrow say so of bad data
                raise self._damaged(str(error)) from error
            raise FileError(f"cannot read {self.path}: {error.strerror}") from error
        self._complete = True

    def close(self) -> None:
        self._file.close()

    def _digest(self, of: hashlib._Hash) -> str:
        if not self._complete:
            raise RuntimeError(f"{self.path} was not read to its end: its hash is not known yet")
        return of.hexdigest()

    def _read(self, n: int = _RAW_BLOCK) -> bytes:
        data = self._file.read(n)
        self.done += len(data)
        self._hash.update(data)
        return data

    def _kind(self, head: bytes) -> str:
        found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "plain")
        if found == "bz2" and head[4:10] not in _BZ2_BLOCKS:
            found = "plain"
        named = SUFFIXES.get(self.path.suffix.lower(), "plain")
        if named != "plain" and found == "plain":
            raise self._damaged("its first bytes are others")
        if named != found:
            self.notes.append(f"{self.path.name} is a {found} file by its first bytes")
        return found

    def _damaged(self, why: str) -> StoreError:
        kind = SUFFIXES.get(self.path.suffix.lower()) or self.kind
        return StoreError(f"{self.path} is not a whole {kind} file ({why or 'it ends too early'}): fetch it again")

    def _decoded(self, size: int) -> Iterator[bytes]:
        match self.kind:
            case "plain":
                while block := self._read(size):
                    yield block
            case "gz":
                yield from _members(self._read, _Gzip, size)
            case "bz2":
                yield from _members(self._read, bz2.BZ2Decompressor, size)
            case "xz":
                yield from _members(self._read, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY), size)
            case "zst":
                with pa.CompressedInputStream(pa.PythonFile(_Reader(self._read), mode="r"), "zstd") as stream:
                    while block := stream.read(size):
                        yield block
            case _:
                yield from self._zip_member(size)

    def _zip_member(self, size: int) -> Iterator[bytes]:
        with zipfile.ZipFile(self._file) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
            if len(members) != 1:
                listed = ", ".join(repr(member.filename) for member in members[:5])
                raise DataError(f"{self.path} holds {len(members)} files ({listed}): "
                                "a zip must hold exactly one; unpack it")
            if stat.S_ISLNK(members[0].external_attr >> 16):
                raise StoreError(f"{self.path} holds a symbolic link instead of a file")
            if members[0].flag_bits & 1:
                raise DataError(f"{self.path} is encrypted: unpack it")
            with archive.open(members[0]) as stream:
                while block := stream.read(size):
                    self.done = min(self.total, max(1, self._file.tell()))
                    yield block
        # The index stands at the end, so a zip is not read in order: it is hashed afterwards.
        self._file.seek(0)
        while data := self._file.read(_BLOCK):
            self._hash.update(data)
        self.done = self.total


def head_sha256(path: Path, options: ReadOptions) -> str:
    """SHA-256 (hex) of the first 64 KiB of a file, decompressed: where it differs, so do the files.

    Raises
    ------
    DataError, StoreError, FileError
        As `Source` does.
    """
    head = b""
    with closing(Source(path, options.max_ratio, options.max_bytes)) as source:
        for block in source.blocks(_HEAD):
            head += block
            if len(head) >= _HEAD:
                break
    return hashlib.sha256(head[:_HEAD]).hexdigest()


def content_sha256(path: Path, options: ReadOptions) -> str:
    """SHA-256 (hex) of a whole file, decompressed; raises as `head_sha256` does."""
    with closing(Source(path, options.max_ratio, options.max_bytes)) as source:
        for _ in source.blocks():
            pass
        return source.content_sha256


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the manners of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.needs_input = True
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.eof = self._inner.eof
        self.unused_data = self._inner.unused_data
        self.needs_input = not self._inner.unconsumed_tail and len(out) < max_length
        return out


def _members(read: Callable[[], bytes], make: Callable[[], _Decoder], size: int) -> Iterator[bytes]:
    decoder, data = make(), read()
    while True:
        if out := decoder.decompress(data, size):
            yield out
        data = b""
        if decoder.eof:
            data = decoder.unused_data
            while not data.strip(b"\0"):  # zero padding is legal between and after members
                if not (data := read()):
                    return
            decoder, data = make(), data.lstrip(b"\0")
        elif decoder.needs_input and not (data := read()):
            raise EOFError("it ends too early")


class _Reader(io.RawIOBase):
    """A `read` function as a file object for pyarrow."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        super().__init__()
        self._read = read

    def readable(self) -> bool:
        return True

    def read(self, n: int = -1) -> bytes:
        return self._read(n if n >= 0 else _RAW_BLOCK)


