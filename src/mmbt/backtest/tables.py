"""The engine's recorded rows as Arrow tables with exact money.

A run's tables have fixed schemas (docs: results): prices in ticks, quantities in lots, mids doubled in half
ticks so that they are whole, money as decimals in the currencies the instruments are settled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cysim import EQUITY_DTYPE, FILL_DTYPE, ORDER_DTYPE
from mmbt.errors import UsageError
from mmbt.market import Instrument

__all__ = ["EXACT", "FILL_REASONS", "Tables", "money_unit", "rows_from"]

EXACT = Context(prec=80)  # keeps every digit of 128-bit money
PLACES = 38  # of Arrow's decimals

FILL_REASONS = ("cross", "trade", "taker", "client")
PURPOSES = ("quote", "client", "hedge")
KINDS = ("gtc", "ioc", "fok", "post_only", "market")
STATUSES = ("accepted", "rejected", "cancelled", "too_late", "unknown")
STATUS_REASONS = ("", "replace", "post_only", "fok", "self_match", "user", "unfilled", "session", "end", "cancel",
                  "replace")
MIDS = ("mid2", "mid2_100ms", "mid2_1s", "mid2_10s", "mid2_60s")

_DTYPES = {"fills": np.dtype(FILL_DTYPE), "orders": np.dtype(ORDER_DTYPE), "equity": np.dtype(EQUITY_DTYPE)}


def rows_from(kind: str, raw: bytes | memoryview) -> NDArray[np.void]:
    """The recorded bytes of `fills`, `orders` or `equity` as a structured array."""
    return np.frombuffer(raw, dtype=_DTYPES[kind])


def money_unit(instrument: Instrument) -> Decimal:
    """The value of one unit of engine money, in the currency of settlement.

    It is price_unit x lot x multiplier x 1e-8, of an inverse contract lot x multiplier / price_unit x 1e-20.

    Raises
    ------
    UsageError
        When 1 / price_unit of an inverse contract is no decimal number, or the unit has too many decimal places.
    """
    price = Decimal(instrument.price_unit)
    lots = EXACT.multiply(Decimal(instrument.lot_size), Decimal(instrument.multiplier))
    if instrument.inverse:
        value = EXACT.divide(lots, price)
        if EXACT.multiply(value, price) != lots:
            raise UsageError(f"{instrument.name}: money of an inverse contract counts 1 / price unit, and 1 / {price} "
                             "is no decimal number: convert with a price unit of 1, 2 or 5 x 10^-k")
        unit = EXACT.multiply(value, Decimal("1e-20"))
    else:
        unit = EXACT.multiply(EXACT.multiply(price, lots), Decimal("1e-8"))
    if -_exponent(unit) > PLACES:
        raise UsageError(f"{instrument.name}: a price unit of {price}, a lot of {instrument.lot_size} and a multiplier "
                         f"of {instrument.multiplier} are too fine together: money has at most {PLACES} decimal places")
    return unit


class Tables:
    """Turns recorded rows into Arrow tables.

    Parameters
    ----------
    instruments
        All instruments of the run, in the engine's order.
    """

    def __init__(self, instruments: Sequence[Instrument]):
        self._names = _strings([instrument.name for instrument in instruments])
        units = [money_unit(instrument) for instrument in instruments]
        self._scale = max(-min(_exponent(unit), 0) for unit in units)
        self._factors = [int(unit.scaleb(self._scale)) for unit in units]
        self.schemas: dict[str, pa.Schema] = {kind: self.table(kind, rows_from(kind, b"")).schema for kind in _DTYPES}

    def table(self, kind: str, rows: NDArray[np.void]) -> pa.Table:
        """The Arrow table of `fills`, `orders` or `equity` rows."""
        columns: dict[str, Any] = {"fills": self._fills, "orders": self._orders, "equity": self._equity}[kind](rows)
        return pa.table(columns)

    def _fills(self, rows: NDArray[np.void]) -> dict[str, Any]:
        return {
            "ts": _array(pa.int64(), rows["ts"]),
            "instrument": self._instrument(rows),
            "order_id": _array(pa.int64(), rows["order_id"]),
            "side": _array(pa.int8(), rows["side"]),
            "px": _array(pa.int64(), rows["px"]),
            "qty": _array(pa.int64(), rows["qty"]),
            "reason": _words(rows["reason"], FILL_REASONS),
            "purpose": _words(rows["purpose"], PURPOSES),
            "fee": self._money(rows, "fee"),
            "position": _array(pa.int64(), rows["position"]),
            "remaining": _array(pa.int64(), rows["remaining"]),
            **{mid: _known(rows[mid]) for mid in MIDS},
        }

    def _orders(self, rows: NDArray[np.void]) -> dict[str, Any]:
        return {
            "ts": _array(pa.int64(), rows["ts"]),
            "order_id": _array(pa.int64(), rows["order_id"]),
            "instrument": self._instrument(rows),
            "side": _array(pa.int8(), rows["side"]),
            "px": _array(pa.int64(), rows["px"]),
            "qty": _array(pa.int64(), rows["qty"]),
            "remaining": _array(pa.int64(), rows["remaining"]),
            # of an order that was finished or unknown when the command was sent, only its number is known
            "kind": _words(rows["kind"], KINDS, rows["side"] != 0),
            "purpose": _words(rows["purpose"], PURPOSES, rows["side"] != 0),
            "status": _words(rows["status"], STATUSES),
            "reason": _words(rows["reason"], STATUS_REASONS),
        }

    def _equity(self, rows: NDArray[np.void]) -> dict[str, Any]:
        return {
            "ts": _array(pa.int64(), rows["ts"]),
            "instrument": self._instrument(rows),
            "position": _array(pa.int64(), rows["position"]),
            "mid2": _known(rows["mid2"]),
            "cash": self._money(rows, "cash"),
            "fees": self._money(rows, "fees"),
            "pnl": self._money(rows, "pnl"),
        }

    def _instrument(self, rows: NDArray[np.void]) -> Any:
        return pa.DictionaryArray.from_arrays(_array(pa.int32(), rows["instrument"]), self._names)

    def _money(self, rows: NDArray[np.void], name: str) -> Any:
        kind = pa.decimal128(38, self._scale)
        low, high = rows[f"{name}_low"], rows[f"{name}_high"]
        if all(factor == 1 for factor in self._factors):
            # the engine's 128-bit integers are Arrow's decimals bit for bit
            pairs = np.column_stack([low.view(np.int64), high])
            return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(pairs.tobytes())])
        whole = (((int(h) << 64) | int(lo)) * self._factors[i]
                 for lo, h, i in zip(low, high, rows["instrument"], strict=True))
        exact = b"".join(value.to_bytes(16, "little", signed=True) for value in whole)
        return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(exact)])


def _exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _known(mids: NDArray[np.int64]) -> Any:
    return _array(pa.int64(), mids, mids != 0)


def _words(numbers: NDArray[np.int8], words: Sequence[str], known: NDArray[np.bool_] | None = None) -> Any:
    return pa.DictionaryArray.from_arrays(_array(pa.int8(), numbers, known), _strings(words))


# pa.array() would import pandas, a third of a second that no run needs: arrays are made of their buffers.
def _array(kind: Any, values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> Any:
    valid = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def _strings(words: Sequence[str]) -> Any:
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(words), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])
