from libc.stdint cimport int64_t

from cysim.money cimport money_product, money_t

cdef struct Fees:            # 1e-8 of the value traded; negative: a rebate
    int64_t maker_rate
    int64_t taker_rate

cdef inline money_t fee_of(int64_t rate, int64_t px, int64_t qty, int* overflow) noexcept nogil:
    return money_product(px, qty, rate, overflow)
