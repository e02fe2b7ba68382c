"""The simulator: market events in, fills out.

`Simulator.run` drives the native loop: it feeds it parts of the market's tables, hands over what it recorded, and calls
the strategy's hooks where the loop stops for them. The loop itself never touches Python.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free

from cysim.accounts cimport account_of, open_account
from cysim.context cimport Context, make_context
from cysim.failures cimport raise_failure
from cysim.orders cimport free_pool
from cysim.quoter cimport Quoter
from cysim.recorder cimport (
    EquityRow, FillRow, OrderRow, Recorder, discard_fills, drop_pending_marks, settled_fills,
)
from cysim.simulator cimport (
    CHECK, CHECK_EVENTS, ENDED, EVENT, FLUSH, NOTICES, STARVED, TIMER, Wake, advance, apply_commands,
)
from cysim.state cimport Simulation
from cysim.stream cimport Source, attach
from cysim.types cimport LIMIT, NEVER, PRINTS, QUOTES, TIME_LIMIT, in_ticks
from cysim.venue cimport Instrument
from cysim.views cimport make_fill, make_outcome, make_trade

cdef enum:
    MAX_ROUNDS = 10_000          # of outcomes and answers at one instant

HOOKS = ("on_start", "on_timer", "on_tob", "on_trade", "on_fill", "on_order", "on_end")


@cython.final
cdef class Simulator:
    """One run of one strategy over one market.

    Parameters
    ----------
    instruments : sequence of (name, tick_size, lot_size, money_unit, tick_units, traded, position)
        In the order of events: by the UTF-8 bytes of the name. Sizes are decimal strings, `money_unit` is the Decimal
        value of price_unit x lot x multiplier x 1e-8 (inverse: lot x multiplier / price_unit x 1e-20), `tick_units` the
        price units in a tick, `position` is in lots.
    inverse : collection of str
        The instruments that are settled in their base currency.
    cross_touch, trade_touch, ignore_aggressor, displayed : bool
        The fill rules.
    maker_rate, taker_rate : int
        Fees in 1e-8 of the value traded; negative for a rebate.
    maker_amounts, taker_amounts : (Decimal, Decimal)
        Fees for each 1 of quantity and for each fill: in the settlement currency or, at the fill's price, the other.
    place_latency, cancel_latency : int
        ns.
    session_gap : int or None
        Silence that ends a session, ns.
    interval : int
        Between timers, ns; 0 for none.
    equity_interval : int
        Between rows of equity, ns.
    quotes_first : bool
        Whether quotes go before prints at one instant.

    Raises
    ------
    ValueError, OverflowError
        Naming the wrong argument.
    """

    cdef Simulation sim
    cdef list _contexts
    cdef list _names
    cdef list _money_units
    cdef list _parts             # keeps the arrays alive that the sources point into
    cdef bint _started
    cdef readonly object failed_hook
    cdef object _feed
    cdef object _sink
    cdef object _on_tob
    cdef object _on_trade
    cdef object _on_timer
    cdef object _on_fill
    cdef object _on_order

    def __cinit__(self, *args, **kwargs):
        self.sim.first_ts = NEVER
        self.sim.next_timer = NEVER
        self.sim.next_equity = NEVER
        self.sim.last_grid_ts = NEVER
        self.sim.venue.recorder.next_mark_ts = NEVER
        self.sim.until_check = CHECK_EVENTS

    def __init__(
        self, instruments, *, inverse=(), bint cross_touch=False, bint trade_touch=False, bint ignore_aggressor=False,
        bint displayed=False, int64_t maker_rate=0, int64_t taker_rate=0, maker_amounts=(0, 0),
        taker_amounts=(0, 0), bint other_currency=False, int64_t place_latency=0,
        int64_t cancel_latency=0, session_gap=3_600_000_000_000, int64_t interval=0,
        int64_t equity_interval=1_000_000_000, bint quotes_first=False,
    ):
        cdef int64_t count = len(instruments), index
        cdef Instrument* state
        cdef Context context
        cdef dict contexts = {}
        if self._contexts is not None:
            raise RuntimeError("a simulator is made once")
        durations = {"place_latency": place_latency, "cancel_latency": cancel_latency, "interval": interval}
        for name, value in durations.items():
            if not 0 <= value < TIME_LIMIT:
                raise ValueError(f"{name} must be 0 or more and below 2**62 ns, not {value}")
        if not 1_000_000 <= equity_interval < TIME_LIMIT:
            raise ValueError(f"equity_interval must be at least 1 ms, not {equity_interval} ns")
        if session_gap is not None and not 0 < session_gap < TIME_LIMIT:
            raise ValueError(f"session_gap must be positive, or None, not {session_gap}")
        names = [spec[0] for spec in instruments]
        if not count or len(set(names)) != count or names != sorted(names, key=str.encode):
            raise ValueError("instruments must be distinct, at least one, and in the order of their UTF-8 names")
        self.sim.venue.rules.cross_touch = cross_touch
        self.sim.venue.rules.trade_touch = trade_touch
        self.sim.venue.rules.ignore_aggressor = ignore_aggressor
        self.sim.venue.rules.displayed = displayed
        self.sim.venue.place_latency = place_latency
        self.sim.venue.cancel_latency = cancel_latency
        self.sim.session_gap = NEVER if session_gap is None else session_gap
        self.sim.interval = interval
        self.sim.equity_interval = equity_interval
        self.sim.awaits_start = interval > 0

        self._names = names
        self._contexts = []
        self._money_units = []
        self._parts = [None] * (2 * count)
        self.sim.venue.instruments = <Instrument*>PyMem_Calloc(count, sizeof(Instrument))
        self.sim.sources = <Source*>PyMem_Calloc(2 * count, sizeof(Source))
        if self.sim.venue.instruments == NULL or self.sim.sources == NULL:
            raise MemoryError
        self.sim.venue.instrument_count = count
        self.sim.source_count = 2 * count
        traded = tuple(spec[0] for spec in instruments if spec[5])
        if not traded:
            raise ValueError("at least one instrument must be traded")
        for index in range(count):
            name, tick_size, lot_size, money_unit, tick_units, is_traded, position = instruments[index]
            if not 1 <= tick_units < LIMIT:
                raise ValueError(f"{name}: a tick must be a positive whole number of price units, not {tick_units}")
            if abs(position) >= LIMIT:
                raise OverflowError(f"{name}: position {position} is too large: quantities stay below 2**40")
            state = &self.sim.venue.instruments[index]
            state.best_offer_px = NEVER
            state.tick_units = tick_units
            state.traded = is_traded
            open_account(
                state, instruments[index], name in inverse, other_currency, (maker_rate, *maker_amounts),
                (taker_rate, *taker_amounts))
            self._money_units.append(money_unit)
            self._set_up_source(index, QUOTES if quotes_first else PRINTS, index)
            self._set_up_source(count + index, PRINTS if quotes_first else QUOTES, index)
        for index in range(count):
            name, tick_size, lot_size = instruments[index][:3]
            context = make_context(
                self, &self.sim.venue, <int32_t>index, contexts, name, traded, tick_size, lot_size,
                self._money_units[index])
            contexts[name] = context
            self._contexts.append(context)

    def __dealloc__(self):
        cdef int64_t index
        cdef Instrument* instrument
        for index in range(self.sim.venue.instrument_count):
            instrument = &self.sim.venue.instruments[index]
            free(instrument.bids.items)
            free(instrument.offers.items)
            free(instrument.bid_slots.items)
            free(instrument.offer_slots.items)
        PyMem_Free(self.sim.venue.instruments)
        PyMem_Free(self.sim.sources)
        free_pool(&self.sim.venue.pool)
        free(self.sim.venue.bus.items)
        free(self.sim.venue.queue.items)
        free(self.sim.venue.recorder.fills)
        free(self.sim.venue.recorder.orders)
        free(self.sim.venue.recorder.equity)
        free(self.sim.venue.recorder.notices)

    cdef int _set_up_source(self, int64_t place, int table, int64_t instrument) except -1:
        cdef Source* source = &self.sim.sources[place]
        source.table = table
        source.instrument = <int32_t>instrument
        source.tick_units = self.sim.venue.instruments[instrument].tick_units
        return 0

    def run(self, hooks, feed, sink, quoter=None, progress=None):
        """Replays the whole market.

        Parameters
        ----------
        hooks : mapping of str to callable
            The hooks the strategy overrides, by name.
        feed : callable
            `feed(instrument, table)` gives the next part of table 'tob' (ts, bid_px, bid_qty, ask_px, ask_qty) or
            'trades' (ts, px, qty, side), contiguous int64 arrays (side int8), or None when there is no more.
        sink : object
            Its methods `fills`, `orders` and `equity` take the recorded rows as bytes (FILL_DTYPE and so on).
        quoter : Quoter, optional
            Acts at each timer in place of `on_timer`.
        progress : callable, optional
            Called with the number of events replayed about every million events.

        Raises
        ------
        ValueError
            For impossible rows, naming instrument, table and row.
        OverflowError
            When money leaves its 128 bits.
        Exception
            Whatever a hook raises; `failed_hook` then names it. Rows recorded so far have been handed to the sink.
        """
        cdef set unknown = set(hooks) - set(HOOKS)
        if unknown:
            raise ValueError(f"unknown hooks: {', '.join(sorted(unknown))}")
        if self._started:
            raise RuntimeError("a simulator runs once: make a new one for another run")
        self._started = True
        self._feed = feed
        self._sink = sink
        self._on_tob = hooks.get("on_tob")
        self._on_trade = hooks.get("on_trade")
        self._on_timer = hooks.get("on_timer")
        self._on_fill = hooks.get("on_fill")
        self._on_order = hooks.get("on_order")
        self.sim.wants_tob = self._on_tob is not None
        self.sim.wants_trades = self._on_trade is not None
        self.sim.venue.recorder.notify_fills = self._on_fill is not None
        self.sim.venue.recorder.notify_orders = self._on_order is not None
        if quoter is not None:
            self.sim.quoter = (<Quoter?>quoter).params
            self.sim.has_quoter = True
        elif self._on_timer is None:     # nobody to call
            self.sim.interval = 0
            self.sim.awaits_start = False
        try:
            self._feed_all()
            self._call_at_ends("on_start", hooks.get("on_start"))
            self._drive(progress)
            self._call_at_ends("on_end", hooks.get("on_end"))
        finally:
            drop_pending_marks(&self.sim.venue.recorder)
            self._flush()

    cdef int _drive(self, object progress) except -1:
        cdef Wake wake
        cdef Source* source
        # with a hook on every event, giving up the GIL between events would cost more than it gains
        cdef bint keep_gil = self.sim.wants_tob or self.sim.wants_trades
        while True:
            if keep_gil:
                wake = advance(&self.sim)
            else:
                with nogil:
                    wake = advance(&self.sim)
            if wake == EVENT:
                self._handle_event()
            elif wake == TIMER:
                self._handle_timer()
            elif wake == NOTICES:
                self._settle()
            elif wake == STARVED:
                self._feed_source(self.sim.starved)
            elif wake == FLUSH:
                self._flush()
            elif wake == CHECK:
                PyErr_CheckSignals()
                if progress is not None:
                    progress(self.sim.tob_events + self.sim.trade_events)
            elif wake == ENDED:
                return 0
            else:
                source = &self.sim.sources[self.sim.starved]
                raise_failure(
                    self.sim.venue.status, source, self._names[source.instrument], self.sim.venue.now)

    cdef int _handle_event(self) except -1:
        cdef Context context
        self._tell()
        if self.sim.event_instrument >= 0:
            context = <Context>self._contexts[self.sim.event_instrument]
            self.sim.venue.open_for_commands = True
            try:
                if self.sim.event_table == QUOTES:
                    self._on_tob(context)
                else:
                    self._on_trade(context, make_trade(
                        self.sim.venue.now, context.instrument,
                        <double>self.sim.event_px / <double>self.sim.venue.instruments[
                            self.sim.event_instrument].tick_units,
                        self.sim.event_qty, self.sim.event_aggressor))
            except BaseException:
                self.failed_hook = "on_tob" if self.sim.event_table == QUOTES else "on_trade"
                raise
            finally:
                self.sim.venue.open_for_commands = False
        self._settle()
        return 0

    cdef int _handle_timer(self) except -1:
        cdef int64_t index
        self.sim.venue.open_for_commands = True
        try:
            for index in range(self.sim.venue.instrument_count):
                if self.sim.venue.instruments[index].traded:
                    self._on_timer(<Context>self._contexts[index])
        except BaseException:
            self.failed_hook = "on_timer"
            raise
        finally:
            self.sim.venue.open_for_commands = False
        self._settle()
        return 0

    # Tells the strategy every outcome that waits; its answers go into the queue.
    cdef int _tell(self) except -1:
        cdef int64_t place, row
        cdef bint is_fill = False
        cdef Context context
        if self.sim.venue.recorder.notice_count == 0:
            return 0
        self.sim.venue.open_for_commands = True
        try:
            for place in range(self.sim.venue.recorder.notice_count):
                row = self.sim.venue.recorder.notices[place].row
                is_fill = self.sim.venue.recorder.notices[place].is_fill
                if is_fill:
                    context = <Context>self._contexts[self.sim.venue.recorder.fills[row].instrument]
                    self._on_fill(context, make_fill(
                        &self.sim.venue.recorder.fills[row], context.instrument, context.money_unit))
                else:
                    context = <Context>self._contexts[self.sim.venue.recorder.orders[row].instrument]
                    self._on_order(context, make_outcome(&self.sim.venue.recorder.orders[row], context.instrument))
        except BaseException:
            self.failed_hook = "on_fill" if is_fill else "on_order"
            raise
        finally:
            self.sim.venue.open_for_commands = False
        self.sim.venue.recorder.notice_count = 0
        return 0

    # Commands and what they cause, in rounds, until nothing is left to say at this instant.
    cdef int _settle(self) except -1:
        cdef int64_t rounds = 0
        self._tell()
        while self.sim.venue.queue.count > 0:
            rounds += 1
            if rounds > MAX_ROUNDS:
                self.failed_hook = "on_order" if self._on_order is not None else "on_fill"
                raise RuntimeError(
                    f"more than {MAX_ROUNDS} rounds of commands and their outcomes at one instant "
                    f"({self.sim.venue.now} ns): the strategy answers its own orders without end")
            apply_commands(&self.sim)
            self._tell()
        return 0

    cdef int _call_at_ends(self, str name, object hook) except -1:
        cdef int64_t index = 0
        if hook is None:
            return 0
        while not self.sim.venue.instruments[index].traded:
            index += 1
        try:
            hook(<Context>self._contexts[index])
        except BaseException:
            self.failed_hook = name
            raise
        return 0

    cdef int _feed_all(self) except -1:
        cdef int64_t place
        cdef int64_t first = NEVER
        for place in range(self.sim.source_count):
            self._feed_source(place)
            if self.sim.sources[place].length > 0 and self.sim.sources[place].ts[0] < first:
                first = self.sim.sources[place].ts[0]
        if first != NEVER:
            self.sim.venue.now = first       # what on_start sees as the time
        return 0

    cdef int _feed_source(self, int64_t place) except -1:
        cdef Source* source = &self.sim.sources[place]
        cdef str table = "tob" if source.table == QUOTES else "trades"
        part = ()
        while part is not None and (len(part) == 0 or len(part[0]) == 0):
            part = self._feed(self._names[source.instrument], table)
        source.rows_before += source.length
        source.pos = source.checked = source.length = 0
        if part is None:
            source.finished = True
            self._parts[place] = None
            return 0
        attach(source, part, self._names[source.instrument])
        self._parts[place] = part
        return 0

    cdef int _flush(self) except -1:
        cdef Recorder* recorder = &self.sim.venue.recorder
        cdef int64_t settled = settled_fills(recorder)
        if settled > 0:
            self._sink.fills((<char*>recorder.fills)[:settled * <int64_t>sizeof(FillRow)])
            discard_fills(recorder, settled)
            self.sim.equity_fills -= settled
        if recorder.order_count > 0:
            self._sink.orders((<char*>recorder.orders)[:recorder.order_count * <int64_t>sizeof(OrderRow)])
            recorder.order_count = 0
        if recorder.equity_count > 0:
            self._sink.equity((<char*>recorder.equity)[:recorder.equity_count * <int64_t>sizeof(EquityRow)])
            recorder.equity_count = 0
        return 0

    def summary(self):
        """Counts and exact money of the run so far.

        Returns
        -------
        dict
            Counts; `mids`, the last of every instrument (half ticks, None before any); and under `accounts` for each
            traded one: position (lots) and as Python ints in units of `money_unit` cash, fees, spread, inventory,
            hedge_cost, pnl, liquidation_pnl (None when the side needed was never quoted, or beyond 128 bits).
        """
        cdef int64_t index
        cdef Instrument* state
        cdef dict accounts = {}, mids = {}
        for index in range(self.sim.venue.instrument_count):
            state = &self.sim.venue.instruments[index]
            mids[self._names[index]] = in_ticks(state.book.mid2, state.tick_units) or None
            if state.traded:
                accounts[self._names[index]] = account_of(state, self._money_units[index])
        return {
            "tob_events": self.sim.tob_events,
            "trade_events": self.sim.trade_events,
            "decisions": self.sim.decisions,
            "sessions": self.sim.sessions,
            "orders": self.sim.venue.pool.last_id,
            "placed_lots": self.sim.venue.placed,
            "too_late": self.sim.venue.too_late,
            "first_ts": None if self.sim.first_ts == NEVER else self.sim.first_ts,
            "last_ts": None if self.sim.first_ts == NEVER else self.sim.last_ts,
            "time": self.sim.venue.now,
            "ended": bool(self.sim.ended),
            "accounts": accounts,
            "mids": mids,
        }
