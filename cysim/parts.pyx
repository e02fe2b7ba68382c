"""Parts of the market's tables on their way to the sources and the strategy's feeds; kept alive while they are read."""

cimport cython
from libc.stdint cimport int64_t

from collections import deque

from cysim.senses cimport leave_part
from cysim.columns cimport Table
from cysim.state cimport Feed, Simulation
from cysim.stream cimport Source, attach, attach_times
from cysim.types cimport NEVER, QUOTES


cdef int64_t row_count(object part) except -1:
    return len(part) if isinstance(part, Table) or len(part) == 0 else len(part[0])


@cython.final
cdef class Parts:
    def __init__(self, feed, list names, bint local):
        self._feed = feed
        self._names = names
        self._held = [None] * (2 * len(names))
        self._seen = [None] * (2 * len(names))
        self._waiting = [deque() for _ in range(2 * len(names))]
        self._local = local

    # The first part of every source; the clock then shows the first row's time, which is what on_start sees.
    cdef int begin(self, Simulation* sim) except -1:
        cdef int64_t place
        cdef int64_t first = NEVER
        for place in range(sim.source_count):
            self.give(sim, place)
            if sim.sources[place].length > 0 and sim.sources[place].ts[0] < first:
                first = sim.sources[place].ts[0]
        if first != NEVER:
            sim.venue.now = first
        return 0

    # The next part of a source, or, from `source_count` on, of its feed.
    cdef int give(self, Simulation* sim, int64_t place) except -1:
        if place < sim.source_count:
            self._give_source(sim, place)
        else:
            self._give_feed(&sim.feeds[place - sim.source_count], place - sim.source_count)
        return 0

    cdef int _give_source(self, Simulation* sim, int64_t place) except -1:
        cdef Source* source = &sim.sources[place]
        cdef str table = "tob" if source.table == QUOTES else "trades"
        part = self._feed(self._names[source.instrument], table)
        while part is not None and row_count(part) == 0:
            part = self._feed(self._names[source.instrument], table)
        if sim.venue.senses != NULL:
            leave_part(sim.venue.senses, source)
        source.rows_before += source.length
        source.pos = source.checked = source.quiet = source.seen = source.length = 0
        self._held[place] = part
        if part is None:
            source.finished = True
            return 0
        if isinstance(part, Table):
            if source.rows_before > 0:
                raise ValueError(f"{self._names[source.instrument]}: a Table must be all there is of its table")
            (<Table>part).lend(source, sim.session_gap)
        else:
            attach(source, part, self._names[source.instrument])
        if sim.feeds != NULL:
            self._waiting[place].append(part.columns if isinstance(part, Table) else part)
        return 0

    cdef int _give_feed(self, Feed* feed, int64_t place) except -1:
        part = self._waiting[place].popleft()    # the venue has passed rows of it, so it is there
        feed.rows.rows_before += feed.rows.length
        feed.rows.pos = 0
        attach(&feed.rows, part, self._names[feed.rows.instrument])
        self._seen[place] = part
        if self._local:
            feed.local_ts = attach_times(&feed.rows, part, self._names[feed.rows.instrument])
        return 0
