"""Where recorded rows go while a run goes on: a hash, counters, memory, or files of a run directory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import cysim
from mmbt.backtest.tables import FILL_REASONS, Tables, rows_from
from mmbt.market import Instrument

__all__ = ["KIND_ROWS", "MemorySink", "NoSink", "Recording", "Sink"]

KIND_ROWS = ("fills", "orders", "equity")


class Sink(Protocol):
    """Takes recorded rows, block by block, in order. They are lent for the call: whoever keeps them copies them.

    Attributes
    ----------
    kinds
        What it takes of `fills`, `orders` and `equity`. What nobody takes is not recorded, which is faster: the summary
        and its hash are the same.
    """

    @property
    def kinds(self) -> Collection[str]:
        """What it takes of `fills`, `orders` and `equity`."""

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Takes rows of `fills`, `orders` or `equity`."""


class NoSink:
    """Takes nothing: for runs of which only the summary is wanted.

    Parameters
    ----------
    hashed
        Whether the summary has the hash of all fills; without it a run that trades much is up to a tenth shorter.
    """

    kinds: Collection[str] = ()

    def __init__(self, *, hashed: bool = True) -> None:
        self.hashed = hashed

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Is never called."""
        raise AssertionError(kind)


class MemorySink:
    """Keeps every row in memory."""

    kinds: Collection[str] = KIND_ROWS

    def __init__(self) -> None:
        self._blocks: dict[str, list[NDArray[np.void]]] = {kind: [] for kind in KIND_ROWS}

    def write(self, kind: str, rows: NDArray[np.void]) -> None:
        """Keeps the rows."""
        self._blocks[kind].append(rows.copy())

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
        Where the rows go.
    """

    def __init__(self, instruments: Sequence[Instrument], sink: Sink):
        self._sink = sink
        hashed = not isinstance(sink, NoSink) or sink.hashed
        self._tally = cysim.FillTally([instrument.name for instrument in instruments], hashed)

    @property
    def kinds(self) -> Collection[str]:
        """What the sink takes."""
        return self._sink.kinds

    @property
    def result_hash(self) -> str:
        """SHA-256 over all fills (docs: determinism), hexadecimal; empty where none was wanted."""
        return self._tally.result_hash

    @property
    def fill_count(self) -> int:
        """All fills."""
        return self._tally.count

    @property
    def fills_by_reason(self) -> dict[str, int]:
        """Fills by why they happened."""
        return dict(zip(FILL_REASONS, self._tally.by_reason, strict=True))

    @property
    def traded_lots(self) -> list[int]:
        """Lots filled of each instrument."""
        return self._tally.traded_lots

    def fills(self, rows: memoryview) -> None:
        """Takes fills from the engine."""
        self._tally.take(rows)
        self._hand_on("fills", rows)

    def orders(self, rows: memoryview) -> None:
        """Takes outcomes of commands from the engine."""
        self._hand_on("orders", rows)

    def equity(self, rows: memoryview) -> None:
        """Takes rows of equity from the engine."""
        self._hand_on("equity", rows)

    def _hand_on(self, kind: str, rows: memoryview) -> None:
        if kind in self._sink.kinds:
            self._sink.write(kind, rows_from(kind, rows))


def tables_of(sink: MemorySink, instruments: Sequence[Instrument]) -> dict[str, object]:
    """The Arrow tables of everything a memory sink kept, by kind."""
    tables = Tables(instruments)
    return {kind: tables.table(kind, sink.rows(kind)) for kind in KIND_ROWS}
