"""A market in memory, made ready once for many runs over the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

import cysim
from mmbt.errors import DataError
from mmbt.market import Instrument, MarketData, TobBatch, TradeBatch

__all__ = ["PreparedMarket"]


class PreparedMarket:
    """A market read whole into memory: every row checked, and summarised so that runs pass most rows unread.

    It takes about 4 ns a row to make, and 1.5 bytes a row beside the columns. Results are the same.

    Parameters
    ----------
    market
        Where the rows come from; columns that come in one batch are not copied and must not change afterwards.
    instruments
        Names to make ready; all by default.

    Raises
    ------
    DataError
        For impossible rows, naming instrument, table and row.
    """

    def __init__(self, market: MarketData, instruments: Sequence[str] | None = None):
        self._instruments = [i for i in market.instruments if instruments is None or i.name in instruments]
        self._tob: dict[str, TobBatch] = {}
        self._trades: dict[str, TradeBatch] = {}
        self._tables: dict[tuple[str, str], cysim.Table] = {}
        for instrument in self._instruments:
            name = instrument.name
            self._tob[name] = TobBatch(*_whole(market.tob(name), (np.int64,) * 5))
            self._trades[name] = TradeBatch(*_whole(market.trades(name), (np.int64, np.int64, np.int64, np.int8)))
            self._make_table(instrument, "tob", self._tob[name])
            self._make_table(instrument, "trades", self._trades[name])

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments."""
        return self._instruments

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        """All quotes of an instrument."""
        return iter((self._tob[instrument],))

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        """All prints of an instrument."""
        return iter((self._trades[instrument],))

    def table(self, instrument: str, kind: str) -> cysim.Table:
        """The rows of `tob` or `trades` as the engine takes them."""
        return self._tables[instrument, kind]

    def _make_table(self, instrument: Instrument, kind: Literal["tob", "trades"], columns: Sequence[Any]) -> None:
        try:
            self._tables[instrument.name, kind] = cysim.Table(instrument.name, kind, columns, instrument.tick_units)
        except ValueError as error:
            raise DataError(str(error)) from error


def _whole(batches: Iterator[Any], types: Sequence[Any]) -> Sequence[Any]:
    """The batches as one; times of receipt, a last column, only where some batch has them."""
    parts = [batch for batch in batches if len(batch[0])]
    if len(parts) == 1:
        return tuple(parts[0])
    columns = [
        np.concatenate([part[place] for part in parts]) if parts else np.empty(0, kind)
        for place, kind in enumerate(types)
    ]
    received = None
    if any(part[len(types)] is not None for part in parts):
        received = np.concatenate([part[0] if part[len(types)] is None else part[len(types)] for part in parts])
    return (*columns, received)
