from libc.stdint cimport int64_t

# The fill rule of resting orders, one line a row of the truth table (docs: fill rules).
#
#   our order at p      1 the market moves through      2 a trade crosses                 who traded (auto)
#   offer               bid > p (through), >= (touch)   print > p (through), >= (touch)   buyer or unknown
#   bid                 ask < p (through), <= (touch)   print < p (through), <= (touch)   seller or unknown
#
# With a queue model rule 2 is `through`, and a print at our price fills what it has left after those ahead of us.

cdef enum QueueModel:
    NO_QUEUE = 0
    FRONT = 1                # nobody is ahead of us
    BACK = 2                 # who leaves the queue always stood behind us
    PROBABLE = 3             # who leaves stood ahead or behind, by a power law

cdef struct FillRules:
    bint cross_touch         # rule 1 fills at our price already
    bint trade_touch         # rule 2 fills at our price already
    bint ignore_aggressor    # rule 2 never asks who traded
    bint displayed           # quantity is limited to what was printed or displayed; else the whole order fills
    int queue                # a QueueModel; it needs trade_touch to be off
    double power             # of PROBABLE: the exponent of ahead and behind

cdef inline bint bid_crosses_offer(const FillRules* rules, int64_t bid_px, int64_t offer_px) noexcept nogil:
    return bid_px > offer_px or (rules.cross_touch and bid_px == offer_px)

cdef inline bint ask_crosses_bid(const FillRules* rules, int64_t ask_px, int64_t bid_px) noexcept nogil:
    return ask_px < bid_px or (rules.cross_touch and ask_px == bid_px)

cdef inline bint print_crosses_offer(const FillRules* rules, int64_t print_px, int64_t offer_px) noexcept nogil:
    return print_px > offer_px or (rules.trade_touch and print_px == offer_px)

cdef inline bint print_crosses_bid(const FillRules* rules, int64_t print_px, int64_t bid_px) noexcept nogil:
    return print_px < bid_px or (rules.trade_touch and print_px == bid_px)

cdef inline bint fills_offers(const FillRules* rules, int aggressor) noexcept nogil:
    return rules.ignore_aggressor or aggressor >= 0

cdef inline bint fills_bids(const FillRules* rules, int aggressor) noexcept nogil:
    return rules.ignore_aggressor or aggressor <= 0
