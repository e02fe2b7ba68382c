"""A model in the formats of others values states as it does itself."""

from __future__ import annotations

import json
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mmbt.errors import UsageError
from mmbt.learn import export
from mmbt.learn.model import Model, ModelInfo

SHAPES = [(), (5,), (64, 64), (7, 3, 9)]


def make_model(layers: tuple[int, ...], seed: int = 0) -> Model:
    info = ModelInfo(kind="market", inputs=tuple(f"x{k}" for k in range(11)), actions=6, layers=layers, world={"a": 1},
                     learner={}, conditions={}, provenance={}, scores={"F": 0.5})
    rng = np.random.default_rng(seed)
    return Model(info, [rng.normal(size=shape).astype(np.float32) for shape in info.shapes])


def states(model: Model) -> np.ndarray:
    return np.random.default_rng(5).normal(size=(50, len(model.info.inputs))).astype(np.float32)


def same(theirs: np.ndarray, ours: np.ndarray) -> bool:
    return bool(np.abs(theirs - ours).max() <= 1e-5 * np.abs(ours).max())


def test_keras_values_states_alike(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    for layers in SHAPES:
        model = make_model(layers)
        path = tmp_path / f"{len(layers)}.keras"
        export.export_keras(model, path)
        with zipfile.ZipFile(path) as file:
            assert "Lambda" not in file.read("config.json").decode()
        loaded = keras.models.load_model(path, safe_mode=True)
        assert same(np.asarray(loaded(states(model))), model.q_values(states(model)))
    with pytest.raises(UsageError, match=r"ends in \.keras"):
        export.export_keras(model, tmp_path / "model.h5")
    assert {file.suffix for file in tmp_path.iterdir()} == {".keras"}  # nothing is left over


def test_onnx_values_states_alike(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    for layers in SHAPES:
        model = make_model(layers)
        export.export_onnx(model, tmp_path / "model.onnx")
        loaded = onnx.load(tmp_path / "model.onnx")
        found = ReferenceEvaluator(loaded).run(None, {"state": states(model)})[0]
        assert same(found, model.q_values(states(model)))
        told = {prop.key: prop.value for prop in loaded.metadata_props}
        assert told["mmbt_hash"] == model.hash
        assert json.loads(told["mmbt_model"]) == model.info.model_dump(mode="json")
        if find_spec("onnxruntime"):
            from onnxruntime import InferenceSession

            session = InferenceSession(tmp_path / "model.onnx")
            assert same(session.run(None, {"state": states(model)})[0], model.q_values(states(model)))


@pytest.mark.parametrize(("form", "extra"), [("keras", "train"), ("onnx", "onnx")])
def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, extra: str
) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=rf"pip install 'mmbt\[{extra}\]'"):
        export.FORMATS[form](make_model(()), tmp_path / "model.keras")
