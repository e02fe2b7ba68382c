from libc.stdint cimport int64_t

from cysim.orders cimport Order, finish_order, hear_acceptance
from cysim.recorder cimport FillRow, OrderRow, notify
from cysim.reports cimport Report
from cysim.senses cimport take_fill
from cysim.types cimport ACCEPTED, NEVER, OUT_OF_MEMORY
from cysim.venue cimport Instrument, Venue, fail

# When the next report reaches the strategy; NEVER: none is on its way.
cdef inline int64_t next_report(const Venue* venue) noexcept nogil:
    return venue.reports.items[venue.reports.heard].told_ts if venue.reports.heard < venue.reports.count else NEVER

# What one report changes in what the strategy knows.
cdef inline void learn(Venue* venue, const Report* report) noexcept nogil:
    cdef Order* order
    cdef Instrument* instrument
    if report.is_fill:
        instrument = &venue.instruments[report.fill.instrument]
        instrument.told_position = report.fill.position
        instrument.told_cash = report.cash
        if venue.senses != NULL:
            take_fill(venue.senses, report.fill.instrument, report.fill.side,
                      report.fill.px * instrument.tick_units, report.fill.qty)
    if report.order < 0:
        return
    order = &venue.pool.orders[report.order]
    if report.is_fill:
        order.told.remaining = report.fill.remaining
    elif report.outcome.status == ACCEPTED:
        order.told.px = report.outcome.px * venue.instruments[order.instrument].tick_units
        order.told.qty = report.outcome.qty
        order.told.remaining = report.outcome.remaining
        order.told.live = True
        hear_acceptance(order, report.outcome.ts, report.outcome.reason)
    if report.is_last:
        finish_order(&venue.pool, report.order)

# Everything that has reached the strategy by now: it knows all of it before the first hook is called.
cdef inline void hear(Venue* venue) noexcept nogil:
    cdef int64_t place
    if venue.recorder.notice_count == 0:
        venue.reports.first = venue.reports.heard
    while next_report(venue) <= venue.now:
        place = venue.reports.heard
        venue.reports.heard += 1
        learn(venue, &venue.reports.items[place])
        if not notify(&venue.recorder, venue.reports.items[place].is_fill, place):
            fail(venue, OUT_OF_MEMORY)

# The run is over: what is under way is never told.
cdef inline void forget_orders(Venue* venue) noexcept nogil:
    while venue.pool.known_count > 0:
        finish_order(&venue.pool, venue.pool.known[0].order)
    venue.reports.heard = venue.reports.count

# The row of an outcome that waits to be told: its report's own where reports travel, else the one recorded.
cdef inline const FillRow* fill_told(const Venue* venue, int64_t row) noexcept nogil:
    return &venue.reports.items[row].fill if venue.reports_travel else &venue.recorder.fills[row]

cdef inline const OrderRow* outcome_told(const Venue* venue, int64_t row) noexcept nogil:
    return &venue.reports.items[row].outcome if venue.reports_travel else &venue.recorder.orders[row]
