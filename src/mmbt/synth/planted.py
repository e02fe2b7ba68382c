"""Days of a market with a planted edge: the imbalance foretells the next move of the mid, as strongly as is said.

The law is that of `mmbt.exact_models.PlantedEdgeParams`, so that `mmbt.theory.planted_edge` knows the most that can be
earned. Step n of a day lasts from n to n + 1 seconds after its start:

    at its start        a quote of both sides, S ticks apart; 80 to 85 lots on the heavier side and 20 to 25 on the
                        other where I = +-1 (+1: the bid is the heavier), 50 to 55 on both where I = 0
    0.1 to 0.9 s later  with the chance `fill` a buyer's print, at least a tick beyond the ask, geometric from there on;
                        and on its own a seller's, mirrored below the bid

The mid moves by at most a tick a step: under the preset `seed` a quote made anew every second is never crossed by the
market, but by prints alone. With `edge` 0 the imbalance says nothing, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import UsageError
from mmbt.exact_models import PlantedEdgeParams
from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch
from mmbt.synth.market import Block
from mmbt.synth.seeds import Stream, rng

__all__ = ["PlantedDays"]

NAME = "EDGE/USD"
VERSION = "mmbt-planted-1"  # changes whenever the same numbers would give other bytes
SECOND_NS = 10**9
START_TICKS = 100_000


class PlantedDays:
    """So many days of one market, each drawn by itself.

    Parameters
    ----------
    params
        The law.
    days
        How many.
    seed
        Another seed is another market.
    first
        The date of the first day; each begins at midnight UTC.
    """

    def __init__(self, params: PlantedEdgeParams, days: int, seed: int = 1, first: date = date(2024, 1, 1)) -> None:
        if days < 1:
            raise UsageError(f"there must be at least one day, not {days}")
        self.params, self.seed = params, seed
        self.dates = [first + timedelta(days=day) for day in range(days)]
        self.instrument = Instrument(NAME, "0.01", "0.01", "1", base="EDGE", quote="USD")

    @property
    def instruments(self) -> list[Instrument]:
        """The one instrument."""
        return [self.instrument]

    @property
    def span_ns(self) -> tuple[int, int]:
        """The start of the first day and the end of the last."""
        return self._start_ns(0), self._start_ns(len(self.dates) - 1) + (self.params.steps + 1) * SECOND_NS

    def market(self, day: int) -> ArrayMarket:
        """A day in memory, counted from 0."""
        return ArrayMarket([(self.instrument, *self._tables(day))])

    def __iter__(self) -> Iterator[Block]:
        for day in range(len(self.dates)):
            start = self._start_ns(day)
            yield Block(start, start + (self.params.steps + 1) * SECOND_NS, {NAME: self._tables(day)})

    def truth(self) -> dict[str, Any]:
        """Every parameter of the market by name, as JSON types."""
        return {"generator": VERSION, "seed": self.seed, "start": self.dates[0].isoformat(), "days": len(self.dates),
                "law": self.params.model_dump(mode="json")}

    def _start_ns(self, day: int) -> int:
        midnight = datetime.combine(self.dates[day], datetime.min.time(), UTC)
        return int(midnight.timestamp()) * SECOND_NS

    def _tables(self, day: int) -> tuple[TobBatch, TradeBatch]:
        law, half = self.params, self.params.spread // 2
        imbalance = self._imbalance(day)
        draw = rng(self.seed, NAME, Stream.BOOK, day)
        moved, up = draw.random(law.steps) < law.move, draw.random(law.steps) < (1 + law.edge * imbalance[:-1]) / 2
        mid = START_TICKS + np.concatenate([[0], np.cumsum(np.where(moved, np.where(up, 1, -1), 0))])
        ts = self._start_ns(day) + SECOND_NS * np.arange(law.steps + 1, dtype=np.int64)
        shown = rng(self.seed, NAME, Stream.SIZES, day).integers(0, 6, (2, law.steps + 1)) + 50
        quotes = TobBatch(ts, mid - half, shown[0] + 30 * imbalance, mid + half, shown[1] - 30 * imbalance)
        return quotes, self._prints(day, ts[:-1], mid[:-1])

    def _imbalance(self, day: int) -> NDArray[np.int64]:
        """-1, 0 or 1 of each quote of the day; the first is 0."""
        drawn = rng(self.seed, NAME, Stream.RATES, day).random(self.params.steps)
        bounds = np.cumsum(self.params.imbalance_moves, axis=1)[:, :2].tolist()
        level, levels = 1, [1]
        for number in drawn.tolist():
            low, high = bounds[level]
            level = 0 if number < low else 1 if number < high else 2
            levels.append(level)
        return np.array(levels, np.int64) - 1

    def _prints(self, day: int, ts: NDArray[np.int64], mid: NDArray[np.int64]) -> TradeBatch:
        law, columns = self.params, []
        draw = rng(self.seed, NAME, Stream.PRINTS, day)
        for side in (1, -1):
            there = draw.random(len(ts)) < law.fill
            beyond = draw.geometric(-np.expm1(-law.k / law.spread), len(ts))  # 1, 2, ...: P(> d) = exp(-k d / S)
            later = draw.integers(100_000, 900_000, len(ts)) * 1000
            price = mid + side * (law.spread // 2 + beyond)
            columns.append([column[there] for column in (ts + later, price, np.full(len(ts), side, np.int8))])
        when, price, side_of = (np.concatenate(pair) for pair in zip(*columns, strict=True))
        order = np.argsort(when, kind="stable")
        return TradeBatch(when[order], price[order], np.full(len(order), 1, np.int64), side_of[order])
