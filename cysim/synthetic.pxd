from libc.math cimport INFINITY, floor
from libc.stdint cimport int32_t, int64_t

from cysim.book cimport Book, is_valid
from cysim.types cimport BUY, LIMIT, NEVER

cdef enum:
    MAX_LEGS = 8

cdef enum ChainState:            # whether a chain is quoted, else what is wrong with its first unsound leg
    LEG_ABSENT = 0               # its book lacks a side
    LEG_CROSSED = 1              # its bid is above its ask
    LEG_OLD = 2                  # all are sound, and one was last quoted longer ago than the limit
    QUOTED = 3

cdef enum Route:
    NO_ROUTE = 0
    BY_DIRECT = 1
    BY_LEGS = 2

cdef struct Quotes:              # where books lie, each instrument's a stride after the one before
    const Book* book             # of instrument 0
    const int64_t* quoted_ts     # of instrument 0: time of its last quote update
    int64_t book_stride          # bytes
    int64_t ts_stride

cdef struct Quoted:              # an instrument outside an engine
    Book book
    int64_t quoted_ts            # ns

cdef struct Leg:                 # an instrument of a chain
    double price_unit            # quote currency for one of base currency, in a price unit
    double lot                   # base currency in a lot; quote currency in it if `quote_sized`
    double fee_rate              # of the value traded, in the currency the chain goes on with; negative: a rebate
    int32_t instrument
    bint inverse                 # the chain goes from its quote currency to its base currency
    bint quote_sized             # an inverse contract
    int32_t _padding

cdef struct LegTop:              # a leg's top of book in the direction of its chain, fees left out
    double bid                   # next currency for one of the currency before
    double bid_size              # currency before
    double ask
    double ask_size

cdef struct Top:                 # of a chain
    double bid                   # quote currency for one of base currency, fees of all legs taken off
    double bid_size              # base currency
    double ask                   # fees of all legs added
    double ask_size
    double mid                   # between bid and ask without fees
    int64_t age                  # of the leg quoted longest ago, ns
    ChainState state             # unless QUOTED the numbers above mean nothing

cdef struct Chain:               # legs from the base currency to the quote currency
    Leg legs[MAX_LEGS]
    int64_t count
    int64_t max_age              # ns; NEVER: no limit
    Top top                      # as last refreshed

cdef struct LegOrder:            # what a trade along a chain does in one leg
    int64_t qty                  # lots, the nearest whole number of them
    int32_t instrument
    int32_t side

cdef inline Quotes quotes_of(const Quoted* quoted) noexcept nogil:
    cdef Quotes quotes
    quotes.book = &quoted.book
    quotes.quoted_ts = &quoted.quoted_ts
    quotes.book_stride = sizeof(Quoted)
    quotes.ts_stride = sizeof(Quoted)
    return quotes

cdef inline const Book* leg_book(const Quotes* quotes, int32_t instrument) noexcept nogil:
    return <const Book*>(<const char*>quotes.book + instrument * quotes.book_stride)

cdef inline int64_t leg_quoted_ts(const Quotes* quotes, int32_t instrument) noexcept nogil:
    return (<const int64_t*>(<const char*>quotes.quoted_ts + instrument * quotes.ts_stride))[0]

# Sizes are those displayed, as a strategy sees them. Selling along an inverse leg is buying in its book.
cdef inline LegTop leg_top(const Leg* leg, const Book* book) noexcept nogil:
    cdef double bid = book.bid_px * leg.price_unit
    cdef double ask = book.ask_px * leg.price_unit
    cdef double bid_size = book.bid_qty * leg.lot
    cdef double ask_size = book.ask_qty * leg.lot
    cdef LegTop top
    if leg.inverse:
        top.bid = 1 / ask
        top.ask = 1 / bid
        top.bid_size = ask_size if leg.quote_sized else ask_size * ask
        top.ask_size = bid_size if leg.quote_sized else bid_size * bid
    else:
        top.bid = bid
        top.ask = ask
        top.bid_size = bid_size / bid if leg.quote_sized else bid_size
        top.ask_size = ask_size / ask if leg.quote_sized else ask_size
    return top

# Prices the chain by its legs' books as they stand at `now`.
cdef inline ChainState refresh_chain(Chain* chain, const Quotes* quotes, int64_t now) noexcept nogil:
    cdef Top* top = &chain.top
    cdef double bid = 1, ask = 1     # without fees
    cdef const Leg* leg
    cdef const Book* book
    cdef LegTop own
    cdef int64_t place, age
    top.bid = top.ask = 1
    top.bid_size = top.ask_size = INFINITY
    top.age = 0
    for place in range(chain.count):
        leg = &chain.legs[place]
        book = leg_book(quotes, leg.instrument)
        if not is_valid(book):
            top.state = LEG_CROSSED if book.bid_qty > 0 and book.ask_qty > 0 else LEG_ABSENT
            return top.state
        age = now - leg_quoted_ts(quotes, leg.instrument)
        if age > top.age:
            top.age = age
        # top.bid and top.ask are what one of base currency gives or costs of the currency this leg begins with
        own = leg_top(leg, book)
        if own.bid_size < top.bid_size * top.bid:
            top.bid_size = own.bid_size / top.bid
        if own.ask_size < top.ask_size * top.ask:
            top.ask_size = own.ask_size / top.ask
        bid *= own.bid
        ask *= own.ask
        top.bid *= own.bid * (1 - leg.fee_rate)
        top.ask *= own.ask * (1 + leg.fee_rate)
    top.mid = (bid + ask) / 2
    top.state = LEG_OLD if top.age > chain.max_age else QUOTED
    return top.state

# The last instant at which a quoted chain still is, if no leg is quoted anew.
cdef inline int64_t quoted_until(const Chain* chain, int64_t now) noexcept nogil:
    return NEVER if chain.max_age == NEVER else now - chain.top.age + chain.max_age

# Where `qty` of base currency trades best, by tops as last refreshed: at the better price of those that show enough; if
# neither does, where more is shown. The direct book wins ties: it is one order, and not one for each leg.
cdef inline Route cheapest_route(const Top* direct, const Top* legs, int side, double qty) noexcept nogil:
    cdef double direct_size = direct.ask_size if side == BUY else direct.bid_size
    cdef double legs_size = legs.ask_size if side == BUY else legs.bid_size
    if direct.state != QUOTED or legs.state != QUOTED:
        return BY_DIRECT if direct.state == QUOTED else BY_LEGS if legs.state == QUOTED else NO_ROUTE
    if direct_size < qty or legs_size < qty:
        return BY_LEGS if legs_size > direct_size else BY_DIRECT
    if side == BUY:
        return BY_LEGS if legs.ask < direct.ask else BY_DIRECT
    return BY_LEGS if legs.bid > direct.bid else BY_DIRECT

# The orders, leg by leg, that trade `qty` of base currency along a quoted chain and leave nothing in between but what
# lots leave over. False: a quantity is too large.
cdef inline bint leg_orders(
    const Chain* chain, const Quotes* quotes, int side, double qty, LegOrder* orders,
) noexcept nogil:
    cdef double amount = qty, price, lots    # amount: of the currency the leg begins with
    cdef const Leg* leg
    cdef LegTop own
    cdef int64_t place
    for place in range(chain.count):
        leg = &chain.legs[place]
        own = leg_top(leg, leg_book(quotes, leg.instrument))
        price = own.ask if side == BUY else own.bid
        lots = floor((amount * price if leg.inverse != leg.quote_sized else amount) / leg.lot + 0.5)
        if not lots < LIMIT:
            return False
        orders[place].qty = <int64_t>lots
        orders[place].instrument = leg.instrument
        orders[place].side = -side if leg.inverse else side
        amount *= price * (1 + leg.fee_rate if side == BUY else 1 - leg.fee_rate)
    return True

cdef int read_legs(Chain* chain, object legs, object max_age, list names) except -1
