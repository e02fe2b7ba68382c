"""The generated market in memory: whole, or block by block in flat memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch
from mmbt.synth.config import SynthConfig
from mmbt.synth.rates import CELL_US, Rates
from mmbt.synth.stream import PairStream

__all__ = ["Block", "MarketBlocks", "generate_market"]


class Block(NamedTuple):
    """A stretch of the market: [start_ns, end_ns), and each instrument's rows in it."""

    start_ns: int
    end_ns: int
    tables: dict[str, tuple[TobBatch, TradeBatch]]


class MarketBlocks:
    """A generated market, block by block; every iteration starts anew and gives the same rows.

    It is `MarketData` too: the engine can replay it without holding it, at the price of generating it once a table.

    Parameters
    ----------
    config
        The market.
    block_rows
        Rows of all tables that a block should reach before it is handed over; None: one cell of 256 s a block. The rows
        never depend on it.
    """

    def __init__(self, config: SynthConfig, block_rows: int | None = None):
        self.config = config
        self._block_rows = block_rows or 1

    @property
    def instruments(self) -> Sequence[Instrument]:
        """The instruments, in the order of the config."""
        return [self.config.instrument(name) for name in self.config.pairs]

    def __iter__(self) -> Iterator[Block]:
        return self._blocks(tuple(self.config.pairs))

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        """One instrument's quotes, block by block."""
        return (block.tables[instrument][0] for block in self._blocks((instrument,)))

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        """One instrument's prints, block by block."""
        return (block.tables[instrument][1] for block in self._blocks((instrument,)))

    def _blocks(self, names: tuple[str, ...]) -> Iterator[Block]:
        begun: int | None = None
        held: list[dict[str, tuple[TobBatch, TradeBatch]]] = []
        rows = 0
        for start_ns, end_ns, tables in self._cells(names):
            begun = start_ns if begun is None else begun
            held.append(tables)
            rows += sum(len(tob.ts) + len(trades.ts) for tob, trades in tables.values())
            if rows >= self._block_rows or end_ns == self._end_ns:
                yield Block(begun, end_ns, {name: _join([cell[name] for cell in held]) for name in names})
                begun, held, rows = None, [], 0

    @property
    def _end_ns(self) -> int:
        return self.config.start_ns + 1000 * self.config.duration_us

    def _cells(self, names: tuple[str, ...]) -> Iterator[Block]:
        rates = Rates(self.config)
        streams = {name: PairStream(self.config, name) for name in names}
        cells = -(-self.config.duration_us // CELL_US)
        for index in range(cells + 1):
            paths = rates.cell(index)
            done = {name: stream.advance(index, paths) for name, stream in streams.items()}
            if index == 0:
                continue
            end_ns = self.config.start_ns + 1000 * index * CELL_US
            tables = {name: cell for name, cell in done.items() if cell is not None}
            if end_ns > self._end_ns:
                tables = {name: (TobBatch(*_before(tob, self._end_ns)), TradeBatch(*_before(trades, self._end_ns)))
                          for name, (tob, trades) in tables.items()}
            yield Block(end_ns - 1000 * CELL_US, min(end_ns, self._end_ns), tables)


def generate_market(config: SynthConfig) -> ArrayMarket:
    """The whole market in memory, 8 bytes a number.

    Parameters
    ----------
    config
        The market.
    """
    blocks = list(MarketBlocks(config))
    return ArrayMarket([(config.instrument(name), *_join([block.tables[name] for block in blocks]))
                        for name in config.pairs])


def _before(table: TobBatch | TradeBatch, end_ns: int) -> list[np.ndarray]:
    rows = int(np.searchsorted(table.ts, end_ns, "left"))
    return [column[:rows] for column in table if column is not None]


def _join(parts: list[tuple[TobBatch, TradeBatch]]) -> tuple[TobBatch, TradeBatch]:
    if len(parts) == 1:
        return parts[0]
    tobs, trades = zip(*parts, strict=True)
    return TobBatch(*_columns(tobs)), TradeBatch(*_columns(trades))


def _columns(tables: Sequence[TobBatch | TradeBatch]) -> list[np.ndarray]:
    return [np.concatenate(column) for column in zip(*tables, strict=True) if column[0] is not None]
