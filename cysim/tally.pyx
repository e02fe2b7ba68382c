"""Counts and the result hash of a run's fills, block by block as the machine hands them over."""

cimport cython
from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t, uint16_t
from libc.stdlib cimport free
from libc.string cimport memcpy

import hashlib

from cysim.recorder cimport FillRow
from cysim.types cimport reserve

# Of each fill, little-endian without gaps: ts, order id, px, qty; side, reason; fee, its low 64 bits first; length of
# the instrument's name; the name.
cdef enum:
    PLACES = 32                  # ts, order id, px, qty
    FEE = 16
    FIXED = PLACES + 2 + FEE + 2

REASONS = 4


@cython.final
cdef class FillTally:
    """Counts and hashes fills.

    Parameters
    ----------
    names : sequence of str
        The instruments of the run, in the machine's order.
    hashed : bool
        False counts only: of two quotes each 100 ms the hash is a twelfth of a run.
    """

    cdef object _hash            # None: not wanted
    cdef list _names             # UTF-8
    cdef list _lots
    cdef char* _packed
    cdef int64_t _capacity
    cdef int64_t _by_reason[4]
    cdef readonly int64_t count

    def __init__(self, names, hashed=True):
        self._hash = hashlib.sha256(b"mmbt-fills-1\n") if hashed else None
        self._names = [name.encode() for name in names]
        self._lots = [0] * len(self._names)
        self._by_reason = [0, 0, 0, 0]
        self.count = 0

    def __dealloc__(self):
        free(self._packed)

    @property
    def by_reason(self):
        """Fills by the number of their reason (list of int)."""
        return [self._by_reason[reason] for reason in range(REASONS)]

    @property
    def traded_lots(self):
        """Lots filled of each instrument (list of int)."""
        return list(self._lots)

    @property
    def result_hash(self):
        """SHA-256 over all fills taken (docs: determinism), hexadecimal; empty where none is kept."""
        return self._hash.hexdigest() if self._hash is not None else ""

    def take(self, const unsigned char[::1] rows):
        """Takes a block of fills, the bytes of FILL_DTYPE.

        Raises
        ------
        ValueError
            When the bytes are no whole number of rows.
        """
        cdef int64_t size = <int64_t>sizeof(FillRow), start = 0, end, count = rows.shape[0] // size
        cdef const FillRow* fills
        if count * size != rows.shape[0]:
            raise ValueError(f"{rows.shape[0]} bytes are no whole number of fills of {size} bytes")
        if count == 0:
            return
        fills = <const FillRow*>&rows[0]
        while start < count:             # runs of fills of one instrument
            end = start + 1
            while end < count and fills[end].instrument == fills[start].instrument:
                end += 1
            self._take_run(&fills[start], end - start)
            start = end
        self.count += count

    cdef int _take_run(self, const FillRow* fills, int64_t count) except -1:
        cdef int64_t lots = 0, place
        for place in range(count):
            lots += fills[place].qty
            self._by_reason[fills[place].reason] += 1
        self._lots[fills[0].instrument] += lots
        return self._hash_run(fills, count) if self._hash is not None else 0

    cdef int _hash_run(self, const FillRow* fills, int64_t count) except -1:
        cdef bytes name = self._names[fills[0].instrument]
        cdef const char* name_bytes = name
        cdef uint16_t length = <uint16_t>len(name)
        cdef int64_t record = FIXED + length, place
        cdef char* out
        cdef const FillRow* fill
        if not reserve(<void**>&self._packed, &self._capacity, count * record, 1):
            raise MemoryError
        out = self._packed
        for place in range(count):
            fill = &fills[place]
            memcpy(out, &fill.ts, PLACES)
            out[PLACES] = fill.side
            out[PLACES + 1] = fill.reason
            memcpy(out + PLACES + 2, &fill.fee_low, FEE)
            memcpy(out + PLACES + 2 + FEE, &length, 2)
            memcpy(out + FIXED, name_bytes, length)
            out += record
        self._hash.update(PyMemoryView_FromMemory(self._packed, count * record, PyBUF_READ))
        return 0
