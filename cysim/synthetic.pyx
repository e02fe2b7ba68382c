"""A pair priced through others: the top of book that a chain of legs makes, and what a trade along it takes.

Read from the chain's base currency to its quote currency, leg i has bid b_i and ask a_i (1/ask and 1/bid of the book of
an inverse leg), sizes in the currency it begins with, and fee rate f_i. Then

    ask = prod a_i (1 + f_i)          ask size = min over i of size_i / (prod over j < i of a_j (1 + f_j))
    bid = prod b_i (1 - f_i)          bid size likewise with b_j (1 - f_j)

There is no quote while a leg has no two-sided, uncrossed book or was last quoted longer ago than the limit. Prices here
are binary64: features, references, reports and the choice of a route, never matching or money.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport isfinite
from libc.stdint cimport int64_t

from cysim.book cimport apply_quote
from cysim.checks cimport checked_side
from cysim.synthetic cimport (
    BY_DIRECT, BY_LEGS, LEG_ABSENT, LEG_CROSSED, LEG_OLD, MAX_LEGS, QUOTED, Chain, Leg, LegOrder, Quoted, Quotes, Route,
    cheapest_route, leg_orders, quotes_of, refresh_chain,
)
from cysim.types cimport LIMIT, NEVER, TIME_LIMIT

cdef dict STATES = {QUOTED: "quoted", LEG_ABSENT: "absent", LEG_CROSSED: "crossed", LEG_OLD: "old"}


cdef int read_legs(Chain* chain, object legs, object max_age, list names) except -1:
    cdef int64_t place = 0
    cdef Leg* leg
    if not 1 <= len(legs) <= MAX_LEGS:
        raise ValueError(f"a chain has 1 to {MAX_LEGS} legs, not {len(legs)}")
    if max_age is not None and not 0 <= max_age < TIME_LIMIT:
        raise ValueError(f"max_age must be 0 or more and below 2**62 ns, or None, not {max_age}")
    chain.count = len(legs)
    chain.max_age = NEVER if max_age is None else max_age
    chain.top.state = LEG_ABSENT
    if len({spec[0] for spec in legs}) < len(legs):
        raise ValueError(f"an instrument is two legs of one chain: {', '.join(spec[0] for spec in legs)}")
    for name, price_unit, lot, inverse, quote_sized, fee_rate in legs:
        leg = &chain.legs[place]
        leg.instrument = names.index(name)
        leg.price_unit = float(price_unit)
        leg.lot = float(lot)
        leg.fee_rate = fee_rate / 1e8
        leg.inverse = inverse
        leg.quote_sized = quote_sized
        if not (isfinite(leg.price_unit) and leg.price_unit > 0 and isfinite(leg.lot) and leg.lot > 0):
            raise ValueError(f"{name}: price_unit and lot must be positive, not {price_unit} and {lot}")
        if not -1 < leg.fee_rate < 1:
            raise ValueError(f"{name}: a fee is less than the whole value traded, not {fee_rate} x 1e-8 of it")
        place += 1
    return 0


@cython.final
cdef class SyntheticBook:
    """The top of book of a pair, made of its legs' books as they are updated.

    Parameters
    ----------
    legs : sequence of (instrument, price_unit, lot, inverse, quote_sized, fee_rate)
        1 to 8 instruments from the pair's base currency to its quote currency. `price_unit` and `lot` are decimal
        strings or numbers, a lot in the instrument's base currency, or in its quote currency if `quote_sized` (inverse
        contracts); `inverse` says that the chain runs from the instrument's quote currency to its base; `fee_rate` is
        in 1e-8 of the value traded.
    max_age : int or None
        ns since a leg's last quote up to which it counts; None for any.

    Raises
    ------
    ValueError
        Naming what is wrong.
    """

    cdef Chain chain
    cdef Quotes quotes
    cdef Quoted* quoted
    cdef list names

    def __init__(self, legs, max_age=None):
        if self.quoted != NULL:
            raise RuntimeError("a synthetic book is made once")
        self.names = [leg[0] for leg in legs]
        read_legs(&self.chain, legs, max_age, self.names)
        self.quoted = <Quoted*>PyMem_Calloc(len(self.names), sizeof(Quoted))
        if self.quoted == NULL:
            raise MemoryError
        self.quotes = quotes_of(self.quoted)

    def __dealloc__(self):
        PyMem_Free(self.quoted)

    def update(
        self, str instrument, int64_t ts, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
    ):
        """Take a leg's quote and price the chain at that instant.

        Parameters
        ----------
        instrument
            The leg.
        ts
            ns since the epoch.
        bid_px, bid_qty, ask_px, ask_qty
            Price units and lots; an absent side is 0, 0.

        Raises
        ------
        ValueError
            For an unknown instrument or impossible values; nothing has changed then.
        """
        cdef int64_t place
        if instrument not in self.names:
            raise ValueError(f"{instrument!r} is not a leg of this book, which has {', '.join(self.names)}")
        for px, qty in ((bid_px, bid_qty), (ask_px, ask_qty)):
            if not (0 <= px < LIMIT and 0 <= qty < LIMIT) or (px == 0) != (qty == 0):
                raise ValueError(
                    f"{instrument}: price {px} with quantity {qty}: both are 0 to 2**40, and absent together")
        place = self.names.index(instrument)
        apply_quote(&self.quoted[place].book, bid_px, bid_qty, ask_px, ask_qty)
        self.quoted[place].quoted_ts = ts
        refresh_chain(&self.chain, &self.quotes, ts)

    def refresh(self, int64_t now):
        """Price the chain as its legs stand at `now` (ns): quotes may have grown too old."""
        refresh_chain(&self.chain, &self.quotes, now)

    @property
    def state(self):
        """'quoted', or why not: the first unsound leg is 'absent' (a side of its book is) or 'crossed', else 'old'."""
        return STATES[self.chain.top.state]

    @property
    def bid(self):
        """What one of base currency gives along the chain, fees taken off; NaN unless quoted."""
        return self._told(self.chain.top.bid)

    @property
    def bid_size(self):
        """How much base currency can be sold at it; NaN unless quoted."""
        return self._told(self.chain.top.bid_size)

    @property
    def ask(self):
        """What one of base currency costs along the chain, fees added; NaN unless quoted."""
        return self._told(self.chain.top.ask)

    @property
    def ask_size(self):
        """How much base currency can be bought at it; NaN unless quoted."""
        return self._told(self.chain.top.ask_size)

    @property
    def mid(self):
        """The middle of bid and ask without fees; NaN unless quoted."""
        return self._told(self.chain.top.mid)

    @property
    def age(self):
        """ns since the last quote of the leg quoted longest ago; None unless quoted."""
        return self.chain.top.age if self.chain.top.state == QUOTED else None

    def route(self, SyntheticBook direct, side, double qty):
        """Where a quantity trades best, fees included.

        Parameters
        ----------
        direct
            The pair's own book: a chain of one leg.
        side
            +1 or 'buy', -1 or 'sell'.
        qty
            Base currency.

        Returns
        -------
        str or None
            'direct' or 'legs': the better price if both show the quantity, else the one that shows more; None when
            neither is quoted.
        """
        cdef Route route = cheapest_route(&direct.chain.top, &self.chain.top, checked_side(side), self._checked(qty))
        return "direct" if route == BY_DIRECT else "legs" if route == BY_LEGS else None

    def orders(self, side, double qty):
        """The orders that trade a quantity along the chain, at prices as they stand.

        Parameters
        ----------
        side
            +1 or 'buy', -1 or 'sell'.
        qty
            Base currency.

        Returns
        -------
        list of (instrument, side, lots)
            Leg by leg, in whole lots nearest to the quantity; 0 where a leg needs less than half a lot.

        Raises
        ------
        ValueError
            When the chain is not quoted.
        OverflowError
            When a leg would need 2^40 lots or more.
        """
        cdef LegOrder orders[MAX_LEGS]
        cdef int64_t place
        cdef int own_side = checked_side(side)
        self._checked(qty)
        if self.chain.top.state != QUOTED:
            raise ValueError(f"the chain is not quoted: a leg is {self.state}")
        if not leg_orders(&self.chain, &self.quotes, own_side, qty, orders):
            raise OverflowError(f"qty={qty} needs 2**40 lots of a leg, or more")
        return [(self.names[orders[place].instrument], orders[place].side, orders[place].qty)
                for place in range(self.chain.count)]

    cdef double _told(self, double value):
        return value if self.chain.top.state == QUOTED else float("nan")

    cdef double _checked(self, double qty) except? -1:
        if not (isfinite(qty) and qty > 0):
            raise ValueError(f"qty must be a positive, finite amount of base currency, not {qty}")
        return qty
