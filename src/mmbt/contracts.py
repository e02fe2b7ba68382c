"""What people state of an instrument's contract, at conversion or for one run.

| contract  | one of quantity is            | settled in | buying n at price p costs     |
|-----------|-------------------------------|------------|-------------------------------|
| `spot`    | `multiplier` of the base      | quote      | p x n x multiplier, for goods |
| `linear`  | `multiplier` of the base      | quote      | p x n x multiplier            |
| `inverse` | `multiplier` of the quote     | base       | - n x multiplier / p          |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from mmbt.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from mmbt.market import Instrument

__all__ = ["CONTRACTS", "EVERY", "Terms", "check_names", "terms_of"]

CONTRACTS = ("spot", "linear", "inverse")
EVERY = "*"
"""Stands for all instruments that are not named."""

_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Terms:
    """What is stated of one instrument; None: nothing.

    Raises
    ------
    UsageError
        For an unknown contract type, a multiplier that is no positive number, or currencies not written BASE/QUOTE.
    """

    contract: str | None = None
    multiplier: str | None = None
    currencies: str | None = None

    def __post_init__(self) -> None:
        if self.contract is not None and self.contract not in CONTRACTS:
            raise UsageError(
                f"unknown contract type {self.contract!r}{did_you_mean(self.contract, CONTRACTS) or '.'} "
                f"Types: {', '.join(CONTRACTS)}"
            )
        if self.multiplier is not None:
            object.__setattr__(self, "multiplier", _multiplier(self.multiplier))
        if self.currencies is not None:
            base, slash, quote = self.currencies.partition("/")
            if not slash or not base or not quote or "/" in quote:
                raise UsageError(f"currencies {self.currencies!r}: write them as BASE/QUOTE, such as BTC/USD")

    def __bool__(self) -> bool:
        return self != Terms()

    def over(self, other: Terms) -> Terms:
        """These terms, and the other's where these say nothing."""
        return Terms(
            self.contract or other.contract, self.multiplier or other.multiplier, self.currencies or other.currencies
        )

    def applied(self, instrument: Instrument) -> Instrument:
        """The instrument on these terms."""
        base, quote = self.currencies.split("/") if self.currencies else (instrument.base, instrument.quote)
        return replace(
            instrument,
            base=base,
            quote=quote,
            contract=self.contract or instrument.contract,
            multiplier=self.multiplier or instrument.multiplier,
        )


def terms_of(
    name: str, contract: Mapping[str, str], multiplier: Mapping[str, str], currencies: Mapping[str, str]
) -> Terms:
    """The terms stated for an instrument by name, or for every one."""
    return Terms(*(stated.get(name, stated.get(EVERY)) for stated in (contract, multiplier, currencies)))


def check_names(stated: Iterable[Mapping[str, str]], known: Iterable[str]) -> None:
    """Refuse terms of instruments that are not there.

    Raises
    ------
    UsageError
        Naming the first of them.
    """
    names = list(known)
    for name in sorted({name for mapping in stated for name in mapping} - {EVERY, *names}):
        near = did_you_mean(name, names)
        raise UsageError(f"contract terms are stated for {name!r}, which is none of the instruments{near}")


def _multiplier(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise UsageError(f"multiplier {text!r} is not a decimal number") from None
    if not number.is_finite() or number <= 0:
        raise UsageError(f"multiplier {text} must be a positive number")
    if len(number.normalize().as_tuple().digits) > _DIGITS or not -_DIGITS <= number.adjusted() <= _DIGITS:
        raise UsageError(f"multiplier {text} has more digits than can be held exactly")
    return f"{number.normalize():f}"
