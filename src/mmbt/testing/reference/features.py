"""The features again, slowly: from the whole history each time, in plain Python, as the reference page defines them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

__all__ = ["FEATURE_NAMES", "entry_of", "market_twin", "private_twin", "scale_of"]

STEP = 10**8
SECOND = 10**9
FORGET = 6000
DAY = 86_400 * 10**9
FEATURE_NAMES = (
    "spread_ratio", "imbalance", "microprice", "return_1s", "return_5s", "return_30s", "return_120s", "volatility",
    "flow_5s", "flow_60s", "intensity", "quote_age", "synthetic_mid", "synthetic_spread", "has_synthetic", "time_sin",
    "time_cos", "inventory", "abs_inventory", "unrealised_pnl", "has_bid", "bid_distance", "bid_age", "has_offer",
    "offer_distance", "offer_age", "pending", "pending_bid", "pending_offer")

Row = Sequence[int]  # (ts, bid, bid_qty, ask, ask_qty) or (ts, px, qty, aggressor)


def _remembered(rows: Sequence[Row], now: int) -> list[Row]:
    """The rows told by `now` after the last silence in which everything was forgotten."""
    kept: list[Row] = []
    for row in rows:
        if row[0] > now:
            break
        if kept and row[0] // STEP - kept[-1][0] // STEP > FORGET:
            kept = []
        kept.append(row)
    return [] if kept and now // STEP - kept[-1][0] // STEP > FORGET else kept


def _valid_books(quotes: Sequence[Row]) -> list[Row]:
    return [row for row in quotes if row[2] > 0 and row[4] > 0 and row[1] <= row[3]]


def _sample(books: Sequence[Row], end: int) -> Row | None:
    """The last valid book of all rows before `end`."""
    found = None
    for row in books:
        if row[0] >= end:
            break
        found = row
    return found


def _mid_of(book: Row) -> Fraction:
    return Fraction(book[1] + book[3], 2)


def scale_of(quotes: Sequence[Row], now: int, tick: int) -> tuple[float, float]:
    """The mid, 0 without any, and the reference spread."""
    books = _valid_books(_remembered(quotes, now))
    if not books:
        return 0.0, float(tick)
    second = now // SECOND
    samples = [_sample(books, (k + 1) * SECOND) for k in range(second - 120, second)]
    spreads = [book[3] - book[1] for book in samples if book is not None]
    spread = sum(spreads) / len(spreads) if spreads else books[-1][3] - books[-1][1]
    return float(_mid_of(books[-1])), max(spread, float(tick))


def _volatility_of(books: Sequence[Row], now: int) -> float:
    weights, squares = [], []
    first = books[0][0] // SECOND  # its own is the first second with a sample
    samples = [_sample(books, (k + 1) * SECOND) for k in range(first, now // SECOND)]
    for age, (later, earlier) in enumerate(zip(samples[:0:-1], samples[-2::-1], strict=True)):
        assert later is not None
        assert earlier is not None
        weights.append((63 / 64) ** age)
        squares.append(float(_mid_of(later) - _mid_of(earlier)) ** 2)
    if not weights:
        return 0.0
    return math.sqrt(math.fsum(w * s for w, s in zip(weights, squares, strict=True)) / math.fsum(weights))


def _log_age(age: int) -> float:
    return min(math.log1p(age / 10**6) / math.log(100_000), 1.0)


def _clip(value: float, bound: float) -> float:
    return max(-bound, min(bound, value))


def _quote_features(quotes: Sequence[Row], now: int, tick: int) -> dict[str, float]:
    rows = _remembered(quotes, now)
    books = _valid_books(rows)
    _, reference = scale_of(quotes, now, tick)
    told = dict.fromkeys(
        ("imbalance", "microprice", "return_1s", "return_5s", "return_30s", "return_120s", "volatility"), 0.0)
    told |= {"spread_ratio": 1.0, "quote_age": _log_age(now - rows[-1][0]) if rows else 1.0}
    if not books:
        return told
    _, bid, bid_qty, ask, ask_qty = books[-1]
    microprice = Fraction(bid * ask_qty + ask * bid_qty, bid_qty + ask_qty)
    volatility = _volatility_of(books, now)
    unit = max(volatility, reference / 8)
    told |= {
        "spread_ratio": min((ask - bid) / reference, 10.0),
        "imbalance": (bid_qty - ask_qty) / (bid_qty + ask_qty),
        "microprice": _clip(float(microprice - _mid_of(books[-1])) / reference, 5.0),
        "volatility": min(math.log1p(volatility / reference) / math.log(2), 10.0),
    }
    for seconds, grid in ((1, STEP), (5, STEP), (30, SECOND), (120, SECOND)):
        earlier = _sample(books, now // grid * grid - seconds * SECOND)
        if earlier is not None:
            move = float(_mid_of(books[-1]) - _mid_of(earlier))
            told[f"return_{seconds}s"] = _clip(move / (unit * math.sqrt(seconds)), 8.0)
    return told


def _print_features(prints: Sequence[Row], now: int) -> dict[str, float]:
    rows = _remembered(prints, now)
    if not rows:
        return {"flow_5s": 0.0, "flow_60s": 0.0, "intensity": 0.0}
    sided = []
    tick = 0
    for place, (ts, px, qty, aggressor) in enumerate(rows):
        before = rows[place - 1][1] if place else px
        tick = (px > before) - (px < before) or tick
        sided.append((ts, qty, aggressor or tick))
    steps = [row for row in sided if now // STEP - row[0] // STEP < 50]
    told = {}
    for name, chosen in (("flow_5s", steps), ("flow_60s", _seconds(sided, now, 60))):
        lots = sum(qty for _, qty, _ in chosen)
        told[name] = sum(qty * side for _, qty, side in chosen) / lots if lots else 0.0
    covered = min(now // SECOND - rows[0][0] // SECOND + 1, 120)
    usual = len(_seconds(sided, now, 120)) / covered
    recent = len(steps) / min(covered, 5)
    told["intensity"] = math.log1p(recent / usual) / math.log(2) if usual else 0.0
    return told


def _seconds(rows: Sequence[Row], now: int, count: int) -> list[Row]:
    return [row for row in rows if now // SECOND - row[0] // SECOND < count]


def market_twin(quotes: Sequence[Row], prints: Sequence[Row], now: int, tick: int = 1,
                synthetic: tuple[float, float] | None = None) -> dict[str, float]:
    """The market's features at `now` by name; rows (ts, bid, bid_qty, ask, ask_qty) and (ts, px, qty, aggressor)."""
    mid, reference = scale_of(quotes, now, tick)
    turn = 2 * math.pi * (now % DAY) / DAY
    told = _quote_features(quotes, now, tick) | _print_features(prints, now)
    told |= {"synthetic_mid": 0.0, "synthetic_spread": 0.0, "has_synthetic": 0.0}
    if synthetic is not None and mid:
        told |= {"synthetic_mid": _clip((synthetic[0] - mid) / reference, 20.0),
                 "synthetic_spread": min(synthetic[1] / reference, 20.0), "has_synthetic": 1.0}
    return told | {"time_sin": math.sin(turn), "time_cos": math.cos(turn)}


def entry_of(fills: Sequence[tuple[int, int, int]], position: int = 0) -> tuple[int, Fraction | None]:
    """Position and entry price after fills (side, px, qty); None when flat or unknown."""
    entry: Fraction | None = None
    for side, px, qty in fills:
        after = position + side * qty
        if after == 0:
            entry = None
        elif position * after <= 0:
            entry = Fraction(px)
        elif abs(after) > abs(position) and entry is not None:
            entry = (entry * abs(position) + px * qty) / abs(after)
        position = after
    return position, entry


def private_twin(mid: float, spread: float, now: int, limit: int, position: int, entry: Fraction | None,
                 own: dict[str, int]) -> dict[str, float]:
    """Our own features by name; `own` holds the arguments of `FeatureState.read_private`."""
    q = position / limit
    told = {"inventory": _clip(q, 2.0), "abs_inventory": min(abs(q), 2.0), "unrealised_pnl": 0.0,
            "pending": float(own["pending"])}
    if mid and entry is not None:
        told["unrealised_pnl"] = _clip(q * (float(Fraction(mid) - entry) / spread), 20.0)
    for side, name, sign in (("bid", "bid", 1), ("ask", "offer", -1)):
        px, under_way = own[f"{side}_px"], own[f"pending_{side}_px"]
        stands = bool(mid and px)
        told[f"has_{name}"] = float(stands)
        told[f"{name}_distance"] = _clip(sign * (mid - px) / spread, 10.0) if stands else 0.0
        told[f"{name}_age"] = _log_age(now - own[f"{side}_ts"]) if stands else 0.0
        told[f"pending_{name}"] = _clip(sign * (mid - under_way) / spread, 10.0) if mid and under_way else 0.0
    return told
