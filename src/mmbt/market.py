"""Market data on its way into the engine: instruments and batches of plain int64 columns.

The store, generators and tests all hand the engine a `MarketData`; the engine asks nothing else of them.
Times are ns since the epoch (UTC), prices whole `price_unit`s, quantities whole lots (docs: units).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayMarket", "Instrument", "MarketData", "TobBatch", "TradeBatch"]

Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the engine and reports must know of an instrument.

    `tick_size`, `price_unit` and `lot_size` are exact decimal strings; a tick is a whole number of price units.
    """

    name: str
    tick_size: str
    price_unit: str
    lot_size: str
    base: str | None = None
    quote: str | None = None
    contract: str | None = None  # spot, linear or inverse; None: not declared, valued as linear
    multiplier: str = "1"  # what one of quantity stands for: base currency, or quote currency of an inverse contract

    @property
    def tick_units(self) -> int:
        """Price units in a tick."""
        units = Decimal(self.tick_size) / Decimal(self.price_unit)
        if units != int(units) or units < 1:
            raise ValueError(
                f"{self.name}: tick_size {self.tick_size} is not a whole number of price units {self.price_unit}"
            )
        return int(units)

    @property
    def inverse(self) -> bool:
        """Whether it is settled in its base currency."""
        return self.contract == "inverse"

    @property
    def currency(self) -> str | None:
        """The currency it is settled in: its money is counted in it."""
        return self.base if self.inverse else self.quote


class TobBatch(NamedTuple):
    """Consecutive top-of-book rows of one instrument: contiguous arrays of one length; an absent side is 0, 0."""

    ts: Int64s
    bid_px: Int64s
    bid_qty: Int64s
    ask_px: Int64s
    ask_qty: Int64s
    local_ts: Int64s | None = None  # times of receipt, where they were asked for


class TradeBatch(NamedTuple):
    """Consecutive prints of one instrument. `side`: +1 buyer-initiated, -1 seller-initiated, 0 unknown."""

    ts: Int64s
    px: Int64s
    qty: Int64s
    side: NDArray[np.int8]
    local_ts: Int64s | None = None  # times of receipt, where they were asked for


class MarketData(Protocol):
    """What the engine replays. Within a table rows come in time order, ties in the order the store keeps."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments, in any order; the engine orders them by the UTF-8 bytes of their names."""

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        """The instrument's quotes, batch by batch."""

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        """The instrument's prints, batch by batch."""


class ArrayMarket:
    """A market held in memory.

    Parameters
    ----------
    tables
        For each instrument its quotes and its prints.
    batch_rows
        Rows handed over at a time; None hands each table over whole. Results never depend on it.
    """

    def __init__(self, tables: Sequence[tuple[Instrument, TobBatch, TradeBatch]], batch_rows: int | None = None):
        self._tables = {instrument.name: (instrument, tob, trades) for instrument, tob, trades in tables}
        if len(self._tables) != len(tables):
            raise ValueError("two tables carry the same instrument name")
        self.batch_rows = batch_rows

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments, in the order given."""
        return [instrument for instrument, _, _ in self._tables.values()]

    def tables(self, instrument: str) -> tuple[TobBatch, TradeBatch]:
        """All of the instrument's quotes and prints."""
        return self._tables[instrument][1:]

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        """The instrument's quotes, `batch_rows` at a time."""
        ts, bid_px, bid_qty, ask_px, ask_qty, local_ts = self._tables[instrument][1]
        for rows in self._slices(len(ts)):
            local = None if local_ts is None else local_ts[rows]
            yield TobBatch(ts[rows], bid_px[rows], bid_qty[rows], ask_px[rows], ask_qty[rows], local)

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        """The instrument's prints, `batch_rows` at a time."""
        ts, px, qty, side, local_ts = self._tables[instrument][2]
        for rows in self._slices(len(ts)):
            local = None if local_ts is None else local_ts[rows]
            yield TradeBatch(ts[rows], px[rows], qty[rows], side[rows], local)

    def _slices(self, length: int) -> Iterator[slice]:
        step = self.batch_rows or max(length, 1)
        return (slice(start, start + step) for start in range(0, length, step))
