"""Rows that were not taken, kept with all that is needed to find and mend them: one Parquet file a source."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmbt.formats.base import Rejected
from mmbt.store.files import HashedSink, io_errors

__all__ = ["QUARANTINE", "Quarantine"]

QUARANTINE = "quarantine"  # the folder in the store
_SCHEMA = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("column", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("hint", pa.string(), nullable=False),
        pa.field("raw", pa.string(), nullable=False),
    ]
)


class Quarantine:
    """Writes the rejected rows of one source; no file appears when there are none."""

    def __init__(self, temp: Path, source: Path):
        self.rows = 0
        self.temp = temp
        self._source = str(source)
        self._sink: HashedSink | None = None
        self._writer: Any = None

    def add(self, rejected: list[Rejected]) -> None:
        """Keep some rows."""
        if not rejected:
            return
        with io_errors(self.temp, "writing"):
            if self._writer is None:
                self.temp.parent.mkdir(parents=True, exist_ok=True)
                self._sink = HashedSink(self.temp)
                self._writer = pq.ParquetWriter(self._sink, _SCHEMA, compression="zstd", write_page_checksum=True)
            self._writer.write_table(
                pa.table(
                    [
                        [self._source] * len(rejected),
                        [r.line for r in rejected],
                        [r.offset for r in rejected],
                        [r.column for r in rejected],
                        [r.reason for r in rejected],
                        [r.hint for r in rejected],
                        [r.raw.decode("utf-8", "backslashreplace") for r in rejected],
                    ],
                    schema=_SCHEMA,
                )
            )
        self.rows += len(rejected)

    def publish(self, sha256: str) -> dict[str, Any] | None:
        """Where the closed file will lie in the store, and its checksum."""
        if self._sink is None:
            return None
        final = self.temp.with_name(f"{sha256[:16]}.parquet")
        self.temp.rename(final)
        return {"path": f"{QUARANTINE}/{final.name}", "sha256": self._sink.sha256, "bytes": self._sink.size}

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sink is not None:
            with io_errors(self.temp, "writing"):
                try:
                    if self._writer is not None:
                        self._writer.close()
                finally:
                    self._sink.close()
