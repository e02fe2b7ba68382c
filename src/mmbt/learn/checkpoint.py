"""Checkpoints: all that a training goes on from, in files that are whole or not there.

    mmbt-checkpoint 1             the format
    {"meta": ..., "arrays": ...}  a line of JSON: what is known of it; names, types and shapes in the order of the bytes
    ...                           the arrays, one after the other
    0123...                       64 digits: SHA-256 of everything before

A file is written and synced under another name and takes its own by a rename, so that a crash at any instant leaves
those before as they were. Nothing in a file is code: only arrays of numbers are read.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import StoreError
from mmbt.store.files import HashedSink, io_errors, sync_folder

__all__ = ["Checkpoint", "Checkpoints"]

Arrays = dict[str, NDArray[Any]]

_MAGIC = b"mmbt-checkpoint 1\n"
_DIGITS = 64
_NAME = re.compile(r"\d{12}\.ckpt")
_NUMBERS = re.compile(r"[<>|](?:b1|[iu][1248]|f[248])")
_LONGEST_HEADER, _WIDEST = 1 << 24, 1 << 48


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read, and found whole."""

    path: Path
    block: int
    meta: dict[str, Any]
    arrays: Arrays


class Checkpoints:
    """The checkpoints of a run: a few files, named by their block.

    Parameters
    ----------
    folder
        Theirs; made by the first.
    keep
        How many of the latest stay.
    """

    def __init__(self, folder: Path, keep: int = 3) -> None:
        self.folder, self._keep = folder, keep

    def save(self, block: int, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Path:
        """Write one, then remove those that are more than a few.

        Raises
        ------
        FileError
            When it cannot be written: those before are as they were.
        """
        path = self.folder / f"{block:012d}.ckpt"
        part = path.with_suffix(".part")
        whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        header = {"meta": {**meta, "block": block},
                  "arrays": [[name, array.dtype.str, list(arrays[name].shape)] for name, array in whole.items()]}
        need = sum(array.nbytes for array in whole.values())
        with io_errors(self.folder, "writing", need):
            self.folder.mkdir(exist_ok=True)
            for left in self.folder.glob("*.part"):  # of one that was killed
                left.unlink()
            try:
                sink = HashedSink(part)
                try:
                    sink.write(_MAGIC + json.dumps(header, allow_nan=False).encode() + b"\n")
                    for array in whole.values():
                        if array.nbytes:
                            sink.write(array.reshape(-1).view(np.uint8))
                    sink.write(sink.sha256.encode())
                finally:
                    sink.close()
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            sync_folder(self.folder)
            later = [old for old in self._files() if old.name > path.name]  # damaged: it went on from one before
            for old in [*later, *self._files()[len(later) + self._keep :]]:
                old.unlink()
        return path

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The latest that is whole, and what is wrong with each that came later.

        Raises
        ------
        StoreError
            When there are checkpoints, and none is whole.
        """
        wrong: list[str] = []
        for path in self._files():
            try:
                return _read(path), wrong
            except StoreError as error:
                wrong.append(str(error))
        if wrong:
            raise StoreError("; ".join([*wrong, "no checkpoint is whole: train anew"]))
        return None, wrong

    def _files(self) -> list[Path]:
        """The latest first."""
        if not self.folder.is_dir():
            return []
        found = (path for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
        return sorted(found, reverse=True)


def _read(path: Path) -> Checkpoint:
    with io_errors(path, "reading"), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreError(f"{path} is no checkpoint of this version of mmbt, or is damaged")
        line = file.readline(_LONGEST_HEADER)
        try:
            header = json.loads(line)
            listed = [_array(*each) for each in header["arrays"]]
            block, meta = int(header["meta"]["block"]), dict(header["meta"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise StoreError(f"{path} is no checkpoint, or is damaged: {error}") from error
        begin = len(_MAGIC) + len(line)
        needed = begin + sum(dtype.itemsize * math.prod(shape) for _, dtype, shape in listed) + _DIGITS
        if size != needed:  # before anything is allocated for it
            raise StoreError(f"{path} is no checkpoint, or is damaged: it has {size:,} bytes, not {needed:,}")
        data = bytearray(size)  # writable: arrays are views of it
        file.seek(0)
        if file.readinto(data) != size:
            raise StoreError(f"{path} is damaged: it is cut off")
    body = memoryview(data)[: size - _DIGITS]
    if hashlib.sha256(body).hexdigest().encode() != data[len(body) :]:
        raise StoreError(f"{path} is damaged: its SHA-256 is not the one written")
    arrays: Arrays = {}
    for name, dtype, shape in listed:
        end = begin + dtype.itemsize * math.prod(shape)
        arrays[name] = np.frombuffer(body[begin:end], dtype).reshape(shape)
        begin = end
    return Checkpoint(path, block, meta, arrays)


def _array(name: Any, kind: Any, shape: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    """Name, type and shape of an array of numbers."""
    if not _NUMBERS.fullmatch(kind) or not all(type(width) is int and 0 <= width < _WIDEST for width in shape):
        raise ValueError(f"{name!r} is no array of numbers")
    return str(name), np.dtype(kind), tuple(shape)
