from libc.stdint cimport uint8_t
from libc.string cimport memchr

from mmbt.formats._fields cimport BAD_BYTE, NUL, OK


cdef inline int check_text(const uint8_t *p, Py_ssize_t n) noexcept nogil:
    # OK, NUL or BAD_BYTE: whether it is UTF-8 without NUL (RFC 3629: no surrogates, nothing overlong).
    cdef Py_ssize_t i = 0, _k, more
    cdef uint8_t head, low, high
    while i < n:
        head = p[i]
        i += 1
        if head == 0:
            return NUL
        if head < 0x80:
            continue
        low = 0x80
        high = 0xBF
        if 0xC2 <= head <= 0xDF:
            more = 1
        elif 0xE0 <= head <= 0xEF:
            more = 2
            if head == 0xE0:
                low = 0xA0
            elif head == 0xED:
                high = 0x9F
        elif 0xF0 <= head <= 0xF4:
            more = 3
            if head == 0xF0:
                low = 0x90
            elif head == 0xF4:
                high = 0x8F
        else:
            return BAD_BYTE
        if n - i < more:
            # a NUL may still stand where the sequence breaks off
            return NUL if memchr(p, 0, n) != NULL else BAD_BYTE
        for _k in range(more):
            if p[i] < low or p[i] > high:
                return NUL if memchr(p, 0, n) != NULL else BAD_BYTE
            low = 0x80
            high = 0xBF
            i += 1
    return OK


cdef inline bint plain_text(const uint8_t *p, Py_ssize_t n) noexcept nogil:
    # No byte is 0 or above 0x7F; written so that the compiler makes vectors of it.
    cdef uint8_t odd = 0
    cdef Py_ssize_t i
    for i in range(n):
        odd |= p[i] | <uint8_t> (p[i] - 1)
    return odd < 0x80


cdef inline bint blank(const uint8_t *p, Py_ssize_t n, int delimiter) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if (p[i] != 32 and p[i] != 9) or p[i] == delimiter:
            return False
    return True


cdef inline bint good_name(const uint8_t *p, Py_ssize_t n) noexcept nogil:
    # p is valid UTF-8. No C0 or C1 control, no line or paragraph separator, no space at either end.
    cdef Py_ssize_t i
    if n > 255 or p[0] == 32 or p[n - 1] == 32:
        return False
    for i in range(n):
        if p[i] < 32 or p[i] == 127:
            return False
        if p[i] == 0xC2 and p[i + 1] < 0xA0:
            return False
        if p[i] == 0xE2 and p[i + 1] == 0x80 and (p[i + 2] == 0xA8 or p[i + 2] == 0xA9):
            return False
    return True
