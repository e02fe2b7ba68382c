"""Which column is what: aliases of the seed's format, and the message when one is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmbt.errors import DataError, did_you_mean
from mmbt.formats.base import VALUES, Table

__all__ = ["ALIASES", "KNOWN", "OPTIONAL", "REQUIRED", "Resolved", "normal", "refuse_duplicates", "resolve"]

# In order of preference; case, spaces, underscores and other marks do not count.
ALIASES: dict[str, tuple[str, ...]] = {
    "time": ("exchange_time", "exchange_timestamp", "exchange_ts", "exch_time", "exch_timestamp", "exch_ts",
             "event_time", "transact_time", "transaction_time", "trade_time", "quote_time", "timestamp", "time",
             "ts", "datetime", "date_time", "ts_event"),
    "local_time": ("local_time", "local_timestamp", "local_ts", "receive_time", "receive_timestamp", "receive_ts",
                   "received_time", "received_at", "recv_time", "recv_timestamp", "recv_ts", "receipt_time",
                   "receipt_timestamp", "arrival_time", "capture_time", "ts_recv"),
    "instrument": ("instrument", "instrument_name", "instrument_id", "symbol", "sym", "ticker", "pair", "currency_pair",
                   "security", "contract", "market"),
    "bid_px": ("bid", "bid_price", "bid_px", "best_bid", "best_bid_price", "best_bid_px", "bid_rate", "bid_px_00"),
    "bid_qty": ("bid_size", "bid_qty", "bid_quantity", "bid_amount", "bid_volume", "bid_vol", "bid_sz", "best_bid_size",
                "best_bid_qty", "best_bid_quantity", "best_bid_amount", "best_bid_volume", "bid_sz_00"),
    "ask_px": ("ask", "ask_price", "ask_px", "best_ask", "best_ask_price", "best_ask_px", "ask_rate", "offer",
               "offer_price", "offer_px", "best_offer", "best_offer_price", "ask_px_00"),
    "ask_qty": ("ask_size", "ask_qty", "ask_quantity", "ask_amount", "ask_volume", "ask_vol", "ask_sz", "best_ask_size",
                "best_ask_qty", "best_ask_quantity", "best_ask_amount", "best_ask_volume", "offer_size", "offer_qty",
                "offer_amount", "offer_volume", "best_offer_size", "best_offer_qty", "ask_sz_00"),
    "px": ("price", "px", "trade_price", "trade_px", "exec_price", "rate"),
    "qty": ("qty", "quantity", "size", "amount", "volume", "vol", "trade_qty", "trade_size", "trade_quantity",
            "trade_amount", "trade_volume", "exec_qty", "sz"),
    "side": ("side", "aggressor", "aggressor_side", "aggressor_direction", "direction", "taker_side", "trade_side"),
}
REQUIRED: dict[Table, tuple[str, ...]] = {table: ("time", "instrument", *values) for table, values in VALUES.items()}
OPTIONAL: dict[Table, tuple[str, ...]] = {"tob": ("local_time",), "trades": ("local_time", "side")}


def normal(name: str) -> str:
    """A column name as it is compared: lower case letters, digits and nothing else."""
    return re.sub(r"[\W_]+", "", name.casefold())


_ROLE_OF = {role: {normal(alias): rank for rank, alias in enumerate(aliases)} for role, aliases in ALIASES.items()}
KNOWN = frozenset(alias for aliases in _ROLE_OF.values() for alias in aliases)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the columns of a header are to a table."""

    columns: dict[str, int]  # role -> column, counted from 0
    missing: tuple[str, ...]
    ignored: tuple[str, ...]


def resolve(names: Sequence[str], table: Table) -> Resolved:
    """Find each role's column by its aliases; of several the one named first in `ALIASES`."""
    columns: dict[str, int] = {}
    for role in (*REQUIRED[table], *OPTIONAL[table]):
        ranks = _ROLE_OF[role]
        found = [(ranks[normal(name)], index) for index, name in enumerate(names) if normal(name) in ranks]
        if found:
            columns[role] = min(found)[1]
    used = set(columns.values())
    return Resolved(columns, tuple(role for role in REQUIRED[table] if role not in columns),
                    tuple(name for index, name in enumerate(names) if index not in used and name))


def refuse_duplicates(path: Path, names: Iterable[str]) -> None:
    """Raise `DataError` when two columns bear one name: which of them is meant cannot be known."""
    seen: dict[str, str] = {}
    for name in names:
        if name and name.casefold() in seen:
            raise DataError(f"{path}, line 1: two columns are named {name!r}: rename one of them")
        seen[name.casefold()] = name


def missing_columns(path: Path, table: Table, names: Sequence[str], resolved: Resolved) -> DataError:
    """The error for a header that lacks columns: what was found, what is needed, and what may have been meant."""
    hints = []
    free = [name for index, name in enumerate(names) if index not in resolved.columns.values()]
    for role in resolved.missing:
        near = _near(role, free)
        hints.append(f"{ALIASES[role][0]!r} (or {', '.join(ALIASES[role][1:4])}, ...){near}")
    return DataError(f"{path}, line 1: {table} needs column {'; '.join(hints)}. Found: {', '.join(map(repr, names))}. "
                     f"Required: {', '.join(ALIASES[role][0] for role in REQUIRED[table])}. "
                     "Rename the columns, or describe them in a TOML file and give --mapping")


def _near(role: str, names: Sequence[str]) -> str:
    for alias in ALIASES[role]:
        if hint := did_you_mean(alias, names):
            return hint
    return ""
