from libc.math cimport floor, pow
from libc.stdint cimport int64_t

from cysim.fills cimport FRONT, PROBABLE, FillRules
from cysim.orders cimport Order, RestingSide
from cysim.types cimport BUY

cdef enum:
    UNKNOWN_AHEAD = -1           # the market stands at a better price: how much waits at ours is not shown

# Lots of others that fill before an order that comes to rest at `px` (F4).
#
#   our price, against our side of the display    ahead
#   better, or nothing displayed                  0
#   equal                                         the display
#   worse                                         unknown until the touch first equals it, then the display
#
# `front` always stands first.
cdef inline int64_t ahead_on_joining(
    const FillRules* rules, int side, int64_t px, int64_t touch_px, int64_t display,
) noexcept nogil:
    if rules.queue == FRONT or display == 0 or (px > touch_px if side == BUY else px < touch_px):
        return 0
    return display if px == touch_px else UNKNOWN_AHEAD

# What `lost` lots taken off a display of `display` take from those ahead of us, by the power law of `prob`.
cdef inline int64_t lost_ahead(const FillRules* rules, int64_t ahead, int64_t display, int64_t lost) noexcept nogil:
    cdef int64_t behind = display - ahead if display > ahead else 0
    cdef double weight = pow(<double>ahead, rules.power)
    return <int64_t>floor(<double>lost * weight / (weight + pow(<double>behind, rules.power)))

# A quote update of our side of the display: from `old_px`, `old_qty` to `px`, `qty`; `printed` lots were printed at the
# old price in between. Best first: orders behind the touch keep what they know.
cdef inline void requeue(
    const FillRules* rules, Order* orders, const RestingSide* resting, int side, int64_t old_px, int64_t old_qty,
    int64_t printed, int64_t px, int64_t qty,
) noexcept nogil:
    cdef int64_t key = px if side == BUY else -px
    cdef int64_t place = resting.count - 1, lost
    cdef Order* order
    while place >= 0 and (qty == 0 or resting.items[place].key >= key):
        order = &orders[resting.items[place].order]
        if qty == 0 or resting.items[place].key > key:
            order.ahead = 0
        else:
            if order.ahead == UNKNOWN_AHEAD:
                order.ahead = qty
            lost = old_qty - qty - printed
            if rules.queue == PROBABLE and px == old_px and lost > 0 and order.ahead > 0:
                order.ahead -= lost_ahead(rules, order.ahead, old_qty, lost)
            if order.ahead > qty:
                order.ahead = qty
            if order.ahead < 0:  # rounding took a lot too many
                order.ahead = 0
        place -= 1
