cimport cython
from libc.stdint cimport int64_t

from cysim.money cimport money_t
from cysim.orders cimport Order as OrderState
from cysim.orders cimport Told
from cysim.recorder cimport FillRow, OrderRow


@cython.final
cdef class Fill:
    cdef readonly int64_t ts
    cdef readonly str instrument
    cdef readonly int64_t order_id
    cdef readonly int side
    cdef readonly int64_t px
    cdef readonly int64_t qty
    cdef readonly int64_t remaining
    cdef readonly int64_t position
    cdef readonly str reason
    cdef readonly str purpose
    cdef money_t _fee
    cdef object _money_unit


@cython.final
cdef class Order:
    cdef readonly int64_t id
    cdef readonly str instrument
    cdef readonly int side
    cdef readonly int64_t px
    cdef readonly int64_t qty
    cdef readonly int64_t remaining
    cdef readonly str kind
    cdef readonly str purpose
    cdef readonly str status
    cdef readonly str reason


@cython.final
cdef class Trade:
    cdef readonly int64_t ts
    cdef readonly str instrument
    cdef readonly double px
    cdef readonly int64_t qty
    cdef readonly int side


cdef object exact_money(object units, object money_unit)
cdef Fill make_fill(const FillRow* source, str instrument, object money_unit)
cdef Order make_outcome(const OrderRow* source, str instrument)
cdef Order make_open_order(const OrderState* state, Told known, str instrument, int64_t tick_units)
