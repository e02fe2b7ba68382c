"""What a strategy sees beside the books, computed when it looks: synthetic quotes and features.

Both follow from the rows that are visible to it by then and from what it has been told, and from nothing else.
"""

cimport cython
from libc.math cimport NAN

from cysim.synthetic cimport LEG_ABSENT, LEG_CROSSED, LEG_OLD, QUOTED, Top
from cysim.venue cimport Venue

cdef dict STATES = {QUOTED: "quoted", LEG_ABSENT: "absent", LEG_CROSSED: "crossed", LEG_OLD: "old"}


@cython.final
cdef class Synthetic:
    """A pair priced through others, as `ctx.synthetic(name)` shows it: reused, valid during a hook only.

    Prices are quote currency for one of base currency, sizes base currency, fees of the legs carried through.

    Attributes
    ----------
    name : str
        As it was declared.
    legs : tuple of str
        The instruments it goes through.
    index : int
        Its place among those declared; native code knows it by this.
    """

    @property
    def state(self):
        """'quoted', or why not: the first unsound leg is 'absent' (a side of its book is) or 'crossed', else 'old'."""
        return STATES[self._top().state]

    @property
    def bid(self):
        """What one of base currency gives along the chain, fees taken off; NaN unless quoted."""
        return self._told(self._top().bid)

    @property
    def bid_size(self):
        """How much base currency can be sold at it; NaN unless quoted."""
        return self._told(self._top().bid_size)

    @property
    def ask(self):
        """What one of base currency costs along the chain, fees added; NaN unless quoted."""
        return self._told(self._top().ask)

    @property
    def ask_size(self):
        """How much base currency can be bought at it; NaN unless quoted."""
        return self._told(self._top().ask_size)

    @property
    def mid(self):
        """The middle of bid and ask without fees; NaN unless quoted."""
        return self._told(self._top().mid)

    @property
    def age(self):
        """ns since the last quote of the leg quoted longest ago; None unless quoted."""
        return self._top().age if self._top().state == QUOTED else None

    def __repr__(self):
        return f"Synthetic({self.name!r}, state={self.state!r}, bid={self.bid!r}, ask={self.ask!r})"

    cdef Top* _top(self) noexcept:
        return &self._venue.senses.pairs[self.index].legs.top

    cdef double _told(self, double value) noexcept:
        return value if self._top().state == QUOTED else NAN


cdef Synthetic make_synthetic(object owner, Venue* venue, int index, str name, tuple legs):
    cdef Synthetic synthetic = Synthetic.__new__(Synthetic)
    synthetic._owner = owner
    synthetic._venue = venue
    synthetic.index = index
    synthetic.name = name
    synthetic.legs = legs
    return synthetic
