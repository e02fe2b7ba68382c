"""Replay a long market: memory must stay flat, and the split of the PnL exact to its last digit.

    python tools/soak.py [--events N]

The market is made block by block while it is replayed: steps of 7 ms, so about 14 events between two timers of 100 ms;
22% are prints; the mid makes a random walk. A long market begins like a short one.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig, FillRules, run_backtest
from mmbt.backtest.sinks import KIND_ROWS
from mmbt.market import Instrument, TobBatch, TradeBatch
from mmbt.strategies.registry import make

NAME = "A/B_T+0"
STEP_NS = 7_000_000
BLOCK = 65_536
GROWTH_MIB = 8.0


class LongMarket:
    """`events` events of one instrument; memory does not grow with their number."""

    def __init__(self, events: int) -> None:
        self.events = events

    @property
    def instruments(self) -> Sequence[Instrument]:
        return [Instrument(NAME, tick_size="0.01", price_unit="0.01", lot_size="0.001", base="A", quote="B")]

    def tob(self, instrument: str) -> Iterator[TobBatch]:
        for ts, mid, is_print, dice in self._blocks():
            rows = ~is_print
            bid = mid[rows]
            yield TobBatch(ts[rows], bid, 1 + (dice[rows] >> 8 & 63), bid + 1 + (dice[rows] >> 16 & 1),
                           1 + (dice[rows] >> 24 & 63))

    def trades(self, instrument: str) -> Iterator[TradeBatch]:
        for ts, mid, is_print, dice in self._blocks():
            buyer = (dice[is_print] >> 32 & 1).astype(bool)
            sweep = (dice[is_print] >> 40 & 3) // 3
            px = np.where(buyer, mid[is_print] + 1 + sweep, mid[is_print] - sweep)
            yield TradeBatch(ts[is_print], px, 1 + (dice[is_print] >> 48 & 31), np.where(buyer, 1, -1).astype(np.int8))

    def _blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]]:
        level = 1_000_000
        for number in range(-(-self.events // BLOCK)):
            rows = min(BLOCK, self.events - number * BLOCK)
            dice = np.random.Generator(np.random.Philox(key=7, counter=number)).integers(0, 1 << 62, BLOCK)
            steps = np.where(dice % 11 == 0, np.where(dice >> 50 & 1 > 0, 1, -1), 0)
            mid = level + np.cumsum(steps)
            level = int(mid[-1])
            ts = (number * BLOCK + np.arange(BLOCK, dtype=np.int64)) * STEP_NS
            yield ts[:rows], mid[:rows], (dice % 100 < 22)[:rows], dice[:rows]


class Nothing:
    """A sink that is handed everything and keeps nothing."""

    kinds = KIND_ROWS

    def write(self, kind: str, rows: object) -> None:
        pass


def resident_mib() -> float:
    """Memory held now, MiB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=50_000_000)
    events: int = parser.parse_args().events
    held: list[tuple[int, float]] = []
    config = BacktestConfig(instruments=(NAME,), fills=FillRules.parse("conservative"), place_latency="1ms",
                            maker_fee="-0.25", taker_fee="4")
    result = run_backtest(LongMarket(events), make("linear-skew", {"size": 5}), config, Nothing(),
                          lambda done: held.append((done, resident_mib())))
    summary = result.summary
    parts = {name: Decimal(summary[name]) for name in ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees")}
    residual = parts["pnl"] - (parts["pnl_spread"] + parts["pnl_inventory"] - parts["hedge_cost"] - parts["fees"])
    later = [mib for done, mib in held if done >= events // 10] or [resident_mib()]
    growth = later[-1] - later[0]
    print(f"{summary['events']:,} events, {summary['fills']:,} fills in {summary['wall_s']:.1f} s, generation included")
    print(f"PnL {summary['pnl']} {summary['currency']}, residual of its split {residual}")
    print(f"memory {later[0]:.1f} MiB after a tenth, {later[-1]:.1f} MiB at the end: growth {growth:+.1f} MiB")
    return 1 if residual or growth > GROWTH_MIB or not result.complete or not summary["fills"] else 0


if __name__ == "__main__":
    sys.exit(main())
