cimport cython
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t

from mmbt.formats._names cimport Names
from mmbt.formats._times cimport Clock, Zone


cdef enum:
    MAX_ROW = 65536         # bytes of a line
    MAX_REJECTS = 4096      # of a chunk
    MAX_WORDS = 64          # for the side of a trade
    MAX_WORD = 15           # bytes of such a word


cdef struct Field:
    const uint8_t *text
    Py_ssize_t n


cdef struct Reject:
    int64_t line
    int64_t offset          # of the row, in the stream
    int64_t start           # of the row, in the data held
    int32_t n               # bytes of the row held
    int16_t reason
    int16_t column          # -1: the row as a whole


cdef struct Word:
    uint8_t text[15]        # lower case
    uint8_t n
    int8_t side


cdef struct Layout:         # columns are counted from 0; -1: the file has none
    int32_t n_columns
    int32_t time
    int32_t local_time
    int32_t instrument      # -1: one instrument, code 0
    int32_t side
    int32_t is_tob
    int32_t value[4]        # tob: bid_px, bid_qty, ask_px, ask_qty; trades: px, qty
    int32_t delimiter
    int32_t mark            # decimal
    int32_t accept_unterminated


@cython.final
cdef class Tokenizer:
    cdef Layout layout
    cdef Zone zone
    cdef Clock clock
    cdef Clock local_clock
    cdef Word words[64]
    cdef int32_t n_words
    cdef Field *fields
    cdef Reject *rejects
    cdef Names names_seen

    cdef object _zone_since
    cdef object _zone_offset
    cdef bytes _pattern
    cdef bytes _local_pattern
    cdef bytes _header
    cdef bytes _data
    cdef const uint8_t *header
    cdef const uint8_t *data
    cdef int64_t n_header
    cdef tuple _columns     # keeps the memory of the columns below
    cdef int64_t *ts
    cdef int64_t *local_ts
    cdef int64_t *line_of
    cdef int64_t *offset_of
    cdef int64_t *mantissa[4]
    cdef int8_t *decimals[4]
    cdef int32_t *instrument
    cdef int8_t *side
    cdef int64_t room       # rows the columns hold

    cdef int64_t pos        # in the data held
    cdef int64_t size
    cdef int64_t base       # of the data held, in the stream
    cdef int64_t next_lf    # in the data held; -1: not looked for
    cdef int64_t next_cr
    cdef bint final
    cdef bint skip_lf       # the data before ended in CR
    cdef bint skipping      # inside a line that is too long

    cdef readonly int64_t line      # lines ended so far
    cdef readonly int64_t n         # rows in the columns
    cdef readonly int64_t rows      # of this chunk, the rejected and dropped ones too
    cdef readonly int64_t repeated  # headers dropped from this chunk
    cdef readonly int32_t n_rejects
    cdef readonly int32_t fatal     # Reason above FIRST_FATAL, told by the last reject

    cdef int _run(self) noexcept nogil
    cdef int _row(self, int64_t start, int64_t end) noexcept nogil
    cdef int _split(self, const uint8_t *p, const uint8_t *end, int16_t *column) noexcept nogil
    cdef int _take(self, int16_t *column) noexcept nogil
    cdef int _level(self, int k, int16_t *column) noexcept nogil
    cdef int _deal(self, int16_t *column) noexcept nogil
    cdef int _side(self, Field field) noexcept nogil
    cdef void _reject(self, int64_t start, int64_t end, int reason, int16_t column) noexcept nogil
