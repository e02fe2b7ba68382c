"""Faults of what a training leaves on disk: checkpoints, models, the folder of a run; damaged, foreign, half written.

Everything here is without TensorFlow: what a training does with such files is in tests/cli/test_train_faults.py.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt.errors import FileError, MmbtError, StoreError, UsageError
from mmbt.learn.checkpoint import Checkpoints
from mmbt.learn.model import Model, ModelInfo
from mmbt.store import files
from mmbt.training.run import TrainingRun
from tests.faults.kills import small_disk

RNG = np.random.default_rng(0)
ARRAYS = {"agent.online.0": RNG.normal(size=(40, 64)).astype(np.float32), "replay.mask": RNG.random((300, 7)) < 0.5,
          "world.step": np.array(7, np.int64), "none": np.zeros((0, 3), np.float32)}
META = {"identity": "me", "stale": 0, "scores": None, "best": None}
MANIFEST = {"market": "recorded", "settings": {"steps": 10}, "conditions": {"instruments": ["X"]},
            "data": {"store": "data/store", "dates": None, "hot": False,
                     "files": [{"path": "a.parquet", "sha256": "0" * 64, "rows": 3}]}, "split": {"kind": "days"}}


def make_model(seed: int, width: int = 16) -> Model:
    info = ModelInfo(kind="market", inputs=("imbalance", "inventory"), actions=5, layers=(width,), world={},
                     conditions={}, learner={"seed": seed}, provenance={}, scores={})
    rng = np.random.default_rng(seed)
    return Model(info, [rng.normal(size=shape).astype(np.float32) for shape in info.shapes])


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def same_json(one: bytes, other: bytes) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


# ---- R5: damage


def test_R5_a_flipped_bit_of_a_checkpoint_is_found_wherever_it_is(tmp_path: Path) -> None:
    """A bit of every byte before the data and of the hash after them; a seeded sample of the data."""
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(3, ARRAYS, META)
    whole = path.read_bytes()
    begin = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    rng, end = np.random.default_rng(1), len(whole) - 64
    places = [*range(begin), *rng.choice(np.arange(begin, end), 1000, replace=False).tolist(), *range(end, len(whole))]
    for bit in 8 * np.array(places) + rng.integers(0, 8, len(places)):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(StoreError, match=path.name) as caught:
            checkpoints.latest()
        assert caught.value.exit_code == 4
    path.write_bytes(whole)
    assert checkpoints.latest()[1] == []


def test_R5_a_flipped_bit_of_a_model_is_found_wherever_it_is(tmp_path: Path) -> None:
    """A bit of every byte of its JSON and of the headers of its arrays; a seeded sample of the weights."""
    make_model(1).save(tmp_path)
    rng = np.random.default_rng(2)
    for file in sorted(tmp_path.iterdir()):
        whole = file.read_bytes()
        header = len(whole) if file.suffix == ".json" else 128
        data = np.arange(header, len(whole))
        places = [*range(header), *rng.choice(data, min(100, len(data)), replace=False).tolist()]
        for bit in 8 * np.array(places) + rng.integers(0, 8, len(places)):
            changed = flipped(whole, bit)
            if file.suffix == ".json" and same_json(changed, whole):
                continue  # a blank that became another blank
            file.write_bytes(changed)
            with pytest.raises(StoreError) as caught:
                Model.load(tmp_path)
            assert caught.value.exit_code == 4
        file.write_bytes(whole)
    assert Model.load(tmp_path).hash == make_model(1).hash


def test_R5_a_damaged_manifest_of_a_run_is_told_and_never_a_bug(tmp_path: Path) -> None:
    """Each part missing, or of another kind; each byte another one. What can still be read is read."""
    run = tmp_path / "run"
    with TrainingRun.create(run, MANIFEST) as made:
        made.begin(0, {"mmbt": "1"})
        made.end("time limit")
    path = run / "manifest.json"
    whole = path.read_bytes()
    document = json.loads(whole)
    optional = {"conditions", "data", "split"}
    for name in sorted(document):
        for value in [None, [], "x", {"y": 1}, -1.5]:
            path.write_text(json.dumps(document | {name: value}))
            _opened(run)
        path.write_text(json.dumps({key: value for key, value in document.items() if key != name}))
        assert _opened(run) == (0 if name in optional else 4), name
    for value in (None, [], 3, "x"):
        path.write_text(json.dumps(value))
        assert _opened(run) == 4
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + b"#" + whole[place + 1 :])
        _opened(run)
    path.write_bytes(b"[" * 100_000)
    assert _opened(run) == 4


def _opened(run: Path) -> int:
    """The exit code of opening a run; what is no error of mmbt is a bug."""
    try:
        with TrainingRun.open(run) as found:
            assert isinstance(found.identity, str)
    except MmbtError as error:
        return error.exit_code if "manifest" in str(error) else -1
    return 0


def test_a_run_of_a_newer_mmbt_and_a_backtest_say_what_they_are(tmp_path: Path) -> None:
    run = tmp_path / "run"
    TrainingRun.create(run, MANIFEST).__exit__(None, None, None)
    path = run / "manifest.json"
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | {"manifest_version": 2}))
    with pytest.raises(StoreError, match="written by a newer one; update mmbt"):
        TrainingRun.open(run)
    path.write_text(json.dumps({"manifest_version": 1, "strategy": {"name": "linear-skew"}}))
    with pytest.raises(UsageError, match="is a backtest"):
        TrainingRun.open(run)


# ---- R8: forged sizes


def test_R8_sizes_of_a_checkpoint_are_compared_before_anything_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "000000000001.ckpt"
    header = {"meta": {"block": 1}, "arrays": [["x", "<f8", [1 << 37]]]}
    start = b"mmbt-checkpoint 1\n" + json.dumps(header).encode() + b"\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (1 << 29), hard))
    try:
        for size in (len(start), 1 << 40):  # a terabyte that is not there
            with path.open("wb") as file:
                file.write(start)
                file.truncate(size)
            with pytest.raises(StoreError, match=r"bytes, not 1,099,511,"):
                Checkpoints(tmp_path).latest()
        with path.open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(StoreError, match="no checkpoint of this version"):
            Checkpoints(tmp_path).latest()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


@pytest.mark.parametrize("header", [
    b"[" * 100_000, b"{}", b"[]", b"7", b'{"meta": {"block": 1e999}, "arrays": []}', b'{"meta": 3, "arrays": []}',
    b'{"meta": {"block": 1}, "arrays": [["x", "<f4", [0, 1180591620717411303424]]]}',
    b'{"meta": {"block": 1}, "arrays": [["x", {"names": ["a"], "formats": ["O"]}, [1]]]}',
    b'{"meta": {"block": 1}, "arrays": [["x", "<f4", [true]]]}', b'{"meta": {"block": 1}, "arrays": [["x", "<f4"]]}',
    b'{"meta": {"block": 1}, "arrays": 5}', b'{"meta": {"block": "one"}, "arrays": []}', b"\xff\xfe"], ids=range(13))
def test_R8_a_forged_header_with_a_true_hash_is_told(tmp_path: Path, header: bytes) -> None:
    data = b"mmbt-checkpoint 1\n" + header + b"\n" + bytes(4)
    path = tmp_path / "000000000001.ckpt"
    path.write_bytes(data + hashlib.sha256(data).hexdigest().encode())
    with pytest.raises(StoreError, match=path.name):
        Checkpoints(tmp_path).latest()


def test_what_is_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, ARRAYS, META)
    os.mkfifo(tmp_path / "000000000002.ckpt")
    (tmp_path / "000000000003.ckpt").mkdir()
    (tmp_path / "000000000004.ckpt").symlink_to("/dev/zero")
    found, wrong = checkpoints.latest()
    assert found is not None
    assert (found.block, wrong) == (1, [])


# ---- R3, R10: writing that fails or is cut short


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> Iterator[Callable[[int], Callable[[], int]]]:
    """Gives what arms the n-th call to the file system to fail; that gives what counts the calls since."""
    count = limit = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == limit:
                raise OSError(code, os.strerror(code), "somewhere")
            return real(*arguments, **more)

        return call

    def arm(nth: int) -> Callable[[], int]:
        nonlocal count, limit
        count, limit = 0, nth
        return lambda: count

    with monkeypatch.context() as patched:
        for where, name in ((files, "write_some"), (os, "fsync"), (os, "open"), (Path, "open"), (Path, "replace"),
                            (Path, "unlink"), (Path, "mkdir")):
            patched.setattr(where, name, counted(getattr(where, name)))
        yield arm
        limit = 0


CODES = pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])


@CODES
def test_R10_whichever_call_of_a_checkpoint_fails_one_that_is_whole_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    checkpoints = Checkpoints(tmp_path)
    for block in (1, 2, 3):
        checkpoints.save(block, ARRAYS, META)
    said: set[str] = set()
    with failing(monkeypatch, code) as arm:
        for nth in itertools.count(1):
            count = arm(nth)
            try:
                checkpoints.save(3 + nth, ARRAYS, META)
            except FileError as error:
                said.add(str(error))
            else:
                assert count() < nth
                break
            arm(0)
            found, wrong = checkpoints.latest()
            assert found is not None
            assert wrong == []
            assert found.block in {3 + nth, 2 + nth, 3}
            assert {name: array.tobytes() for name, array in found.arrays.items()} == {
                name: array.tobytes() for name, array in ARRAYS.items()}
    assert nth > 10
    assert [text for text in said if os.strerror(code) not in text] == []
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".ckpt"] * 3


@CODES
def test_R10_whichever_call_of_a_publication_fails_a_whole_model_remains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    before, after = make_model(1), make_model(2)
    before.save(tmp_path)
    with failing(monkeypatch, code) as arm:
        for nth in itertools.count(1):
            count = arm(nth)
            try:
                after.save(tmp_path)
            except FileError:
                pass
            else:
                assert count() < nth
                break
            arm(0)
            assert Model.load(tmp_path).hash in {before.hash, after.hash}
            before.save(tmp_path)
    assert nth > 15
    assert Model.load(tmp_path).hash == after.hash
    assert len(list(tmp_path.iterdir())) == 1 + len(after.weights)


@CODES
def test_R10_whichever_call_of_a_manifest_fails_the_run_can_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    run = tmp_path / "run"
    with TrainingRun.create(run, MANIFEST) as made, failing(monkeypatch, code) as arm:
        for nth in itertools.count(1):
            arm(nth)
            try:
                made.begin(nth, {"mmbt": "1"})
            except FileError:
                continue
            break
    with TrainingRun.open(run) as found:
        assert len(found.manifest["sessions"]) == nth


def test_R10_a_full_disk_keeps_the_checkpoint_and_the_model_before(tmp_path: Path) -> None:
    with small_disk(tmp_path) as small:
        checkpoints = Checkpoints(small / "checkpoints")
        checkpoints.save(1, ARRAYS, META)
        make_model(1).save(small / "model")
        (small / "filler").write_bytes(bytes(_free(small) - 8192))
        with pytest.raises(FileError, match="bytes are free"):
            checkpoints.save(2, ARRAYS | {"more": np.zeros(1 << 16)}, META)
        with pytest.raises(FileError, match="bytes are free"):
            make_model(2, 400).save(small / "model")
        (small / "filler").unlink()
        found, wrong = checkpoints.latest()
        assert found is not None
        assert (found.block, wrong) == (1, [])
        assert Model.load(small / "model").hash == make_model(1).hash
        checkpoints.save(2, ARRAYS, META)


def _free(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def test_R3_what_one_that_was_killed_left_is_swept_by_the_next(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(10, ARRAYS, META)
    (tmp_path / "000000000020.part").write_bytes(b"half")
    checkpoints.save(15, ARRAYS, META)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000000010.ckpt", "000000000015.ckpt"]


def test_R3_damaged_ones_go_when_the_run_has_gone_on_from_one_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for block in (1, 2, 3):
        checkpoints.save(block, ARRAYS, META)
    (tmp_path / "000000000003.ckpt").write_bytes(b"damaged")
    found, wrong = checkpoints.latest()
    assert found is not None
    assert (found.block, len(wrong)) == (2, 1)
    checkpoints.save(2, ARRAYS, META)
    assert checkpoints.latest()[1] == []


# ---- two at once


def test_a_second_training_in_a_folder_is_told_who_is_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with TrainingRun.create(run, MANIFEST):
        for begin in (lambda: TrainingRun.open(run), lambda: TrainingRun(run, {}, new=True)):
            with pytest.raises(FileError, match=rf"another mmbt train \(pid {os.getpid()}\) is at work on this run"):
                begin()
        with pytest.raises(UsageError, match="already holds something"):
            TrainingRun.create(run, MANIFEST)
    with TrainingRun.open(run):
        pass


def test_a_new_run_that_was_given_wrongly_is_removed_and_one_that_goes_on_is_not(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(UsageError), TrainingRun.create(run, MANIFEST):
        raise UsageError("capacity")
    assert not run.exists()
    TrainingRun.create(run, MANIFEST).__exit__(None, None, None)
    with pytest.raises(UsageError), TrainingRun.open(run):
        raise UsageError("--seed")
    assert (run / "manifest.json").exists()
