"""Where recorded rows go while a run goes on: a hash, counters, memory, or files of a run directory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest.tables import FILL_REASONS, Tables, rows_from
from mmbt.market import Instrument

__all__ = ["MemorySink", "Recording", "Sink"]

KIND_ROWS = ("fills", "orders", "equity")


class Sink(Protocol):
    """Takes recorded rows, block by block, in order."""

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Takes rows of `fills`, `orders` or `equity`."""


class MemorySink:
    """Keeps every row in memory."""

    def __init__(self) -> None:
        self._blocks: dict[str, list[NDArray[np.void]]] = {kind: [] for kind in KIND_ROWS}

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Keeps the rows."""
        self._blocks[kind].append(rows)

    def rows(self, kind: str) -> NDArray[np.void]:
        """All rows of one kind, in order."""
        return np.concatenate([*self._blocks[kind], rows_from(kind, b"")])


class Recording:
    """What the engine records into: counts and hashes fills, and hands every block on.

    Parameters
    ----------
    instruments
        All instruments of the run, in the engine's order.
    sink
        Where the rows go; None to keep only counts and hash.
    """

    def __init__(self, instruments: Sequence[Instrument], sink: Sink | None):
        self._sink = sink
        self._names = [instrument.name.encode() for instrument in instruments]
        self._hash = hashlib.sha256(b"mmbt-fills-1\n")
        self.fill_count = 0
        self.fills_by_reason = dict.fromkeys(FILL_REASONS, 0)
        self.traded_lots = [0] * len(instruments)
        self.maker_lots = 0

    @property
    def result_hash(self) -> str:
        """SHA-256 over all fills (docs: determinism), hexadecimal."""
        return self._hash.hexdigest()

    def fills(self, raw: bytes) -> None:
        """Takes fills from the engine."""
        rows = rows_from("fills", raw)
        self._hash_fills(rows)
        self.fill_count += len(rows)
        for number, reason in enumerate(FILL_REASONS):
            self.fills_by_reason[reason] += int(np.count_nonzero(rows["reason"] == number))
        for index in np.unique(rows["instrument"]).tolist():
            self.traded_lots[index] += int(rows["qty"][rows["instrument"] == index].sum())
        self._hand_on("fills", rows)

    def orders(self, raw: bytes) -> None:
        """Takes outcomes of commands from the engine."""
        self._hand_on("orders", rows_from("orders", raw))

    def equity(self, raw: bytes) -> None:
        """Takes rows of equity from the engine."""
        self._hand_on("equity", rows_from("equity", raw))

    def _hand_on(self, kind: str, rows: NDArray[np.void]) -> None:
        if self._sink is not None:
            self._sink.write(kind, rows)

    def _hash_fills(self, rows: NDArray[np.void]) -> None:
        # runs of one instrument are packed at once; the name's length differs from run to run
        starts = np.flatnonzero(np.diff(rows["instrument"], prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            name = self._names[int(rows["instrument"][start])]
            packed = np.zeros(end - start, dtype=_packed_dtype(len(name)))
            for field in ("ts", "order_id", "px", "qty", "side", "reason", "fee_low", "fee_high"):
                packed[field] = rows[field][start:end]
            packed["length"] = len(name)
            packed["name"] = np.frombuffer(name, dtype=np.uint8)
            self._hash.update(packed.tobytes())


def _packed_dtype(name_bytes: int) -> np.dtype[np.void]:
    return np.dtype([
        ("ts", "<i8"), ("order_id", "<i8"), ("px", "<i8"), ("qty", "<i8"), ("side", "<i1"), ("reason", "<u1"),
        ("fee_low", "<u8"), ("fee_high", "<i8"), ("length", "<u2"), ("name", "u1", (name_bytes,)),
    ])


def tables_of(sink: MemorySink, instruments: Sequence[Instrument]) -> dict[str, object]:
    """The Arrow tables of everything a memory sink kept, by kind."""
    tables = Tables(instruments)
    return {kind: tables.table(kind, sink.rows(kind)) for kind in KIND_ROWS}
