"""Plain Python loops over zipped lists with the two fill rules: what a careful afternoon without any library gives.

    python -m benchmarks.peers.plain CASE DIR [--seconds 1.0]

| case           | the loop                                                                                    |
|----------------|---------------------------------------------------------------------------------------------|
| `python-timer` | the fill rules, and linear-skew's quotes stated every 100 ms, written into the loop         |
| `python-event` | the fill rules, and a method of a strategy object called on every event with bid and ask    |
| `inline-event` | the fill rules alone, bid and ask being local variables: no strategy can be plugged in here |

Merging quotes and prints and turning the columns into lists happen before the clock starts, and there are no latencies,
order states, fees, money or records: every loop is given less work than the others have.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measure import WARM_UP_EVENTS, peak_rss_mb, repeat
from benchmarks.stream import Stream, load

__all__ = ["CASES", "rows"]

INTERVAL = 100_000_000
QUOTE = 2  # stands in the side column where the row is a quote
NONE = 2**62
Columns = tuple[list[int], ...]


def rows(stream: Stream) -> Columns:
    """(time, side, first price, second price) of each event in replay order; a quote's prices are bid and ask."""
    tob, trades = stream.tob, stream.trades
    ts = np.concatenate([trades.ts, tob.ts])
    order = np.argsort(ts, kind="stable")
    side = np.concatenate([trades.side.astype(np.int64), np.full(len(tob.ts), QUOTE)])
    first, second = np.concatenate([trades.px, tob.bid_px]), np.concatenate([trades.px, tob.ask_px])
    return tuple(column[order].tolist() for column in (ts, side, first, second))


def timer_loop(columns: Columns, half_spread: float = 0.5, skew: float = 0.01) -> tuple[int, int]:
    """Fills and final position of linear-skew, its quotes stated anew every 100 ms."""
    our_bid, our_ask = 0, NONE
    bid, ask = 0, NONE
    fills, position = 0, 0
    due = columns[0][0]
    for ts, side, first, second in zip(*columns, strict=True):
        if ts > due:
            while due < ts:
                due += INTERVAL
            centre = (bid + ask) / 2 - skew * position
            lower, upper = centre - half_spread, centre + half_spread
            our_bid = math.floor(lower) if lower < ask else ask - 1
            our_ask = math.ceil(upper) if upper > bid else bid + 1
        if side == QUOTE:
            bid, ask = first, second
            if bid > our_ask:
                fills, position, our_ask = fills + 1, position - 1, NONE
            if ask < our_bid:
                fills, position, our_bid = fills + 1, position + 1, 0
        elif first > our_ask and side >= 0:
            fills, position, our_ask = fills + 1, position - 1, NONE
        elif first < our_bid and side <= 0:
            fills, position, our_bid = fills + 1, position + 1, 0
    return fills, position


class Reader:
    """A strategy that reads bid and ask at every event."""

    def on_tob(self, bid: int, ask: int) -> None:
        """Called after a quote."""

    def on_trade(self, bid: int, ask: int) -> None:
        """Called after a print."""


def event_loop(columns: Columns) -> tuple[int, int]:
    """The fill rules for quotes left at the touch, and a strategy called on every event."""
    our_bid, our_ask = 0, NONE
    bid, ask = 0, NONE
    fills, position = 0, 0
    strategy = Reader()
    on_tob, on_trade = strategy.on_tob, strategy.on_trade
    for _ts, side, first, second in zip(*columns, strict=True):
        if side == QUOTE:
            bid, ask = first, second
            if bid > our_ask:
                fills, position, our_ask = fills + 1, position - 1, ask
            if ask < our_bid:
                fills, position, our_bid = fills + 1, position + 1, bid
            if not our_bid:
                our_bid, our_ask = bid, ask
            on_tob(bid, ask)
        else:
            if first > our_ask and side >= 0:
                fills, position, our_ask = fills + 1, position - 1, ask
            elif first < our_bid and side <= 0:
                fills, position, our_bid = fills + 1, position + 1, bid
            on_trade(bid, ask)
    return fills, position


def inline_loop(columns: Columns) -> tuple[int, int]:
    """The fill rules for quotes left at the touch, nobody called."""
    our_bid, our_ask = 0, NONE
    bid, ask = 0, NONE
    fills, position = 0, 0
    for _ts, side, first, second in zip(*columns, strict=True):
        if side == QUOTE:
            bid, ask = first, second
            if bid > our_ask:
                fills, position, our_ask = fills + 1, position - 1, ask
            if ask < our_bid:
                fills, position, our_bid = fills + 1, position + 1, bid
            if not our_bid:
                our_bid, our_ask = bid, ask
        elif first > our_ask and side >= 0:
            fills, position, our_ask = fills + 1, position - 1, ask
        elif first < our_bid and side <= 0:
            fills, position, our_bid = fills + 1, position + 1, bid
    return fills, position


CASES: dict[str, Callable[[Columns], tuple[int, int]]] = {
    "python-timer": timer_loop,
    "python-event": event_loop,
    "inline-event": inline_loop,
}


def main() -> None:
    """Run one loop and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    stream, loop = load(options.stream), CASES[options.case]
    columns = rows(stream)
    loop(rows(stream.head(WARM_UP_EVENTS)))
    report: dict[str, float] = {}

    def whole() -> None:
        report["fills"], report["position"] = loop(columns)

    report |= repeat(whole, options.seconds)
    print(json.dumps({**report, "events": stream.events, "own_events": stream.events, "peak_rss_mb": peak_rss_mb()}))


if __name__ == "__main__":
    main()
