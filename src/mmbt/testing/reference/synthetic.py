"""Pairs priced through others, slowly: their top of book, and how a hedge goes the cheaper way (A5).

Everything here is binary64, leg by leg in the order of the chain: prices are no money, and only digits that both
simulators get alike can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from typing import NamedTuple

from mmbt.market import Instrument
from mmbt.testing.reference.view import View

__all__ = ["SyntheticQuote", "Top"]


class Top(NamedTuple):
    """Of a chain: numbers are NaN unless `state` is quoted."""

    state: str
    bid: float = math.nan
    bid_size: float = math.nan
    ask: float = math.nan
    ask_size: float = math.nan
    mid: float = math.nan
    age: int | None = None


class Leg(NamedTuple):
    """An instrument of a chain, and whether the chain runs against it."""

    spec: Instrument
    view: View
    inverse: bool
    fee: float

    @property
    def lot(self) -> float:
        """A lot in the currency that sizes are counted in."""
        return float(Fraction(self.spec.lot_size) * Fraction(self.spec.multiplier))

    def side(self, buy: bool) -> tuple[float, float]:
        """Price and size of buying, or selling, one of the currency the chain begins the leg with."""
        view, unit = self.view, float(self.spec.price_unit)
        px, qty = (view.ask_px, view.ask_qty) if buy != self.inverse else (view.bid_px, view.bid_qty)
        price, size = px * unit, qty * self.lot
        if self.inverse:
            return 1 / price, size if self.spec.inverse else size * price
        return price, size / price if self.spec.inverse else size


class SyntheticQuote:
    """One declared chain.

    Parameters
    ----------
    text
        ``PAIR = LEG * LEG / LEG``, with whole names of instruments.
    specs, views
        By instrument.
    fee
        Of takers, 1e-8 of the value.
    max_age
        Of a leg's last visible quote, ns; None: any.
    """

    def __init__(self, text: str, specs: Mapping[str, Instrument], views: Mapping[str, View], fee: int,
                 max_age: int | None) -> None:
        self.name, _, formula = (part.strip() for part in text.partition(" = "))
        self._max_age = max_age
        base, quote = self.name.partition("_")[0].split("/")
        terms = formula.replace(" / ", " * ").split(" * ")
        rate = fee / 1e8
        self.legs = [Leg(specs[name], views[name], inverse, rate)
                     for name, inverse in _joined(base, quote, [specs[term] for term in terms if term != "1"])]
        same = [name for name, spec in specs.items() if (spec.base, spec.quote) == (base, quote) and name not in terms]
        self.direct = self.name if self.name in same else same[0] if same else None
        self._direct = [Leg(specs[name], views[name], False, rate) for name in same if name == self.direct]

    def top(self, now: int) -> Top:
        """Bid, ask, sizes and age along the chain."""
        return _top(self.legs, now, self._max_age)

    def orders(self, side: int, lots: int, now: int) -> list[tuple[str, int, int]]:
        """(instrument, side, lots) of a hedge: one to the instrument of the pair, or one for each leg."""
        assert self.direct is not None
        straight = [(self.direct, side, lots)]
        through, direct, leg = self.top(now), _top(self._direct, now, self._max_age), self._direct[0]
        qty = lots * leg.lot
        if leg.spec.inverse:
            qty /= direct.mid if direct.state == "quoted" else through.mid
        if through.state != "quoted" or (direct.state == "quoted" and not _better(through, direct, side, qty)):
            return straight
        found = self._along(side, qty)
        return straight if any(size == 0 for _, _, size in found) else found

    def _along(self, side: int, qty: float) -> list[tuple[str, int, int]]:
        found = []
        for leg in self.legs:
            price, _ = leg.side(side > 0)
            in_next = leg.inverse != leg.spec.inverse  # the leg counts lots in the currency the chain goes on with
            lots = math.floor((qty * price if in_next else qty) / leg.lot + 0.5)
            if lots >= 2**40:
                raise OverflowError(f"qty needs {lots} lots of {leg.spec.name}")
            found.append((leg.spec.name, -side if leg.inverse else side, lots))
            qty *= price * (1 + leg.fee if side > 0 else 1 - leg.fee)
        return found


def _top(legs: Sequence[Leg], now: int, max_age: int | None) -> Top:
    plain = {True: 1.0, False: 1.0}  # by buying or selling, without fees
    price = {True: 1.0, False: 1.0}
    size = {True: math.inf, False: math.inf}
    age = 0
    for leg in legs:
        if not leg.view.valid:
            return Top("crossed" if leg.view.bid_qty and leg.view.ask_qty else "absent")
        age = max(age, now - leg.view.quoted_ts)
        for buy, fee in ((False, 1 - leg.fee), (True, 1 + leg.fee)):
            own_price, own_size = leg.side(buy)
            if own_size < size[buy] * price[buy]:
                size[buy] = own_size / price[buy]
            plain[buy] *= own_price
            price[buy] *= own_price * fee
    if max_age is not None and age > max_age:
        return Top("old")
    return Top("quoted", price[False], size[False], price[True], size[True], (plain[False] + plain[True]) / 2, age)


def _better(through: Top, direct: Top, side: int, qty: float) -> bool:
    """Whether the legs are the better way: by price if both show the quantity, else by what is shown."""
    theirs, own = (through.ask_size, direct.ask_size) if side > 0 else (through.bid_size, direct.bid_size)
    if theirs < qty or own < qty:
        return theirs > own
    return through.ask < direct.ask if side > 0 else through.bid > direct.bid


def _joined(base: str, quote: str, specs: Sequence[Instrument]) -> list[tuple[str, bool]]:
    """The legs in the first order that leads from base to quote, each with whether it is run against."""
    for order in permutations(specs):
        here, found = base, []
        for spec in order:
            if here not in (spec.base, spec.quote):
                break
            found.append((spec.name, here == spec.quote))
            here = str(spec.base if here == spec.quote else spec.quote)
        if len(found) == len(specs) and here == quote:
            return found
    raise ValueError(f"no order of the legs leads from {base} to {quote}")
