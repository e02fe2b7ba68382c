"""Model files: what is written is what is read, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from mmbt.errors import FileError, StoreError, UsageError
from mmbt.learn.model import Model, ModelInfo, _hash, find_model, read_info
from mmbt.store import files

INPUTS = ("imbalance", "spread_ratio", "inventory")


def make_info(**changes: Any) -> ModelInfo:
    return ModelInfo(**{
        "kind": "market", "inputs": INPUTS, "actions": 5, "layers": (8, 4), "world": {"options": {"beta": 0.99}},
        "learner": {"seed": 3}, "conditions": {"fills": {"preset": "seed"}}, "provenance": {"seed": "3"},
        "scores": {"F": 0.25}, **changes})


def make_model(seed: int = 0, **changes: Any) -> Model:
    info, rng = make_info(**changes), np.random.default_rng(seed)
    return Model(info, [rng.normal(size=shape).astype(np.float32) for shape in info.shapes])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make_model().save(tmp_path / "model")
    return tmp_path / "model"


def rewrite(path: Path, **changes: Any) -> None:
    """The JSON with changes, by somebody who knows how to seal it."""
    document = json.loads((path / "model.json").read_text()) | changes
    body = {key: value for key, value in document.items() if key != "hash"}
    (path / "model.json").write_text(json.dumps({**body, "hash": _hash(body)}))


# ---- what is written is what is read


@pytest.mark.parametrize("layers", [(), (3,), (64, 64), (8, 4, 2, 7)])
def test_a_model_comes_back_bit_for_bit(tmp_path: Path, layers: tuple[int, ...]) -> None:
    model = make_model(1, layers=layers)
    model.save(tmp_path / "runs" / "one" / "model")
    back = Model.load(tmp_path / "runs" / "one" / "model")
    assert back.info == model.info
    assert [a.tobytes() for a in back.weights] == [a.tobytes() for a in model.weights]
    assert back.hash == model.hash
    assert json.loads((tmp_path / "runs/one/model/model.json").read_text())["hash"] == model.hash


def test_numpy_reads_the_arrays(saved: Path) -> None:
    document = json.loads((saved / "model.json").read_text())
    for entry, array in zip(document["arrays"], make_model().weights, strict=True):
        found = np.load(saved / entry["file"], allow_pickle=False)
        assert found.dtype == np.float32
        assert (found == array).all()
        assert hashlib.sha256((saved / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_model(7).save(tmp_path / name)
    assert ({path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
            == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()})


def test_a_hash_tells_models_apart() -> None:
    found = {make_model(1).hash, make_model(2).hash, make_model(1, scores={"F": 0.5}).hash,
             make_model(1, conditions={"fills": {"preset": "queue"}}).hash}
    assert len(found) == 4


def test_a_network_values_states_as_numpy_does() -> None:
    model, states = make_model(5), np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    x = states.astype(np.float64)
    for place in range(0, 6, 2):
        x = x @ model.weights[place] + model.weights[place + 1]
        x = np.maximum(x, 0) if place < 4 else x
    np.testing.assert_allclose(model.q_values(states), x, rtol=1e-5, atol=1e-5)


def test_a_better_model_replaces_the_one_before(saved: Path) -> None:
    better = make_model(9, layers=(2,))
    better.save(saved)
    assert Model.load(saved).hash == better.hash
    assert len(list(saved.iterdir())) == 1 + 4


def test_a_reader_meets_whole_models_while_others_are_written(saved: Path) -> None:
    models = [make_model(seed, layers=(seed + 1,)) for seed in range(12)]
    known, met = {make_model().hash, *(model.hash for model in models)}, set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            met.add(Model.load(saved).hash)

    reader = threading.Thread(target=read)
    reader.start()
    for model in models:
        model.save(saved)
    done.set()
    reader.join()
    assert met
    assert met <= known


@pytest.mark.parametrize("call", range(7))
def test_a_save_that_fails_leaves_the_model_before(saved: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    write, calls = files.write_some, iter(range(1000))

    def fail(file: Any, data: Any) -> int:
        if next(calls) == call:
            raise OSError(28, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(files, "write_some", fail)
    with pytest.raises(FileError, match="free"):
        make_model(4).save(saved)
    monkeypatch.undo()
    assert Model.load(saved).hash == make_model().hash
    make_model(4).save(saved)  # and what was left over is gone
    assert len(list(saved.iterdir())) == 1 + 6


# ---- what is no model


def test_wrong_weights_are_refused_where_they_are_given() -> None:
    info = make_info()
    good = make_model().weights
    for bad in (good[:-1], [*good[:-1], good[-1][:2]], [*good[:-1], np.full(5, np.nan, np.float32)]):
        with pytest.raises(ValueError, match=r"weight|shapes"):
            Model(info, bad)


@pytest.mark.parametrize("changes", [
    {"kind": "pickle"}, {"format": 2}, {"actions": 0}, {"actions": 2**31}, {"layers": (0,)}, {"layers": (10**9,)},
    {"layers": (4096,) * 9}, {"inputs": ()}, {"inputs": ("x",) * 5000}, {"scores": {"F": float("nan")}},
    {"world": {"x": float("inf")}}, {"learner": {"path": Path()}}, {"activation": "tanh"},
])
def test_information_has_bounds(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_info(**changes)


def test_every_flipped_bit_is_found(saved: Path) -> None:
    rng = np.random.default_rng(0)
    for file in sorted(saved.iterdir()):
        data = file.read_bytes()
        bits = range(0, 8 * len(data), 41) if file.suffix == ".json" else rng.choice(8 * len(data), 60, replace=False)
        for bit in bits:
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            file.write_bytes(changed)
            try:
                same = json.loads(changed) == json.loads(data) if file.suffix == ".json" else False
            except ValueError:
                same = False
            if not same:  # a blank that became another blank is no change
                with pytest.raises(StoreError):
                    Model.load(saved)
        file.write_bytes(data)
    assert Model.load(saved).hash == make_model().hash


@pytest.mark.parametrize("cut", [0, 1, 60, 128, -3])
def test_cut_and_lengthened_files_are_found(saved: Path, cut: int) -> None:
    for file in sorted(saved.iterdir()):
        data = file.read_bytes()
        for changed in (data[:cut], data + b"0"):
            file.write_bytes(changed)
            with pytest.raises(StoreError):
                Model.load(saved)
        file.write_bytes(data)


def test_a_missing_array_is_named(saved: Path) -> None:
    next(saved.glob("1-bias-*.npy")).unlink()
    with pytest.raises(StoreError, match=r"1-bias-.*missing"):
        Model.load(saved)


@pytest.mark.parametrize(("changes", "said"), [
    ({"format": 2}, "newer"), ({"format": "1; import os"}, "format"), ({"kind": "lambda"}, "kind"),
    ({"layers": [8, 4, 4]}, "incomplete"), ({"layers": [8, 5]}, "foreign"), ({"actions": 6}, "foreign"),
    ({"inputs": [*INPUTS, "more"]}, "foreign"), ({"activation": "tanh"}, "activation"), ({"arrays": []}, "incomplete"),
    ({"arrays": {}}, "incomplete"), ({"arrays": [1, 2, 3, 4, 5, 6]}, "incomplete"), ({"arrays": None}, "incomplete"),
    ({"layers": [10**12]}, "layers"), ({"actions": -1}, "actions"), ({"world": [1]}, "world"),
])
def test_a_foreign_architecture_is_refused(saved: Path, changes: dict[str, Any], said: str) -> None:
    rewrite(saved, **changes)
    with pytest.raises(StoreError, match=said):
        Model.load(saved)


@pytest.mark.parametrize("name", ["../../secret.npy", "/etc/passwd", "0-kernel-0000000000000000.npy"])
def test_a_file_elsewhere_is_never_opened(saved: Path, name: str) -> None:
    (saved.parent.parent / "secret.npy").write_bytes(b"x")
    arrays = json.loads((saved / "model.json").read_text())["arrays"]
    arrays[0]["file"] = name
    rewrite(saved, arrays=arrays)
    with pytest.raises(StoreError, match="foreign"):
        Model.load(saved)


@pytest.mark.parametrize("text", [
    b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"format": 1, "kind": "market"}',
    b'{"format": 1e400, "kind": "market"}', b'{"format": NaN, "kind": NaN}'])
def test_what_is_no_information_is_refused(saved: Path, text: bytes) -> None:
    (saved / "model.json").write_bytes(text)
    with pytest.raises(StoreError):
        Model.load(saved)


def test_sizes_are_checked_before_anything_is_allocated(saved: Path) -> None:
    kernel = next(saved.glob("0-kernel-*.npy"))
    with kernel.open("r+b") as file:
        file.truncate(1 << 40)  # sparse: a terabyte that is not there
    with pytest.raises(StoreError, match="bytes, not 224"):
        Model.load(saved)
    with (saved / "model.json").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(StoreError, match="at most"):
        Model.load(saved)


def test_a_device_or_a_pipe_is_not_read(saved: Path) -> None:
    kernel = next(saved.glob("0-kernel-*.npy"))
    kernel.unlink()
    os.mkfifo(kernel)
    with pytest.raises(StoreError, match="no file"):
        Model.load(saved)
    kernel.unlink()
    kernel.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="no file"):
        Model.load(saved)


def replace_kernel(saved: Path, data: bytes) -> None:
    """Another file for the first kernel, sealed by somebody who knows how."""
    digest = hashlib.sha256(data).hexdigest()
    arrays = json.loads((saved / "model.json").read_text())["arrays"]
    arrays[0] |= {"file": f"0-kernel-{digest[:16]}.npy", "sha256": digest}
    (saved / arrays[0]["file"]).write_bytes(data)
    rewrite(saved, arrays=arrays)


class _Marker:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def test_a_pickle_is_never_loaded(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = next(saved.glob("0-kernel-*.npy")).stat().st_size
    objects = np.empty(1, object)
    objects[0] = _Marker()
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    for data in (pickle.dumps(_Marker()), (tmp_path / "objects.npy").read_bytes()):
        replace_kernel(saved, data.ljust(size, b"\0")[:size])
        with pytest.raises(StoreError, match="foreign"):
            Model.load(saved)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("array", [
    np.zeros((8, 3), np.float32), np.zeros((3, 4), np.float64), np.asfortranarray(np.zeros((3, 8), np.float32)),
    np.zeros((3, 8), ">f4"), np.zeros((3, 8), np.int32), np.full((3, 8), np.inf, np.float32)], ids=str)
def test_other_arrays_are_refused(saved: Path, tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "other.npy", array)
    replace_kernel(saved, (tmp_path / "other.npy").read_bytes())
    with pytest.raises(StoreError):
        Model.load(saved)


# ---- which model


def test_a_model_is_found_by_folder_run_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Path("runs/20240301-101500-train")
    make_model().save(here / "model")
    for where in (here, here / "model", here / "model" / "model.json", Path(here.name), here.absolute()):
        assert find_model(where).resolve() == (tmp_path / here / "model").resolve()


def test_the_latest_model_is_the_one_written_last(tmp_path: Path) -> None:
    for age, (name, kind) in enumerate([("c", "market"), ("a", "market"), ("b", "exact-market")]):
        folder = tmp_path / name / "model"
        make_model(kind=kind).save(folder)
        os.utime(folder / "model.json", ns=(age * 10**9, age * 10**9))
    (tmp_path / "a-backtest").mkdir()
    assert find_model(None, runs=tmp_path) == tmp_path / "b" / "model"
    assert find_model(None, "market", tmp_path) == tmp_path / "a" / "model"
    assert read_info(find_model(None, "market", tmp_path)).kind == "market"


def test_no_model_says_how_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "20240301-train").mkdir()
    for where in (None, Path("20240301-train"), Path("nothing"), tmp_path):
        with pytest.raises(UsageError, match="mmbt train"):
            find_model(where, runs=tmp_path)
    make_model().save(tmp_path / "20240301-train" / "model")
    with pytest.raises(UsageError, match="did you mean '20240301-train'"):
        find_model(Path("20240301-tran"), runs=tmp_path)
    with pytest.raises(UsageError, match="no model of the kind base-model"):
        find_model(None, "base-model", tmp_path)
