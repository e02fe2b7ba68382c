from libc.stdint cimport int64_t

cdef int64_t checked_qty(object value, str name) except -1
cdef double checked_number(object value, str name) except? -1
cdef int64_t checked_px(object value, int64_t tick_units) except -1
cdef int64_t checked_id(object value) except? -1
cdef int checked_side(object value) except 0
