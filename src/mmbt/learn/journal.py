"""What a training tells of itself: `metrics.jsonl`, a line a block, and event files for TensorBoard.

A line is the same in every run with the same seed, but for what stands under `clock`. Logs never end a training: what
cannot be written is kept and tried again with the next line, and said once.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmbt.store.files import io_errors

__all__ = ["Journal", "number"]

METRICS, EVENTS = "metrics.jsonl", "tensorboard"

Warn = Callable[[str], None]


class Journal:
    """The logs of a run.

    Parameters
    ----------
    folder
        Of the run.
    after
        The block that is gone on from: lines of later blocks are cut off.
    warn
        Told once when a log cannot be written.
    """

    def __init__(self, folder: Path, after: int, warn: Warn) -> None:
        self._path, self._warn = folder / METRICS, warn
        self._waiting, self._size, self._told = b"", 0, False
        self._cut(after)
        self._events = _Events(folder / EVENTS, warn)

    def write(self, block: int, told: Mapping[str, Any], clock: Mapping[str, float]) -> None:
        """A line, and the same numbers for TensorBoard."""
        line = {"block": block, **told, "clock": {name: round(value, 6) for name, value in clock.items()}}
        self._waiting += json.dumps(_plain(line), allow_nan=False).encode() + b"\n"
        self._flush()
        self._events.write(block, {**told, "clock": clock})

    def sync(self) -> None:
        """Make what was written last: before a checkpoint that counts on it."""
        self._flush()
        try:
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            self._fail(error)
        self._events.flush()

    def close(self) -> None:
        """Write what is left."""
        self.sync()
        self._events.close()

    def _cut(self, after: int) -> None:
        if not self._path.exists():
            return
        with io_errors(self._path, "cutting to the checkpoint"):
            kept = 0
            for line in self._path.read_bytes().splitlines(keepends=True):
                try:
                    if not line.endswith(b"\n") or json.loads(line)["block"] > after:
                        break
                except (ValueError, TypeError, KeyError, RecursionError):
                    break
                kept += len(line)
            os.truncate(self._path, kept)
        self._size = kept

    def _flush(self) -> None:
        try:
            with self._path.open("r+b" if self._size else "wb", buffering=0) as file:
                file.truncate(self._size)  # half a line of a disk that was full
                file.seek(self._size)
                while self._waiting:
                    count = file.write(self._waiting)
                    self._size, self._waiting = self._size + count, self._waiting[count:]
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._warn(f"{self._path} cannot be written: {error.strerror or error}; the training goes on without it")


class _Events:
    """Event files, written by TensorFlow; TensorBoard itself is not needed."""

    def __init__(self, folder: Path, warn: Warn) -> None:
        import tensorflow as tf

        self._tf, self._folder, self._warn = tf, folder, warn
        self._kind = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class=1)  # a scalar
        self._writer = self._tried(lambda: tf.summary.create_file_writer(str(folder)))

    def write(self, step: int, told: Mapping[str, Any]) -> None:
        numbers = {tag: value for tag, value in _flat(told) if math.isfinite(value)}

        def put() -> None:
            with self._writer.as_default(step):
                for tag, value in numbers.items():
                    self._tf.summary.write(tag, self._tf.constant(value, self._tf.float32), metadata=self._kind)

        if self._writer:
            self._tried(put)

    def flush(self) -> None:
        if self._writer:
            self._tried(self._writer.flush)

    def close(self) -> None:
        if self._writer:
            self._tried(self._writer.close)

    def _tried(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except (self._tf.errors.OpError, OSError) as error:
            self._writer = None
            reason = str(getattr(error, "message", error)).strip().splitlines()[0]
            self._warn(f"{self._folder} cannot be written: {reason}; the training goes on without it")
            return None


def number(value: float) -> float | None:
    """As JSON has it: None for what is no finite number."""
    return float(value) if math.isfinite(value) else None


def _plain(told: Any) -> Any:
    if isinstance(told, Mapping):
        return {name: _plain(value) for name, value in told.items()}
    return number(told) if isinstance(told, float) else told


def _flat(told: Mapping[str, Any], before: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for name, value in told.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}/")
        elif isinstance(value, int | float):
            found.append((before + name, float(value)))
    return found
