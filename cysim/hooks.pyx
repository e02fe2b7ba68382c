"""A strategy written in Python: its hooks, called where the native loop stops for them.

Commands that hooks give are queued, and applied once the hooks of a wake-up have returned (O2).
"""

cimport cython
from libc.stdint cimport int64_t

from cysim.context cimport Context
from cysim.recorder cimport FillRow, OrderRow
from cysim.loop cimport MAX_ROUNDS, apply_commands
from cysim.told cimport fill_told, outcome_told
from cysim.types cimport QUOTES
from cysim.views cimport make_fill, make_outcome, make_trade

HOOKS = ("on_start", "on_timer", "on_tob", "on_trade", "on_fill", "on_order", "on_end")


@cython.final
cdef class PythonHooks:
    def __init__(self):
        self.contexts = []

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

    cdef int event(self) except -1:
        cdef Context context
        self._tell()
        if self.sim.event_instrument >= 0:
            context = <Context>self.contexts[self.sim.event_instrument]
            self.sim.venue.open_for_commands = True
            try:
                if self.sim.event_table == QUOTES:
                    self._on_tob(context)
                else:
                    self._on_trade(context, make_trade(
                        self.sim.event_ts, context.instrument,
                        <double>self.sim.event_px / <double>self.sim.venue.instruments[
                            self.sim.event_instrument].tick_units,
                        self.sim.event_qty, self.sim.event_aggressor))
            except BaseException:
                self.failed = "on_tob" if self.sim.event_table == QUOTES else "on_trade"
                raise
            finally:
                self.sim.venue.open_for_commands = False
        self.settle()
        return 0

    cdef int timer(self) except -1:
        cdef int64_t index
        self.sim.venue.open_for_commands = True
        try:
            for index in range(self.sim.venue.instrument_count):
                if self.sim.venue.instruments[index].traded:
                    self._on_timer(<Context>self.contexts[index])
        except BaseException:
            self.failed = "on_timer"
            raise
        finally:
            self.sim.venue.open_for_commands = False
        self.settle()
        return 0

    # Tells the strategy every outcome that waits; its answers go into the queue.
    cdef int _tell(self) except -1:
        cdef int64_t place, row
        cdef bint is_fill = False
        cdef const FillRow* filled
        cdef const OrderRow* outcome
        cdef Context context
        if self.sim.venue.recorder.notice_count == 0:
            return 0
        self.sim.venue.open_for_commands = True
        try:
            for place in range(self.sim.venue.recorder.notice_count):
                row = self.sim.venue.recorder.notices[place].row
                is_fill = self.sim.venue.recorder.notices[place].is_fill
                if is_fill:
                    filled = fill_told(&self.sim.venue, row)
                    context = <Context>self.contexts[filled.instrument]
                    self._on_fill(context, make_fill(filled, context.instrument, context.money_unit))
                else:
                    outcome = outcome_told(&self.sim.venue, row)
                    context = <Context>self.contexts[outcome.instrument]
                    self._on_order(context, make_outcome(outcome, context.instrument))
        except BaseException:
            self.failed = "on_fill" if is_fill else "on_order"
            raise
        finally:
            self.sim.venue.open_for_commands = False
        self.sim.venue.recorder.notice_count = 0
        return 0

    # Commands and what they cause, in rounds, until nothing is left to say at this instant.
    cdef int settle(self) except -1:
        cdef int64_t rounds = 0
        self._tell()
        while self.sim.venue.queue.count > 0:
            rounds += 1
            if rounds > MAX_ROUNDS:
                self.failed = "on_order" if self._on_order is not None else "on_fill"
                raise RuntimeError(
                    f"more than {MAX_ROUNDS} rounds of commands and their outcomes at one instant "
                    f"({self.sim.venue.now} ns): the strategy answers its own orders without end")
            apply_commands(self.sim)
            self._tell()
        return 0

    cdef int _call_once(self, str name, object hook) except -1:
        cdef int64_t index = 0
        if hook is None:
            return 0
        while not self.sim.venue.instruments[index].traded:
            index += 1
        try:
            hook(<Context>self.contexts[index])
        except BaseException:
            self.failed = name
            raise
        return 0
