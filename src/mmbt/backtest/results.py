"""The run directory: everything a run leaves behind, written while it goes on.

    runs/<id>/manifest.json   what was run, on what, with which versions, and how it ended
              metrics.json    the summary and the measures
              fills.parquet  orders.parquet  equity.parquet

Tables grow under `*.part` names and take their own when the run ends, however it ends, unless the process is killed:
then the manifest still says `running`. Memory stays flat however many rows there are.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import cysim
from mmbt.backtest.config import BacktestConfig
from mmbt.backtest.sinks import KIND_ROWS
from mmbt.backtest.tables import Tables
from mmbt.errors import FileError, UsageError
from mmbt.market import Instrument
from mmbt.strategies.base import Strategy

__all__ = ["RunDirectory", "describe_run"]

MANIFEST_VERSION = 1
ROW_GROUP = 1 << 16  # rows gathered before they are written


def describe_run(
    name: str, strategy: Strategy, config: BacktestConfig, inputs: Any, mmbt_version: str
) -> dict[str, Any]:
    """The part of a run's manifest that is known before it starts.

    Parameters
    ----------
    name
        How the user named the strategy.
    inputs
        Where the data came from, with their hashes; stored as it is.
    """
    return {
        "manifest_version": MANIFEST_VERSION,
        "strategy": {
            "name": name,
            "class": f"{type(strategy).__module__}:{type(strategy).__qualname__}",
            "params": strategy.params.model_dump(mode="json"),
            "about": strategy.about(),
            "warnings": strategy.warnings(config),
        },
        "config": config.model_dump(mode="json"),
        "inputs": inputs,
        "versions": {
            "mmbt": mmbt_version,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pyarrow": pa.__version__,
            "machine": platform.machine(),
            "build": cysim.build_info()["mode"],
        },
    }


class RunDirectory:
    """A new directory that takes a run's rows and closes with its summary.

    Parameters
    ----------
    path
        Must not exist yet, or be empty.
    instruments
        All instruments of the run, in the engine's order.
    manifest
        What `describe_run` gave.

    Raises
    ------
    UsageError
        When the directory already holds something.
    FileError
        When it cannot be made.
    """

    kinds: Collection[str] = KIND_ROWS

    def __init__(self, path: Path, instruments: Sequence[Instrument], manifest: dict[str, Any]):
        self.path = path
        self._tables = Tables(instruments)
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[NDArray[np.void]]] = {}
        self._manifest = {"id": path.name, **manifest, "instruments": [asdict(i) for i in instruments]}
        self._closed = False
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise UsageError(f"{path} already holds something: name a new folder with --out")
            self._write_manifest("running")
            for kind, schema in self._tables.schemas.items():
                self._writers[kind] = _writer(self._part(kind), schema)
        except OSError as error:
            raise FileError(f"cannot write the run to {path}: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._closed:
            self.close("failed")

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Takes rows of `fills`, `orders` or `equity`."""
        waiting = self._waiting.setdefault(kind, [])
        waiting.append(rows.copy())
        if sum(map(len, waiting)) >= ROW_GROUP:
            self._write_waiting(kind)

    def close(self, status: str, metrics: dict[str, Any] | None = None) -> None:
        """Closes the tables and says how the run ended.

        Parameters
        ----------
        status
            complete, interrupted or failed.
        metrics
            The content of metrics.json; None leaves it out.
        """
        self._closed = True
        try:
            try:
                self.close_tables()
                if metrics is not None:
                    self._write_json("metrics.json", metrics)
            except OSError:
                status = "failed"
                raise
            finally:
                self._write_manifest(status)
        except FileError:
            raise
        except OSError as error:
            raise self._failure(error) from error

    def close_tables(self) -> None:
        """Gives the tables their final names, so that they can be read."""
        try:
            for kind in list(self._waiting):
                self._write_waiting(kind)
            while self._writers:
                kind, writer = self._writers.popitem()
                writer.close()
                self._part(kind).replace(self.path / f"{kind}.parquet")
        except FileError:
            raise
        except OSError as error:
            raise self._failure(error) from error

    def _write_waiting(self, kind: str) -> None:
        rows = np.concatenate(self._waiting.pop(kind))
        try:
            self._writers[kind].write_table(self._tables.table(kind, rows))
        except OSError as error:
            raise self._failure(error) from error

    def _part(self, kind: str) -> Path:
        return self.path / f"{kind}.parquet.part"

    def _write_manifest(self, status: str) -> None:
        self._write_json("manifest.json", {**self._manifest, "status": status})

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        part = self.path / f"{name}.part"
        with part.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)

    def _failure(self, error: OSError) -> FileError:
        return FileError(f"cannot write the run to {self.path}: {error.strerror or error}; free space there or choose "
                         "another folder with --out")


# Whole numbers as the store has them: half the bytes of dictionaries, written in less than half the time.
def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    whole = [field.name for field in schema if pa.types.is_integer(field.type)]
    others = [field.name for field in schema if field.name not in whole]
    return pq.ParquetWriter(path, schema, compression="lz4", version="2.6", use_dictionary=others,
                            column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"))
