from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from libc.math cimport isfinite
from libc.stdint cimport int64_t

from cysim.types cimport LIMIT

# What is right and of the usual type is seen at once; the rest is looked at closely, converted or refused.

cdef inline int64_t checked_qty(object value, str name) except -1:
    cdef int overflow = 0
    cdef int64_t qty
    if PyLong_CheckExact(value):
        qty = PyLong_AsLongLongAndOverflow(value, &overflow)
        if 0 < qty < LIMIT:
            return qty
    return unusual_qty(value, name)

cdef inline double checked_number(object value, str name) except? -1:
    if PyFloat_CheckExact(value) and isfinite(PyFloat_AS_DOUBLE(value)):
        return PyFloat_AS_DOUBLE(value)
    return unusual_number(value, name)

cdef int64_t unusual_qty(object value, str name) except -1
cdef double unusual_number(object value, str name) except? -1
cdef int64_t checked_px(object value, int64_t tick_units) except -1
cdef int64_t checked_id(object value) except? -1
cdef int checked_side(object value) except 0
