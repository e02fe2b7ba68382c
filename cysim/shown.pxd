cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport int64_t

from cysim.book cimport Book
from cysim.context cimport Context
from cysim.types cimport in_ticks
from cysim.venue cimport known_position, seen_book


@cython.final
cdef class ShownContext(Context):
    cdef PyObject* _bid          # an int, owned; so below
    cdef PyObject* _ask
    cdef PyObject* _position
    cdef int64_t _bid_px         # what it shows, in price units; so below
    cdef int64_t _ask_px
    cdef int64_t _lots

cdef inline int renew(PyObject** shown, int64_t* number, int64_t value, int64_t unit) except -1:
    cdef PyObject* old = shown[0]
    cdef object new
    if value != number[0]:
        new = in_ticks(value, unit)
        Py_INCREF(new)
        shown[0] = <PyObject*>new
        number[0] = value
        Py_XDECREF(old)
    return 0

# Brings what is shown up to date.
cdef inline int show(ShownContext context) except -1:
    cdef Book* book = seen_book(context._venue, context._instrument)
    renew(&context._bid, &context._bid_px, book.bid_px, context._instrument.tick_units)
    renew(&context._ask, &context._ask_px, book.ask_px, context._instrument.tick_units)
    renew(&context._position, &context._lots, known_position(context._venue, context._instrument), 1)
    return 0
