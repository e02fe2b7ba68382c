"""Chains on the machine: the top of book of a pair, and how it compares with the direct book over recorded quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from cysim import Comparison, SyntheticBook
from mmbt.market import Instrument, MarketData, TobBatch
from mmbt.synthetic.chains import Chain, Leg, find_instrument
from mmbt.units import fee_rate

__all__ = ["Fee", "compare", "leg_values", "make_book"]

Fee = str | int | Decimal


def leg_values(
    chain: Chain, instruments: Iterable[Instrument], taker_fee: Fee | Mapping[str, Fee] = 0
) -> list[tuple[str, str, str, bool, bool, int]]:
    """The legs of a chain as `cysim` takes them.

    Parameters
    ----------
    chain
        The legs.
    instruments
        Those it stands on, for their units and contracts.
    taker_fee
        Basis points of the value traded, for all or by name; an instrument without one pays none.

    Raises
    ------
    UsageError
        When an instrument of the chain is missing.
    """
    known = list(instruments)
    return [
        _values(find_instrument(leg.instrument, known), leg.inverse,
                taker_fee.get(leg.instrument, 0) if isinstance(taker_fee, Mapping) else taker_fee)
        for leg in chain.legs
    ]


def make_book(
    chain: Chain,
    instruments: Iterable[Instrument],
    *,
    taker_fee: Fee | Mapping[str, Fee] = 0,
    max_age: int | None = None,
) -> SyntheticBook:
    """A book of the chain, to be fed with its legs' quotes.

    Parameters
    ----------
    chain, instruments, taker_fee
        As `leg_values` takes them. A chain of one leg makes the book of that instrument.
    max_age
        ns since a leg's last quote up to which it counts; None for any.
    """
    return SyntheticBook(leg_values(chain, instruments, taker_fee), max_age)


def compare(
    market: MarketData,
    chain: Chain,
    direct: str | None = None,
    *,
    taker_fee: Fee | Mapping[str, Fee] = 0,
    max_age: int | None = None,
    interval: int = 1_000_000_000,
    session_gap: int | None = 3_600_000_000_000,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """The synthetic quotes of a chain beside the direct book, over all quotes of a market.

    Parameters
    ----------
    market
        Where the quotes come from.
    chain
        The legs.
    direct
        The instrument that trades the pair itself; None when there is none.
    taker_fee
        Basis points, for all or by name, of the legs and of the direct instrument.
    max_age
        Of the legs' quotes, ns; None for any.
    interval
        Between samples of the difference of mids, ns.
    session_gap
        Silences this long, ns, are left out; None: none is.
    progress
        Called about every million quotes with their number.

    Returns
    -------
    dict
        As `cysim.Comparison.result` says.

    Raises
    ------
    UsageError
        When the market lacks an instrument.
    ValueError
        For impossible rows.
    """
    known = list(market.instruments)
    legs = leg_values(chain, known, taker_fee)
    own = None
    if direct is not None:
        alone = Chain(chain.base, chain.quote, (Leg(direct),))
        (own,) = leg_values(alone, known, taker_fee)
    comparison = Comparison(legs, own, max_age=max_age, interval=interval, session_gap=session_gap)
    tables: dict[str, Iterator[TobBatch]] = {}

    def feed(name: str) -> TobBatch | None:
        if name not in tables:
            tables[name] = iter(market.tob(name))
        return next(tables[name], None)

    comparison.run(feed, progress)
    return comparison.result()


def _values(instrument: Instrument, inverse: bool, fee: Fee) -> tuple[str, str, str, bool, bool, int]:
    lot = Decimal(instrument.lot_size) * Decimal(instrument.multiplier)
    return (
        instrument.name, instrument.price_unit, f"{lot:f}", inverse, instrument.contract == "inverse", fee_rate(fee)
    )
