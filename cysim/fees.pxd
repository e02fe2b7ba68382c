from libc.stdint cimport int64_t

from cysim.money cimport money_product, money_rounded, money_scaled, money_sum, money_t

cdef enum FeeForm:
    RATE_ONLY = 0                # of a linear contract: exact, and the usual case
    LINEAR_FEE = 1               # amounts in the quote currency
    LINEAR_OTHER = 2             # amounts in the base currency, worth more the higher the price
    INVERSE_FEE = 3              # amounts in the base currency
    INVERSE_OTHER = 4            # amounts in the quote currency, worth less the higher the price

cdef enum:
    INVERSE_RATE = 1_000_000_000_000     # 1e-8 of the 1e20 money units in a lot / price_unit

cdef struct Fee:                 # of maker or of taker fills; negative: a rebate
    money_t per_lot              # money units x denominator; in another currency than that of settlement: at price 1
    money_t flat                 # each fill, likewise
    int64_t denominator          # makes whole numbers of the two
    int64_t rate                 # 1e-8 of the value traded
    FeeForm form
    int _padding

cdef struct Fees:
    Fee maker
    Fee taker

# All parts of a fee are added up as they are and rounded once, half away from zero.
cdef inline money_t stated_fee(const Fee* fee, int64_t px, int64_t qty, int* overflow) noexcept nogil:
    cdef money_t stated = money_sum(money_scaled(fee.per_lot, qty, overflow), fee.flat, overflow)
    cdef money_t value
    if fee.form == LINEAR_FEE or fee.form == LINEAR_OTHER:
        value = money_product(px, qty, fee.rate, overflow)
        if fee.form == LINEAR_OTHER:
            stated = money_scaled(stated, px, overflow)
        if fee.denominator == 1:
            return money_sum(value, stated, overflow)
        return money_rounded(value, 1, stated, fee.denominator, overflow)
    value = money_product(qty, fee.rate, INVERSE_RATE, overflow)
    if fee.form == INVERSE_FEE:
        return money_rounded(stated, fee.denominator, value, px, overflow)
    return money_rounded(value, px, stated, money_scaled(px, fee.denominator, overflow), overflow)

cdef inline money_t fee_of(const Fee* fee, int64_t px, int64_t qty, int* overflow) noexcept nogil:
    if fee.form == RATE_ONLY:
        return money_product(px, qty, fee.rate, overflow)
    return stated_fee(fee, px, qty, overflow)

cdef int set_fee(Fee* fee, tuple spec, bint inverse, bint other, tuple stated) except -1
