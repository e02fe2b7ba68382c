"""The tokenizer: bytes of delimited text in, exact integer columns out, every byte and row accounted for.

A line ends at LF, CR LF or CR. Lines of nothing, or of spaces and tabs, are no rows; a line equal to the header is
counted and dropped; every other line becomes a row of the columns or a reject with its line, byte, reason and column.
Memory: the columns belong to the caller, the data held is what was fed and not yet used (at most a block and MAX_ROW),
names and rejects have fixed limits. Each byte is looked at a bounded number of times: time is linear in the input.
"""

cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int8_t, int16_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy

from mmbt.formats._fields cimport (
    AMBIGUOUS_EPOCH,
    AMBIGUOUS_FOLD,
    BAD_BYTE,
    BAD_INSTRUMENT,
    BAD_NUMBER,
    BAD_QUOTE,
    BAD_SIDE,
    BAD_TIME,
    EMPTY_FIELD,
    FIELD_COUNT,
    FIRST_FATAL,
    MIXED_TIMES,
    NO_DATE,
    NO_MEMORY,
    NON_POSITIVE_PRICE,
    NON_POSITIVE_QTY,
    NUL,
    NUMBER_RANGE,
    OK,
    ROW_TOO_LONG,
    TIME_GAP,
    TOO_MANY_NAMES,
    TRUNCATED_TAIL,
    Number,
    parse_number,
)
from mmbt.formats._names cimport Name, Names, name_code, names_free, names_init
from mmbt.formats._text cimport blank, check_text, plain_text
from mmbt.formats._times cimport Clock, parse_time

REASON_CODES = {
    TRUNCATED_TAIL: "TRUNCATED_TAIL", FIELD_COUNT: "FIELD_COUNT", ROW_TOO_LONG: "ROW_TOO_LONG", NUL: "NUL",
    BAD_BYTE: "BAD_BYTE", BAD_QUOTE: "BAD_QUOTE", BAD_NUMBER: "BAD_NUMBER", NUMBER_RANGE: "NUMBER_RANGE",
    NON_POSITIVE_PRICE: "NON_POSITIVE_PRICE", NON_POSITIVE_QTY: "NON_POSITIVE_QTY", EMPTY_FIELD: "EMPTY_FIELD",
    BAD_TIME: "BAD_TIME", TIME_GAP: "TIME_GAP", BAD_SIDE: "BAD_SIDE", BAD_INSTRUMENT: "BAD_INSTRUMENT",
    MIXED_TIMES: "MIXED_TIMES", AMBIGUOUS_EPOCH: "AMBIGUOUS_EPOCH", AMBIGUOUS_FOLD: "AMBIGUOUS_FOLD",
    NO_DATE: "NO_DATE", TOO_MANY_NAMES: "TOO_MANY_NAMES", NO_MEMORY: "NO_MEMORY",
}
TIME_KINDS = ("auto", "iso", "iso+offset", "s", "ms", "us", "ns", "time-of-day", "format")
FOLDS = ("error", "earlier", "later", "infer")


@cython.final
cdef class Tokenizer:
    """Cuts one file's bytes, header not included, into the columns of one table; see `formats/_csv.pyi`."""

    def __cinit__(self):
        self.rejects = <Reject *> malloc(MAX_REJECTS * sizeof(Reject))
        if self.rejects == NULL or names_init(&self.names_seen) != OK:
            raise MemoryError
        self._data = b""
        self.next_lf = -1
        self.next_cr = -1

    def __dealloc__(self):
        free(self.fields)
        free(self.rejects)
        names_free(&self.names_seen)

    def __init__(self, *, bint tob, int n_columns, int time, int local_time, int instrument, values, int side,
                 int delimiter, int mark, bint accept_unterminated, bytes header, int64_t offset, int64_t line,
                 zone_since, zone_offset, fold, time_kind, pattern, local_time_kind, local_pattern,
                 int64_t first_day, words):
        cdef int64_t[::1] since = zone_since, offsets = zone_offset
        cdef int k
        if self.fields != NULL:
            raise RuntimeError("a Tokenizer is made once")
        if not 0 < n_columns < 4096 or len(words) > MAX_WORDS or since.shape[0] != offsets.shape[0] or not len(since):
            raise ValueError("n_columns, words or zone out of range")
        for k in (time, local_time, instrument, side, *values):
            if not -1 <= k < n_columns:
                raise ValueError(f"column {k} is not among {n_columns}")
        if len(values) != (4 if tob else 2) or time < 0 or min(values) < 0:
            raise ValueError("a table needs its time and values")
        self.fields = <Field *> calloc(n_columns, sizeof(Field))
        if self.fields == NULL:
            raise MemoryError
        self.layout = Layout(n_columns, time, local_time, instrument, side, tob, [-1, -1, -1, -1], delimiter, mark,
                             accept_unterminated)
        for k in range(len(values)):
            self.layout.value[k] = values[k]
        for k, (word, meaning) in enumerate(words):
            if not 0 < len(word) <= MAX_WORD:
                raise ValueError(f"side word {word!r} has no length from 1 to {MAX_WORD}")
            self.words[k].n = len(word)
            self.words[k].side = meaning
            memcpy(self.words[k].text, <const uint8_t *> <bytes> word, self.words[k].n)
        self.n_words = len(words)
        self._header = header
        self.header = self._header
        self.n_header = len(header)
        self.base = offset
        self.line = line
        self._zone_since = zone_since
        self._zone_offset = zone_offset
        self.zone.since = &since[0]
        self.zone.offset = &offsets[0]
        self.zone.n = since.shape[0]
        self.zone.fold = FOLDS.index(fold)
        self._pattern = pattern
        self._local_pattern = local_pattern
        set_clock(&self.clock, TIME_KINDS.index(time_kind), pattern, first_day)
        set_clock(&self.local_clock, TIME_KINDS.index(local_time_kind), local_pattern, first_day)

    def begin(self, ts, local_ts, instrument, mantissa, decimals, side, line, offset):
        """Start a chunk in these columns."""
        cdef int64_t[::1] ts_view = ts, line_view = line, offset_view = offset
        cdef int64_t[::1] local_view
        cdef int64_t[:, ::1] mantissa_view = mantissa
        cdef int8_t[:, ::1] decimals_view = decimals
        cdef int32_t[::1] instrument_view = instrument
        cdef int8_t[::1] side_view
        cdef int k, values = 4 if self.layout.is_tob else 2
        self.room = ts_view.shape[0]
        if (self.room == 0 or line_view.shape[0] != self.room or offset_view.shape[0] != self.room
                or instrument_view.shape[0] != self.room or mantissa_view.shape[0] != values
                or decimals_view.shape[0] != values or mantissa_view.shape[1] != self.room
                or decimals_view.shape[1] != self.room):
            raise ValueError("the columns differ in length")
        self.local_ts = NULL
        if self.layout.local_time >= 0:
            local_view = local_ts
            if local_view.shape[0] != self.room:
                raise ValueError("the columns differ in length")
            self.local_ts = &local_view[0]
        self.side = NULL
        if not self.layout.is_tob:
            side_view = side
            if side_view.shape[0] != self.room:
                raise ValueError("the columns differ in length")
            self.side = &side_view[0]
        self._columns = (ts, local_ts, instrument, mantissa, decimals, side, line, offset)
        self.ts = &ts_view[0]
        self.line_of = &line_view[0]
        self.offset_of = &offset_view[0]
        self.instrument = &instrument_view[0]
        for k in range(values):
            self.mantissa[k] = &mantissa_view[k, 0]
            self.decimals[k] = &decimals_view[k, 0]
        self.n = 0
        self.rows = 0
        self.repeated = 0
        self.n_rejects = 0

    def feed(self, bytes block, bint final):
        """Add bytes of the stream; only once `fill` has returned False. `final`: there are no more."""
        cdef bytes rest = self._data[self.pos:]
        self.base += self.pos
        self._data = rest + block if rest else block
        self.data = self._data
        self.pos = 0
        self.size = len(self._data)
        self.next_lf = -1
        self.next_cr = -1
        self.final = final

    def fill(self):
        """Take rows until the chunk is full (True) or the data is used up (False); then look at `fatal`."""
        cdef int full
        if self.room == 0:
            raise RuntimeError("begin a chunk first")
        with nogil:
            full = self._run()
        return bool(full)

    def rejected(self, Py_ssize_t cap):
        """Rejects since the last call, to be asked before `feed`: (line, offset, reason, column, first `cap` bytes)."""
        cdef const uint8_t *data = self.data
        cdef Reject *reject
        cdef Py_ssize_t k
        found = []
        for k in range(self.n_rejects):
            reject = &self.rejects[k]
            found.append((reject.line, reject.offset, REASON_CODES[reject.reason], reject.column,
                          data[reject.start:reject.start + min(cap, reject.n)]))
        self.n_rejects = 0
        return found

    def names(self, Py_ssize_t known):
        """The names from the `known`-th on, in order of their codes."""
        cdef Names *seen = &self.names_seen
        cdef Name *name
        cdef Py_ssize_t k
        found = [None] * (seen.n - known)
        for k in range(seen.room):
            name = &seen.table[k]
            if name.code >= known:
                found[name.code - known] = seen.text[name.start:name.start + name.n].decode()
        return found

    @property
    def time_kind(self):
        """Kind of the times, or None before the first good row."""
        return TIME_KINDS[self.clock.kind] if self.clock.settled else None

    @property
    def local_time_kind(self):
        """Kind of the local times, or None before the first good row."""
        return TIME_KINDS[self.local_clock.kind] if self.local_clock.settled else None

    @property
    def name_count(self):
        """Instruments so far."""
        return self.names_seen.n

    cdef int _run(self) noexcept nogil:
        cdef const uint8_t *data = self.data
        cdef const void *found
        cdef int64_t start, end
        while self.pos < self.size:
            if self.n == self.room or self.n_rejects == MAX_REJECTS or self.fatal:
                return 1
            start = self.pos
            if self.skip_lf:
                self.skip_lf = False
                if data[start] == 10:
                    self.pos += 1
                    continue
            if self.next_lf < start:
                found = memchr(data + start, 10, self.size - start)
                self.next_lf = self.size if found == NULL else <const uint8_t *> found - data
            if self.next_cr < start:
                found = memchr(data + start, 13, self.size - start)
                self.next_cr = self.size if found == NULL else <const uint8_t *> found - data
            end = min(self.next_lf, self.next_cr)
            if end == self.size:
                if not self.final and end - start <= MAX_ROW and not self.skipping:
                    return 0
                self.pos = end
                if self.skipping:
                    continue
                if end - start > MAX_ROW:
                    self.rows += 1
                    self.line += 1
                    self._reject(start, end, ROW_TOO_LONG, -1)
                    self.line -= 1
                    self.skipping = True
                    continue
            elif data[end] == 13:
                self.pos = end + 1
                if self.pos < self.size:
                    self.pos += data[self.pos] == 10
                else:
                    self.skip_lf = True
            else:
                self.pos = end + 1
            self.line += 1
            if self.skipping:
                self.skipping = False
            elif self._row(start, end):
                return 1
        return 0

    cdef int _row(self, int64_t start, int64_t end) noexcept nogil:
        # One line: a row, a reject, a repeated header or nothing. 1: fatal, and the line is not counted.
        cdef const uint8_t *p = self.data + start
        cdef const uint8_t *header = self.header
        cdef Py_ssize_t n = end - start, n_header = self.n_header
        cdef int16_t column = -1
        cdef int reason = OK
        if n == 0 or (p[0] <= 32 and blank(p, n, self.layout.delimiter)):
            return 0
        if n == n_header and memcmp(p, header, n) == 0:
            self.rows += 1
            self.repeated += 1
            return 0
        if n > MAX_ROW:
            reason = ROW_TOO_LONG
        elif end == self.size and not self.layout.accept_unterminated:
            reason = TRUNCATED_TAIL
        else:
            if not plain_text(p, n):
                if n == n_header + 3 and n_header > 0 and memcmp(p, b"\xEF\xBB\xBF", 3) == 0 \
                        and memcmp(p + 3, header, n_header) == 0:
                    self.rows += 1
                    self.repeated += 1
                    return 0
                reason = check_text(p, n)
            if reason == OK:
                reason = self._split(p, p + n, &column)
            if reason == OK:
                reason = self._take(&column)
        if reason == OK:
            self.line_of[self.n] = self.line
            self.offset_of[self.n] = self.base + start
            self.n += 1
        else:
            self._reject(start, end, reason, column)
            if reason >= FIRST_FATAL:
                self.fatal = reason
                return 1
        self.rows += 1
        return 0

    cdef int _split(self, const uint8_t *p, const uint8_t *end, int16_t *column) noexcept nogil:
        cdef int delimiter = self.layout.delimiter, n = 0
        cdef const uint8_t *stop
        while True:
            if n == self.layout.n_columns:
                return FIELD_COUNT
            if p < end and p[0] == 34:
                stop = <const uint8_t *> memchr(p + 1, 34, end - p - 1)
                if stop == NULL or (stop + 1 < end and stop[1] != delimiter):
                    column[0] = <int16_t> n
                    return BAD_QUOTE
                self.fields[n].text = p + 1
                self.fields[n].n = stop - p - 1
                stop += 1
            else:
                stop = <const uint8_t *> memchr(p, delimiter, end - p)
                if stop == NULL:
                    stop = end
                self.fields[n].text = p
                self.fields[n].n = stop - p
            n += 1
            if stop == end:
                return OK if n == self.layout.n_columns else FIELD_COUNT
            p = stop + 1

    cdef int _take(self, int16_t *column) noexcept nogil:
        # The fields into row n of the columns. The time comes last: a clock learns from good rows only.
        cdef int64_t n = self.n
        cdef int reason
        cdef Field field
        if self.layout.is_tob:
            reason = self._level(0, column)
            if reason == OK:
                reason = self._level(2, column)
        else:
            reason = self._deal(column)
        if reason != OK:
            return reason
        self.instrument[n] = 0
        if self.layout.instrument >= 0:
            column[0] = <int16_t> self.layout.instrument
            field = self.fields[self.layout.instrument]
            reason = name_code(&self.names_seen, field.text, field.n, &self.instrument[n])
            if reason != OK:
                return reason
        if self.layout.local_time >= 0:
            column[0] = <int16_t> self.layout.local_time
            field = self.fields[self.layout.local_time]
            self.local_ts[n] = 0
            reason = parse_time(&self.zone, &self.local_clock, field.text, field.n, &self.local_ts[n])
            if reason != OK and reason != EMPTY_FIELD:
                return reason
        column[0] = <int16_t> self.layout.time
        field = self.fields[self.layout.time]
        return parse_time(&self.zone, &self.clock, field.text, field.n, &self.ts[n])

    cdef int _level(self, int k, int16_t *column) noexcept nogil:
        # Price k and quantity k + 1 of a quote's side; no price, or a quantity of 0, is an absent side: (0, 0).
        cdef Field px_field = self.fields[self.layout.value[k]]
        cdef Field qty_field = self.fields[self.layout.value[k + 1]]
        cdef Number px = Number(0, 0, 0), qty = Number(0, 0, 0)
        cdef int px_reason = parse_number(px_field.text, px_field.n, self.layout.mark, &px)
        cdef int qty_reason = parse_number(qty_field.text, qty_field.n, self.layout.mark, &qty)
        cdef int64_t n = self.n
        column[0] = <int16_t> self.layout.value[k]
        if px_reason != OK and px_reason != EMPTY_FIELD:
            return px_reason
        if px_reason == OK and px.negative:
            return NON_POSITIVE_PRICE
        column[0] = <int16_t> self.layout.value[k + 1]
        if qty_reason != OK and not (qty_reason == EMPTY_FIELD and px_reason == EMPTY_FIELD):
            return qty_reason
        if qty_reason == OK and qty.negative:
            return NON_POSITIVE_QTY
        if px_reason == EMPTY_FIELD or qty.mantissa == 0:
            self.mantissa[k][n] = 0
            self.decimals[k][n] = 0
            self.mantissa[k + 1][n] = 0
            self.decimals[k + 1][n] = 0
            return OK
        if px.mantissa == 0:
            column[0] = <int16_t> self.layout.value[k]
            return NON_POSITIVE_PRICE
        self.mantissa[k][n] = px.mantissa
        self.decimals[k][n] = <int8_t> px.decimals
        self.mantissa[k + 1][n] = qty.mantissa
        self.decimals[k + 1][n] = <int8_t> qty.decimals
        return OK

    cdef int _deal(self, int16_t *column) noexcept nogil:
        # Price, quantity and side of a trade.
        cdef Number number
        cdef Field field
        cdef int k, reason
        for k in range(2):
            field = self.fields[self.layout.value[k]]
            column[0] = <int16_t> self.layout.value[k]
            reason = parse_number(field.text, field.n, self.layout.mark, &number)
            if reason != OK:
                return reason
            if number.negative or number.mantissa == 0:
                return NON_POSITIVE_PRICE if k == 0 else NON_POSITIVE_QTY
            self.mantissa[k][self.n] = number.mantissa
            self.decimals[k][self.n] = <int8_t> number.decimals
        self.side[self.n] = 0
        if self.layout.side < 0:
            return OK
        column[0] = <int16_t> self.layout.side
        return self._side(self.fields[self.layout.side])

    cdef int _side(self, Field field) noexcept nogil:
        cdef uint8_t text[15]
        cdef Py_ssize_t i
        cdef int k
        if field.n == 0:
            return OK
        if field.n > MAX_WORD:
            return BAD_SIDE
        for i in range(field.n):
            text[i] = field.text[i] | 32 if 65 <= field.text[i] <= 90 else field.text[i]
        for k in range(self.n_words):
            if self.words[k].n == field.n and memcmp(self.words[k].text, text, field.n) == 0:
                self.side[self.n] = self.words[k].side
                return OK
        return BAD_SIDE

    cdef void _reject(self, int64_t start, int64_t end, int reason, int16_t column) noexcept nogil:
        self.rejects[self.n_rejects] = Reject(self.line, self.base + start, start, <int32_t> (end - start),
                                              <int16_t> reason, column)
        self.n_rejects += 1


cdef int set_clock(Clock *clock, int kind, bytes pattern, int64_t first_day) except -1:
    clock.kind = kind
    clock.wanted = kind
    clock.first_day = first_day
    clock.local_from = INT64_MAX
    clock.local_to = INT64_MIN
    if pattern is not None:
        clock.pattern = pattern
        clock.n_pattern = len(pattern)
    return 0
