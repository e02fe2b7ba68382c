"""Small raw files, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from mmbt.formats import RawChunk, RawFile, ReadOptions, Rejected, get


@dataclass
class Read:
    """Everything a file gave, in plain Python."""

    raw: RawFile
    rows: list[tuple] = field(default_factory=list)  # (line, offset, ts, instrument, values, side)
    local: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    chunks: int = 0

    @property
    def reasons(self) -> list[str]:
        """Reasons of the rejects, in order."""
        return [reject.reason for reject in self.rejected]

    @property
    def ts(self) -> list[int]:
        """Times of the rows."""
        return [row[2] for row in self.rows]

    @property
    def values(self) -> list[tuple[Decimal, ...]]:
        """Prices and quantities of the rows."""
        return [row[4] for row in self.rows]


def exact(chunk: RawChunk) -> list[tuple[Decimal, ...]]:
    """Values of each row as Decimals, checked to be written without trailing zeros."""
    columns = []
    for mantissa, decimals in chunk.values.values():
        assert not [1 for m, d in zip(mantissa.tolist(), decimals.tolist(), strict=True) if d and m % 10 == 0]
        columns.append([Decimal(m).scaleb(-d) for m, d in zip(mantissa.tolist(), decimals.tolist(), strict=True)])
    return list(zip(*columns, strict=True))


def collect(raw: RawFile) -> Read:
    """Read a file to its end and check its books."""
    read = Read(raw)
    with raw:
        for chunk in raw:
            read.chunks += 1
            n = len(chunk)
            assert chunk.rows == n + len(chunk.rejected) + sum(chunk.dropped.values())
            assert {len(chunk.instrument), len(chunk.line), len(chunk.offset)} == {n}
            side = [0] * n if chunk.side is None else chunk.side.tolist()
            names = [chunk.names[code] for code in chunk.instrument.tolist()]
            read.rows += zip(chunk.line.tolist(), chunk.offset.tolist(), chunk.ts.tolist(), names, exact(chunk), side,
                             strict=True)
            if chunk.local_ts is not None:
                read.local += chunk.local_ts.tolist()
            read.rejected += chunk.rejected
    assert raw.rows == raw.rows_out + raw.rejected + sum(raw.dropped.values())
    assert (raw.rows_out, raw.rejected) == (len(read.rows), len(read.rejected))
    assert raw.bytes_done == raw.bytes_total == raw.path.stat().st_size
    return read


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """Write a file of that name."""

    def do(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return do


@pytest.fixture
def read(write: Callable[[str, bytes | str], Path]) -> Callable[..., Read]:
    """Write a file and read it as the seed's format, or as `fmt`."""

    def do(name: str, data: bytes | str, fmt: str = "seed", **options: object) -> Read:
        return collect(get(fmt).open(write(name, data), ReadOptions.model_validate(options)))

    return do


TOB = "exchange_time;instrument;bid;bid_size;ask;ask_size\n"
TRADE = "exchange_time;instrument;price;qty;side\n"
ROW = "2024-08-08 23:54:14.024619;X/Y;61.25;1;61.26;2\n"
