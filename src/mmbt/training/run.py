"""The folder of a training: what it is, how far it came, and what it learned.

    runs/<id>/manifest.json   options, conditions, data with their hashes, split, versions; every session on it
              metrics.jsonl   a line a block         tensorboard/   the same for TensorBoard
              checkpoints/    the last few           model/         the best so far
              metrics.json    the result             nan_report/    what a loss that is no number was met with
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, StrictBool, ValidationError

from mmbt.errors import FileError, StoreError, UsageError
from mmbt.store.files import io_errors, try_lock, write_atomically

__all__ = ["TrainingRun", "describe_runtime"]

VERSION = 1
MANIFEST, LOCK = "manifest.json", ".mmbt.lock"


class _File(BaseModel):
    path: str
    sha256: str
    rows: int


class _Data(BaseModel):
    store: str
    dates: tuple[str | None, str | None] | None
    hot: StrictBool
    files: list[_File]


class _Session(BaseModel):
    runtime: dict[str, str]


class _Manifest(BaseModel):
    """What must be in a manifest for a training to go on."""

    id: str
    started: str
    market: str
    settings: dict[str, Any]
    status: str
    sessions: list[_Session]
    conditions: dict[str, Any] | None = None
    data: _Data | None = None
    split: dict[str, Any] | None = None


class TrainingRun:
    """A run that is being trained, held by this process alone; a context manager.

    A new one that ends in a `UsageError` before anything was learned is removed: the options can be corrected and given
    again.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], new: bool) -> None:
        self.path, self.manifest, self._new = path, manifest, new
        self._session: dict[str, Any] = {}
        with io_errors(path, "writing"):
            self._lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not try_lock(self._lock):
            holder = os.pread(self._lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise FileError(f"{path}: another mmbt train (pid {holder}) is at work on this run: wait for it, or stop "
                            "it, and go on with --resume")
        with io_errors(path, "writing"):
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    @classmethod
    def create(cls, path: Path, manifest: Mapping[str, Any]) -> Self:
        """A new run.

        Raises
        ------
        UsageError
            When the folder already holds something.
        FileError
            When it cannot be made.
        """
        with io_errors(path, "writing"):
            path.mkdir(parents=True, exist_ok=True)
            if {entry.name for entry in path.iterdir()} - {LOCK, f"{MANIFEST}.part"}:  # left by one killed right here
                raise UsageError(f"{path} already holds something: name a new folder with --out, or go on with what is "
                                 f"there by mmbt train --resume {path}")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        run = cls(path, {"manifest_version": VERSION, "kind": "training", "id": path.name, "started": started,
                         **manifest, "sessions": [], "status": "running"}, new=True)
        run.write()
        return run

    @classmethod
    def open(cls, path: Path) -> Self:
        """A run that was begun.

        Raises
        ------
        UsageError
            When there is none.
        StoreError
            When its manifest cannot be read as one.
        """
        where = path / MANIFEST
        try:
            manifest = json.loads(where.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{path} holds no training: there is no {MANIFEST} in it") from None
        except OSError as error:
            raise FileError(f"{where} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{where} is no manifest of a training, or is damaged: {error}; restore it, or train "
                             "anew") from error
        return cls(path, _checked(manifest, path), new=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._new and isinstance(error, UsageError) and not self.manifest["sessions"]:
                self._remove()
            elif self.manifest["status"] == "running":
                self._end_early("interrupted" if kind is KeyboardInterrupt else "failed", error)
        finally:
            os.close(self._lock)

    @property
    def identity(self) -> str:
        """SHA-256 of all that decides the result, but for data: a checkpoint belongs to one identity."""
        told = {name: self.manifest.get(name) for name in ("market", "settings", "conditions")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def begin(self, block: int, runtime: Mapping[str, str]) -> list[str]:
        """Note a session that goes on from a block; what differs from the run's first one."""
        sessions = self.manifest["sessions"]
        first = sessions[0]["runtime"] if sessions else runtime
        self._session = {"started": datetime.now(UTC).isoformat(timespec="seconds"), "from_block": block,
                         "runtime": dict(runtime), "status": "running"}
        sessions.append(self._session)
        self.manifest["status"] = "running"
        self.write()
        return [f"{name} is {runtime.get(name)}, was {first.get(name)}" for name in sorted({*first, *runtime})
                if first.get(name) != runtime.get(name)]

    def end(self, status: str, result: Mapping[str, Any] | None = None) -> None:
        """Note how the session ended, and its result."""
        self._session["status"] = self.manifest["status"] = status
        if result is not None:
            self._write("metrics.json", result)
        self.write()

    def write(self) -> None:
        """Write the manifest."""
        self._write(MANIFEST, self.manifest)

    def _end_early(self, status: str, error: BaseException | None) -> None:
        try:
            self.end(status)
        except FileError:
            if error is None:
                raise  # else what ended the training is what is told: a full disk has one error for both

    def _remove(self) -> None:
        with suppress(OSError):
            for name in (MANIFEST, LOCK):
                (self.path / name).unlink()
            self.path.rmdir()

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with io_errors(self.path, "writing"):
            write_atomically(self.path / name, text.encode(), self.path / f"{name}.part")


def _checked(manifest: Any, path: Path) -> dict[str, Any]:
    """A manifest that a training can go on from."""
    where = path / MANIFEST
    if isinstance(manifest, dict) and "strategy" in manifest:
        raise UsageError(f"{path} is a backtest: only what mmbt train began can go on")
    if not isinstance(manifest, dict) or manifest.get("kind") != "training":
        raise StoreError(f"{where} is no manifest of a training")
    version = manifest.get("manifest_version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise StoreError(f"{where} has the version {version!r}, this mmbt knows {VERSION}"
                         + (": it was written by a newer one; update mmbt" if newer else ""))
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:3])
        raise StoreError(f"{where} is damaged: {said}; restore it, or train anew") from None
    return manifest


def describe_runtime(learner: Mapping[str, str], mmbt_version: str) -> dict[str, str]:
    """What the bits of a result depend on beside options and data; `learner` is what `mmbt.learn.agent` says."""
    return {"mmbt": mmbt_version, "python": platform.python_version(), "numpy": np.__version__,
            **learner, "processor": _processor()}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
