"""Money, position and the split of the profit, in whole money units (U3, M1, M2, M4)."""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mmbt.market import Instrument
from mmbt.testing.reference.contracts import Contract, Fees

__all__ = ["HORIZONS", "Account", "mark_outs", "result_hash"]

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

    def __init__(self, instrument: Instrument, position: int, maker: Fees, taker: Fees) -> None:
        self.instrument = instrument
        self.position = self.first_position = position
        self.cash = self.fees = self.spread = self.inventory = self.hedge_cost = 0
        self.mid2: int | None = None
        self._contract = Contract(instrument)
        self._maker, self._taker = maker, taker
        self._marked = 0  # the position at the last mark; what was bought before any mid, at its price
        self._brought_in = 0  # the first position at the first mid

    def fill(self, side: int, qty: int, px: int, *, taker: bool) -> int:
        """Book a fill at `px` price units; returns the fee."""
        fee = self._contract.fee(self._taker if taker else self._maker, qty, px)
        value = self._contract.worth(side * qty, 2 * px)
        at_mid = value if self.mid2 is None else self._contract.worth(side * qty, self.mid2)  # m = p before any mid
        if taker:
            self.hedge_cost -= at_mid - value
        else:
            self.spread += at_mid - value
        self.position += side * qty
        self.cash -= value + fee
        self.fees += fee
        self._marked += at_mid
        return fee

    def mark(self, mid2: int) -> None:
        """A step left a valid book with this mid (the fills of the step are booked before)."""
        worth, value = self._contract.worth, self._contract.worth(self.position, mid2)
        if self.mid2 is None:
            self._brought_in = worth(self.first_position, mid2)
            self._marked += self._brought_in
        if self.mid2 is None or self._contract.rounds:
            self.inventory += value - self._marked
        else:
            self.inventory += self.position * (worth(1, mid2) - worth(1, self.mid2))  # M1 to the letter
        self._marked, self.mid2 = value, mid2

    def end_step(self) -> None:
        """Mark what the step bought, and hold the identity of M1 and S9: the split adds up to the last unit."""
        if self.mid2 is not None:
            self.mark(self.mid2)
        held = self.cash + self._marked - self._brought_in
        assert held == self.pnl, (self.instrument.name, self.cash, self._marked, self.pnl)

    @property
    def pnl(self) -> int:
        """Profit by the split."""
        return self.spread + self.inventory - self.hedge_cost - self.fees

    def currency(self, money: int) -> Decimal:
        """Whole money units as an exact decimal of the settlement currency."""
        return self._contract.currency(money)

    def liquidation(self, last_bid: int | None, last_ask: int | None) -> int | None:
        """Value of the whole position at the last present opposite touch, taker fee included (O7)."""
        if self.position == 0:
            return 0
        touch = last_bid if self.position > 0 else last_ask
        if touch is None:
            return None
        fee = self._contract.fee(self._taker, abs(self.position), touch)
        return self._contract.worth(self.position, 2 * touch) - fee

    def liquidation_pnl(self, last_bid: int | None, last_ask: int | None) -> int | None:
        """Profit had the whole position been dealt at that touch."""
        value = self.liquidation(last_bid, last_ask)
        if value is None or (self.first_position and self.mid2 is None):
            return None
        return self.cash + value - self._brought_in


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
