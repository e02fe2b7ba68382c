"""Strategies in native code, ours and other people's: called without the GIL, between events, as Python's hooks are.

A strategy of your own is a `cdef class` in a `.pyx` of your own that cimports this module (docs: native strategies).
"""

from libc.stdint cimport int64_t

from cysim.types cimport LIMIT


cdef class NativeStrategy:
    """Base of native strategies: override the hooks you need; the others cost nothing.

    A hook that raises ends the run, as in Python; so does a wrong command, where it is given.
    """

    cdef int on_timer(self, View* view) except -1 nogil:
        return 0

    cdef int on_tob(self, View* view) except -1 nogil:
        return 0

    cdef int on_trade(self, View* view, const Print* trade) except -1 nogil:
        return 0

    cdef int on_fill(self, View* view, const Fill* fill) except -1 nogil:
        return 0

    cdef int on_order(self, View* view, const Outcome* outcome) except -1 nogil:
        return 0


cdef int overridden_hooks(NativeStrategy native) noexcept:
    cdef int hooks = 0
    if <void*>native.on_timer != <void*>NativeStrategy.on_timer:
        hooks |= ON_TIMER
    if <void*>native.on_tob != <void*>NativeStrategy.on_tob:
        hooks |= ON_TOB
    if <void*>native.on_trade != <void*>NativeStrategy.on_trade:
        hooks |= ON_TRADE
    if <void*>native.on_fill != <void*>NativeStrategy.on_fill:
        hooks |= ON_FILL
    if <void*>native.on_order != <void*>NativeStrategy.on_order:
        hooks |= ON_ORDER
    return hooks


cdef str hook_name(int hook):
    return {ON_TIMER: "on_timer", ON_TOB: "on_tob", ON_TRADE: "on_trade", ON_FILL: "on_fill"}.get(hook, "on_order")


cdef int refuse(const char* message, int64_t value) except -1 with gil:
    raise ValueError(f"{message.decode()} {value}")


cdef int refuse_features(const char* group) except -1 with gil:
    raise ValueError(f"this strategy names no {group.decode()} feature: write features = (...) in its Python class")


cdef int refuse_price(const char* name, double ticks) except -1 with gil:
    if ticks > 1:
        raise OverflowError(f"{name.decode()}={ticks!r} ticks is too large: prices stay below 2**40 price units")
    raise ValueError(f"{name.decode()} must be a positive price in ticks, not {ticks!r}")


cdef int refuse_qty(int64_t qty) except -1 with gil:
    if qty >= LIMIT:
        raise OverflowError(f"qty={qty} lots is too large: quantities stay below 2**40")
    raise ValueError(f"qty must be positive, not {qty}")
