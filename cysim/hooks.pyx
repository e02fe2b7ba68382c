"""A strategy written in Python: its hooks, called where the native loop stops for them.

Commands that hooks give are queued, and applied once the hooks of a wake-up have returned (O2).
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int32_t, int64_t

from cysim.context cimport Context
from cysim.loop cimport MAX_ROUNDS, apply_commands
from cysim.native cimport ON_FILL, ON_ORDER, ON_TIMER, ON_TOB, ON_TRADE, hook_name
from cysim.recorder cimport FillRow, OrderRow
from cysim.shown cimport ShownContext, show
from cysim.state cimport Simulation
from cysim.told cimport fill_told, outcome_told
from cysim.types cimport QUOTES
from cysim.venue cimport Venue
from cysim.views cimport Trade, make_fill, make_outcome

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* o) nogil

HOOKS = ("on_start", "on_timer", "on_tob", "on_trade", "on_fill", "on_order", "on_end")


@cython.final
cdef class PythonHooks:
    def __init__(self):
        self.contexts = []
        self._trade = Trade.__new__(Trade)

    # A view to be set up. Of several instruments a hook may read any, and bringing all up to date would cost too much.
    cdef Context new_context(self, int64_t instruments):
        if instruments > 1:
            return Context.__new__(Context)
        self._shown = ShownContext.__new__(ShownContext)
        return self._shown

    # Which hooks there are: nothing stops for the others.
    cdef int listen(self, object hooks) except -1:
        cdef set unknown = set(hooks) - set(HOOKS)
        if unknown:
            raise ValueError(f"unknown hooks: {', '.join(sorted(unknown))}")
        self._on_start = hooks.get("on_start")
        self._on_tob = hooks.get("on_tob")
        self._on_trade = hooks.get("on_trade")
        self._on_timer = hooks.get("on_timer")
        self._on_fill = hooks.get("on_fill")
        self._on_order = hooks.get("on_order")
        self._on_end = hooks.get("on_end")
        self.sim.wants_tob = self._on_tob is not None
        self.sim.wants_trades = self._on_trade is not None
        self.sim.venue.recorder.notify_fills = self._on_fill is not None
        self.sim.venue.recorder.notify_orders = self._on_order is not None
        return 0

    cdef int start(self) except -1:
        return self._call_once("on_start", self._on_start)

    cdef int end(self) except -1:
        return self._call_once("on_end", self._on_end)

    # The run is over. A hook that is still open has raised.
    cdef void close(self) noexcept:
        if self._answering != 0:
            self.failed = hook_name(self._answering)
        self._shut()

    cdef int event(self) except -1:
        cdef int32_t index = self.sim.event_instrument
        if self.sim.venue.recorder.notice_count > 0:
            self._tell()
        if index >= 0:
            if self.sim.event_table == QUOTES:
                self._open(ON_TOB)
                self._on_tob(<Context>self.contexts[index])
            else:
                self._open(ON_TRADE)
                self._show_print(index)
                self._on_trade(<Context>self.contexts[index], self._trade)
            self._shut()
        return self.settle()

    cdef int timer(self) except -1:
        cdef Venue* venue = &self.sim.venue
        cdef int64_t index
        self._open(ON_TIMER)
        if self._shown is not None:
            self._on_timer(self._shown)
        else:
            for index in range(venue.instrument_count):
                if venue.instruments[index].traded:
                    self._on_timer(<Context>self.contexts[index])
        self._shut()
        return self.settle()

    # The print that woke the strategy. The object of the print before is used again if nobody has kept it.
    cdef int _show_print(self, int32_t index) except -1:
        cdef Simulation* sim = self.sim
        if Py_REFCNT(<PyObject*>self._trade) > 1:
            self._trade = Trade.__new__(Trade)
        self._trade.ts = sim.event_ts
        self._trade.instrument = (<Context>self.contexts[index]).instrument
        self._trade.px = <double>sim.event_px / <double>sim.venue.instruments[index].tick_units
        self._trade.qty = sim.event_qty
        self._trade.side = sim.event_aggressor
        return 0

    # Tells the strategy every outcome that waits; its answers go into the queue.
    cdef int _tell(self) except -1:
        cdef Venue* venue = &self.sim.venue
        cdef int64_t place, row
        cdef const FillRow* filled
        cdef const OrderRow* outcome
        cdef Context context
        for place in range(venue.recorder.notice_count):
            row = venue.recorder.notices[place].row
            if venue.recorder.notices[place].is_fill:
                filled = fill_told(venue, row)
                context = <Context>self.contexts[filled.instrument]
                self._open(ON_FILL)
                self._on_fill(context, make_fill(filled, context.instrument, context.money_unit))
            else:
                outcome = outcome_told(venue, row)
                context = <Context>self.contexts[outcome.instrument]
                self._open(ON_ORDER)
                self._on_order(context, make_outcome(outcome, context.instrument))
        self._shut()
        venue.recorder.notice_count = 0
        return 0

    # Commands and what they cause, in rounds, until nothing is left to say at this instant.
    cdef int settle(self) except -1:
        cdef Venue* venue = &self.sim.venue
        cdef int64_t rounds = 0
        if venue.recorder.notice_count > 0:
            self._tell()
        while venue.queue.count > 0:
            rounds += 1
            if rounds > MAX_ROUNDS:
                self.failed = "on_order" if self._on_order is not None else "on_fill"
                raise RuntimeError(
                    f"more than {MAX_ROUNDS} rounds of commands and their outcomes at one instant "
                    f"({venue.now} ns): the strategy answers its own orders without end")
            apply_commands(self.sim)
            if venue.recorder.notice_count > 0:
                self._tell()
        return 0

    cdef int _call_once(self, str name, object hook) except -1:
        cdef int64_t index = 0
        if hook is None:
            return 0
        while not self.sim.venue.instruments[index].traded:
            index += 1
        if self._shown is not None:
            show(self._shown)
        try:
            hook(<Context>self.contexts[index])
        except BaseException:
            self.failed = name
            raise
        return 0
