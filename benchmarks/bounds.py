"""What bounds the way from Parquet to the engine: each step of it by itself, and the columns in other encodings.

    python -m benchmarks.bounds STORE

prints one JSON line. Times are nanoseconds of CPU, the least of several runs over the whole store in one thread, the
files in the operating system's cache.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mmbt.store import Catalog, open_store
from mmbt.store.files import sha256_of
from mmbt.store.schema import ROW_GROUP, column_names

__all__ = ["ENCODINGS", "measure"]

RUNS = 7
SAMPLE_ROWS = 8 * ROW_GROUP
DELTA = "DELTA_BINARY_PACKED"
ENCODINGS: dict[str, dict[str, Any]] = {
    "deltas, LZ4 (the store)": {"encoding": DELTA, "compression": "lz4"},
    "deltas, not compressed": {"encoding": DELTA, "compression": "none"},
    "deltas, zstd 3": {"encoding": DELTA, "compression": "zstd"},
    "byte streams, LZ4": {"encoding": "BYTE_STREAM_SPLIT", "compression": "lz4"},
    "dictionary, LZ4": {"encoding": None, "compression": "lz4"},
    "dictionary, zstd 3": {"encoding": None, "compression": "zstd"},
    "plain, not compressed": {"encoding": "PLAIN", "compression": "none"},
}


def measure(store: Path) -> dict[str, Any]:
    """The steps, by event of the store; the encodings, by value of its first instrument's quotes."""
    catalog = open_store(store)
    partitions = catalog.manifest.partitions
    paths = [store / partition.path for partition in partitions]
    events = sum(partition.rows for partition in partitions)
    decoded = sum(p.rows * sum(1 if n == "side" else 8 for n in column_names(p.table, p.local)) for p in partitions)

    def ns(run: Callable[[], object]) -> float:
        return least(run) / events * 1e9

    read = ns(lambda: [_read(path) for path in paths])
    hashed = ns(lambda: [sha256_of(path) for path in paths])
    bare, checked = (ns(lambda check=check: [_decode(path, check) for path in paths]) for check in (False, True))
    whole = ns(lambda: _hand_over(catalog))
    return {
        "events": events, "stored_bytes": sum(p.bytes for p in partitions) / events, "column_bytes": decoded / events,
        "steps": {"read": read, "sha256": hashed - read, "decode": bare, "page_checksums": checked - bare,
                  "hand_over": whole - hashed - checked},
        "whole": whole,
        "encodings": encodings(max(partitions, key=lambda p: (p.table == "tob", p.rows)).path, store),
    }


def encodings(path: str, store: Path) -> dict[str, dict[str, Any]]:
    """By encoding and column: nanoseconds to decode a value, page checksums verified, and bytes that it takes."""
    table = pq.ParquetFile(store / path).read(columns=["ts", "bid_px", "bid_qty"]).slice(0, SAMPLE_ROWS)
    found: dict[str, dict[str, Any]] = {}
    for label, how in ENCODINGS.items():
        for name in table.column_names:
            data = _encoded(table.select([name]), how)
            seconds = least(lambda data=data: _decode(pa.BufferReader(data), True))
            found.setdefault(label, {})[name] = {"ns": seconds / len(table) * 1e9, "bytes": data.size / len(table)}
    return found


def least(run: Callable[[], object]) -> float:
    """The least CPU time of some runs."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def _encoded(table: Any, how: dict[str, Any]) -> Any:
    sink = pa.BufferOutputStream()
    encoding = how["encoding"]
    pq.write_table(table, sink, row_group_size=ROW_GROUP, compression=how["compression"],
                   compression_level=3 if how["compression"] == "zstd" else None, use_dictionary=encoding is None,
                   column_encoding=encoding and dict.fromkeys(table.column_names, encoding), write_page_checksum=True)
    return sink.getvalue()


def _read(path: Path) -> None:
    block = bytearray(1 << 18)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass


def _decode(source: Any, check: bool) -> None:
    with pq.ParquetFile(source, pre_buffer=False, page_checksum_verification=check) as file:
        for group in range(file.metadata.num_row_groups):
            file.read_row_group(group, use_threads=False)


def _hand_over(catalog: Catalog) -> None:
    with catalog.select(prefetch=0) as market:
        tables: Iterable[Any] = (market.tob(market.instruments[0].name), market.trades(market.instruments[0].name))
        for table in tables:
            for _ in table:
                pass


def main() -> None:
    """Measure a store and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("store", type=Path, help="of one instrument")
    print(json.dumps(measure(parser.parse_args().store)))


if __name__ == "__main__":
    main()
