"""A model in the formats of others: Keras, and ONNX. Both hold the same layers, and value states as the model does.

The input `state` is [batch, inputs], scaled as the model's information says; the output `q_values` [batch, actions].
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmbt.errors import UsageError
from mmbt.learn.model import Model
from mmbt.store.files import io_errors, sync_folder

__all__ = ["FORMATS", "export_keras", "export_onnx"]

_OPSET = 13  # Gemm and Relu have not changed since: old runtimes read it
_IR_VERSION = 8


def export_keras(model: Model, path: Path) -> None:
    """Write the network as a Keras model (`.keras`): dense layers, without code.

    Raises
    ------
    UsageError
        When TensorFlow is not installed, or the name does not end in `.keras`.
    FileError
        When the file cannot be written.
    """
    _need("tensorflow", "train", "Keras")
    if path.suffix != ".keras":
        raise UsageError(f"{path}: the name of a Keras model ends in .keras")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no greetings on stderr
    import keras

    from mmbt.learn.agent import prepare_tensorflow

    with contextlib.suppress(UsageError):  # who learns afterwards in this process finds the threads it asks for
        prepare_tensorflow()
    hidden = len(model.weights) // 2 - 1
    network = keras.Sequential([keras.Input((len(model.info.inputs),), name="state")], name="q_network")
    for place, bias in enumerate(model.weights[1::2]):
        network.add(keras.layers.Dense(len(bias), activation="relu" if place < hidden else None,
                                       name=f"hidden_{place}" if place < hidden else "q_values"))
    network.set_weights(model.weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own talk with NumPy 2
        _write(path, network.save)


def export_onnx(model: Model, path: Path) -> None:
    """Write the network as an ONNX graph; what the model is stands in its metadata as JSON.

    Raises
    ------
    UsageError
        When onnx is not installed.
    FileError
        When the file cannot be written.
    """
    _need("onnx", "onnx", "ONNX")
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    layers = len(model.weights) // 2
    nodes, weights, value = [], [], "state"
    for place in range(layers):
        last = place + 1 == layers
        names = f"kernel_{place}", f"bias_{place}"
        weights += [numpy_helper.from_array(array, name)
                    for name, array in zip(names, model.weights[2 * place : 2 * place + 2], strict=True)]
        found = "q_values" if last else f"linear_{place}"
        nodes.append(helper.make_node("Gemm", [value, *names], [found]))
        value = found
        if not last:
            value = f"hidden_{place}"
            nodes.append(helper.make_node("Relu", [found], [value]))

    def rows(name: str, width: int) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])

    graph = helper.make_graph(nodes, "q_network", [rows("state", len(model.info.inputs))],
                              [rows("q_values", model.info.actions)], weights)
    whole = helper.make_model(graph, producer_name="mmbt", ir_version=_IR_VERSION,
                              opset_imports=[helper.make_opsetid("", _OPSET)])
    described = json.dumps(model.info.model_dump(mode="json"))
    helper.set_model_props(whole, {"mmbt_hash": model.hash, "mmbt_model": described})
    onnx.checker.check_model(whole)
    _write(path, lambda part: part.write_bytes(whole.SerializeToString()))


FORMATS: dict[str, Callable[[Model, Path], None]] = {"keras": export_keras, "onnx": export_onnx}


def _need(module: str, extra: str, what: str) -> None:
    if find_spec(module) is None:
        raise UsageError(f"writing {what} needs {module}, which is not installed: pip install 'mmbt[{extra}]'")


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """A file that is whole or not there."""
    with io_errors(path, "writing"), tempfile.TemporaryDirectory(prefix=".mmbt-", dir=path.parent) as folder:
        part = Path(folder) / path.name
        save(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
