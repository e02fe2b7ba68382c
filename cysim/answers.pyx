"""The answers of a native strategy to what the native loop stops for."""

from libc.stdint cimport int64_t

from cysim.loop cimport MAX_ROUNDS
from cysim.native cimport ON_FILL, ON_ORDER, ON_TIMER, ON_TOB, ON_TRADE, NativeStrategy, overridden_hooks
from cysim.state cimport Simulation


# What the native loop stops for. Nothing is told both natively and to Python, whose hooks would see the answers late.
cdef int listen_natively(Simulation* sim, NativeStrategy native, set python_hooks) except -1:
    cdef str name = type(native).__name__
    cdef set taken = python_hooks - {"on_start", "on_end"}
    native.hooks = overridden_hooks(native)
    if not native.hooks:
        raise ValueError(f"{name} overrides no hook, so it would never be called")
    if native.hooks & ON_TIMER and sim.interval == 0:
        raise ValueError(f"{name} has on_timer but the strategy no interval, so it would never be called")
    if native.hooks == ON_TIMER:
        taken &= {"on_timer"}
    if taken:
        raise ValueError(
            f"{name} answers hooks natively, so these cannot be Python's: {', '.join(sorted(taken))}")
    sim.wants_tob = sim.wants_tob or native.hooks & ON_TOB
    sim.wants_trades = sim.wants_trades or native.hooks & ON_TRADE
    sim.venue.recorder.notify_fills = sim.venue.recorder.notify_fills or native.hooks & ON_FILL
    sim.venue.recorder.notify_orders = sim.venue.recorder.notify_orders or native.hooks & ON_ORDER
    return 0


cdef int refuse_endless_rounds(NativeStrategy native, int64_t now) except -1 with gil:
    native.answering = ON_ORDER if native.hooks & ON_ORDER else ON_FILL
    raise RuntimeError(
        f"more than {MAX_ROUNDS} rounds of commands and their outcomes at one instant ({now} ns): the strategy answers "
        "its own orders without end")
