from libc.stdint cimport int8_t, int32_t, int64_t
from libc.string cimport memmove

from cysim.money cimport money_t
from cysim.recorder cimport FillRow, OrderRow
from cysim.types cimport reserve

cdef struct Report:              # a fill or an outcome on its way from the venue to the strategy
    money_t cash                 # of the instrument's account, after the fill
    int64_t told_ts              # ns; later behind a report that is told later: they stand in one line
    FillRow fill                 # when `is_fill`, else unset
    OrderRow outcome             # when not
    int32_t order                # place in the pool; -1: an order that is finished or never was
    int8_t is_fill
    int8_t is_last               # the order is finished with it

# First in, first out: items[first:heard] have reached the strategy and wait for its hooks, items[heard:count] travel.
cdef struct Reports:
    Report* items
    int64_t first
    int64_t heard
    int64_t count
    int64_t capacity

# A fresh report at the end; NULL when out of memory.
cdef inline Report* add_report(Reports* reports) noexcept nogil:
    if reports.first == reports.count:
        reports.first = reports.heard = reports.count = 0
    elif reports.first > 64 and reports.first > reports.count // 2:
        reports.count -= reports.first
        reports.heard -= reports.first
        memmove(reports.items, &reports.items[reports.first], <size_t>reports.count * sizeof(Report))
        reports.first = 0
    if not reserve(<void**>&reports.items, &reports.capacity, reports.count + 1, sizeof(Report)):
        return NULL
    reports.count += 1
    return &reports.items[reports.count - 1]
