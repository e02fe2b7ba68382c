"""Whole tables of a market, checked once and summarised once, for simulators that read them many times."""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t

from cysim.blocks cimport Block, blocks_of, summarize
from cysim.failures cimport raise_failure
from cysim.state cimport Simulation
from cysim.stream cimport Source, attach, attach_times, check_rows
from cysim.types cimport LIMIT, OK, PRINTS, QUOTES, TIME_LIMIT


@cython.final
cdef class Table:
    """One table of one instrument: a part that simulators need not check, and pass most rows of unread.

    Parameters
    ----------
    instrument : str
        Its name, for errors.
    kind : str
        'tob' or 'trades'.
    columns : sequence of arrays
        As `Simulator.run` is fed them, the whole table. They are not copied and must not change.
    tick_units : int
        Price units in a tick.

    Raises
    ------
    ValueError
        For impossible rows, naming instrument, table and row.
    """

    def __init__(self, str instrument, str kind, columns, int64_t tick_units=1):
        cdef int status
        if self.columns is not None:
            raise RuntimeError("a table is made once")
        if kind not in ("tob", "trades"):
            raise ValueError(f"kind must be 'tob' or 'trades', not {kind!r}")
        if not 1 <= tick_units < LIMIT:
            raise ValueError(f"{instrument}: a tick must be a positive whole number of price units, not {tick_units}")
        self.columns = tuple(columns)
        self._gaps = {}
        self._rows.table = QUOTES if kind == "tob" else PRINTS
        self._rows.tick_units = tick_units
        if len(self.columns[0]) == 0:
            return
        attach(&self._rows, self.columns, instrument)
        while self._rows.checked < self._rows.length:
            status = check_rows(&self._rows, TIME_LIMIT)
            if status != OK:
                raise_failure(status, &self._rows, instrument, 0)
        self._blocks = <Block*>PyMem_Malloc(<size_t>blocks_of(self._rows.length) * sizeof(Block))
        if self._blocks == NULL:
            raise MemoryError
        summarize(self._blocks, self._rows.ts, self._rows.bid_px,
                  self._rows.ask_px if self._rows.table == QUOTES else self._rows.bid_px, self._rows.length)

    def __dealloc__(self):
        PyMem_Free(self._blocks)

    def __len__(self):
        return self._rows.length

    # Points a source at all rows; the caller keeps the table alive.
    cdef int lend(self, Source* source, int64_t session_gap) except -1:
        cdef bytearray gaps = self._gaps_of(session_gap)
        if source.table != self._rows.table or source.tick_units != self._rows.tick_units:
            raise ValueError("a table was made for another kind or another tick than it is read with")
        source.ts = self._rows.ts
        source.bid_px = self._rows.bid_px
        source.bid_qty = self._rows.bid_qty
        source.ask_px = self._rows.ask_px
        source.ask_qty = self._rows.ask_qty
        source.aggressor = self._rows.aggressor
        source.length = self._rows.length
        source.blocks = self._blocks
        source.gaps = <const int64_t*>PyByteArray_AS_STRING(gaps)
        source.gap_count = len(gaps) // 8 - 1
        return 0

    cdef bytearray _gaps_of(self, int64_t session_gap):
        cdef int64_t row, found = 0
        cdef int64_t* gaps
        cdef bytearray raw = self._gaps.get(session_gap)
        if raw is not None:
            return raw
        for row in range(1, self._rows.length):
            found += self._rows.ts[row] - self._rows.ts[row - 1] >= session_gap
        raw = bytearray(8 * (found + 1))
        gaps = <int64_t*>PyByteArray_AS_STRING(raw)
        found = 0
        for row in range(1, self._rows.length):
            if self._rows.ts[row] - self._rows.ts[row - 1] >= session_gap:
                gaps[found] = row
                found += 1
        self._gaps[session_gap] = raw
        return raw


@cython.final
cdef class Columns:
    def __init__(self, tables):
        self._tables = [tuple(pair) for pair in tables]

    # Points the sources and feeds of a simulation at the tables of its instruments: all there is.
    cdef int lend(self, Simulation* sim, list names, bint local) except -1:
        cdef int64_t place
        cdef Source* source
        cdef Table table
        if len(self._tables) != len(names) or any(len(pair) != 2 for pair in self._tables):
            raise ValueError(f"tables must hold a pair (tob, trades) for each of the {len(names)} instruments")
        self._tables = [
            tuple(part if isinstance(part, Table) else Table(name, kind, part, sim.sources[place].tick_units)
                  for kind, part in zip(("tob", "trades"), pair))
            for place, (name, pair) in enumerate(zip(names, self._tables))]
        for place in range(sim.source_count):
            source = &sim.sources[place]
            source.finished = True
            table = self._tables[source.instrument][0 if source.table == QUOTES else 1]
            if len(table) == 0:
                continue
            table.lend(source, sim.session_gap)
            if sim.feeds != NULL:
                attach(&sim.feeds[place].rows, table.columns, names[source.instrument])
                if local:
                    sim.feeds[place].local_ts = attach_times(
                        &sim.feeds[place].rows, table.columns, names[source.instrument])
        return 0
