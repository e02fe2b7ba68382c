"""Features: what a strategy or a learner reads of the market and of itself, as dimensionless numbers.

Features of the market are a function of the rows told up to an instant, private ones of our own state. The definitions,
window by window, are in the reference of features (docs); the arithmetic is in features.pxd, one code for backtests,
training and Python. Nothing depends on how rows are cut into calls, nor on how quotes and prints are interleaved.
"""

cimport cython
from libc.math cimport NAN
from libc.stdint cimport int8_t, int64_t

from cysim.checks cimport checked_qty, checked_side
from cysim.failures cimport raise_failure
from cysim.features cimport (
    MARKET_FEATURE_COUNT, PRIVATE_FEATURE_COUNT, FeatureScale, MarketFeatures, OwnState, advance_quotes,
    begin_features, feature_high, feature_low, feature_scale, features_on_print, features_on_quotes,
    features_on_synthetic, first_from, own_fill, read_market_features, read_private_features,
)
from cysim.stream cimport Source, attach, check_window
from cysim.types cimport LIMIT, NEVER, OK, PRINTS, QUOTES, TIME_LIMIT

BOUNDS = tuple(
    (feature_low(place), feature_high(place)) for place in range(MARKET_FEATURE_COUNT + PRIVATE_FEATURE_COUNT))


cdef struct Readings:
    const int64_t* times
    float* single                # either of the two is NULL
    double* full
    double* scale                # mid, reference spread; NULL: not wanted
    const double* synthetic      # mid, spread; NULL: none
    int64_t count


@cython.final
cdef class FeatureState:
    """The features of one instrument, kept up to date by its rows and by our fills.

    Times are ns since the epoch and ascend, prices price units, quantities lots. `read_market` and `read_private` fill
    a float32 or float64 array of the caller, in the order of `cysim.MARKET_FEATURES` and `cysim.PRIVATE_FEATURES`.

    Parameters
    ----------
    tick_units : int
        Price units in a tick.
    max_position : int
        Lots; what inventory is measured with.
    position : int
        Lots brought in; their price counts as unknown.

    Raises
    ------
    ValueError, OverflowError
        In every method, naming the wrong argument or row; nothing has changed then.
    """

    cdef MarketFeatures features
    cdef OwnState own
    cdef Source quotes
    cdef Source prints

    def __init__(self, int64_t tick_units=1, *, max_position=1, int64_t position=0):
        if not 0 < tick_units < LIMIT:
            raise ValueError(f"tick_units must be a positive whole number, not {tick_units}")
        if not -LIMIT < position < LIMIT:
            raise OverflowError(f"position={position} lots is too large: positions stay below 2**40 here")
        self.own.max_position = checked_qty(max_position, "max_position")
        self.own.position = position
        begin_features(&self.features, tick_units)
        self.quotes.tick_units = self.prints.tick_units = tick_units
        self.quotes.table = QUOTES
        self.prints.table = PRINTS

    @property
    def nbytes(self):
        """Bytes of the market's state: a plain struct without pointers."""
        return sizeof(MarketFeatures)

    @property
    def position(self):
        """Lots held after the fills told."""
        return self.own.position

    @property
    def entry_px(self):
        """Average price of the position in price units; 0 when flat or unknown."""
        return self.own.entry_px

    @property
    def mid(self):
        """The last valid mid in price units, as of the last row or reading; 0 before the first."""
        return feature_scale(&self.features).mid

    @property
    def reference_spread(self):
        """The reference spread in price units, as of the last row or reading."""
        return feature_scale(&self.features).spread

    def copy(self):
        """The same state, independent from now on."""
        cdef FeatureState other = FeatureState()
        other.features = self.features
        other.own = self.own
        other.quotes = self.quotes
        other.prints = self.prints
        return other

    def on_quote(self, int64_t ts, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty):
        """One quote; an absent side is 0, 0."""
        cdef Source row = self.quotes
        row.ts = &ts
        row.bid_px = &bid_px
        row.bid_qty = &bid_qty
        row.ask_px = &ask_px
        row.ask_qty = &ask_qty
        self._feed_quotes(&row, 1)

    def on_print(self, int64_t ts, int64_t px, int64_t qty, int8_t aggressor=0):
        """One print; `aggressor` is +1 for a buyer, -1 for a seller, 0 when it is not known."""
        cdef Source row = self.prints
        row.ts = &ts
        row.bid_px = &px
        row.bid_qty = &qty
        row.aggressor = &aggressor
        self._feed_prints(&row, 1)

    def on_quotes(self, ts, bid_px, bid_qty, ask_px, ask_qty):
        """Consecutive quotes: contiguous int64 columns of one length."""
        cdef Source rows = self.quotes
        lend(&rows, (ts, bid_px, bid_qty, ask_px, ask_qty))
        self._feed_quotes(&rows, rows.length)

    def on_prints(self, ts, px, qty, aggressor):
        """Consecutive prints: contiguous int64 columns and int8 `aggressor`, of one length."""
        cdef Source rows = self.prints
        lend(&rows, (ts, px, qty, aggressor))
        self._feed_prints(&rows, rows.length)

    def on_fill(self, side, double px, qty):
        """A fill of ours."""
        cdef int64_t lots = checked_qty(qty, "qty")
        if not 0 < px < LIMIT:
            raise ValueError(f"px must be a positive price in price units, not {px!r}")
        own_fill(&self.own, checked_side(side), px, lots)

    def set_synthetic(self, mid=None, spread=None):
        """Mid and spread of the same instrument priced through others, in price units; None when there is none."""
        features_on_synthetic(
            &self.features, NAN if mid is None else <double>mid, NAN if spread is None else <double>spread)

    def read_market(self, int64_t now, out):
        """The market's features after all rows told.

        Parameters
        ----------
        now : int
            Not before any row told; later rows may not come before it.
        out : writable array of float32 or float64
            `len(cysim.MARKET_FEATURES)` numbers; it is also returned.
        """
        cdef double[MARKET_FEATURE_COUNT] values
        self._reach(now)
        read_market_features(&self.features, now, values)
        write(values, MARKET_FEATURE_COUNT, out)
        return out

    def read_private(
        self, int64_t now, out, *, int64_t bid_px=0, int64_t bid_ts=0, int64_t ask_px=0, int64_t ask_ts=0,
        bint pending=False, int64_t pending_bid_px=0, int64_t pending_ask_px=0,
    ):
        """Our own features: what fills and the arguments tell, measured with the market's mid and reference spread.

        Parameters
        ----------
        now : int
            As in `read_market`.
        out : writable array of float32 or float64
            `len(cysim.PRIVATE_FEATURES)` numbers; it is also returned.
        bid_px, ask_px : int
            Our best quotes that stand, price units; 0 for none.
        bid_ts, ask_ts : int
            Since when they stand there.
        pending : bool
            Whether a command of ours is under way.
        pending_bid_px, pending_ask_px : int
            Our best quotes under way, price units; 0 for none.
        """
        cdef double[PRIVATE_FEATURE_COUNT] values
        self._reach(now)
        advance_quotes(&self.features.quotes, now)
        self.own.bid_px = bid_px
        self.own.bid_ts = bid_ts
        self.own.offer_px = ask_px
        self.own.offer_ts = ask_ts
        self.own.pending = pending
        self.own.pending_bid_px = pending_bid_px
        self.own.pending_offer_px = pending_ask_px
        read_private_features(&self.own, feature_scale(&self.features), now, values)
        write(values, PRIVATE_FEATURE_COUNT, out)
        return out

    def replay(self, tob, trades, const int64_t[::1] times, out, scale=None, synthetic=None):
        """Takes the rows of both tables and reads the market's features at many times on the way, without the GIL.

        Parameters
        ----------
        tob : tuple of columns
            As `on_quotes` takes them.
        trades : tuple of columns
            As `on_prints` takes them.
        times : int64 array of length n
            Ascending. A reading follows all rows up to its time; rows after the last time are taken too.
        out : float32 or float64 array of shape (n, number of market features)
            Filled.
        scale : float64 array of shape (n, 2), optional
            Filled with mid and reference spread, both in price units: what private features are measured with.
        synthetic : float64 array of shape (n, 2), optional
            Synthetic mid and spread at each time, price units; NaN for none.
        """
        cdef Source quotes = self.quotes, prints = self.prints
        cdef Readings readings
        cdef float[:, ::1] single
        cdef double[:, ::1] full, scales, synthetics
        cdef int64_t count = times.shape[0]
        if count == 0:
            self.on_quotes(*tob)
            self.on_prints(*trades)
            return
        lend(&quotes, tob)
        lend(&prints, trades)
        readings.times = &times[0]
        readings.count = count
        readings.single = NULL
        readings.full = readings.scale = readings.synthetic = NULL
        if memoryview(out).format == "f":
            single = out
            check_shape("out", single.shape[0], single.shape[1], count, MARKET_FEATURE_COUNT)
            readings.single = &single[0, 0]
        else:
            full = out
            check_shape("out", full.shape[0], full.shape[1], count, MARKET_FEATURE_COUNT)
            readings.full = &full[0, 0]
        if scale is not None:
            scales = scale
            check_shape("scale", scales.shape[0], scales.shape[1], count, 2)
            readings.scale = &scales[0, 0]
        if synthetic is not None:
            synthetics = synthetic
            check_shape("synthetic", synthetics.shape[0], synthetics.shape[1], count, 2)
            readings.synthetic = &synthetics[0, 0]
        check_times(&readings, max(quotes.last_ts, prints.last_ts))
        check_rows(&quotes)
        check_rows(&prints)
        with nogil:
            fill_readings(&self.features, &quotes, &prints, &readings)
        quotes.last_ts = max(quotes.last_ts, times[count - 1])
        prints.last_ts = max(prints.last_ts, times[count - 1])
        self._keep(&quotes, &prints)

    cdef int _feed_quotes(self, Source* rows, int64_t length) except -1:
        rows.length = length
        check_rows(rows)
        features_on_quotes(
            &self.features, rows.ts, rows.bid_px, rows.bid_qty, rows.ask_px, rows.ask_qty, length)
        self._keep(rows, &self.prints)
        return 0

    cdef int _feed_prints(self, Source* rows, int64_t length) except -1:
        rows.length = length
        check_rows(rows)
        take_prints(&self.features, rows, length)
        self._keep(&self.quotes, rows)
        return 0

    # Remembers how far the tables have come, and none of the caller's columns.
    cdef int _keep(self, const Source* quotes, const Source* prints) except -1:
        self.quotes.last_ts = quotes.last_ts
        self.quotes.rows_before = quotes.rows_before + quotes.length
        self.prints.last_ts = prints.last_ts
        self.prints.rows_before = prints.rows_before + prints.length
        return 0

    cdef int _reach(self, int64_t now) except -1:
        cdef int64_t last = max(self.quotes.last_ts, self.prints.last_ts)
        if not last <= now < TIME_LIMIT:
            raise ValueError(f"now={now} is before a row or reading at {last}, or not below 2**62")
        self.quotes.last_ts = now
        self.prints.last_ts = now
        return 0


cdef void take_prints(MarketFeatures* features, Source* prints, int64_t end) noexcept nogil:
    while prints.pos < end:
        features_on_print(
            features, prints.ts[prints.pos], prints.bid_px[prints.pos], prints.bid_qty[prints.pos],
            prints.aggressor[prints.pos])
        prints.pos += 1


cdef void take_rows(MarketFeatures* features, Source* quotes, Source* prints, int64_t before_ts) noexcept nogil:
    cdef int64_t start = quotes.pos
    quotes.pos = first_from(quotes.ts, start, quotes.length, before_ts)
    features_on_quotes(
        features, quotes.ts + start, quotes.bid_px + start, quotes.bid_qty + start, quotes.ask_px + start,
        quotes.ask_qty + start, quotes.pos - start)
    take_prints(features, prints, first_from(prints.ts, prints.pos, prints.length, before_ts))


cdef void fill_readings(
    MarketFeatures* features, Source* quotes, Source* prints, const Readings* readings,
) noexcept nogil:
    cdef double[MARKET_FEATURE_COUNT] values
    cdef FeatureScale scale
    cdef int64_t index
    cdef int place
    for index in range(readings.count):
        take_rows(features, quotes, prints, readings.times[index] + 1)
        if readings.synthetic != NULL:
            features_on_synthetic(features, readings.synthetic[2 * index], readings.synthetic[2 * index + 1])
        read_market_features(features, readings.times[index], values)
        for place in range(MARKET_FEATURE_COUNT):
            if readings.single != NULL:
                readings.single[index * MARKET_FEATURE_COUNT + place] = <float>values[place]
            else:
                readings.full[index * MARKET_FEATURE_COUNT + place] = values[place]
        if readings.scale != NULL:
            scale = feature_scale(features)
            readings.scale[2 * index] = scale.mid
            readings.scale[2 * index + 1] = scale.spread
    take_rows(features, quotes, prints, NEVER)


cdef int write(const double* values, int count, object out) except -1:
    cdef float[::1] single
    cdef double[::1] full
    cdef int place
    if memoryview(out).format == "f":
        single = out
        check_shape("out", 1, single.shape[0], 1, count)
        for place in range(count):
            single[place] = <float>values[place]
    else:
        full = out
        check_shape("out", 1, full.shape[0], 1, count)
        for place in range(count):
            full[place] = values[place]
    return 0


cdef int check_shape(str name, int64_t rows, int64_t columns, int64_t wanted_rows, int64_t wanted_columns) except -1:
    if rows != wanted_rows or columns != wanted_columns:
        raise ValueError(f"{name} must hold {wanted_rows} x {wanted_columns} numbers, not {rows} x {columns}")
    return 0


cdef int check_times(const Readings* readings, int64_t last) except -1:
    cdef int64_t index
    for index in range(readings.count):
        if not last <= readings.times[index] < TIME_LIMIT:
            raise ValueError(
                f"times[{index}]={readings.times[index]} is before a row, reading or time at {last}, "
                "or not below 2**62")
        last = readings.times[index]
    return 0


# The empty columns of a table without rows cannot be pointed into.
cdef int lend(Source* rows, tuple columns) except -1:
    if any(len(column) for column in columns):
        attach(rows, columns, "features")
    return 0


cdef int check_rows(Source* rows) except -1:
    cdef int status = OK
    while status == OK and rows.checked < rows.length:
        status = check_window(rows, TIME_LIMIT)
    if status != OK:
        raise_failure(status, rows, "features", rows.last_ts)
    return 0
