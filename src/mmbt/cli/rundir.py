"""Where a run's folder goes, and its measures once its tables are closed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmbt.errors import FileError
from mmbt.report.metrics import HORIZONS

__all__ = ["RUNS", "measured", "run_path"]

RUNS = "runs"
BATCH_ROWS = 1 << 16
_COLUMNS = {
    "fills": ["instrument", "ts", "side", "px", "qty", "reason", "purpose", *HORIZONS.values()],
    "orders": ["instrument", "status", "purpose", "remaining"],
    "equity": ["instrument", "ts", "position", "pnl"],
}


def run_path(out: str | None, name: str) -> Path:
    """The folder of a run: `out`, or a new one under `runs/` named after the time and the strategy.

    Raises
    ------
    FileError
        When no folder can be made under `runs/`.
    """
    if out is not None:
        return Path(out)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-64:] or "strategy"
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{plain}"
    try:
        Path(RUNS).mkdir(exist_ok=True)
        for count in range(1, 10_000):
            path = Path(RUNS) / (stem if count == 1 else f"{stem}-{count}")
            try:
                path.mkdir()  # takes the name, so that two runs started together do not meet
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise FileError(
            f"cannot make a folder for the run in {RUNS}/: {error.strerror}; name another with --out"
        ) from error
    raise FileError(f"no free name for a new run in {RUNS}/: tidy it up")


def measured(path: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a run with the measures of its closed tables."""
    from mmbt.report.measure import measure

    span = (summary["first_ts"] or 0, summary["last_ts"] or 0)
    fills, orders, equity = (_batches(path / f"{kind}.parquet", columns) for kind, columns in _COLUMNS.items())
    measures = measure(fills, orders, equity, summary["instruments"], span, summary.get("risk"))
    return {"run": str(path), **summary, **measures}


def _batches(path: Path, columns: list[str]) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:  # else it keeps what was read until the file is closed
        yield from file.iter_batches(BATCH_ROWS, columns=columns)
