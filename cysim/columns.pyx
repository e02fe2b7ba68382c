"""Whole tables of a market, checked once and summarised once, for simulators that read them many times."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t

from cysim.blocks cimport Block, blocks_of, summarize
from cysim.failures cimport raise_failure
from cysim.state cimport Simulation
from cysim.stream cimport Source, attach, attach_times, check_window
from cysim.types cimport OK, QUOTES, TIME_LIMIT


@cython.final
cdef class Columns:
    def __init__(self, tables):
        self._tables = [tuple(pair) for pair in tables]

    # Points the sources and feeds of a simulation at the tables of its instruments: all there is. One simulation only.
    cdef int lend(self, Simulation* sim, list names, bint local) except -1:
        cdef int64_t place
        cdef Source* source
        if len(self._tables) != len(names) or any(len(pair) != 2 for pair in self._tables):
            raise ValueError(f"tables must hold a pair (tob, trades) for each of the {len(names)} instruments")
        self._source_count = sim.source_count
        self._blocks = <Block**>PyMem_Calloc(sim.source_count, sizeof(Block*))
        self._gaps = <int64_t**>PyMem_Calloc(sim.source_count, sizeof(int64_t*))
        if self._blocks == NULL or self._gaps == NULL:
            raise MemoryError
        for place in range(sim.source_count):
            source = &sim.sources[place]
            source.finished = True
            name, part = names[source.instrument], self._tables[source.instrument][0 if source.table == QUOTES else 1]
            if len(part[0]) == 0:
                continue
            attach(source, part, name)
            self._scan(sim, place, name)
            if sim.feeds != NULL:
                attach(&sim.feeds[place].rows, part, name)
                if local:
                    sim.feeds[place].local_ts = attach_times(&sim.feeds[place].rows, part, name)
        return 0

    def __dealloc__(self):
        cdef int64_t place
        for place in range(self._source_count):
            if self._blocks != NULL:
                PyMem_Free(self._blocks[place])
            if self._gaps != NULL:
                PyMem_Free(self._gaps[place])
        PyMem_Free(self._blocks)
        PyMem_Free(self._gaps)

    cdef int _scan(self, Simulation* sim, int64_t place, str name) except -1:
        cdef Source* source = &sim.sources[place]
        cdef int status
        while source.checked < source.length:
            status = check_window(source, sim.session_gap if sim.session_gap < TIME_LIMIT else TIME_LIMIT)
            if status != OK:
                raise_failure(status, source, name, 0)
        source.checked = 0
        self._find_gaps(sim, place)
        self._blocks[place] = <Block*>PyMem_Malloc(<size_t>blocks_of(source.length) * sizeof(Block))
        if self._blocks[place] == NULL:
            raise MemoryError
        summarize(self._blocks[place], source.ts, source.bid_px,
                  source.ask_px if source.table == QUOTES else source.bid_px, source.length)
        source.blocks = self._blocks[place]
        return 0

    cdef int _find_gaps(self, Simulation* sim, int64_t place) except -1:
        cdef Source* source = &sim.sources[place]
        cdef int64_t row, found = 0
        for row in range(1, source.length):
            found += source.ts[row] - source.ts[row - 1] >= sim.session_gap
        self._gaps[place] = <int64_t*>PyMem_Calloc(found + 1, sizeof(int64_t))
        if self._gaps[place] == NULL:
            raise MemoryError
        source.gap_count = found
        found = 0
        for row in range(1, source.length):
            if source.ts[row] - source.ts[row - 1] >= sim.session_gap:
                self._gaps[place][found] = row
                found += 1
        source.gaps = self._gaps[place]
        return 0
