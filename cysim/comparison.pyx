"""How a synthetic price compares with the direct book, over a stretch of quotes of any length.

Between two instants with quotes the books stand still, so times are exact; the difference of mids is sampled at
first quote + k x interval, after all quotes at or before that instant.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t

from cysim.comparison cimport CHECK, FAILED, STARVED, Race, Stop, advance
from cysim.failures cimport raise_failure
from cysim.stream cimport Source, attach
from cysim.synthetic cimport LEG_ABSENT, LEG_CROSSED, LEG_OLD, QUOTED, Quoted, quotes_of, read_legs
from cysim.types cimport NEVER, QUOTES, TIME_LIMIT


@cython.final
cdef class Comparison:
    """A chain of legs beside the direct book of its pair.

    Parameters
    ----------
    legs
        The chain, as SyntheticBook takes it.
    direct
        The pair's own book as such a leg; None when there is none.
    max_age : int or None
        Of the legs' quotes, ns; the direct book counts at any age.
    interval : int
        Between samples, ns.
    session_gap : int or None
        Silences this long are left out; None: none is.

    Raises
    ------
    ValueError
        Naming the wrong argument.
    """

    cdef Race race
    cdef list names
    cdef list parts              # keeps the arrays alive that the sources point into

    def __init__(self, legs, direct=None, *, max_age=None, int64_t interval=1_000_000_000, session_gap=None):
        cdef int64_t index
        if self.names is not None:
            raise RuntimeError("a comparison is made once")
        if not 0 < interval < TIME_LIMIT:
            raise ValueError(f"interval must be positive and below 2**62 ns, not {interval}")
        if session_gap is not None and not 0 < session_gap < TIME_LIMIT:
            raise ValueError(f"session_gap must be positive, or None, not {session_gap}")
        own = [] if direct is None else [direct]
        self.names = list(dict.fromkeys(leg[0] for leg in [*legs, *own]))
        read_legs(&self.race.legs, legs, max_age, self.names)
        if own:
            read_legs(&self.race.direct, own, None, self.names)
        self.race.count = len(self.names)
        self.race.interval = interval
        self.race.session_gap = NEVER if session_gap is None else session_gap
        self.race.first_ts = NEVER
        self.race.sources = <Source*>PyMem_Calloc(self.race.count, sizeof(Source))
        self.race.quoted = <Quoted*>PyMem_Calloc(self.race.count, sizeof(Quoted))
        if self.race.sources == NULL or self.race.quoted == NULL:
            raise MemoryError
        self.race.quotes = quotes_of(self.race.quoted)
        self.parts = [None] * self.race.count
        for index in range(self.race.count):
            self.race.sources[index].table = QUOTES
            self.race.sources[index].instrument = <int32_t>index
            self.race.sources[index].tick_units = 1

    def __dealloc__(self):
        PyMem_Free(self.race.sources)
        PyMem_Free(self.race.quoted)

    def run(self, feed, progress=None):
        """Take all quotes.

        Parameters
        ----------
        feed : callable
            `feed(instrument)` gives the next part of its quotes (ts, bid_px, bid_qty, ask_px, ask_qty), contiguous
            int64 arrays, or None when there is no more.
        progress : callable, optional
            Called with the number of quotes taken about every million.

        Raises
        ------
        ValueError
            For impossible rows, naming instrument and row.
        """
        cdef Stop stop = CHECK
        cdef Source* source
        while stop == CHECK or stop == STARVED:
            with nogil:
                stop = advance(&self.race)
            if stop == STARVED:
                self._feed(feed, self.race.starved)
            elif stop == CHECK:
                PyErr_CheckSignals()
                if progress is not None:
                    progress(self.race.events)
        if stop == FAILED:
            source = &self.race.sources[self.race.starved]
            raise_failure(self.race.status, source, self.names[self.race.starved], self.race.now)

    cdef int _feed(self, object feed, int64_t index) except -1:
        cdef Source* source = &self.race.sources[index]
        part = ()
        while part is not None and (len(part) == 0 or len(part[0]) == 0):
            part = feed(self.names[index])
        source.rows_before += source.length
        source.pos = source.checked = source.length = 0
        source.finished = part is None
        if part is not None:
            attach(source, part, self.names[index])
        self.parts[index] = part
        return 0

    def result(self):
        """What was found so far.

        Returns
        -------
        dict
            quotes, first_ts and last_ts (ns; None before the first quote); in ns the time in each state of the chain
            (quoted, absent, crossed, old), and, of the time in which direct and synthetic were quoted (both), that in
            which the synthetic was cheaper to buy at, dearer to sell at, either (better), or at arbitrage with the
            direct book, fees included; samples and of them mean_bp and sd_bp of the synthetic's mid against the direct
            one (None without enough samples), spread_bp and direct_spread_bp.
        """
        tally = &self.race.tally
        count = tally.samples
        return {
            "quotes": self.race.events,
            "first_ts": None if self.race.first_ts == NEVER else self.race.first_ts,
            "last_ts": None if self.race.first_ts == NEVER else self.race.now,
            "quoted": tally.state_ns[<int>QUOTED],
            "absent": tally.state_ns[<int>LEG_ABSENT],
            "crossed": tally.state_ns[<int>LEG_CROSSED],
            "old": tally.state_ns[<int>LEG_OLD],
            "both": tally.both_ns,
            "cheaper": tally.cheaper_ns,
            "dearer": tally.dearer_ns,
            "better": tally.better_ns,
            "arbitrage": tally.arbitrage_ns,
            "samples": count,
            "mean_bp": tally.mean_bp if count else None,
            "sd_bp": sqrt(tally.squares_bp / (count - 1)) if count > 1 else None,
            "spread_bp": tally.spread_bp / count if count else None,
            "direct_spread_bp": tally.direct_spread_bp / count if count else None,
        }
