"""From the tables of a run to its measures, one record batch at a time.

The tables are Arrow's, as the run directory holds them; what is measured is defined in `mmbt.report.metrics`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.report.metrics import HORIZONS, Drawdown, Labels, MarkOuts, PositionUse, Quoting, block_length
from mmbt.report.risk import RiskUse

__all__ = ["RESTING", "measure"]

RESTING = ("cross", "trade")
"""Reasons of fills of our resting orders: the mark-outs that show adverse selection."""

_NUMBERS = ("ts", "side", "px", "qty")


def measure(
    fills: Iterable[Any],
    orders: Iterable[Any],
    equity: Iterable[Any],
    instruments: Sequence[str],
    span: tuple[int, int],
    risk: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The measures of a run.

    Parameters
    ----------
    fills, orders, equity
        Record batches with the columns of `fills.parquet`, `orders.parquet` and `equity.parquet`, in order of time.
    instruments
        The traded instruments.
    span
        Times in ns of the run's first and last event.
    risk
        `omega` over `instruments`, and `power`; None leaves the portfolio's risk out.

    Returns
    -------
    dict
        `order_outcomes`, `fill_ratio`, `markouts`, `markouts_by_reason`, `max_drawdown` and `position_use` (plain with
        one instrument, by name with several), `markout_block_s`, and `risk` if asked for.
    """
    block_ns = block_length(span[1] - span[0])
    found = {name: _Measures(span[0], block_ns) for name in instruments}
    for batch in fills:
        _split(batch, found, _Measures.add_fills)
    for batch in orders:
        _split(batch, found, _Measures.add_orders)
    use = None if risk is None else RiskUse(risk["omega"], risk["power"])
    for batch in equity:
        _split(batch, found, _Measures.add_equity)
        if use is not None:
            use.add(_numbers(batch, "ts"), _places(batch, instruments), _numbers(batch, "position"))
    results = {name: measures.result() for name, measures in found.items()}
    first = next(iter(results.values()))
    shaped = (
        first if len(results) == 1 else {key: {name: result[key] for name, result in results.items()} for key in first}
    )
    portfolio = {} if use is None or risk is None else {"risk": {**use.result(), **risk}}
    return {**shaped, "markout_block_s": block_ns / 1e9, **portfolio}


class _Measures:
    """The measures of one instrument."""

    def __init__(self, start_ts: int, block_ns: int) -> None:
        self._markouts = {reason: MarkOuts(start_ts, block_ns) for reason in ("cross", "trade", "taker")}
        self._resting = MarkOuts(start_ts, block_ns)
        self._fills: Counter[str] = Counter()
        self._quoting = Quoting()
        self._drawdown: Drawdown | None = None
        self._position = PositionUse()

    def add_fills(self, batch: Any) -> None:
        reason, purpose = _labels(batch, "reason"), _labels(batch, "purpose")
        numbers = {name: _numbers(batch, name) for name in _NUMBERS}
        mids = {column: _nullable(batch, column) for column in HORIZONS.values()}
        columns = numbers | {column: values for column, (values, _) in mids.items()}
        known = {column: there for column, (_, there) in mids.items()}
        for name, count in reason.counts().items():
            mask = reason.mask(name)
            self._fills[name] += count
            if name in self._markouts:
                self._markouts[name].add(_rows(columns, mask), _rows(known, mask))
        resting = np.logical_or.reduce([reason.mask(name) for name in RESTING])
        self._resting.add(_rows(columns, resting), _rows(known, resting))
        self._quoting.add_fills(purpose, numbers["qty"])

    def add_orders(self, batch: Any) -> None:
        self._quoting.add_orders(_labels(batch, "status"), _labels(batch, "purpose"), _numbers(batch, "remaining"))

    def add_equity(self, batch: Any) -> None:
        pnl, scale = _money(batch, "pnl")
        if self._drawdown is None:
            self._drawdown = Drawdown(scale)
        self._drawdown.add(pnl)
        self._position.add(_numbers(batch, "ts"), _numbers(batch, "position"))

    def result(self) -> dict[str, Any]:
        return {
            "order_outcomes": dict(sorted(self._quoting.outcomes.items())),
            "fill_ratio": self._quoting.fill_ratio(),
            "markouts": self._resting.result(),
            "markouts_by_reason": {name: found.result() for name, found in self._markouts.items() if self._fills[name]},
            "max_drawdown": f"{self._drawdown.result():f}" if self._drawdown else "0",
            "position_use": self._position.result(),
        }


def _split(batch: Any, found: dict[str, _Measures], add: Any) -> None:
    """Hand each instrument its rows."""
    if len(found) == 1:
        add(next(iter(found.values())), batch)
        return
    labels = _labels(batch, "instrument")
    for name in labels.counts():
        if name in found:
            add(found[name], batch.take(np.flatnonzero(labels.mask(name))))


def _rows(columns: dict[str, NDArray[Any]], mask: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    return {name: values[mask] for name, values in columns.items()}


# Columns are read from their buffers: pyarrow's own `to_numpy` imports pandas, which takes 0.3 s and 40 MB.


def _values(column: Any, kind: str) -> NDArray[Any]:
    whole = np.frombuffer(column.buffers()[1] or b"", dtype=kind)
    return whole[column.offset : column.offset + len(column)]


def _known(column: Any) -> NDArray[np.bool_]:
    bits = column.buffers()[0]
    if not column.null_count or bits is None:
        return np.ones(len(column), dtype=bool)
    flags = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), bitorder="little")
    return flags[column.offset : column.offset + len(column)].astype(bool)


def _labels(batch: Any, name: str) -> Labels:
    column = batch.column(name)
    if not hasattr(column, "dictionary"):
        column = column.dictionary_encode()
    names = column.dictionary.to_pylist()
    codes = _values(column.indices, f"<i{column.indices.type.bit_width // 8}").astype(np.int64)
    return Labels(np.where(_known(column.indices), codes, len(names)), [*names, ""])


def _places(batch: Any, instruments: Sequence[str]) -> NDArray[np.int64]:
    """Where in `instruments` each row's instrument stands."""
    labels = _labels(batch, "instrument")
    place = {name: index for index, name in enumerate(instruments)}
    return np.array([place.get(name, -1) for name in labels.names], np.int64)[labels.codes]


def _numbers(batch: Any, name: str) -> NDArray[np.int64]:
    column = batch.column(name)
    return _values(column, f"<i{column.type.bit_width // 8}")


def _nullable(batch: Any, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    return _numbers(batch, name), _known(batch.column(name))


def _money(batch: Any, name: str) -> tuple[NDArray[Any], int]:
    """A decimal column as whole numbers of its last place: int64 where they fit, else Python integers."""
    column = batch.column(name)
    halves = np.frombuffer(column.buffers()[1], dtype="<i8")[2 * column.offset : 2 * (column.offset + len(column))]
    low, high = halves[::2], halves[1::2]
    if np.array_equal(high, low >> 63):
        return low, column.type.scale
    whole = (high.astype(object) << 64) | (low.view("<u8").astype(object))
    return whole, column.type.scale
