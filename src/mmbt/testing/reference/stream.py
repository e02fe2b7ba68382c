"""The total order of market events (O1), each with the time at which the strategy sees it (O5).

An event is a tuple whose first four members are its place in the order: time; prints before quotes (or after, by
`ties`); rank of the instrument by the UTF-8 bytes of its name; row in its table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmbt.errors import DataError
from mmbt.market import MarketData
from mmbt.testing.reference.clocks import Feed

__all__ = ["Event", "in_name_order", "total_order"]

# (ts, turn, rank, row, instrument, is_quote, values, visible time)
Event = tuple[int, int, int, int, str, bool, tuple[int, ...], int]


def in_name_order(names: Iterable[str]) -> list[str]:
    """Instrument names by their UTF-8 bytes."""
    return sorted(names, key=lambda name: name.encode("utf-8"))


def total_order(market: MarketData, names: Iterable[str], ties: str, feed: Feed) -> list[Event]:
    """Every event of the named instruments, in the one order in which they are replayed.

    Raises
    ------
    DataError
        When time goes backwards within a table.
    """
    print_turn, quote_turn = {"prints-first": (0, 1), "tob-first": (1, 0)}[ties]
    events: list[Event] = []
    for rank, name in enumerate(in_name_order(names)):
        for is_quote, turn, batches in ((False, print_turn, market.trades(name)), (True, quote_turn, market.tob(name))):
            table = _rows(batches)
            visible = feed.visible([(ts, local) for ts, local, *_ in table], rank, is_quote)
            for row, (ts, _, *values) in enumerate(table):
                if row and ts < table[row - 1][0]:
                    kind = "tob" if is_quote else "trades"
                    raise DataError(f"{name} {kind}: time goes backwards from row {row - 1} ({table[row - 1][0]}) "
                                    f"to row {row} ({ts})")
                events.append((ts, turn, rank, row, name, is_quote, tuple(values), visible[row]))
    events.sort()
    return events


def _rows(batches: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Rows (exchange time, time of receipt or None, values ...)."""
    table: list[tuple[Any, ...]] = []
    for batch in batches:
        ts, *columns, local_ts = batch
        local = [None] * len(ts) if local_ts is None else local_ts.tolist()
        table.extend(zip(ts.tolist(), local, *(column.tolist() for column in columns), strict=True))
    return table
