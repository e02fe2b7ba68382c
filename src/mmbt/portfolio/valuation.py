"""Holdings by currency, and their value in another currency through the books.

| contract                      | holds                                                    |
|-------------------------------|----------------------------------------------------------|
| `spot`                        | base: position x lot x multiplier; quote: cash           |
| `linear`, or not declared     | quote: what the contract has gained, marked at the mid   |
| `inverse`                     | base: what the contract has gained, marked at the mid    |

One currency is converted into another along the path of fewest instruments, among equals the one whose names come first
by their UTF-8 bytes, at the last valid mid of each: exact fractions, rounded once at the very end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from mmbt.errors import UsageError, did_you_mean
from mmbt.market import Instrument

__all__ = ["DIGITS", "Converter", "Leg", "holdings", "rounded"]

DIGITS = 12
"""Decimal places of amounts that were converted."""

_WIDE = Context(prec=120)


class Leg(NamedTuple):
    """One step of a conversion: along an instrument, from its base to its quote or back."""

    instrument: str
    forward: bool  # from base to quote


class Converter:
    """Ways between currencies.

    Parameters
    ----------
    instruments
        Traded and watched; those whose currencies are unknown lead nowhere.
    """

    def __init__(self, instruments: Sequence[Instrument]):
        self._ways: dict[str, list[tuple[Leg, str]]] = {}
        for instrument in sorted(instruments, key=lambda i: i.name.encode()):
            if instrument.base is None or instrument.quote is None:
                continue
            for source, target, forward in (
                (instrument.base, instrument.quote, True),
                (instrument.quote, instrument.base, False),
            ):
                self._ways.setdefault(source, []).append((Leg(instrument.name, forward), target))

    def path(self, source: str, target: str) -> tuple[Leg, ...]:
        """The legs from one currency to another; none when they are the same.

        Raises
        ------
        UsageError
            When no path leads there, with what to add.
        """
        # breadth first, and by name among ways of one length: the first path that arrives is the one wanted
        paths: dict[str, tuple[Leg, ...]] = {source: ()}
        waiting = deque([source])
        while waiting and target not in paths:
            here = waiting.popleft()
            for leg, there in self._ways.get(here, ()):
                if there not in paths:
                    paths[there] = (*paths[here], leg)
                    waiting.append(there)
        if target not in paths:
            hint = "" if target in self._ways else did_you_mean(target, self._ways)
            raise UsageError(
                f"nothing in this run converts {source} into {target}{hint or ':'} "
                f"add an instrument between {_any_of(paths)} and {target} with --watch, such as {source}/{target}"
            )
        return paths[target]

    def rate(self, source: str, target: str, prices: Mapping[str, Fraction | None]) -> Fraction | None:
        """What one unit of a currency is worth in another.

        Parameters
        ----------
        prices
            The last valid mid of each instrument, in its quote currency; None before any.

        Returns
        -------
        Fraction or None
            Exact; None when an instrument on the path never had a valid book.

        Raises
        ------
        UsageError
            As `path`.
        """
        rate = Fraction(1)
        for leg in self.path(source, target):
            price = prices.get(leg.instrument)
            if price is None:
                return None
            rate = rate * price if leg.forward else rate / price
        return rate


def holdings(
    instrument: Instrument, position: int, cash: Fraction, pnl: Fraction
) -> tuple[tuple[str | None, Fraction], ...]:
    """What an account holds: currencies (None: one that is not known) and amounts.

    Parameters
    ----------
    position
        Lots.
    cash, pnl
        Of the account, in its currency of settlement.
    """
    if instrument.contract != "spot":
        return ((instrument.currency, pnl),)
    goods = position * Fraction(instrument.lot_size) * Fraction(instrument.multiplier)
    return (instrument.base, goods), (instrument.quote, cash)


def rounded(value: Fraction, digits: int = DIGITS) -> Decimal:
    """The nearest decimal with so many places; halves go away from zero."""
    scaled = abs(value) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return _WIDE.scaleb(Decimal(whole if value >= 0 else -whole), -digits)


def _any_of(currencies: Mapping[str, object]) -> str:
    names = sorted(currencies)
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
