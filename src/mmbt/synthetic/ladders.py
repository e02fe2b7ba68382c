"""Exact synthetic ladders: what every level of the legs' books together makes, in fractions.

A leg is read in the direction of its chain: of an inverse leg the asks are 1/bid and the bids 1/ask, with sizes
size x price. To buy one unit of base currency takes one unit of the first leg, and then, leg after leg, as much as the
legs before it cost, fees included. So the next level of the synthetic has

    price = prod p_i (1 + f_i)        size = min over i of size_i / (prod over j < i of p_j (1 + f_j))

with 1 - f_i to sell, at the current level p_i, size_i of each leg. What it takes is taken from every leg's level, and
the legs whose level is used up go on to their next one, until one of them has none. That is the ladder of the cheapest
trades along the chain. A leg whose best bid is above its best ask gives no quote at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Ladder", "LadderLeg", "Level", "Number", "synthetic_ladder"]

Number = int | str | float | Decimal | Fraction


class Level(NamedTuple):
    """One price and how much there is at it."""

    price: Fraction
    size: Fraction


@dataclass(frozen=True, slots=True)
class Ladder:
    """Bids and asks, the best first; sizes are amounts of base currency."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class LadderLeg:
    """One book of a chain.

    Parameters
    ----------
    bids, asks
        (price, size) of each level as the book has them, the best first; sizes in its base currency. Floats are read
        as they print: 61.2 is 61.2 exactly.
    fee
        Of the value traded, in the currency the chain goes on with; .001 is 10 bp, negative is a rebate.
    inverse
        The chain runs from the book's quote currency to its base currency.
    """

    bids: Sequence[tuple[Number, Number]]
    asks: Sequence[tuple[Number, Number]]
    fee: Number = 0
    inverse: bool = False


def synthetic_ladder(legs: Sequence[LadderLeg]) -> Ladder:
    """The ladder of the pair that the legs make.

    Parameters
    ----------
    legs
        From the pair's base currency to its quote currency.

    Raises
    ------
    ValueError
        Without legs; for a price or size that is not positive, levels out of order, or a fee of the whole value.

    Examples
    --------
    >>> usd = LadderLeg(bids=[(20000, 1)], asks=[(20010, 2)])
    >>> rub = LadderLeg(bids=[("61.20", 30000)], asks=[("61.25", 50000)])
    >>> [(float(price), float(size)) for price, size in synthetic_ladder([usd, rub]).bids]
    [(1224000.0, 1.0)]
    """
    if not legs:
        raise ValueError("a chain needs at least one leg")
    fees = [_fee(leg.fee, place) for place, leg in enumerate(legs)]
    books = [
        (_levels(leg.bids, "bids", place, falling=True), _levels(leg.asks, "asks", place, falling=False))
        for place, leg in enumerate(legs)
    ]
    if any(bids and asks and bids[0].price > asks[0].price for bids, asks in books):
        return Ladder((), ())
    sold, bought = [], []
    for leg, (bids, asks) in zip(legs, books, strict=True):
        sold.append(_inverted(asks) if leg.inverse else bids)
        bought.append(_inverted(bids) if leg.inverse else asks)
    return Ladder(
        _walk(sold, [1 - fee for fee in fees]),
        _walk(bought, [1 + fee for fee in fees]),
    )


def _walk(sides: Sequence[Sequence[Level]], factors: Sequence[Fraction]) -> tuple[Level, ...]:
    made: list[Level] = []
    queues = [list(reversed(levels)) for levels in sides]
    while all(queues):
        price = Fraction(1)
        needed = []  # by each leg for one unit of base currency
        for queue, factor in zip(queues, factors, strict=True):
            needed.append(price)
            price *= queue[-1].price * factor
        size = min(queue[-1].size / need for queue, need in zip(queues, needed, strict=True))
        for queue, need in zip(queues, needed, strict=True):
            level = queue.pop()
            if level.size > size * need:
                queue.append(Level(level.price, level.size - size * need))
        if made and made[-1].price == price:
            size += made.pop().size
        made.append(Level(price, size))
    return tuple(made)


def _inverted(levels: Iterable[Level]) -> list[Level]:
    return [Level(1 / price, size * price) for price, size in levels]


def _levels(levels: Iterable[tuple[Number, Number]], side: str, place: int, *, falling: bool) -> list[Level]:
    found: list[Level] = []
    for price, size in levels:
        level = Level(_exact(price), _exact(size))
        if level.price <= 0 or level.size <= 0:
            raise ValueError(f"leg {place + 1}, {side}: price {price} and size {size} must be positive")
        if found and (level.price >= found[-1].price if falling else level.price <= found[-1].price):
            raise ValueError(f"leg {place + 1}, {side}: {price} after {found[-1].price}: the best price comes first")
        found.append(level)
    return found


def _fee(fee: Number, place: int) -> Fraction:
    exact = _exact(fee)
    if not -1 < exact < 1:
        raise ValueError(f"leg {place + 1}: fee {fee} must be less than the whole value; .001 is 10 bp")
    return exact


def _exact(number: Number) -> Fraction:
    try:
        return Fraction(repr(float(number)) if isinstance(number, float) else number)
    except (ValueError, OverflowError):
        raise ValueError(f"{number!r} is not a finite number") from None
