"""Model files: a network as plain arrays, with all that it needs to act elsewhere as it did in training.

    model/model.json     `ModelInfo`, and SHA-256 and shape of each array
          0.npy, 1.npy   kernel and bias of each layer in turn, float32

Nothing in them is code. Sizes are checked before anything is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from mmbt.errors import StoreError
from mmbt.learn._forward import ForwardPass
from mmbt.store.files import io_errors, remove_tree, sha256_of, sync_folder

__all__ = ["Model", "ModelInfo"]

_INFO = "model.json"
_MOST_BYTES = 1 << 28  # of one file


class ModelInfo(BaseModel):
    """What a model is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Literal["market", "exact-market", "base-model"]
    inputs: tuple[str, ...]  # the market's, then private ones
    actions: int
    layers: tuple[int, ...]  # widths of the hidden ones
    world: dict[str, Any]
    learner: dict[str, Any]
    conditions: dict[str, Any]
    provenance: dict[str, str]
    scores: dict[str, float]


@dataclass(frozen=True)
class Model:
    """A network with what it is."""

    info: ModelInfo
    weights: list[NDArray[np.float32]]  # kernel, bias, kernel, bias, ...

    @property
    def hash(self) -> str:
        """SHA-256 of what it is and of its weights."""
        found = hashlib.sha256(self.info.model_dump_json().encode())
        for array in self.weights:
            found.update(np.ascontiguousarray(array, "<f4").tobytes())
        return found.hexdigest()

    def forward(self) -> ForwardPass:
        """What acts."""
        return ForwardPass(self.weights)

    def save(self, path: Path) -> None:
        """Write the folder in one step: whoever looks sees the old model, none, or the new one.

        Raises
        ------
        FileError
            When it cannot be written.
        """
        part, old = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.old")
        with io_errors(path, "writing"):
            remove_tree(part)
            part.mkdir()
            hashes = []
            for place, array in enumerate(self.weights):
                file = part / f"{place}.npy"
                np.save(file, np.ascontiguousarray(array, "<f4"), allow_pickle=False)
                hashes.append(sha256_of(file)[0])
            text = json.dumps({"info": self.info.model_dump(mode="json"), "sha256": hashes}, indent=2) + "\n"
            (part / _INFO).write_text(text, encoding="utf-8")
            for file in part.iterdir():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
            remove_tree(old)
            if path.exists():
                path.rename(old)
            part.rename(path)
            sync_folder(path.parent)
            remove_tree(old)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a folder that `save` wrote.

        Raises
        ------
        StoreError
            When it is damaged, or no model of this version.
        """
        try:
            with io_errors(path, "reading"):
                told = json.loads((path / _INFO).read_text(encoding="utf-8"))
            info = ModelInfo.model_validate(told["info"])
            widths = [len(info.inputs), *info.layers, info.actions]
            shapes = [shape for a, b in pairwise(widths) for shape in ((a, b), (b,))]
            weights = [_array(path / f"{place}.npy", shape, told["sha256"][place])
                       for place, shape in enumerate(shapes)]
        except (ValueError, KeyError, TypeError, IndexError, ValidationError) as error:
            raise StoreError(f"{path} is no model of this version of mmbt: {error}") from error
        return cls(info, weights)


def _array(file: Path, shape: tuple[int, ...], sha256: str) -> NDArray[np.float32]:
    with io_errors(file, "reading"):
        if file.stat().st_size > _MOST_BYTES or sha256_of(file)[0] != sha256:
            raise StoreError(f"{file} is damaged: its SHA-256 is not the one written")
        array: NDArray[np.float32] = np.load(file, allow_pickle=False)
    if array.shape != shape or array.dtype != np.dtype("<f4"):
        raise StoreError(f"{file} holds {array.dtype}{array.shape}, not float32{shape}")
    return array
