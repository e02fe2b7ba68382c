# A strategy that reads features and synthetic quotes and hedges through legs; its twin in Python is in test_senses.py.

from libc.stdint cimport int64_t

from cysim.native cimport (
    IMBALANCE, MAX_LEGS, PENDING, QUOTED, SYNTHETIC_MID, NativeStrategy, Top, View, ask_of, bid_of, hedge_through,
    is_valid_now, market_features_of, position_of, private_features_of, quote, synthetic_of, time_of,
)

cdef class Looker(NativeStrategy):
    cdef readonly list seen
    cdef bint hedges
    cdef int64_t index

    def __init__(self, bint hedges=True, int64_t index=0):
        self.seen = []
        self.hedges = hedges
        self.index = index

    cdef int on_timer(self, View* view) except -1 nogil:
        cdef const double* market = market_features_of(view)
        cdef const double* private = private_features_of(view)
        cdef const Top* top = synthetic_of(view, self.index)
        cdef int64_t ids[MAX_LEGS]
        cdef int64_t count = 0, place
        if is_valid_now(view):
            quote(view, <double>bid_of(view), <double>ask_of(view), 1)
        if self.hedges and view.instrument == 0 and position_of(view) != 0 and market[IMBALANCE] > 0:
            count = hedge_through(view, self.index, -position_of(view), ids)
        with gil:
            told = [top.bid, top.ask_size, top.mid, top.age] if top.state == QUOTED else [int(top.state)]
            self.seen.append((
                time_of(view), view.instrument, [market[place] for place in range(17)],
                [private[place] for place in range(12)], market[SYNTHETIC_MID], private[PENDING],
                told, [ids[place] for place in range(count)]))
        return 0
