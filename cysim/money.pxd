from libc.stdint cimport int64_t, uint64_t

# Cython has no 128-bit integer: it passes `money_t` around as an opaque name, and all arithmetic happens in these
# functions. Each one that can leave the 128 bits reports it in `*overflow`, which sticks.
cdef extern from * nogil:
    """
    typedef __int128 mmbt_money;

    static inline mmbt_money mmbt_money_product(int64_t a, int64_t b, int64_t c, int *overflow)
    {
        mmbt_money product;
        *overflow |= __builtin_mul_overflow((mmbt_money)a * b, (mmbt_money)c, &product);
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

    static inline int mmbt_money_equal(mmbt_money a, mmbt_money b) { return a == b; }
    static inline int64_t mmbt_money_high(mmbt_money a) { return (int64_t)(a >> 64); }
    static inline uint64_t mmbt_money_low(mmbt_money a) { return (uint64_t)a; }
    #define MMBT_MONEY_ZERO ((mmbt_money)0)
    """
    ctypedef long long money_t "mmbt_money"      # price_unit x lot x 1e-8

    const money_t MONEY_ZERO "MMBT_MONEY_ZERO"
    money_t money_product "mmbt_money_product" (int64_t a, int64_t b, int64_t c, int* overflow) noexcept
    money_t money_sum "mmbt_money_sum" (money_t a, money_t b, int* overflow) noexcept
    money_t money_difference "mmbt_money_difference" (money_t a, money_t b, int* overflow) noexcept
    bint money_equal "mmbt_money_equal" (money_t a, money_t b) noexcept
    int64_t money_high "mmbt_money_high" (money_t a) noexcept
    uint64_t money_low "mmbt_money_low" (money_t a) noexcept

cdef enum:
    EXACT_DIGITS = 80                # decimal digits that hold any money times its unit
    MONEY_SCALE = 100_000_000        # money units in price_unit x lot
    HALF_MONEY_SCALE = 50_000_000    # money units in half a price_unit x lot: mids are exact

cdef inline object money_to_python(money_t money):
    return (<object>money_high(money) << 64) | <object>money_low(money)
