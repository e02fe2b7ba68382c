"""Checkpoints are whole or not there, and hold nothing but numbers."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt.errors import FileError, StoreError
from mmbt.learn.checkpoint import Checkpoints
from mmbt.store import files

ARRAYS = {"a.weights": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7, np.uint64),
          "c.empty": np.zeros((3, 0), np.int16), "d": np.array([True, False])}


def forged(header: dict[str, Any], body: bytes) -> bytes:
    data = b"mmbt-checkpoint 1\n" + json.dumps(header).encode() + b"\n" + body
    return data + hashlib.sha256(data).hexdigest().encode()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.latest() == (None, [])
    checkpoints.save(12, ARRAYS, {"stale": 3})
    found, wrong = checkpoints.latest()
    assert found is not None
    assert (found.block, found.meta["stale"], wrong) == (12, 3, [])
    assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in found.arrays.items()} == {
        name: (array.dtype, array.shape, array.tobytes()) for name, array in ARRAYS.items()}
    assert all(array.flags.writeable for array in found.arrays.values())


def test_the_last_few_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for block in (9, 10, 11):
        checkpoints.save(block, ARRAYS, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000010.ckpt", "000000000011.ckpt"]


def test_R3_any_damage_is_named_and_the_one_before_is_taken(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, ARRAYS, {})
    path = checkpoints.save(2, ARRAYS, {})
    whole = path.read_bytes()
    spoiled = [whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :] for place in range(len(whole))]
    for data in [*spoiled, b"", whole[:100], whole[:-1], whole + b"x"]:
        path.write_bytes(data)
        found, wrong = checkpoints.latest()
        assert found is not None
        assert found.block == 1
        assert len(wrong) == 1
        assert str(path) in wrong[0]


def test_R5_none_that_is_whole(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, ARRAYS, {}).write_bytes(b"nothing")
    with pytest.raises(StoreError, match="no checkpoint is whole"):
        checkpoints.latest()


@pytest.mark.parametrize(("listed", "words"), [
    ([["x", "|O", [1]]], "no array of numbers"), ([["x", "<f4", [2**40]]], "bytes, not"),
    ([["x", "<f4", [-1]]], "no array of numbers"), ([["x", "<f4", [0]]], "bytes, not"), ([["x", "nonsense", [1]]], ""),
    (None, ""),
])
def test_R8_a_forged_header_allocates_and_unpickles_nothing(tmp_path: Path, listed: Any, words: str) -> None:
    (tmp_path / "000000000001.ckpt").write_bytes(forged({"meta": {"block": 1}, "arrays": listed}, bytes(8)))
    with pytest.raises(StoreError, match=f"is no checkpoint.*{words}"):
        Checkpoints(tmp_path).latest()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_R10_a_failing_disk_leaves_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, ARRAYS, {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    real, count, limit = files.write_some, 0, 0

    def failing(file: Any, data: Any) -> int:
        nonlocal count
        count += 1
        if count == limit:
            raise OSError(code, "refused", file.name)
        return real(file, data)

    monkeypatch.setattr(files, "write_some", failing)
    for place in range(1, 6):  # the header, three arrays that hold something, the hash
        count, limit = 0, place
        with pytest.raises(FileError, match="refused"):
            checkpoints.save(2, ARRAYS, {})
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    count, limit = 0, 6
    checkpoints.save(2, ARRAYS, {})
    assert count == 5
