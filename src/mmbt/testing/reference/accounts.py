"""Money, position and the split of the profit, in whole money units (U3, M1, M2, M4).

A money unit is price_unit x lot x 10^-8, so a price in price units times lots times 10^8 is money, a fee is price times
lots times a rate in 10^-8, and a mid, being half a sum of two prices, is exact as well.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Any

from mmbt.market import Instrument

__all__ = ["HORIZONS", "Account", "mark_outs", "result_hash"]

UNIT = 10**8
HALF = UNIT // 2
EXACT = Context(prec=200)
HORIZONS = {"mid2_100ms": 10**8, "mid2_1s": 10**9, "mid2_10s": 10**10, "mid2_60s": 60 * 10**9}
REASON_CODE = {"cross": 0, "trade": 1, "taker": 2, "client": 3}


class Account:
    """The account of one instrument.

    Attributes
    ----------
    cash, fees, spread, inventory, hedge_cost
        Whole money units; `cash` has the fees paid.
    mid2
        Twice the last valid mid in price units, None before any.
    """

    def __init__(self, instrument: Instrument, position: int) -> None:
        self.instrument = instrument
        self.position = self.first_position = position
        self.cash = self.fees = self.spread = self.inventory = self.hedge_cost = 0
        self.mid2: int | None = None
        self.first_mid2: int | None = None
        self._cost_before_mid = 0  # what the position bought before any valid mid has cost
        scale = EXACT.multiply(Decimal(instrument.price_unit), Decimal(instrument.lot_size))
        self._currency = EXACT.multiply(EXACT.multiply(scale, Decimal(instrument.multiplier)), Decimal("1e-8"))

    def fill(self, side: int, qty: int, px: int, rate: int, taker: bool) -> int:
        """Book a fill at `px` price units; returns the fee."""
        value = px * qty * UNIT
        fee = px * qty * rate
        if self.mid2 is None:
            gain = 0  # m = p before any valid mid
            self._cost_before_mid += side * value
        else:
            gain = side * qty * (self.mid2 - 2 * px) * HALF
        if taker:
            self.hedge_cost -= gain
        else:
            self.spread += gain
        self.position += side * qty
        self.cash -= side * value + fee
        self.fees += fee
        return fee

    def mark(self, mid2: int) -> None:
        """A step left a valid book with this mid (the fills of the step are booked before)."""
        if self.mid2 is None:
            bought = self.position - self.first_position
            self.inventory += bought * mid2 * HALF - self._cost_before_mid
            self.first_mid2 = mid2
        else:
            self.inventory += self.position * (mid2 - self.mid2) * HALF
        self.mid2 = mid2

    @property
    def pnl(self) -> int:
        """Profit by the split; `check` holds it against cash and position."""
        return self.spread + self.inventory - self.hedge_cost - self.fees

    def check(self) -> None:
        """The identity of M1 and S9: the split adds up to cash plus marked position, to the last unit."""
        if self.mid2 is None or self.first_mid2 is None:
            marked = self._cost_before_mid
        else:
            marked = (self.position * self.mid2 - self.first_position * self.first_mid2) * HALF
        assert self.cash + marked == self.pnl, (self.instrument.name, self.cash, marked, self.pnl)

    def currency(self, money: int) -> Decimal:
        """Whole money units as an exact decimal of the quote currency."""
        return EXACT.multiply(Decimal(money), self._currency)

    def liquidation(self, last_bid: int | None, last_ask: int | None, taker_fee: int) -> int | None:
        """Value of the whole position at the last present opposite touch, taker fee included (O7)."""
        if self.position == 0:
            return 0
        touch = last_bid if self.position > 0 else last_ask
        if touch is None:
            return None
        return self.position * touch * UNIT - abs(self.position) * touch * taker_fee

    def liquidation_pnl(self, last_bid: int | None, last_ask: int | None, taker_fee: int) -> int | None:
        """Profit had the whole position been dealt at that touch."""
        value = self.liquidation(last_bid, last_ask, taker_fee)
        if value is None or (self.first_position and self.first_mid2 is None):
            return None
        return self.cash + value - self.first_position * (self.first_mid2 or 0) * HALF


def mark_outs(ts: int, mids: Sequence[tuple[int, int]], session_ends: Sequence[int], last_ts: int
              ) -> dict[str, int | None]:
    """Twice the last valid mid after all events with time <= ts + h, for each horizon h (M2).

    None where the horizon lies past the last event or across a session's end, or where no valid mid has come.
    """
    row: dict[str, int | None] = {}
    for name, horizon in HORIZONS.items():
        until = ts + horizon
        next_end = bisect_right(session_ends, ts)
        crossed = next_end < len(session_ends) and session_ends[next_end] <= until
        known = bisect_right(mids, until, key=lambda entry: entry[0])
        row[name] = None if until > last_ts or crossed or known == 0 else mids[known - 1][1]
    return row


def result_hash(fills: Sequence[dict[str, Any]]) -> str:
    """SHA-256 over the fills in order of occurrence (M4)."""
    digest = hashlib.sha256(b"mmbt-fills-1\n")
    for row in fills:
        name = row["instrument"].encode("utf-8")
        digest.update(struct.pack("<qqqqbB", row["ts"], row["order_id"], row["px"], row["qty"], row["side"],
                                  REASON_CODE[row["reason"]]))
        digest.update(row["fee_units"].to_bytes(16, "little", signed=True))
        digest.update(struct.pack("<H", len(name)) + name)
    return digest.hexdigest()
