"""Parts of the market's tables as the native loop reads them: columns lent by the caller, never copied."""

from libc.stdint cimport int8_t, int64_t

from cysim.types cimport QUOTES


# Points the source at the columns of a part; the caller keeps the part alive.
cdef int attach(Source* source, object part, str instrument) except -1:
    cdef const int64_t[::1] ts = part[0], first = part[1], second = part[2], third, fourth
    cdef const int8_t[::1] aggressor
    lengths = {column.shape[0] for column in part[: 5 if source.table == QUOTES else 4]}
    if len(lengths) != 1:
        raise ValueError(f"{instrument}: the columns of a part differ in length")
    source.ts = &ts[0]
    source.bid_px = &first[0]
    source.bid_qty = &second[0]
    if source.table == QUOTES:
        third, fourth = part[3], part[4]
        source.ask_px = &third[0]
        source.ask_qty = &fourth[0]
    else:
        aggressor = part[3]
        source.aggressor = &aggressor[0]
    source.length = ts.shape[0]
    return 0


# When each row of an attached part was received: its last column, or its exchange times where that is None.
cdef const int64_t* attach_times(const Source* source, object part, str instrument) except NULL:
    cdef const int64_t[::1] times
    received = part[len(part) - 1]
    times = part[0] if received is None else received
    if times.shape[0] != source.length:
        raise ValueError(f"{instrument}: the columns of a part differ in length")
    return &times[0]
