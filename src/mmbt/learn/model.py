"""Model files: a network as plain arrays, with all that it needs to act elsewhere as it did in training.

    model/model.json                  `ModelInfo`; of each array its file, shape and SHA-256; a hash over all of that
          0-kernel-3f9c….npy          [inputs, outputs] of each layer in turn, float32
          0-bias-a07b….npy            [outputs]

Nothing in them is code and nothing is unpickled. Shapes follow from the JSON, a file's size and header from its shape:
they are compared before anything is allocated. Arrays are named after their own SHA-256 and the JSON is switched by one
rename, so that whoever looks, at any instant and after any crash, finds the old model, the new one, or none.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mmbt.errors import MmbtError, StoreError, UsageError, did_you_mean
from mmbt.learn._forward import ForwardPass
from mmbt.store.files import HashedSink, io_errors, sync_folder, write_atomically

__all__ = ["RUNS", "Kind", "Model", "ModelInfo", "find_model", "read_info"]

RUNS = Path("runs")
FORMAT = 1

_INFO, _FOLDER = "model.json", "model"
_ARRAY = re.compile(r"\d{1,2}-(?:kernel|bias)-[0-9a-f]{16}\.npy(?:\.part)?")
_MOST_JSON = 1 << 22  # bytes
_MOST_WEIGHTS = 1 << 27

Kind = Literal["market", "exact-market", "base-model"]
Floats = NDArray[np.float32]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Width = Annotated[int, Field(ge=1, le=4096)]
Score = Annotated[float, Field(allow_inf_nan=False)]


class ModelInfo(BaseModel):
    """What a model is: layers with ReLU between them, and how its inputs and actions are to be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Kind  # of the world it was trained in
    inputs: tuple[Name, ...] = Field(min_length=1, max_length=4096)  # names, the market's, then private ones
    actions: Width  # how many
    layers: tuple[Width, ...] = Field(max_length=8)  # widths of the hidden ones
    world: dict[str, Any]  # what the world says of itself: options, action grid and its hash, frozen scales
    learner: dict[str, Any]  # the learner's options
    conditions: dict[str, Any]  # of the backtest it learned under: fill rules, latencies, fees ...
    provenance: dict[str, str]  # versions, seed, steps, hashes of data, time
    scores: dict[str, Score]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sum(rows * columns for rows, columns in _pairs(self)) > _MOST_WEIGHTS:
            raise ValueError(f"layers: a network has at most {_MOST_WEIGHTS:,} weights")
        try:  # what could not be written is refused here, not after hours of training
            json.dumps([self.world, self.learner, self.conditions], allow_nan=False)
        except (TypeError, RecursionError) as error:
            raise ValueError(f"world, learner and conditions must be plain JSON: {error}") from None
        return self

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of all arrays: kernel and bias of each layer in turn."""
        return tuple(shape for rows, columns in _pairs(self) for shape in ((rows, columns), (columns,)))


def _pairs(info: ModelInfo) -> Iterator[tuple[int, int]]:
    widths = (len(info.inputs), *info.layers, info.actions)
    return itertools.pairwise(widths)


@dataclass(frozen=True)
class Model:
    """A network with what it is.

    Raises
    ------
    ValueError
        When the weights are not those of such a network, or not finite.
    """

    info: ModelInfo
    weights: list[Floats]  # kernel, bias, kernel, bias ...: what `ForwardPass` takes

    def __post_init__(self) -> None:
        shapes = tuple(array.shape for array in self.weights)
        if shapes != self.info.shapes:
            raise ValueError(f"weights of the shapes {shapes} are not those of a network of {self.info.shapes}")
        self.forward()

    def forward(self) -> ForwardPass:
        """What acts: a forward pass with scratch of its own."""
        return ForwardPass(self.weights)

    def q_values(self, states: Floats) -> Floats:
        """Q-values [n, actions] of states [n, inputs]."""
        return self.forward().values(np.ascontiguousarray(states, np.float32))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over all that the model is, weights included."""
        return str(self._document(_file_bytes(array) for array in self.weights)["hash"])

    def save(self, path: Path) -> None:
        """Write the model's folder, in one step: an older model there is replaced.

        Raises
        ------
        FileError
            When it cannot be written; what was there before is unchanged.
        """
        files = [_file_bytes(array) for array in self.weights]
        document = self._document(files)
        names = {entry["file"] for entry in document["arrays"]}
        with io_errors(path, "writing"):
            path.mkdir(parents=True, exist_ok=True)
            for entry, data in zip(document["arrays"], files, strict=True):
                _write(path / entry["file"], data)
            sync_folder(path)
            text = json.dumps(document, indent=1, allow_nan=False) + "\n"
            write_atomically(path / _INFO, text.encode(), path / f"{_INFO}.part")
            for file in path.iterdir():
                if _ARRAY.fullmatch(file.name) and file.name not in names:
                    file.unlink()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the folder of a model.

        Raises
        ------
        StoreError
            When it is damaged, foreign or of a newer version.
        FileError
            When it cannot be read.
        """
        while True:
            info, document = _read(path)
            try:
                weights = [_load_array(path, entry, shape)
                           for entry, shape in zip(document["arrays"], info.shapes, strict=True)]
                model = cls(info, weights)
            except (StoreError, ValueError) as error:
                if _read(path)[1]["hash"] != document["hash"]:
                    continue  # a training has put a better one there meanwhile
                raise error if isinstance(error, StoreError) else StoreError(f"{path}: {error}") from None
            return model

    def _document(self, files: Iterable[bytes]) -> dict[str, Any]:
        arrays = []
        for place, (data, shape) in enumerate(zip(files, self.info.shapes, strict=True)):
            digest = hashlib.sha256(data).hexdigest()
            arrays.append({"file": _file_name(place, digest), "shape": list(shape), "sha256": digest})
        body = {**self.info.model_dump(mode="json"), "arrays": arrays}
        return {**body, "hash": _hash(body)}


def read_info(path: Path) -> ModelInfo:
    """What the model in a folder is, without its weights.

    Raises
    ------
    StoreError
        When it is damaged, foreign or of a newer version.
    FileError
        When it cannot be read.
    """
    return _read(path)[0]


def find_model(where: Path | None = None, kind: Kind | None = None, runs: Path = RUNS) -> Path:
    """The folder of a model.

    Parameters
    ----------
    where
        It, a training's run that holds it, or the name of such a run; None: the latest of all runs.
    kind
        Where the latest is looked for: of models of this kind only.
    runs
        The folder of the runs.

    Raises
    ------
    UsageError
        When there is none.
    StoreError
        When the latest is damaged.
    """
    if where is None:
        return _latest(runs, kind)
    named = where if where.exists() or where.is_absolute() else runs / where
    if named.name == _INFO and named.is_file():
        return named.parent
    for folder in (named, named / _FOLDER):
        if (folder / _INFO).is_file():
            return folder
    if named.is_dir():
        raise UsageError(f"{where} holds no model: there is no {_INFO} in it or in {where / _FOLDER}. A training "
                         "leaves one there once it has learned: run `mmbt train`, or name the run of another")
    known = [folder.parent.name for folder in _all(runs)]
    hint = did_you_mean(str(where), known) or "."
    raise UsageError(f"there is no model {str(where)!r}{hint} Name a model's folder or the run of a training; to train "
                     "one, run `mmbt train`")


def _latest(runs: Path, kind: Kind | None) -> Path:
    found = sorted(_all(runs), key=lambda folder: ((folder / _INFO).stat().st_mtime_ns, folder), reverse=True)
    for folder in found:
        if kind is None or read_info(folder).kind == kind:
            return folder
    what = f"no model of the kind {kind}" if found else "no model"
    raise UsageError(f"there is {what} under {runs}/: run `mmbt train` to train one, or name the folder of one")


def _all(runs: Path) -> list[Path]:
    with suppress(OSError):
        return [run / _FOLDER for run in runs.iterdir() if (run / _FOLDER / _INFO).is_file()]
    return []


# ---- files


def _file_name(place: int, digest: str) -> str:
    return f"{place // 2}-{'bias' if place % 2 else 'kernel'}-{digest[:16]}.npy"


def _header(shape: tuple[int, ...]) -> bytes:
    """The header of an .npy file, version 1.0, of float32 in C order: the data begin at a multiple of 64 bytes."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (-(10 + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode("ascii")


def _file_bytes(array: Floats) -> bytes:
    return _header(array.shape) + np.ascontiguousarray(array, "<f4").tobytes()


def _hash(body: dict[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    sink = HashedSink(part)
    try:
        sink.write(data)
    finally:
        sink.close()
    part.replace(path)


def _read(path: Path) -> tuple[ModelInfo, dict[str, Any]]:
    """A model's JSON, checked whole: what it says of arrays is what its network has."""
    where = path / _INFO
    data = _read_file(where, _MOST_JSON)
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where} is damaged, not readable as JSON ({error}); restore it or train again") from None
    if not isinstance(document, dict) or "format" not in document or "kind" not in document:
        raise StoreError(f"{where} is not of a model of mmbt")
    if isinstance(document["format"], int) and document["format"] > FORMAT:
        raise StoreError(f"{where} has the format {document['format']}, this version of mmbt reads {FORMAT}: it was "
                         "written by a newer one; update mmbt")
    body = {key: value for key, value in document.items() if key not in ("arrays", "hash")}
    try:
        info = ModelInfo.model_validate(body)
        expected = [{"file": _file_name(place, str(entry["sha256"])), "shape": list(shape), "sha256": entry["sha256"]}
                    for place, (entry, shape) in enumerate(zip(document["arrays"], info.shapes, strict=True))]
        sound = document["arrays"] == expected and all(_is_digest(entry["sha256"]) for entry in expected)
        whole = document.get("hash") == _hash({**body, "arrays": document["arrays"]})
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])
        raise StoreError(f"{where} is not of a model this version of mmbt can run: {said}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{where} is incomplete or foreign ({error!r}); train again") from None
    if not whole:
        raise StoreError(f"{where} is damaged: its hash does not match its contents; restore it or train again")
    if not sound:
        raise StoreError(f"{where} is foreign: its arrays are not those of its layers; train again")
    return info, document


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _load_array(path: Path, entry: dict[str, Any], shape: tuple[int, ...]) -> Floats:
    where, header = path / entry["file"], _header(shape)
    count = int(np.prod(shape, dtype=np.int64))
    data = _read_file(where, len(header) + 4 * count, exactly=True)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise StoreError(f"{where} is damaged: its SHA-256 is not the one in {_INFO}; restore it or train again")
    if not data.startswith(header):
        raise StoreError(f"{where} is foreign: its header is not that of float32{shape}; train again")
    return np.frombuffer(data, "<f4", count, len(header)).reshape(shape).astype(np.float32)


def _read_file(where: Path, size: int, *, exactly: bool = False) -> bytes:
    """The bytes of a regular file of at most, or exactly, that size: nothing is allocated for another one."""
    try:
        with io_errors(where, "reading"):
            fd = os.open(where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(fd, "rb") as file:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode):
                    raise StoreError(f"{where} is no file")
                if found.st_size != size if exactly else found.st_size > size:
                    raise StoreError(f"{where} has {found.st_size:,} bytes, not {'' if exactly else 'at most '}"
                                     f"{size:,}: it is damaged or foreign")
                return file.read(size)
    except MmbtError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise StoreError(f"{where} is missing: the model is incomplete; restore it or train again") from None
        raise
