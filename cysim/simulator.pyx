"""The simulator: market events in, fills out.

`Simulator.run` drives the native loop: it feeds it parts of the market's tables, hands over what it recorded, and calls
the strategy's hooks where the loop stops for them. The loop itself never touches Python.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free

from cysim.accounts cimport account_of, open_account
from cysim.answers cimport advance_natively, listen_natively
from cysim.context cimport Context, set_up
from cysim.delays cimport as_latency, set_delay, takes_time
from cysim.failures cimport raise_failure
from cysim.fills cimport NO_QUEUE
from cysim.hooks cimport PythonHooks
from cysim.lending cimport lend
from cysim.native cimport ON_TIMER, NativeStrategy, hook_name
from cysim.orders cimport free_pool
from cysim.parts cimport Parts
from cysim.recorder cimport (
    EquityRow, FillRow, OrderRow, Recorder, discard_fills, drop_pending_marks, settled_fills,
)
from cysim.loop cimport (
    CHECK, CHECK_EVENTS, ENDED, EVENT, FLUSH, NOTICES, STARVED, TIMER, advance,
)
from cysim.senses cimport close_senses, hedges_of, open_senses
from cysim.sight cimport make_synthetic
from cysim.state cimport Feed, events_of
from cysim.stream cimport Source
from cysim.types cimport BUY, LIMIT, NEVER, PRINTS, QUOTES, SELL, TIME_LIMIT, in_ticks
from cysim.venue cimport Instrument, refresh_best

cdef enum:                       # streams of random numbers (B3)
    PLACING = 1
    CANCELLING = 2
    RESPONDING = 3
    FEEDING = 16                 # and one for each table of each instrument

cdef enum:
    LONG_STRETCH = 16_384        # rows, about 0.1 ms

QUEUES = ("front", "back", "prob")
KINDS = ("fills", "orders", "equity")


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
    queue : str or None
        Model of the queue at our price: front, back or prob; None where prints at our price are `trade_touch`'s matter.
    power : float
        Exponent of prob's power law, above 0 and at most 20.
    maker_rate, taker_rate : int
        Fees in 1e-8 of the value traded; negative for a rebate.
    maker_amounts, taker_amounts : (Decimal, Decimal)
        Fees for each 1 of quantity and for each fill: in the settlement currency or, at the fill's price, the other.
    place_latency, cancel_latency, response_latency : int or Latency
        Of orders and replaces, of cancels, and of fills and outcomes on their way back; ns.
    feed_latency : int, Latency or str
        Of quotes and prints to the strategy, ns; 'local' takes the times of receipt, a last column of each part.
    session_gap : int or None
        Silence that ends a session, ns.
    interval : int
        Between timers, ns; 0 for none.
    equity_interval : int
        Between rows of equity, ns.
    quotes_first : bool
        Whether quotes go before prints at one instant.
    features : sequence of str
        Names of the features that hooks read (`cysim.FEATURES`).
    feature_array : writable array of float64, of shape (instruments, features)
        Where hooks look at them: `ctx.features` is a row of it.
    max_position : int
        Lots, what the features of our own position are measured with.
    synthetics : sequence of (name, legs, direct, max_age)
        Pairs priced through others: legs and the limit of their age as `SyntheticBook` takes them, of instruments of
        this run; `direct` is the one that trades the pair itself, likewise, or None.

    Raises
    ------
    ValueError, OverflowError
        Naming the wrong argument.
    """

    def __cinit__(self, *args, **kwargs):
        self.sim.first_ts = NEVER
        self.sim.next_timer = NEVER
        self.sim.next_equity = NEVER
        self.sim.last_grid_ts = NEVER
        self.sim.rows_until = -1
        self.sim.venue.loose_ts = -1
        self.sim.venue.reported_ts = -1
        drop_pending_marks(&self.sim.venue.recorder)
        self.sim.until_check = CHECK_EVENTS
        self._hooks = PythonHooks()
        self._hooks.sim = &self.sim

    def __init__(
        self, instruments, *, inverse=(), bint cross_touch=False, bint trade_touch=False, bint ignore_aggressor=False,
        bint displayed=False, str queue=None, double power=2.0, int64_t maker_rate=0, int64_t taker_rate=0,
        maker_amounts=(0, 0), taker_amounts=(0, 0), bint other_currency=False, place_latency=0, cancel_latency=0,
        response_latency=0, feed_latency=0, session_gap=3_600_000_000_000, int64_t interval=0,
        int64_t equity_interval=1_000_000_000, bint quotes_first=False, features=(), feature_array=None,
        max_position=1, synthetics=(),
    ):
        cdef int64_t count = len(instruments), index
        cdef Instrument* state
        cdef Context context
        cdef dict contexts = {}, pairs = {}, places = {name: place for place, name in enumerate(features)}
        if self._names is not None:
            raise RuntimeError("a simulator is made once")
        if not 0 <= interval < TIME_LIMIT:
            raise ValueError(f"interval must be 0 or more and below 2**62 ns, not {interval}")
        if not 1_000_000 <= equity_interval < TIME_LIMIT:
            raise ValueError(f"equity_interval must be at least 1 ms, not {equity_interval} ns")
        if session_gap is not None and not 0 < session_gap < TIME_LIMIT:
            raise ValueError(f"session_gap must be positive, or None, not {session_gap}")
        if queue is not None and queue not in QUEUES:
            raise ValueError(f"queue must be one of {', '.join(QUEUES)}, or None, not {queue!r}")
        if queue is not None and trade_touch:
            raise ValueError("a queue model decides about prints at our price: trade_touch must be off")
        if not 0 < power <= 20:
            raise ValueError(f"power must be above 0 and at most 20, not {power}")
        names = [spec[0] for spec in instruments]
        if not count or len(set(names)) != count or names != sorted(names, key=str.encode):
            raise ValueError("instruments must be distinct, at least one, and in the order of their UTF-8 names")
        self.sim.venue.rules.cross_touch = cross_touch
        self.sim.venue.rules.trade_touch = trade_touch
        self.sim.venue.rules.ignore_aggressor = ignore_aggressor
        self.sim.venue.rules.displayed = displayed
        self.sim.venue.rules.queue = NO_QUEUE if queue is None else 1 + QUEUES.index(queue)
        self.sim.venue.rules.power = power
        self._local = isinstance(feed_latency, str) and feed_latency == "local"
        self._latencies = [
            as_latency(name, value) for name, value in (
                ("place_latency", place_latency), ("cancel_latency", cancel_latency),
                ("response_latency", response_latency), ("feed_latency", 0 if self._local else feed_latency))]
        set_delay(&self.sim.venue.place_delay, self._latencies[0], PLACING)
        set_delay(&self.sim.venue.cancel_delay, self._latencies[1], CANCELLING)
        self.sim.venue.commands_travel = takes_time(self._latencies[0]) or takes_time(self._latencies[1])
        set_delay(&self.sim.venue.report_delay, self._latencies[2], RESPONDING)
        self.sim.venue.reports_travel = takes_time(self._latencies[2])
        self.sim.venue.quotes_travel = self._local or takes_time(self._latencies[3])
        self.sim.session_gap = NEVER if session_gap is None else session_gap
        self.sim.interval = interval
        self.sim.equity_interval = equity_interval
        self.sim.awaits_start = interval > 0

        self._names = names
        self._money_units = []
        self.sim.venue.instruments = <Instrument*>PyMem_Calloc(count, sizeof(Instrument))
        self.sim.sources = <Source*>PyMem_Calloc(2 * count, sizeof(Source))
        if self.sim.venue.quotes_travel:
            self.sim.feeds = <Feed*>PyMem_Calloc(2 * count, sizeof(Feed))
        if self.sim.venue.instruments == NULL or self.sim.sources == NULL \
                or (self.sim.venue.quotes_travel and self.sim.feeds == NULL):
            raise MemoryError
        self.sim.venue.instrument_count = count
        self.sim.source_count = 2 * count
        self.sim.first_quotes = 0 if quotes_first else count
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
            refresh_best(&self.sim.venue, state, BUY)
            refresh_best(&self.sim.venue, state, SELL)
            state.tick_units = tick_units
            state.traded = is_traded
            self.sim.traded_count += is_traded
            state.told_position = position
            open_account(
                state, instruments[index], name in inverse, other_currency, (maker_rate, *maker_amounts),
                (taker_rate, *taker_amounts))
            self._money_units.append(money_unit)
            self._set_up_source(index, QUOTES if quotes_first else PRINTS, index)
            self._set_up_source(count + index, PRINTS if quotes_first else QUOTES, index)
        self.sim.venue.senses = open_senses(
            list(instruments), self.sim.sources, self.sim.source_count, self.sim.venue.quotes_travel, tuple(features),
            feature_array, max_position, tuple(synthetics))
        for index, spec in enumerate(synthetics):
            pairs[spec[0]] = make_synthetic(
                self, &self.sim.venue, <int>index, spec[0], tuple([leg[0] for leg in spec[1]]))
        for index in range(count):
            name, tick_size, lot_size = instruments[index][:3]
            shown = None
            if places:
                shown = feature_array[index]
                shown.setflags(write=False)
            context = self._hooks.new_context(count)
            set_up(
                context, self, &self.sim.venue, <int32_t>index, contexts, name, traded, tick_size, lot_size,
                self._money_units[index], shown, places, pairs)
            contexts[name] = context
            self._hooks.contexts.append(context)

    @property
    def failed_hook(self):
        """Name of the hook that raised; None when none has."""
        return self._hooks.failed

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
        close_senses(self.sim.venue.senses)
        PyMem_Free(self.sim.sources)
        PyMem_Free(self.sim.feeds)
        free(self.sim.venue.reports.items)
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
        if self.sim.feeds != NULL:
            self.sim.feeds[place].rows = source[0]
            self.sim.feeds[place].row_ts = -1
            set_delay(&self.sim.feeds[place].delay, self._latencies[3],
                      <uint64_t>(FEEDING + 2 * instrument + (0 if table == PRINTS else 1)))
        return 0

    def run(self, hooks, feed, sink, NativeStrategy native=None, progress=None, rows=KINDS):
        """Replays the whole market.

        Parameters
        ----------
        hooks : mapping of str to callable
            The hooks the strategy overrides, by name.
        feed : callable
            `feed(instrument, table)` gives the next part of table 'tob' (ts, bid_px, bid_qty, ask_px, ask_qty) or
            'trades' (ts, px, qty, side), contiguous int64 arrays (side int8), or None when there is no more. A `Table`,
            the whole table at once, is not checked again.
        sink : object
            Its methods `fills`, `orders` and `equity` take the recorded rows as a memoryview of bytes (FILL_DTYPE and
            so on) that is lent for the call: whoever keeps rows copies them.
        native : NativeStrategy, optional
            Answers the hooks it overrides in place of Python's. One that answers more than the timer leaves Python
            `on_start` and `on_end` only.
        progress : callable, optional
            Called with the number of events replayed about every million events.
        rows : collection of str
            What is recorded of fills, orders and equity. Fills always are; without them here, their later mids are not.

        Raises
        ------
        ValueError
            For impossible rows, naming instrument, table and row.
        OverflowError
            When money leaves its 128 bits.
        RuntimeError
            When the sink keeps rows that were lent to it.
        Exception
            Whatever a hook raises; `failed_hook` then names it. Rows recorded so far have been handed to the sink.
        """
        if self._started:
            raise RuntimeError("a simulator runs once: make a new one for another run")
        if not set(rows) <= set(KINDS):
            raise ValueError(f"rows may hold {', '.join(KINDS)}, not {', '.join(sorted(set(rows) - set(KINDS)))}")
        self._started = True
        self.sim.venue.recorder.keeps_fills = True
        self.sim.venue.recorder.keeps_marks = "fills" in rows
        self.sim.venue.recorder.keeps_orders = "orders" in rows
        self.sim.venue.recorder.keeps_equity = "equity" in rows
        self._parts = Parts(feed, self._names, self._local)
        self._sink = sink
        self._hooks.listen(hooks)
        if native is not None:
            self._hooks.failed = "native"      # until it is known to fit
            listen_natively(&self.sim, native, set(hooks))
            self._hooks.failed = None
        if "on_timer" not in hooks and (native is None or not native.hooks & ON_TIMER):      # nobody to call
            self.sim.interval = 0
            self.sim.awaits_start = False
        try:
            self._parts.begin(&self.sim)
            self._hooks.start()
            self._drive(native, progress)
            self._hooks.end()
        finally:
            self._hooks.close()
            drop_pending_marks(&self.sim.venue.recorder)
            self._flush()

    cdef int _drive(self, NativeStrategy native, object progress) except -1:
        cdef int wake
        cdef Source* source
        # The GIL is given up where the last stretch of native code was long. For a short one that would cost more than
        # it gains, and gain nobody anything: a thread that waits for the GIL takes longer to wake up, and does not ask
        # for it in earnest, as it does after 5 ms of waiting, while it is woken in vain.
        cdef bint is_long = True
        cdef int64_t left
        while True:
            left = self.sim.until_check
            if native is None:
                if is_long:
                    with nogil:
                        wake = advance(&self.sim)
                else:
                    wake = advance(&self.sim)
                if wake != CHECK:
                    is_long = left - self.sim.until_check >= LONG_STRETCH
            else:
                try:
                    with nogil:
                        wake = advance_natively(&self.sim, native)
                except BaseException:
                    self._hooks.failed = hook_name(native.answering)
                    raise
            if wake == EVENT:
                self._hooks.event()
            elif wake == TIMER:
                self._hooks.timer()
            elif wake == NOTICES:
                self._hooks.settle()
            elif wake == STARVED:
                self._parts.give(&self.sim, self.sim.starved)
            elif wake == FLUSH:
                self._flush()
            elif wake == CHECK:
                PyErr_CheckSignals()
                if progress is not None:
                    progress(events_of(&self.sim, PRINTS) + events_of(&self.sim, QUOTES))
            elif wake == ENDED:
                return 0
            else:
                source = &self.sim.sources[self.sim.starved if self.sim.starved >= 0 else 0]
                raise_failure(
                    self.sim.venue.status, source, self._names[source.instrument], self.sim.venue.now)

    cdef int _flush(self) except -1:
        cdef Recorder* recorder = &self.sim.venue.recorder
        cdef int64_t settled = settled_fills(recorder)
        if settled > 0:
            lend(self._sink.fills, recorder.fills, settled * <int64_t>sizeof(FillRow))
            discard_fills(recorder, settled)
            self.sim.equity_fills -= settled
        if recorder.order_count > 0:
            lend(self._sink.orders, recorder.orders, recorder.order_count * <int64_t>sizeof(OrderRow))
            recorder.order_count = 0
        if recorder.equity_count > 0:
            lend(self._sink.equity, recorder.equity, recorder.equity_count * <int64_t>sizeof(EquityRow))
            recorder.equity_count = 0
        return 0

    def summary(self):
        """Counts and exact money of the run so far.

        Returns
        -------
        dict
            Counts; `mids`, the last of every instrument (half ticks, None before any); and under `accounts` for each
            traded one: position (lots) and as Python ints in units of `money_unit` cash, fees, spread, inventory,
            hedge_cost, pnl, liquidation_pnl (None when the side needed was never quoted, or beyond 128 bits);
            `hedges`, how many of those that had the choice went (directly, through the legs) of each synthetic quote.
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
            "tob_events": events_of(&self.sim, QUOTES),
            "trade_events": events_of(&self.sim, PRINTS),
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
            "hedges": hedges_of(self.sim.venue.senses),
            "mids": mids,
        }
