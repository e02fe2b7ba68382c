"""Three instruments of which the first is worth about as much as a chain of the two others, lot by lot."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal

import numpy as np

from mmbt.market import ArrayMarket, TobBatch

__all__ = ["paired"]

PAIR = "A/C"
DIGITS = Context(prec=6)


def paired(market: ArrayMarket, seed: int) -> tuple[ArrayMarket, str]:
    """The market with currencies, and with units that make its first instrument comparable with the two others.

    Only names of currencies, price units and lots change, never a row.

    Parameters
    ----------
    market
        Of three instruments.
    seed
        Draws which legs are inverse.

    Returns
    -------
    The market and the chain, as text.
    """
    rng = np.random.default_rng([seed, 9])
    tables = [(spec, *market.tables(spec.name)) for spec in market.instruments]
    over, under, specs = [], "", []
    amount = Decimal(1)  # of the currency the leg begins with, that a lot of the first instrument comes to
    for (spec, tob, _), (begin, end) in zip(tables[1:], (("A", "B"), ("B", "C")), strict=True):
        inverse = bool(rng.random() < 0.5)
        price = _level(tob) * Decimal(spec.price_unit)
        rate = 1 / price if inverse else price
        in_next = inverse != spec.inverse
        base, quote = (end, begin) if inverse else (begin, end)
        specs.append(replace(spec, base=base, quote=quote, lot_size=_plain(amount * rate if in_next else amount)))
        if inverse:
            under += f" / {spec.name}"
        else:
            over.append(spec.name)
        amount *= rate
    first = tables[0][0]
    unit = DIGITS.divide(amount, _level(tables[0][1]))
    specs.insert(0, replace(first, base="A", quote="C", contract="linear", multiplier="1", lot_size="1",
                            price_unit=f"{unit:f}", tick_size=f"{unit * first.tick_units:f}"))
    joined = [(spec, *table[1:]) for spec, table in zip(specs, tables, strict=True)]
    return ArrayMarket(joined, market.batch_rows), f"{PAIR} = {' * '.join(over) or '1'}{under}"


def _level(tob: TobBatch) -> int:
    """About what the instrument costs, in price units."""
    prices = tob.bid_px[tob.bid_px > 0]
    return int(prices[len(prices) // 2]) if len(prices) else 1


def _plain(number: Decimal) -> str:
    return f"{DIGITS.plus(number):f}"
