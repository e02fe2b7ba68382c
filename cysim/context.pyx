"""What a strategy sees of the market and of itself, and the commands it may give.

Prices are ticks, quantities lots, times ns since the epoch. Everything a command is given is checked before anything
changes: `ValueError` names the wrong field, `OverflowError` a price or quantity of 2^40 or more.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t

from decimal import Decimal

from cysim.book cimport is_valid
from cysim.checks cimport checked_id, checked_number, checked_px, checked_qty, checked_side
from cysim.desk cimport place as send_order
from cysim.desk cimport send_cancel, send_replace, set_quotes
from cysim.money cimport money_to_python
from cysim.orders cimport Order as OrderState
from cysim.orders cimport find_order
from cysim.native cimport passive_ticks
from cysim.sight cimport Synthetic, plan_hedge, see_chain, show_features
from cysim.synthetic cimport MAX_LEGS, LegOrder
from cysim.types cimport BUY, FOR_HEDGE, LIMIT, MARKET, OK, SELL, in_ticks
from cysim.venue cimport Venue, known_cash, known_order, known_position, seen_book
from cysim.views cimport exact_money, make_open_order

from cysim.views import KINDS, PURPOSES


cdef class Context:
    """A view of one instrument and of our orders in it, reused for every call: valid during a hook only.

    `ctx[name]` is the view of another instrument of the run.

    Attributes
    ----------
    instrument : str
        The instrument it speaks for.
    instruments : tuple of str
        All traded instruments, in the order of events.
    tick_size, lot_size : str
        Exact decimals.
    money_unit : Decimal
        What one unit of exact money is worth in the currency of settlement.
    """

    def __getitem__(self, str name):
        try:
            return self._contexts[name]
        except KeyError:
            raise KeyError(f"{name!r} is not in this run, which has {', '.join(map(repr, self._contexts))}") from None

    @property
    def index(self):
        """The place of the instrument in the run, among the watched ones too; native code knows it by this."""
        return self._index

    @property
    def time(self):
        """The time of this call, ns since the epoch (UTC)."""
        return self._venue.now

    @property
    def bid(self):
        """The market's best bid in ticks; 0 when there is none."""
        return in_ticks(seen_book(self._venue, self._instrument).bid_px, self._instrument.tick_units)

    @property
    def ask(self):
        """The market's best offer in ticks; 0 when there is none."""
        return in_ticks(seen_book(self._venue, self._instrument).ask_px, self._instrument.tick_units)

    @property
    def bid_qty(self):
        """Lots displayed at the best bid."""
        return seen_book(self._venue, self._instrument).bid_qty

    @property
    def ask_qty(self):
        """Lots displayed at the best offer."""
        return seen_book(self._venue, self._instrument).ask_qty

    @property
    def valid(self):
        """Whether the book is two-sided and not crossed."""
        return is_valid(seen_book(self._venue, self._instrument))

    @property
    def mid(self):
        """The last valid mid in ticks; NaN before the first."""
        cdef int64_t mid2 = seen_book(self._venue, self._instrument).mid2
        return <double>mid2 / (2 * self._tick_units) if mid2 != 0 else float("nan")

    @property
    def price_limit(self):
        """Ticks that every price of an order stays below."""
        return LIMIT // self._instrument.tick_units

    @property
    def position(self):
        """Lots held, as far as the strategy has been told; negative when short."""
        return known_position(self._venue, self._instrument)

    @property
    def cash(self):
        """Cash in the currency of settlement, fees included, exact (Decimal), as far as the strategy has been told."""
        return exact_money(money_to_python(known_cash(self._venue, self._instrument)), self.money_unit)

    @property
    def orders(self):
        """Our orders in this instrument, travelling or live as far as we have been told, by id (tuple of Order)."""
        cdef list orders = []
        cdef int64_t place
        cdef OrderState* state
        for place in range(self._venue.pool.known_count):
            state = &self._venue.pool.orders[self._venue.pool.known[place].order]
            if state.instrument == self._index:
                orders.append(make_open_order(
                    state, known_order(self._venue, state), self.instrument, self._instrument.tick_units))
        return tuple(orders)

    @property
    def features(self):
        """The features the strategy names, in its order: a read-only float64 array, always the same, filled anew here.

        Raises
        ------
        RuntimeError
            When the strategy names none.
        """
        if self._features is None:
            raise RuntimeError('this strategy names no features: write features = ("imbalance", ...) in its class')
        show_features(self._venue, self._index)
        return self._features

    def feature(self, str name):
        """One of the features the strategy names.

        Raises
        ------
        KeyError
            When it does not name this one.
        RuntimeError
            As `features`.
        """
        cdef object values = self.features
        try:
            return values.item(self._feature_places[name])
        except KeyError:
            raise KeyError(
                f"{name!r} is not among the features of this strategy, which are "
                f"{', '.join(self._feature_places)}") from None

    def synthetic(self, str name):
        """A pair priced through others, by what is visible now: a view, valid during this call only.

        Raises
        ------
        KeyError
            When the run has none of that name.
        """
        cdef Synthetic synthetic = self._synthetics.get(name)
        if synthetic is None:
            raise KeyError(
                f"the run has no synthetic quote {name!r}; it has {', '.join(map(repr, self._synthetics)) or 'none'}")
        see_chain(self._venue, &self._venue.senses.pairs[synthetic.index].legs)
        return synthetic

    def to_ticks(self, price):
        """A price in currency as ticks (float).

        Raises
        ------
        ValueError
            When the price is no finite number.
        """
        return checked_number(price, "price") / self._tick

    def to_price(self, ticks):
        """Ticks as a price in currency (float).

        Raises
        ------
        ValueError
            When `ticks` is no finite number.
        """
        return checked_number(ticks, "ticks") * self._tick

    def quote(self, bid=None, ask=None, qty=1, bint post_only=True):
        """States the wanted bid and offer; an order of the last quote that already stands at its price keeps its place.

        Parameters
        ----------
        bid, ask : float or None
            Ticks, rounded passively to whole ticks: the bid down, the offer up. None withdraws the side.
        qty : int
            Lots of each new order.
        post_only : bool
            Whether an order that would take on arrival is rejected (default) or may take.

        Raises
        ------
        ValueError, OverflowError
            For an impossible price or quantity; nothing has changed then.
        RuntimeError
            Outside a hook, in `on_start` and in `on_end`.
        """
        cdef int64_t bid_px, ask_px, lots
        self._require_open()
        lots = checked_qty(qty, "qty")
        bid_px = self._quote_px(bid, BUY, "bid")
        ask_px = self._quote_px(ask, SELL, "ask")
        set_quotes(self._venue, self._index, &bid_px, 1, &ask_px, 1, lots, post_only)
        self._check_status()

    def quote_levels(self, bids, asks, qty=1, bint post_only=True):
        """States several quotes a side, inner level first; each level keeps an order that already stands at its price.

        Parameters
        ----------
        bids, asks : sequence of float or None
            Ticks as in `quote`; None withdraws a level, and so does leaving out levels quoted before.
        qty : int
            Lots of each new order.
        post_only : bool
            As in `quote`.

        Raises
        ------
        ValueError, OverflowError, RuntimeError
            As `quote`.
        """
        cdef tuple wanted_bids = tuple(bids)
        cdef tuple wanted_asks = tuple(asks)
        cdef int64_t bid_count = len(wanted_bids), ask_count = len(wanted_asks), level, lots
        cdef int64_t* px
        self._require_open()
        lots = checked_qty(qty, "qty")
        px = <int64_t*>PyMem_Malloc((bid_count + ask_count + 1) * sizeof(int64_t))
        if px == NULL:
            raise MemoryError
        try:
            for level in range(bid_count):
                px[level] = self._quote_px(wanted_bids[level], BUY, "bid")
            for level in range(ask_count):
                px[bid_count + level] = self._quote_px(wanted_asks[level], SELL, "ask")
            set_quotes(
                self._venue, self._index, px, bid_count, px + bid_count, ask_count, lots, post_only)
        finally:
            PyMem_Free(px)
        self._check_status()

    def place(self, side, px=None, qty=1, str kind="gtc", str purpose="quote"):
        """Sends one order and returns its id.

        Parameters
        ----------
        side : int or str
            +1 or 'buy', -1 or 'sell'.
        px : int, float or None
            The limit in whole ticks; None for a market order only.
        qty : int
            Lots.
        kind : str
            gtc, ioc, fok, post_only or market.
        purpose : str
            quote or hedge.

        Raises
        ------
        ValueError, OverflowError, RuntimeError
            As `quote`; also for a price between two ticks.
        """
        cdef int64_t units = 0, lots
        cdef int direction = checked_side(side)
        cdef int number
        cdef int64_t order_id
        self._require_open()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        if purpose not in ("quote", "hedge"):
            raise ValueError(f"purpose must be quote or hedge, not {purpose!r}")
        number = KINDS.index(kind)
        lots = checked_qty(qty, "qty")
        if number == MARKET:
            if px is not None:
                raise ValueError(f"px must be None for a market order, not {px!r}")
        elif px is None:
            raise ValueError(f"px is missing: a {kind} order needs a limit in whole ticks")
        else:
            units = checked_px(px, self._instrument.tick_units)
        order_id = send_order(
            self._venue, self._index, direction, units, lots, number, PURPOSES.index(purpose))
        self._check_status()
        return order_id

    def cancel(self, order_id):
        """Sends a cancel; `on_order` tells the outcome.

        Raises
        ------
        ValueError, RuntimeError
            When the id is no whole number; outside a hook, in `on_start` and in `on_end`.
        """
        self._require_open()
        send_cancel(self._venue, self._index, checked_id(order_id))
        self._check_status()

    def replace(self, order_id, px, qty):
        """Sends a replace: a new price and remaining quantity under the same id.

        The order keeps its place in the queue only when the price is equal and the quantity not larger.

        Raises
        ------
        ValueError, OverflowError, RuntimeError
            As `place`.
        """
        cdef int64_t number, units, lots, tick_units = self._instrument.tick_units
        cdef int32_t index
        self._require_open()
        number = checked_id(order_id)
        index = find_order(&self._venue.pool, number)
        if index >= 0:               # ids are global: the price is in ticks of the order's own instrument
            tick_units = self._venue.instruments[self._venue.pool.orders[index].instrument].tick_units
        units = checked_px(px, tick_units)
        lots = checked_qty(qty, "qty")
        send_replace(self._venue, self._index, number, units, lots)
        self._check_status()

    def hedge(self, qty, str through=None):
        """Sends a market order of purpose hedge for `qty` lots: positive buys, negative sells. Returns its id.

        Parameters
        ----------
        qty : int
            Lots of this instrument.
        through : str, optional
            Name of a synthetic quote of the same pair: the hedge then goes to this instrument or through the legs,
            whichever is cheaper, and the ids of all its orders are returned (tuple).

        Raises
        ------
        ValueError, OverflowError, RuntimeError
            As `place`; also where the legs cannot be traded, or do not make this pair.
        KeyError
            When the run has no synthetic quote of that name.
        """
        cdef int64_t lots, order_id
        cdef int side = SELL
        self._require_open()
        try:
            if qty > 0:
                side = BUY
        except TypeError:
            raise ValueError(f"qty must be a whole number of lots, not {qty!r}") from None
        lots = checked_qty(qty if side == BUY else -qty, "qty")
        if through is not None:
            return self._hedge_through(through, side, lots)
        order_id = send_order(self._venue, self._index, side, 0, lots, MARKET, FOR_HEDGE)
        self._check_status()
        return order_id

    @cython.final
    cdef tuple _hedge_through(self, str name, int side, int64_t lots):
        cdef Synthetic synthetic = self.synthetic(name)
        cdef LegOrder orders[MAX_LEGS]
        cdef list ids = []
        cdef int64_t count, place
        for leg in synthetic.legs:
            (<Context>self._contexts[leg])._require_open()
        if self._venue.senses.pairs[synthetic.index].direct.count == 0 \
                or self._venue.senses.pairs[synthetic.index].direct.legs[0].instrument != self._index:
            raise ValueError(
                f"through={name!r} does not price {self.instrument!r}: a hedge goes to the instrument of the pair or "
                "through its legs")
        count = plan_hedge(self._venue, synthetic.index, side, lots, orders)
        if count < 0:
            raise OverflowError(f"qty={lots} needs 2**40 lots of a leg of {name!r}, or more")
        for place in range(count):
            ids.append(send_order(
                self._venue, orders[place].instrument, orders[place].side, 0, orders[place].qty, MARKET, FOR_HEDGE))
        self._check_status()
        return tuple(ids)

    @cython.final
    cdef int _require_open(self) except -1:
        if not self._venue.open_for_commands:
            raise RuntimeError("commands are possible only inside a hook, and neither in on_start nor in on_end")
        if not self._instrument.traded:
            raise ValueError(f"instrument {self.instrument!r} is only watched in this run: it cannot be traded")
        return 0

    @cython.final
    cdef int64_t _quote_px(self, object value, int side, str name) except -1:
        cdef double ticks
        if value is None:
            return 0
        ticks = passive_ticks(checked_number(value, name), side)
        if ticks < 1:
            raise ValueError(f"{name} must be a positive price in ticks, not {value!r}")
        if ticks >= self._end_ticks:
            raise OverflowError(f"{name}={value!r} ticks is too large: prices stay below 2**40 price units")
        return <int64_t>ticks * self._instrument.tick_units

    @cython.final
    cdef int _check_status(self) except -1:
        if self._venue.status != OK:
            raise MemoryError("out of memory while sending a command")
        return 0


cdef int set_up(
    Context context, object owner, Venue* venue, int32_t index, dict contexts, str instrument, tuple instruments,
    str tick_size, str lot_size, object money_unit, object features, dict feature_places, dict synthetics,
) except -1:
    context._owner = owner
    context._venue = venue
    context._instrument = &venue.instruments[index]
    context._index = index
    context._contexts = contexts
    context.instrument = instrument
    context.instruments = instruments
    context.tick_size = tick_size
    context.lot_size = lot_size
    context.money_unit = money_unit
    context._features = features
    context._feature_places = feature_places
    context._synthetics = synthetics
    context._tick_units = <double>context._instrument.tick_units
    context._end_ticks = <double>LIMIT / context._tick_units
    context._tick = float(Decimal(tick_size))
    return 0
