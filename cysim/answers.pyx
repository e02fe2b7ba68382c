"""The answers of a native strategy to what the native loop stops for."""

from cysim.native cimport ON_FILL, ON_ORDER, ON_TIMER, ON_TOB, ON_TRADE, NativeStrategy
from cysim.state cimport Simulation


# What the native loop stops for. Nothing is told both natively and to Python, whose hooks would see the answers late.
cdef int listen_natively(Simulation* sim, NativeStrategy native, set python_hooks) except -1:
    cdef set taken = python_hooks - {"on_start", "on_end"}
    if not native.hooks & ~ON_TIMER:
        taken &= {"on_timer"} if native.hooks & ON_TIMER else set()
    if taken:
        raise ValueError(
            f"{type(native).__name__} answers hooks natively, so these cannot be Python's: {', '.join(sorted(taken))}")
    sim.wants_tob = sim.wants_tob or native.hooks & ON_TOB
    sim.wants_trades = sim.wants_trades or native.hooks & ON_TRADE
    sim.venue.recorder.notify_fills = sim.venue.recorder.notify_fills or native.hooks & ON_FILL
    sim.venue.recorder.notify_orders = sim.venue.recorder.notify_orders or native.hooks & ON_ORDER
    return 0
