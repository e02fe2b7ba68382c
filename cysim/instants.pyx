"""What the market shows at each timer of a run, noted natively, for many simulators of that market to look up."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from cysim.features cimport MARKET_FEATURE_COUNT, FeatureScale, feature_scale
from cysim.native cimport NativeStrategy, View, is_valid_now, market_features_of, refuse, time_of
from cysim.types cimport reserve


cdef struct Instant:
    int64_t ts                   # ns
    int64_t valid                # whether the book was two-sided and not crossed
    FeatureScale scale
    double features[MARKET_FEATURE_COUNT]


@cython.final
cdef class Instants(NativeStrategy):
    """Notes at each timer of a run what the market shows; never trades.

    The run must name a feature of the market at least and trade one instrument. A row is `cysim.INSTANT_DTYPE`: `ts`,
    `valid` (whether a decision can be made), `mid` and `reference_spread` in price units, and `features`, all of
    `cysim.MARKET_FEATURES`, as `Context.features` tells them there.
    """

    cdef Instant* _rows
    cdef int64_t _count
    cdef int64_t _capacity

    def __dealloc__(self):
        free(self._rows)

    def __len__(self):
        return self._count

    def rows(self):
        """The rows noted so far, as bytes."""
        return PyBytes_FromStringAndSize(<char*>self._rows, self._count * <int64_t>sizeof(Instant))

    cdef int on_timer(self, View* view) except -1 nogil:
        cdef const double* features = market_features_of(view)
        cdef Instant* row
        if not reserve(<void**>&self._rows, &self._capacity, self._count + 1, sizeof(Instant)):
            return refuse(b"no memory for more instants than", self._count)
        row = &self._rows[self._count]
        self._count += 1
        row.ts = time_of(view)
        row.valid = is_valid_now(view)
        row.scale = feature_scale(&view.venue.senses.items[view.instrument].market)
        memcpy(row.features, features, sizeof(row.features))
        return 0
