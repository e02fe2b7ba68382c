from libc.math cimport NAN, cos, isnan, log1p, sin, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cysim.types cimport mmbt_check

cdef enum:
    STEP_NS = 100_000_000        # the fine grid; both grids count from the epoch
    STEPS_A_SECOND = 10
    STEP_RING = 64               # powers of two, longer than the longest window
    SECOND_RING = 128
    FORGET_STEPS = 6_000         # ten minutes without a row: what was known of the table is forgotten
    VOLATILITY_SECONDS = 64      # the time constant of the moving average of squared moves

cdef enum:                       # the market's features in the order of their vector
    SPREAD_RATIO = 0
    IMBALANCE = 1
    MICROPRICE = 2
    RETURN_1S = 3
    RETURN_5S = 4
    RETURN_30S = 5
    RETURN_120S = 6
    VOLATILITY = 7
    FLOW_5S = 8
    FLOW_60S = 9
    INTENSITY = 10
    QUOTE_AGE = 11
    SYNTHETIC_MID = 12
    SYNTHETIC_SPREAD = 13
    HAS_SYNTHETIC = 14
    TIME_SIN = 15
    TIME_COS = 16
    MARKET_FEATURE_COUNT = 17

cdef enum:                       # the private features likewise, a vector of their own
    INVENTORY = 0
    ABS_INVENTORY = 1
    UNREALISED_PNL = 2
    HAS_BID = 3
    BID_DISTANCE = 4
    BID_AGE = 5
    HAS_OFFER = 6
    OFFER_DISTANCE = 7
    OFFER_AGE = 8
    PENDING = 9
    PENDING_BID = 10
    PENDING_OFFER = 11
    PRIVATE_FEATURE_COUNT = 12

# Bounds by place in the whole vector, market first.
cdef extern from * nogil:
    """
    static inline double mmbt_feature_low(int place) {
        static const double low[] = {
            0, -1, -5, -8, -8, -8, -8, 0, -1, -1, 0, 0, -20, 0, 0, -1, -1,
            -2, 0, -20, 0, -10, 0, 0, -10, 0, 0, -10, -10};
        return low[place];
    }
    static inline double mmbt_feature_high(int place) {
        static const double high[] = {
            10, 1, 5, 8, 8, 8, 8, 10, 1, 1, 5, 1, 20, 20, 1, 1, 1,
            2, 2, 20, 1, 10, 1, 1, 10, 1, 1, 10, 10};
        return high[place];
    }
    #define MMBT_DAY_NS INT64_C(86400000000000)
    """
    const int64_t DAY_NS "MMBT_DAY_NS"
    double feature_low "mmbt_feature_low" (int place) noexcept
    double feature_high "mmbt_feature_high" (int place) noexcept

cdef struct QuoteHistory:        # all zero: no quote yet
    int64_t end_ts               # end of the open step, ns; 0: no quote yet
    int64_t last_ts              # of the last quote, valid or not, ns
    int64_t mid2                 # bid + ask of the last valid book, price units; 0: none yet
    int64_t spread               # of that book, price units
    int64_t bid_qty              # lots
    int64_t ask_qty
    int64_t spread_sum           # over the samples of the last 120 s
    int64_t spread_count
    double variance              # moving average of squared moves of mid2 in a second, not yet divided by its weight
    double weight                # 0..1: how much history that average has
    int64_t step_mid2[64]        # mid2 at the end of a step; 0: none
    int64_t second_mid2[128]     # mid2 and spread at the end of a second
    int64_t second_spread[128]

cdef struct Flow:                # prints; sums of lots are exact below 2^53
    double signed_qty            # lots bought less lots sold by the aggressors
    double qty                   # lots, those of no known aggressor too
    int64_t count

cdef struct PrintHistory:        # all zero: no print yet
    int64_t end_ts               # end of the open step, ns; 0: no print yet
    int64_t last_ts              # of the last print, ns
    int64_t first_second         # of the first print, seconds since the epoch
    int64_t last_px              # price units
    int64_t tick                 # sign of the last change of price
    Flow last_5s                 # the last 50 steps, the open one included
    Flow last_60s                # the last 60 seconds, the open one included
    Flow last_120s
    Flow steps[64]
    Flow seconds[128]

cdef struct MarketFeatures:      # no pointers: may be copied with memcpy
    double tick_units            # price units in a tick
    double synthetic_mid         # price units; NaN: none
    double synthetic_spread
    QuoteHistory quotes          # the two tables never touch each other's half: their rows may come in any interleaving
    PrintHistory prints

cdef struct FeatureScale:        # what private features are measured with
    double mid                   # price units; 0: no valid book yet
    double spread                # the reference spread, price units; > 0

cdef struct OwnState:
    double entry_px              # average price of the position, price units; 0: flat or unknown
    int64_t position             # lots
    int64_t max_position         # lots; > 0
    int64_t bid_px               # our best bid that stands, price units; 0: none
    int64_t bid_ts               # since when it stands there, ns
    int64_t offer_px
    int64_t offer_ts
    int64_t pending_bid_px       # our best bid under way, price units; 0: none
    int64_t pending_offer_px
    int32_t pending              # whether any command of ours is under way
    int32_t _padding

cdef inline void begin_features(MarketFeatures* features, int64_t tick_units) noexcept nogil:
    memset(features, 0, sizeof(MarketFeatures))
    features.tick_units = <double>tick_units
    features.synthetic_mid = NAN
    features.synthetic_spread = NAN

cdef inline bint is_forgotten(int64_t last_ts, int64_t ts) noexcept nogil:
    return ts // STEP_NS - last_ts // STEP_NS > FORGET_STEPS

# Quotes ------------------------------------------------------------------------------------------------------------

# A second ends: its last valid book is its sample, the one 120 s before leaves the mean.
cdef inline void end_second(QuoteHistory* quotes, int64_t second) noexcept nogil:
    cdef int64_t place = second & (SECOND_RING - 1)
    cdef int64_t leaving = (second - 120) & (SECOND_RING - 1)
    cdef int64_t before = quotes.second_mid2[(second - 1) & (SECOND_RING - 1)]
    cdef double move
    if quotes.second_mid2[leaving] != 0:
        quotes.spread_sum -= quotes.second_spread[leaving]
        quotes.spread_count -= 1
    quotes.second_mid2[place] = quotes.mid2
    quotes.second_spread[place] = quotes.spread
    if quotes.mid2 == 0:
        return
    quotes.spread_sum += quotes.spread
    quotes.spread_count += 1
    if before != 0:
        move = <double>(quotes.mid2 - before)
        quotes.variance += (move * move - quotes.variance) / VOLATILITY_SECONDS
        quotes.weight += (1 - quotes.weight) / VOLATILITY_SECONDS

# Ends every step before the one of `ts`.
cdef inline void advance_quotes(QuoteHistory* quotes, int64_t ts) noexcept nogil:
    cdef int64_t open_step = quotes.end_ts // STEP_NS - 1, new_step = ts // STEP_NS, step, second
    if quotes.end_ts == 0 or new_step == open_step:
        return
    if is_forgotten(quotes.last_ts, ts):
        memset(quotes, 0, sizeof(QuoteHistory))
        return
    for step in range(open_step if new_step - open_step <= STEP_RING else new_step - STEP_RING, new_step):
        quotes.step_mid2[step & (STEP_RING - 1)] = quotes.mid2
    for second in range(open_step // STEPS_A_SECOND, new_step // STEPS_A_SECOND):
        end_second(quotes, second)
    quotes.end_ts = (new_step + 1) * STEP_NS

cdef inline void open_quotes(QuoteHistory* quotes, int64_t ts) noexcept nogil:
    advance_quotes(quotes, ts)
    if quotes.end_ts == 0:
        quotes.end_ts = (ts // STEP_NS + 1) * STEP_NS

cdef inline bint keep_book(
    QuoteHistory* quotes, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
) noexcept nogil:
    if bid_qty <= 0 or ask_qty <= 0 or bid_px > ask_px:
        return False
    quotes.mid2 = bid_px + ask_px
    quotes.spread = ask_px - bid_px
    quotes.bid_qty = bid_qty
    quotes.ask_qty = ask_qty
    return True

cdef inline void features_on_quote(
    MarketFeatures* features, int64_t ts, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
) noexcept nogil:
    if ts >= features.quotes.end_ts:
        open_quotes(&features.quotes, ts)
    features.quotes.last_ts = ts
    keep_book(&features.quotes, bid_px, bid_qty, ask_px, ask_qty)

# The first of the rows [start, end) at or after `ts`, near `start` most of the time.
cdef inline int64_t first_from(const int64_t* rows, int64_t start, int64_t end, int64_t ts) noexcept nogil:
    cdef int64_t low = start, high = start, stride = 1, middle
    while high < end and rows[high] < ts:
        low = high + 1
        high += stride
        stride *= 2
    if high > end:
        high = end
    while low < high:            # rows[:low] < ts <= rows[high:]
        middle = (low + high) >> 1
        if rows[middle] < ts:
            low = middle + 1
        else:
            high = middle
    return low

# The same as `features_on_quote` row by row, but looks at one valid row of each step only.
cdef inline void features_on_quotes(
    MarketFeatures* features, const int64_t* ts, const int64_t* bid_px, const int64_t* bid_qty,
    const int64_t* ask_px, const int64_t* ask_qty, int64_t length,
) noexcept nogil:
    cdef QuoteHistory* quotes = &features.quotes
    cdef int64_t row = 0, end, last
    while row < length:
        if ts[row] >= quotes.end_ts:
            open_quotes(quotes, ts[row])
        end = length if ts[length - 1] < quotes.end_ts else first_from(ts, row, length, quotes.end_ts)
        last = end - 1
        while last >= row and not keep_book(quotes, bid_px[last], bid_qty[last], ask_px[last], ask_qty[last]):
            last -= 1
        quotes.last_ts = ts[end - 1]
        row = end

# Prints ------------------------------------------------------------------------------------------------------------

cdef inline void add_flow(Flow* sums, const Flow* flow) noexcept nogil:
    sums.signed_qty += flow.signed_qty
    sums.qty += flow.qty
    sums.count += flow.count

cdef inline void take_flow(Flow* sums, const Flow* flow) noexcept nogil:
    sums.signed_qty -= flow.signed_qty
    sums.qty -= flow.qty
    sums.count -= flow.count

# Opens the step of `ts`; what is then too old leaves the sums.
cdef inline void advance_prints(PrintHistory* prints, int64_t ts) noexcept nogil:
    cdef int64_t open_step = prints.end_ts // STEP_NS - 1, new_step = ts // STEP_NS, step, second
    if prints.end_ts == 0 or new_step == open_step:
        return
    if is_forgotten(prints.last_ts, ts):
        memset(prints, 0, sizeof(PrintHistory))
        return
    if new_step - open_step >= STEP_RING:
        memset(prints.steps, 0, sizeof(prints.steps))
        memset(&prints.last_5s, 0, sizeof(Flow))
    else:
        for step in range(open_step + 1, new_step + 1):
            take_flow(&prints.last_5s, &prints.steps[(step - 50) & (STEP_RING - 1)])
            memset(&prints.steps[step & (STEP_RING - 1)], 0, sizeof(Flow))
    for second in range(open_step // STEPS_A_SECOND + 1, new_step // STEPS_A_SECOND + 1):
        take_flow(&prints.last_60s, &prints.seconds[(second - 60) & (SECOND_RING - 1)])
        take_flow(&prints.last_120s, &prints.seconds[(second - 120) & (SECOND_RING - 1)])
        memset(&prints.seconds[second & (SECOND_RING - 1)], 0, sizeof(Flow))
    prints.end_ts = (new_step + 1) * STEP_NS

cdef inline void open_prints(PrintHistory* prints, int64_t ts) noexcept nogil:
    advance_prints(prints, ts)
    if prints.end_ts == 0:
        prints.end_ts = (ts // STEP_NS + 1) * STEP_NS
        prints.first_second = ts // STEP_NS // STEPS_A_SECOND

# `aggressor` 0: told by the last change of price, if there was one.
cdef inline void features_on_print(
    MarketFeatures* features, int64_t ts, int64_t px, int64_t qty, int aggressor,
) noexcept nogil:
    cdef PrintHistory* prints = &features.prints
    cdef int64_t step
    cdef Flow flow
    if ts >= prints.end_ts:
        open_prints(prints, ts)
    prints.last_ts = ts
    if prints.last_px != 0 and px != prints.last_px:
        prints.tick = 1 if px > prints.last_px else -1
    prints.last_px = px
    flow.qty = <double>qty
    flow.signed_qty = flow.qty * <double>(aggressor if aggressor != 0 else prints.tick)
    flow.count = 1
    step = prints.end_ts // STEP_NS - 1
    add_flow(&prints.steps[step & (STEP_RING - 1)], &flow)
    add_flow(&prints.seconds[step // STEPS_A_SECOND & (SECOND_RING - 1)], &flow)
    add_flow(&prints.last_5s, &flow)
    add_flow(&prints.last_60s, &flow)
    add_flow(&prints.last_120s, &flow)

# Reading -----------------------------------------------------------------------------------------------------------

cdef inline void features_on_synthetic(MarketFeatures* features, double mid, double spread) noexcept nogil:
    features.synthetic_mid = mid
    features.synthetic_spread = spread

cdef inline FeatureScale feature_scale(const MarketFeatures* features) noexcept nogil:
    cdef FeatureScale scale
    scale.mid = <double>features.quotes.mid2 / 2
    scale.spread = <double>features.quotes.spread
    if features.quotes.spread_count > 0:
        scale.spread = <double>features.quotes.spread_sum / <double>features.quotes.spread_count
    if scale.spread < features.tick_units:
        scale.spread = features.tick_units
    return scale

cdef inline void clip_features(double* out, int first, int count) noexcept nogil:
    cdef int place
    for place in range(count):
        if out[place] < feature_low(first + place):
            out[place] = feature_low(first + place)
        elif out[place] > feature_high(first + place):
            out[place] = feature_high(first + place)

# 0 at once, 1 after 100 s; before its clip.
cdef inline double age_feature(int64_t age) noexcept nogil:
    return log1p(<double>age / 1e6) / 11.512925464970229 if age > 0 else 0

cdef inline double return_feature(int64_t mid2, int64_t before, double a_root_second, double seconds) noexcept nogil:
    return 0 if before == 0 else <double>(mid2 - before) / 2 / (a_root_second * sqrt(seconds))

cdef inline void read_quotes(const MarketFeatures* features, int64_t now, double* out) noexcept nogil:
    cdef const QuoteHistory* quotes = &features.quotes
    cdef int64_t step = now // STEP_NS
    cdef int64_t second = step // STEPS_A_SECOND
    cdef double spread = feature_scale(features).spread
    cdef double volatility = sqrt(quotes.variance / quotes.weight) / 2 if quotes.weight > 0 else 0
    cdef double unit = volatility if volatility > spread / 8 else spread / 8
    out[SPREAD_RATIO] = <double>quotes.spread / spread if quotes.mid2 != 0 else 1
    out[IMBALANCE] = 0
    if quotes.mid2 != 0:
        out[IMBALANCE] = <double>(quotes.bid_qty - quotes.ask_qty) / <double>(quotes.bid_qty + quotes.ask_qty)
    out[MICROPRICE] = out[IMBALANCE] * out[SPREAD_RATIO] / 2
    # the grid instant a window ago begins step - 10, whose forerunner's last book was the one in force
    out[RETURN_1S] = return_feature(quotes.mid2, quotes.step_mid2[(step - 11) & (STEP_RING - 1)], unit, 1)
    out[RETURN_5S] = return_feature(quotes.mid2, quotes.step_mid2[(step - 51) & (STEP_RING - 1)], unit, 5)
    out[RETURN_30S] = return_feature(quotes.mid2, quotes.second_mid2[(second - 31) & (SECOND_RING - 1)], unit, 30)
    out[RETURN_120S] = return_feature(quotes.mid2, quotes.second_mid2[(second - 121) & (SECOND_RING - 1)], unit, 120)
    out[VOLATILITY] = log1p(volatility / spread) / 0.6931471805599453
    out[QUOTE_AGE] = age_feature(now - quotes.last_ts) if quotes.end_ts != 0 else 1

cdef inline void read_prints(const PrintHistory* prints, int64_t now, double* out) noexcept nogil:
    cdef double covered = <double>(now // STEP_NS // STEPS_A_SECOND - prints.first_second + 1), recent, usual
    if covered > 120:
        covered = 120
    out[FLOW_5S] = prints.last_5s.signed_qty / prints.last_5s.qty if prints.last_5s.qty > 0 else 0
    out[FLOW_60S] = prints.last_60s.signed_qty / prints.last_60s.qty if prints.last_60s.qty > 0 else 0
    out[INTENSITY] = 0
    if prints.last_120s.count > 0:
        recent = <double>prints.last_5s.count / (5 if covered > 5 else covered)
        usual = <double>prints.last_120s.count / covered
        out[INTENSITY] = log1p(recent / usual) / 0.6931471805599453

cdef inline void read_synthetic(const MarketFeatures* features, double* out) noexcept nogil:
    cdef FeatureScale scale = feature_scale(features)
    out[SYNTHETIC_MID] = 0
    out[SYNTHETIC_SPREAD] = 0
    out[HAS_SYNTHETIC] = 0
    if scale.mid != 0 and not isnan(features.synthetic_mid) and not isnan(features.synthetic_spread):
        out[SYNTHETIC_MID] = (features.synthetic_mid - scale.mid) / scale.spread
        out[SYNTHETIC_SPREAD] = features.synthetic_spread / scale.spread
        out[HAS_SYNTHETIC] = 1

# Writes MARKET_FEATURE_COUNT numbers. No row has come that is later than `now`; later rows are not before it.
cdef inline void read_market_features(MarketFeatures* features, int64_t now, double* out) noexcept nogil:
    cdef double turn = <double>(now % DAY_NS) / <double>DAY_NS * 6.283185307179586
    mmbt_check(now >= features.quotes.last_ts and now >= features.prints.last_ts)
    advance_quotes(&features.quotes, now)
    advance_prints(&features.prints, now)
    read_quotes(features, now, out)
    read_prints(&features.prints, now, out)
    read_synthetic(features, out)
    out[TIME_SIN] = sin(turn)
    out[TIME_COS] = cos(turn)
    clip_features(out, 0, MARKET_FEATURE_COUNT)

# Our position after a fill, and what it cost on average.
cdef inline void own_fill(OwnState* own, int side, double px, int64_t qty) noexcept nogil:
    cdef int64_t before = own.position
    own.position += side * qty
    if own.position == 0:
        own.entry_px = 0
    elif before == 0 or (before > 0) != (own.position > 0):
        own.entry_px = px
    elif (before > 0) == (side > 0) and own.entry_px != 0:
        own.entry_px = (own.entry_px * <double>(side * before) + px * <double>qty) / <double>(side * own.position)

# Writes PRIVATE_FEATURE_COUNT numbers.
cdef inline void read_private_features(
    const OwnState* own, FeatureScale scale, int64_t now, double* out,
) noexcept nogil:
    cdef bint measured = scale.mid != 0
    memset(out, 0, PRIVATE_FEATURE_COUNT * sizeof(double))
    out[INVENTORY] = <double>own.position / <double>own.max_position
    out[ABS_INVENTORY] = out[INVENTORY] if own.position >= 0 else -out[INVENTORY]
    if measured and own.entry_px != 0:
        out[UNREALISED_PNL] = out[INVENTORY] * ((scale.mid - own.entry_px) / scale.spread)
    if measured and own.bid_px != 0:
        out[HAS_BID] = 1
        out[BID_DISTANCE] = (scale.mid - <double>own.bid_px) / scale.spread
        out[BID_AGE] = age_feature(now - own.bid_ts)
    if measured and own.offer_px != 0:
        out[HAS_OFFER] = 1
        out[OFFER_DISTANCE] = (<double>own.offer_px - scale.mid) / scale.spread
        out[OFFER_AGE] = age_feature(now - own.offer_ts)
    out[PENDING] = own.pending
    if measured and own.pending_bid_px != 0:
        out[PENDING_BID] = (scale.mid - <double>own.pending_bid_px) / scale.spread
    if measured and own.pending_offer_px != 0:
        out[PENDING_OFFER] = (<double>own.pending_offer_px - scale.mid) / scale.spread
    clip_features(out, MARKET_FEATURE_COUNT, PRIVATE_FEATURE_COUNT)
