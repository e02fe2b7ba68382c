"""The checks of what commands are given: everything is looked at before anything changes."""

from cpython.bool cimport PyBool_Check
from cpython.long cimport PyLong_CheckExact
from libc.math cimport fabs, isfinite, rint
from libc.stdint cimport int64_t

from operator import index as as_index

from cysim.types cimport BUY, LIMIT, SELL

cdef dict SIDES = {1: BUY, -1: SELL, "buy": BUY, "sell": SELL}


cdef int64_t unusual_qty(object value, str name) except -1:
    cdef int64_t qty
    cdef double number
    if not PyLong_CheckExact(value):
        if PyBool_Check(value):
            raise ValueError(f"{name} must be a whole number of lots, not {value!r}")
        if isinstance(value, float):
            number = value
            if not isfinite(number) or number != rint(number):
                raise ValueError(f"{name} must be a whole number of lots, not {value!r}")
            value = int(value)
        else:
            try:
                value = as_index(value)
            except TypeError:
                raise ValueError(f"{name} must be a whole number of lots, not {value!r}") from None
    if value <= 0:
        raise ValueError(f"{name} must be positive, not {value}")
    if value >= LIMIT:
        raise OverflowError(f"{name}={value} lots is too large: quantities stay below 2**40")
    qty = value
    return qty


cdef double unusual_number(object value, str name) except? -1:
    cdef double number
    try:
        number = value
    except TypeError:
        raise ValueError(f"{name} must be a price in ticks, not {value!r}") from None
    except OverflowError:
        raise OverflowError(f"{name}={value!r} is too large: prices stay below 2**40 price units") from None
    if not isfinite(number):
        raise ValueError(f"{name} must be a finite price in ticks, not {value!r}")
    return number


cdef int64_t checked_px(object value, int64_t tick_units) except -1:
    cdef double ticks = checked_number(value, "px")
    if fabs(ticks - rint(ticks)) > 1e-9:
        raise ValueError(f"px={value!r} lies between two ticks: place takes whole ticks, quote rounds")
    if rint(ticks) < 1:
        raise ValueError(f"px must be a positive price in ticks, not {value!r}")
    if rint(ticks) >= <double>LIMIT / <double>tick_units:
        raise OverflowError(f"px={value!r} ticks is too large: prices stay below 2**40 price units")
    return <int64_t>rint(ticks) * tick_units


cdef int64_t checked_id(object value) except? -1:
    try:
        return as_index(value)
    except TypeError:
        raise ValueError(f"order_id must be a whole number, not {value!r}") from None


cdef int checked_side(object value) except 0:
    try:
        return SIDES[value]
    except (KeyError, TypeError):
        raise ValueError(f"side must be +1, -1, 'buy' or 'sell', not {value!r}") from None
