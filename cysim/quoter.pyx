"""The native quoting rule of fixed-spread, linear-skew and ladder, as a strategy hands it to the simulator."""

cimport cython
from libc.math cimport isfinite
from libc.stdint cimport int64_t

from cysim.native cimport MAX_LEVELS, NativeStrategy, View
from cysim.types cimport LIMIT, NEVER


@cython.final
cdef class Quoter(NativeStrategy):
    """The native quoting rule of fixed-spread, linear-skew and ladder.

    At each timer with a two-sided, uncrossed book, around r = (bid + ask)/2 - skew x position, level i quotes the bid
    floor(r - (half_spread + i x step)) but at most ask - 1, and the offer ceil(r + (half_spread + i x step)) but at
    least bid + 1. An offer at or below our best bid, a level at the price of an earlier one, and a bid below one tick
    are left out. No bid at `max_position` lots or more, no offer at `-max_position` or less.

    Parameters
    ----------
    half_spread_ticks : float
    skew_ticks_per_lot : float
    size : int
        Lots of each order.
    max_position : int or None
        Lots; None for no limit.
    levels : int
        1 to 64.
    step_ticks : float
        Between levels.
    """

    def __init__(
        self, double half_spread_ticks, double skew_ticks_per_lot=0.0, int64_t size=1, max_position=None,
        int64_t levels=1, double step_ticks=1.0,
    ):
        if not isfinite(half_spread_ticks) or half_spread_ticks < 0:
            raise ValueError(f"half_spread_ticks must be finite and not negative, not {half_spread_ticks}")
        if not isfinite(skew_ticks_per_lot):
            raise ValueError(f"skew_ticks_per_lot must be finite, not {skew_ticks_per_lot}")
        if not isfinite(step_ticks) or step_ticks < 0:
            raise ValueError(f"step_ticks must be finite and not negative, not {step_ticks}")
        if not 1 <= levels <= MAX_LEVELS:
            raise ValueError(f"levels must be 1 to {MAX_LEVELS}, not {levels}")
        if size < 1:
            raise ValueError(f"size must be at least 1 lot, not {size}")
        if size >= LIMIT:
            raise OverflowError(f"size={size} lots is too large: quantities stay below 2**40")
        if max_position is not None and max_position < 0:
            raise ValueError(f"max_position must not be negative, not {max_position}")
        self.params.half_spread_ticks = half_spread_ticks
        self.params.skew_ticks_per_lot = skew_ticks_per_lot
        self.params.step_ticks = step_ticks
        self.params.size = size
        self.params.levels = levels
        self.params.max_position = NEVER if max_position is None else max_position

    cdef int on_timer(self, View* view) except -1 nogil:
        quote_around(&self.params, view.venue, view.instrument)
        return 0
