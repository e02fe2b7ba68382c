"""The one table from what went wrong inside the machine to exceptions."""

from libc.stdint cimport int64_t

from cysim.stream cimport WINDOW, Source
from cysim.types cimport LIMIT, MONEY_OVERFLOW, OUT_OF_MEMORY, QUOTES, TIME_BACKWARDS, TIME_LIMIT


cdef int raise_failure(int status, const Source* source, str instrument, int64_t now) except -1:
    cdef int64_t row
    if status == OUT_OF_MEMORY:
        raise MemoryError("the simulator ran out of memory")
    if status == MONEY_OVERFLOW:
        raise OverflowError(f"money leaves its 128 bits at {now} ns: positions or prices are absurdly large")
    row = backwards_row(source) if status == TIME_BACKWARDS else impossible_row(source)
    table = "tob" if source.table == QUOTES else "trades"
    where = f"{instrument}, {table}, row {source.rows_before + row}"
    if status == TIME_BACKWARDS:
        before = source.ts[row - 1] if row > 0 else source.last_ts
        raise ValueError(
            f"{where}: time goes backwards, from {before} ns (row {source.rows_before + row - 1}) to "
            f"{source.ts[row]} ns; times ascend from 0 to 2**62; convert the raw data again, that sorts them")
    values = [source.bid_px[row], source.bid_qty[row]]
    if source.table == QUOTES:
        values += [source.ask_px[row], source.ask_qty[row]]
    else:
        values.append(source.aggressor[row])
    raise ValueError(
        f"{where}: impossible values {values}: prices stand on ticks, prices and quantities are 0 to 2**40 and absent "
        "together (never in a print), sides are +1, -1 or 0")


cdef int64_t backwards_row(const Source* source) noexcept:
    cdef int64_t row = source.checked, before = source.last_ts
    while row < source.length - 1 and before <= source.ts[row] < TIME_LIMIT:
        before = source.ts[row]
        row += 1
    return row


cdef int64_t impossible_row(const Source* source) noexcept:
    # the window was marked as checked before its values were looked at
    cdef int64_t row = (source.checked - 1) // WINDOW * WINDOW
    while row < source.length - 1 and not is_impossible(source, row):
        row += 1
    return row


cdef bint is_impossible(const Source* source, int64_t row) noexcept:
    if is_torn(source.bid_px[row], source.bid_qty[row]):
        return True
    if source.table == QUOTES:
        return is_torn(source.ask_px[row], source.ask_qty[row]) \
            or source.bid_px[row] % source.tick_units != 0 or source.ask_px[row] % source.tick_units != 0
    return source.bid_px[row] == 0 or not -1 <= source.aggressor[row] <= 1


cdef bint is_torn(int64_t px, int64_t qty) noexcept:
    return (px == 0) != (qty == 0) or not (0 <= px < LIMIT and 0 <= qty < LIMIT)
