"""Strategies in native code, ours and other people's: called without the GIL, between events, as Python's hooks are.

A strategy of your own is a `cdef class` in a `.pyx` of your own that cimports this module (docs: native strategies).
"""


cdef class NativeStrategy:
    """Base of native strategies: override the hooks you need, and name them in `hooks`.

    A hook that is overridden but not named is never called; `hooks` is a sum of ON_TIMER, ON_TOB, ON_TRADE, ON_FILL and
    ON_ORDER, set in `__init__`.
    """

    cdef void on_timer(self, View* view) noexcept nogil:
        pass

    cdef void on_tob(self, View* view) noexcept nogil:
        pass

    cdef void on_trade(self, View* view, const Print* trade) noexcept nogil:
        pass

    cdef void on_fill(self, View* view, const FillRow* fill) noexcept nogil:
        pass

    cdef void on_order(self, View* view, const OrderRow* outcome) noexcept nogil:
        pass
