"""What a stored Parquet file looks like: schema version 1.

| table    | columns                                                                                             |
|----------|-----------------------------------------------------------------------------------------------------|
| `tob`    | `ts`, `local_ts` if the source has it, `bid_px`, `bid_qty`, `ask_px`, `ask_qty`                      |
| `trades` | `ts`, `local_ts` if the source has it, `px`, `qty`, `side` (+1 buyer-initiated, -1 seller, 0 unknown) |

Times are timestamp[ns, UTC], prices int64 in whole price units, quantities int64 in whole lots, `side` int8. An
absent side of a quote has px 0 and qty 0, a row without a local time has local_ts 0. No column holds nulls. Rows stand
in time order, ties by (source file, row).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from mmbt.errors import StoreError

__all__ = [
    "MAX_VALUE",
    "PRICES",
    "QUANTITIES",
    "ROW_GROUP",
    "SCHEMA_VERSION",
    "TABLES",
    "Table",
    "arrow_schema",
    "check_schema",
    "column_names",
    "open_parquet",
    "parquet_writer",
]

Table: TypeAlias = Literal["tob", "trades"]

SCHEMA_VERSION = 1
ROW_GROUP = 131_072
MAX_VALUE = 1 << 40  # prices in price units and quantities in lots stay below
TABLES: tuple[Table, ...] = ("tob", "trades")
PRICES: dict[Table, tuple[str, ...]] = {"tob": ("bid_px", "ask_px"), "trades": ("px",)}
QUANTITIES: dict[Table, tuple[str, ...]] = {"tob": ("bid_qty", "ask_qty"), "trades": ("qty",)}
_VALUES: dict[Table, tuple[str, ...]] = {"tob": ("bid_px", "bid_qty", "ask_px", "ask_qty"), "trades": ("px", "qty")}
_KEY = b"mmbt.schema"
_TIME = pa.timestamp("ns", "UTC")


def column_names(table: Table, local: bool) -> tuple[str, ...]:
    """The columns of a table in stored order."""
    times = ("ts", "local_ts") if local else ("ts",)
    return times + _VALUES[table] + (("side",) if table == "trades" else ())


def arrow_schema(table: Table, local: bool, metadata: dict[str, str]) -> Any:
    """The Arrow schema of a stored file; `metadata` keys get the prefix `mmbt.`, the schema version is added."""
    kinds = {"ts": _TIME, "local_ts": _TIME, "side": pa.int8()}
    fields = [pa.field(name, kinds.get(name, pa.int64()), nullable=False) for name in column_names(table, local)]
    return pa.schema(fields, {"mmbt.schema": str(SCHEMA_VERSION)} | {f"mmbt.{k}": v for k, v in metadata.items()})


def parquet_writer(sink: Any, schema: Any) -> Any:
    """A writer with the store's encodings: deltas in packed bits, compressed by LZ4; page checksums.

    They are the ones read fastest among those that take about as little as any; `benchmarks/bounds.py` measures them.
    Files of other encodings are read as well: older ones have dictionaries for quantities, and zstd.
    """
    return pq.ParquetWriter(
        sink,
        schema,
        compression="lz4",
        write_page_checksum=True,
        version="2.6",
        use_dictionary=False,
        column_encoding=dict.fromkeys(schema.names, "DELTA_BINARY_PACKED"),
    )


def open_parquet(path: Path, source: Any = None) -> Any:
    """Open a stored file, its page checksums verified as it is read.

    Raises
    ------
    StoreError
        When it is no Parquet file, not ours, or written by a newer version.
    """
    try:
        file = pq.ParquetFile(
            source if source is not None else path,
            pre_buffer=False,  # else pyarrow copies whole row groups by threads of its own
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise StoreError(
            f"{path}: not a readable Parquet file ({_first_line(error)}): it is truncated or damaged; "
            "convert its sources again"
        ) from error
    return file


def check_schema(path: Path, schema: Any, table: Table) -> None:
    """Check that an opened file's Arrow schema is this version's.

    Raises
    ------
    StoreError
        Naming what differs and what to do.
    """
    metadata = schema.metadata or {}
    if _KEY not in metadata:
        needed = ", ".join(column_names(table, local=False))
        raise StoreError(
            f"{path}: not written by mmbt (no mmbt.schema in its footer; it has {', '.join(schema.names)}, "
            f"a {table} file needs {needed}); convert the raw data with `mmbt convert`"
        )
    check_version(
        str(path),
        metadata[_KEY].decode(errors="replace"),
        metadata.get(b"mmbt.converter", b"?").decode(errors="replace"),
    )
    expected = arrow_schema(table, "local_ts" in schema.names, {})
    if not schema.equals(expected, check_metadata=False):
        raise StoreError(
            f"{path}: its columns are not those of a {table} file of schema {SCHEMA_VERSION}: "
            f"found {', '.join(f'{f.name} {f.type}' for f in schema)}"
        )


def check_version(where: str, version: object, converter: str) -> None:
    """Refuse a schema version that this code does not know."""
    text = str(version)
    converter = converter.removeprefix("mmbt ")
    if text != str(SCHEMA_VERSION):
        if text.isdigit() and int(text) > SCHEMA_VERSION:
            raise StoreError(
                f"{where}: written by mmbt {converter} with schema {text}, this version reads schema "
                f"{SCHEMA_VERSION}: upgrade mmbt"
            )
        raise StoreError(f"{where}: unknown schema version {text!r}; convert the raw data again")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
