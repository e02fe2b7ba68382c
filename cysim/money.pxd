from libc.stdint cimport int64_t, uint64_t

# Cython has no 128-bit integer: it passes `money_t` around as an opaque name, and all arithmetic happens in these
# functions. Each one that can leave the 128 bits reports it in `*overflow`, which sticks.
cdef extern from * nogil:
    """
    typedef __int128 mmbt_money;

    static inline mmbt_money mmbt_money_product(int64_t a, int64_t b, int64_t c, int *overflow)
    {
        const mmbt_money first = (mmbt_money)a * b;
        mmbt_money product;
        if ((int64_t)first == first)     /* as nearly always: then the product of two 64-bit numbers fits */
            return (mmbt_money)(int64_t)first * c;
        *overflow |= __builtin_mul_overflow(first, (mmbt_money)c, &product);
        return product;
    }

    static inline mmbt_money mmbt_money_sum(mmbt_money a, mmbt_money b, int *overflow)
    {
        mmbt_money sum;
        *overflow |= __builtin_add_overflow(a, b, &sum);
        return sum;
    }

    static inline mmbt_money mmbt_money_difference(mmbt_money a, mmbt_money b, int *overflow)
    {
        mmbt_money difference;
        *overflow |= __builtin_sub_overflow(a, b, &difference);
        return difference;
    }

    static inline mmbt_money mmbt_money_scaled(mmbt_money a, int64_t b, int *overflow)
    {
        mmbt_money product;
        *overflow |= __builtin_mul_overflow(a, (mmbt_money)b, &product);
        return product;
    }

    /* n * times * 10^20 / divisor, rounded half away from zero. The multiple of 10^20 is divided first, so that only a
       result beyond 128 bits overflows: what remains, |n| < 2^63 times less than the divisor < 2^41, always fits. */
    static inline mmbt_money mmbt_money_quotient(int64_t n, int64_t times, int64_t divisor, int *overflow)
    {
        const mmbt_money scale = (mmbt_money)INT64_C(10000000000) * INT64_C(10000000000) * times;
        const mmbt_money twice_rest = 2 * (mmbt_money)n * (scale % divisor);
        mmbt_money whole;
        *overflow |= __builtin_mul_overflow((mmbt_money)n, scale / divisor, &whole);
        *overflow |= __builtin_add_overflow(
            whole, (twice_rest + (n < 0 ? -divisor : divisor)) / (2 * (mmbt_money)divisor), &whole);
        return whole;
    }

    /* a / b + c / d, rounded once, half away from zero; b and d are positive and b * d < 2^125. */
    static inline mmbt_money mmbt_money_rounded(
        mmbt_money a, mmbt_money b, mmbt_money c, mmbt_money d, int *overflow)
    {
        mmbt_money whole = a / b, first = a % b, other = c / d, second = c % d, rest;
        if (first < 0) {             /* both remainders are made positive, so that they add up */
            first += b;
            whole -= 1;
        }
        if (second < 0) {
            second += d;
            other -= 1;
        }
        *overflow |= __builtin_add_overflow(whole, other, &whole);
        rest = first * d + second * b;
        if (rest >= b * d) {
            rest -= b * d;
            *overflow |= __builtin_add_overflow(whole, 1, &whole);
        }
        if (whole < 0 ? 2 * rest > b * d : 2 * rest >= b * d)
            *overflow |= __builtin_add_overflow(whole, 1, &whole);
        return whole;
    }

    static inline mmbt_money mmbt_money_of(int64_t high, uint64_t low)
    {
        return (mmbt_money)(((unsigned __int128)(uint64_t)high << 64) | low);
    }

    static inline double mmbt_money_double(mmbt_money a) { return (double)a; }
    static inline int mmbt_money_equal(mmbt_money a, mmbt_money b) { return a == b; }
    static inline int64_t mmbt_money_high(mmbt_money a) { return (int64_t)(a >> 64); }
    static inline uint64_t mmbt_money_low(mmbt_money a) { return (uint64_t)a; }
    #define MMBT_MONEY_ZERO ((mmbt_money)0)
    """
    ctypedef long long money_t "mmbt_money"      # price_unit x lot x 1e-8; inverse: lot / price_unit x 1e-20

    const money_t MONEY_ZERO "MMBT_MONEY_ZERO"
    money_t money_product "mmbt_money_product" (int64_t a, int64_t b, int64_t c, int* overflow) noexcept
    money_t money_sum "mmbt_money_sum" (money_t a, money_t b, int* overflow) noexcept
    money_t money_difference "mmbt_money_difference" (money_t a, money_t b, int* overflow) noexcept
    money_t money_scaled "mmbt_money_scaled" (money_t a, int64_t b, int* overflow) noexcept
    money_t money_quotient "mmbt_money_quotient" (int64_t n, int64_t times, int64_t divisor, int* overflow) noexcept
    money_t money_rounded "mmbt_money_rounded" (money_t a, money_t b, money_t c, money_t d, int* overflow) noexcept
    money_t money_of "mmbt_money_of" (int64_t high, uint64_t low) noexcept
    double money_double "mmbt_money_double" (money_t a) noexcept
    bint money_equal "mmbt_money_equal" (money_t a, money_t b) noexcept
    int64_t money_high "mmbt_money_high" (money_t a) noexcept
    uint64_t money_low "mmbt_money_low" (money_t a) noexcept

cdef enum:
    EXACT_DIGITS = 80                # decimal digits that hold any money times its unit
    MONEY_SCALE = 100_000_000        # money units in price_unit x lot
    HALF_MONEY_SCALE = 50_000_000    # money units in half a price_unit x lot: mids are exact

cdef inline object money_to_python(money_t money):
    return (<object>money_high(money) << 64) | <object>money_low(money)

cdef inline money_t money_from_python(object money) except *:
    return money_of(money >> 64, money & 0xFFFFFFFFFFFFFFFF)
