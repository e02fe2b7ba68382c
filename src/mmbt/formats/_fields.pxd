from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t


cdef extern from *:
    """
    static const int64_t mmbt_pow10[] = {1LL, 10LL, 100LL, 1000LL, 10000LL, 100000LL, 1000000LL, 10000000LL,
        100000000LL, 1000000000LL, 10000000000LL, 100000000000LL, 1000000000000LL, 10000000000000LL,
        100000000000000LL, 1000000000000000LL, 10000000000000000LL, 100000000000000000LL, 1000000000000000000LL};
    """
    const int64_t *pow10 "mmbt_pow10"


cdef enum Reason:
    OK = 0
    TRUNCATED_TAIL
    FIELD_COUNT
    ROW_TOO_LONG
    NUL
    BAD_BYTE
    BAD_QUOTE
    BAD_NUMBER
    NUMBER_RANGE
    NON_POSITIVE_PRICE
    NON_POSITIVE_QTY
    EMPTY_FIELD
    BAD_TIME
    TIME_GAP
    BAD_SIDE
    BAD_INSTRUMENT
    FIRST_FATAL = 64
    MIXED_TIMES = 64        # of two kinds in one column
    AMBIGUOUS_EPOCH         # magnitude of no unit
    AMBIGUOUS_FOLD          # local time that happens twice
    NO_DATE                 # time of day without a date in the file's name
    TOO_MANY_NAMES
    NO_MEMORY


cdef struct Number:
    int64_t mantissa        # no trailing zeros behind the decimal mark
    int32_t decimals        # 0..18
    int32_t negative        # 1 where the text was a well-formed number below 0


cdef inline int parse_number(const uint8_t *p, Py_ssize_t n, uint8_t mark, Number *out) noexcept nogil:
    cdef uint64_t mantissa = 0
    cdef Py_ssize_t i, point = -1
    cdef unsigned int digit
    if n == 0:
        return EMPTY_FIELD
    if n > 19:
        return parse_number_slow(p, n, mark, out)
    for i in range(n):
        digit = <unsigned int> p[i] - 48
        if digit < 10:
            mantissa = mantissa * 10 + digit
        elif p[i] == mark and point < 0:
            point = i
        else:
            return parse_number_slow(p, n, mark, out)
    out.negative = 0
    if point < 0:
        if n > 18:
            return parse_number_slow(p, n, mark, out)
        out.mantissa = <int64_t> mantissa
        out.decimals = 0
        return OK
    if point == 0 or point == n - 1:
        return BAD_NUMBER
    out.decimals = <int32_t> (n - 1 - point)
    i = n - 1
    while p[i] == 48:
        mantissa = mantissa // 10
        out.decimals -= 1
        i -= 1
    out.mantissa = <int64_t> mantissa
    return OK


cdef inline int parse_number_slow(const uint8_t *p, Py_ssize_t n, uint8_t mark, Number *out) noexcept nogil:
    # The whole grammar: -?digits(mark digits)?([eE][+-]?digits)?, exactly or not at all.
    cdef uint64_t mantissa = 0
    cdef Py_ssize_t i = 0, first, significant = 0, zeros = 0, decimals = 0, exponent = 0
    cdef bint negative = False, below = False
    cdef unsigned int digit
    if n > 64:
        return BAD_NUMBER
    if p[0] == 45:
        negative = True
        i = 1
    first = i
    while i < n:
        digit = <unsigned int> p[i] - 48
        if digit > 9:
            if p[i] != mark or below or i == first:
                break
            below = True
            first = i + 1
        else:
            decimals += below
            # zeros are held back until a digit follows, so that trailing ones cost no digits
            if digit == 0:
                zeros += significant > 0
            else:
                significant += zeros + 1
                if significant > 18:
                    # what is too long must still be well formed to be called so
                    significant = 19
                    zeros = 0
                else:
                    mantissa = mantissa * <uint64_t> pow10[zeros + 1] + digit
                    zeros = 0
        i += 1
    if i == first:
        return BAD_NUMBER
    if i < n:
        if p[i] != 101 and p[i] != 69:
            return BAD_NUMBER
        i += 1
        below = i < n and p[i] == 45
        if i < n and (p[i] == 45 or p[i] == 43):
            i += 1
        if i == n or n - i > 4:
            return BAD_NUMBER
        while i < n:
            digit = <unsigned int> p[i] - 48
            if digit > 9:
                return BAD_NUMBER
            exponent = exponent * 10 + digit
            i += 1
        if below:
            exponent = -exponent
    if significant == 0:
        if negative:
            return BAD_NUMBER
        out.mantissa = 0
        out.decimals = 0
        out.negative = 0
        return OK
    if significant > 18:
        return NUMBER_RANGE
    decimals = decimals - zeros - exponent
    if decimals > 18 or (decimals < 0 and significant - decimals > 18):
        return NUMBER_RANGE
    if decimals < 0:
        mantissa = mantissa * <uint64_t> pow10[-decimals]
        decimals = 0
    out.mantissa = <int64_t> mantissa
    out.decimals = <int32_t> decimals
    out.negative = negative
    return OK
