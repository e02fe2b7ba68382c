"""A fee as people state it, turned into whole numbers of an instrument's money units."""

from fractions import Fraction
from math import lcm

from cysim.money cimport money_from_python


# `spec` is the simulator's of an instrument; stated are the rate, what is paid for each 1 of quantity, and for each
# fill: both in the currency of settlement, or in the other one.
cdef int set_fee(Fee* fee, tuple spec, bint inverse, bint other, tuple stated) except -1:
    name, tick_size, lot_size, money_unit, tick_units = spec[:5]
    if abs(stated[0]) > 100_000_000:
        raise ValueError("a fee is more than the whole value traded")
    price_unit = Fraction(tick_size) / tick_units
    # an amount in the other currency is worth amount x price, or amount / price, and prices count price units
    price = 1 if not other else 1 / price_unit if inverse else price_unit
    per_lot = Fraction(stated[1]) * Fraction(lot_size) * price / Fraction(money_unit)
    flat = Fraction(stated[2]) * price / Fraction(money_unit)
    denominator = lcm(per_lot.denominator, flat.denominator)
    amounts = [int(per_lot * denominator), int(flat * denominator)]
    if denominator >= 1 << 40 or max(map(abs, amounts)) >= 1 << 126:
        raise ValueError(f"{name}: a fee has more digits than the instrument's money can hold: round it")
    fee.per_lot = money_from_python(amounts[0])
    fee.flat = money_from_python(amounts[1])
    fee.denominator = denominator
    fee.rate = stated[0]
    if inverse:
        fee.form = INVERSE_OTHER if other else INVERSE_FEE
    elif amounts == [0, 0]:
        fee.form = RATE_ONLY
    else:
        fee.form = LINEAR_OTHER if other else LINEAR_FEE
    return 0
