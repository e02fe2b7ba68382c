"""What lots of an instrument are worth and what a fill of them pays, in whole money units of its settlement currency.

| contract                 | settled in | n lots at p price units are worth | money unit                             |
|--------------------------|------------|-----------------------------------|----------------------------------------|
| spot, linear, undeclared | quote      | n p 10^8, exactly                 | lot x multiplier x price unit x 10^-8  |
| inverse                  | base       | -V, V = n 10^20 / p, rounded once | lot x multiplier / price unit x 10^-20 |

An inverse contract is a debt in the base currency: who is long owes V and owes less when the price rises. Rounding is
half away from zero (U3). A fee is a rate of the value, an amount for each unit of quantity and an amount for each fill,
added up as a rational number and rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from fractions import Fraction

from mmbt.market import Instrument

__all__ = ["Contract", "Fees"]

UNIT = 10**8
HALF = UNIT // 2
INVERSE_UNIT = 10**20
EXACT = Context(prec=200, traps=[Inexact])
CURRENCIES = ("settlement", "other")


@dataclass(frozen=True)
class Fees:
    """What one side of the market pays; negative amounts are rebates.

    Attributes
    ----------
    rate
        Whole 1e-8 of the value traded.
    per_quantity, flat
        Decimals, for a quantity of 1.0 and for a fill, in the fee's currency.
    currency
        "settlement", or "other": the base currency of a linear contract, the quote currency of an inverse one.
    """

    rate: int = 0
    per_quantity: str = "0"
    flat: str = "0"
    currency: str = "settlement"

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise ValueError(f"fee_currency must be one of {', '.join(CURRENCIES)}, not {self.currency!r}")


class Contract:
    """The money of one instrument.

    Attributes
    ----------
    rounds
        Whether values are rounded, so that the worth of two parts need not be that of the whole.
    """

    def __init__(self, instrument: Instrument) -> None:
        if instrument.contract not in (None, "spot", "linear", "inverse"):
            raise ValueError(f"contract of {instrument.name} must be spot, linear or inverse, "
                             f"not {instrument.contract!r}")
        self._inverse = self.rounds = instrument.contract == "inverse"
        self._price_unit = Fraction(instrument.price_unit)
        self._lot = Fraction(instrument.lot_size)
        self._multiplier = Fraction(instrument.multiplier)
        if self._inverse:
            self._money_unit = self._lot * self._multiplier / self._price_unit / INVERSE_UNIT
        else:
            self._money_unit = self._lot * self._multiplier * self._price_unit / UNIT
        self._decimal = EXACT.divide(Decimal(self._money_unit.numerator), Decimal(self._money_unit.denominator))

    def worth(self, qty: int, px2: int) -> int:
        """What holding `qty` signed lots is worth at `px2` half price units."""
        return -_rounded(Fraction(2 * qty * INVERSE_UNIT, px2)) if self._inverse else qty * px2 * HALF

    def fee(self, fees: Fees, qty: int, px: int) -> int:
        """What a fill of `qty` lots at `px` price units pays."""
        price = px * self._price_unit
        size = qty * self._lot * self._multiplier
        value = size / price if self._inverse else size * price
        amount = Fraction(fees.per_quantity) * qty * self._lot + Fraction(fees.flat)
        if fees.currency == "other":
            amount = amount / price if self._inverse else amount * price
        return _rounded((value * fees.rate / UNIT + amount) / self._money_unit)

    def currency(self, money: int) -> Decimal:
        """Whole money units as an exact decimal of the settlement currency."""
        return EXACT.multiply(Decimal(money), self._decimal)


def _rounded(number: Fraction) -> int:
    """The nearest integer, halves away from zero."""
    whole, rest = divmod(abs(number.numerator), number.denominator)
    nearest = whole + (2 * rest >= number.denominator)
    return nearest if number >= 0 else -nearest
