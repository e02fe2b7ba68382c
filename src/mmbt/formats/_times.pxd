from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t
from libc.string cimport memcmp, memcpy

from mmbt.formats._fields cimport (
    AMBIGUOUS_EPOCH,
    AMBIGUOUS_FOLD,
    BAD_TIME,
    EMPTY_FIELD,
    MIXED_TIMES,
    NO_DATE,
    OK,
    TIME_GAP,
    pow10,
)


cdef extern from *:
    """
    #define MMBT_SECOND 1000000000LL
    #define MMBT_DAY 86400000000000LL
    #define MMBT_LAST_DAY 84006LL
    #define MMBT_WHOLE_MAX 900000000000000000LL
    #define MMBT_EPOCH_LOW 100000000LL
    #define MMBT_EPOCH_HIGH 4102444800LL
    """
    const int64_t SECOND "MMBT_SECOND"
    const int64_t DAY "MMBT_DAY"
    const int64_t LAST_DAY "MMBT_LAST_DAY"        # days since the epoch to 2200-01-01, the first not taken
    const int64_t WHOLE_MAX "MMBT_WHOLE_MAX"      # one more digit still fits
    const int64_t EPOCH_LOW "MMBT_EPOCH_LOW"      # seconds: 1973-03-03, below which an epoch's unit is ambiguous
    const int64_t EPOCH_HIGH "MMBT_EPOCH_HIGH"    # seconds: 2100-01-01


cdef enum TimeKind:
    AUTO = 0                # not known before the first row
    ISO                     # zoneless
    ISO_OFFSET              # with Z or an offset
    EPOCH_S
    EPOCH_MS
    EPOCH_US
    EPOCH_NS
    TIME_OF_DAY
    FORMATTED


cdef enum Fold:
    FOLD_ERROR = 0
    FOLD_EARLIER
    FOLD_LATER
    FOLD_INFER


cdef struct Zone:
    const int64_t *since    # ns UTC from which offset[i] holds; since[0] is the far past
    const int64_t *offset   # ns to add to UTC
    int32_t n               # 1: a fixed offset
    int32_t fold            # Fold


cdef struct Clock:
    int64_t date_ns         # of date, at 00:00 local
    int64_t first_day       # TIME_OF_DAY: ns of the file's date at 00:00 local, -1 where it has none
    int64_t latest          # TIME_OF_DAY: greatest local ns so far
    int64_t previous        # ns UTC of the last row taken, for FOLD_INFER
    int64_t local_from      # local ns from which, and before which, local_offset surely holds
    int64_t local_to
    int64_t local_offset    # ns to take from local time
    const uint8_t *pattern  # FORMATTED
    int32_t n_pattern
    int32_t kind            # TimeKind
    int32_t wanted          # TimeKind asked for; AUTO to find it
    uint8_t date[10]        # text of the last date seen
    uint8_t has_date
    uint8_t rolled          # TIME_OF_DAY: midnight has passed
    uint8_t started         # latest and previous hold
    uint8_t settled         # kind is known from a row
    uint8_t _pad[2]


cdef inline int two_digits(const uint8_t *p) noexcept nogil:
    cdef unsigned int tens = <unsigned int> p[0] - 48
    cdef unsigned int ones = <unsigned int> p[1] - 48
    if tens > 9 or ones > 9:
        return -1
    return <int> (tens * 10 + ones)


cdef inline int64_t days_of(int64_t year, int64_t month, int64_t day) noexcept nogil:
    # Days since 1970-01-01 of a proleptic Gregorian date, -1 where there is no such date before 2200.
    cdef int64_t length, era_day, y
    if year < 1970 or year > 2199 or month < 1 or month > 12 or day < 1:
        return -1
    length = 31
    if month == 2:
        length = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        length = 30
    if day > length:
        return -1
    y = year - (month <= 2)
    era_day = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return y * 365 + y // 4 - y // 100 + y // 400 + era_day - 719468


cdef inline int64_t clock_ns(const uint8_t *p) noexcept nogil:
    # HH:MM:SS as ns, -1 where it is no time of day.
    cdef int hour = two_digits(p), minute = two_digits(p + 3), second = two_digits(p + 6)
    if p[2] != 58 or p[5] != 58 or hour < 0 or minute < 0 or second < 0 or hour > 23 or minute > 59 or second > 59:
        return -1
    return (hour * 3600 + minute * 60 + second) * SECOND


cdef inline Py_ssize_t fraction_ns(const uint8_t *p, Py_ssize_t n, int64_t *ns) noexcept nogil:
    # Digits behind a decimal point, 1 to 9 of them: how many, or -1.
    cdef Py_ssize_t i = 0
    cdef int64_t value = 0
    cdef unsigned int digit
    while i < n:
        digit = <unsigned int> p[i] - 48
        if digit > 9:
            break
        if i == 9:
            return -1
        value = value * 10 + digit
        i += 1
    if i == 0:
        return -1
    ns[0] = value * pow10[9 - i]
    return i


cdef inline int parse_offset(const uint8_t *p, Py_ssize_t n, int64_t *ns) noexcept nogil:
    # Z, +HH, +HHMM or +HH:MM, to the end of the field.
    cdef int hours, minutes = 0
    if n == 1 and p[0] == 90:
        ns[0] = 0
        return OK
    if n != 3 and n != 5 and n != 6:
        return BAD_TIME
    if p[0] != 43 and p[0] != 45:
        return BAD_TIME
    hours = two_digits(p + 1)
    if n == 5:
        minutes = two_digits(p + 3)
    elif n == 6:
        minutes = two_digits(p + 4) if p[3] == 58 else -1
    if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return BAD_TIME
    ns[0] = (hours * 3600 + minutes * 60) * SECOND
    if p[0] == 45:
        ns[0] = -ns[0]
    return OK


cdef inline int to_utc(const Zone *zone, Clock *clock, int64_t local, int64_t *utc) noexcept nogil:
    if local >= clock.local_from and local < clock.local_to:
        utc[0] = local - clock.local_offset
        return OK
    return to_utc_slow(zone, clock, local, utc)


cdef inline int to_utc_slow(const Zone *zone, Clock *clock, int64_t local, int64_t *utc) noexcept nogil:
    cdef int32_t low = 0, high = zone.n - 1, k
    cdef int64_t before, after, begins, ends, earlier, later
    # the last segment that has begun by the clock before it and by its own
    while low < high:
        k = (low + high + 1) // 2
        if local >= zone.since[k] + max(zone.offset[k - 1], zone.offset[k]):
            low = k
        else:
            high = k - 1
    before = zone.offset[low]
    begins = INT64_MIN if low == 0 else zone.since[low] + max(zone.offset[low - 1], before)
    after = before if low + 1 == zone.n else zone.offset[low + 1]
    ends = INT64_MAX if low + 1 == zone.n else zone.since[low + 1] + min(before, after)
    if local < ends:
        clock.local_from = begins
        clock.local_to = ends
        clock.local_offset = before
        utc[0] = local - before
        return OK
    if after >= before:
        return TIME_GAP
    earlier = local - before
    later = local - after
    if zone.fold == FOLD_EARLIER:
        utc[0] = earlier
    elif zone.fold == FOLD_LATER:
        utc[0] = later
    elif zone.fold == FOLD_INFER and clock.started:
        # of the two instants the one nearer to the row before
        utc[0] = earlier if clock.previous - earlier <= later - clock.previous else later
    else:
        return AMBIGUOUS_FOLD
    return OK


cdef inline int parse_iso(const Zone *zone, Clock *clock, const uint8_t *p, Py_ssize_t n, int64_t *ns,
                          int *kind) noexcept nogil:
    cdef int64_t of_day, days, fraction = 0, offset = 0
    cdef int century, year, month, day, status
    cdef Py_ssize_t used, at = 19
    if n < 19 or (p[10] != 32 and p[10] != 84):
        return BAD_TIME
    if not clock.has_date or memcmp(p, clock.date, 10) != 0:
        century = two_digits(p)
        year = two_digits(p + 2)
        month = two_digits(p + 5)
        day = two_digits(p + 8)
        if century < 0 or year < 0 or month < 0 or day < 0 or p[4] != 45 or p[7] != 45:
            return BAD_TIME
        days = days_of(century * 100 + year, month, day)
        if days < 0:
            return BAD_TIME
        memcpy(clock.date, p, 10)
        clock.has_date = 1
        clock.date_ns = days * DAY
    of_day = clock_ns(p + 11)
    if of_day < 0:
        return BAD_TIME
    if n > 19 and p[19] == 46:
        used = fraction_ns(p + 20, n - 20, &fraction)
        if used < 0:
            return BAD_TIME
        at = 20 + used
    of_day += clock.date_ns + fraction
    if at == n:
        kind[0] = ISO
        return to_utc(zone, clock, of_day, ns)
    status = parse_offset(p + at, n - at, &offset)
    kind[0] = ISO_OFFSET
    ns[0] = of_day - offset
    return status


cdef inline int parse_epoch(int wanted, const uint8_t *p, Py_ssize_t n, int64_t *ns, int *kind) noexcept nogil:
    # digits(.digits)?, in the unit wanted or, where that is AUTO, in the unit of its magnitude
    cdef int64_t whole = 0, fraction = 0, per_second = 1
    cdef Py_ssize_t i = 0, used
    cdef unsigned int digit
    cdef int unit = EPOCH_S
    while i < n:
        digit = <unsigned int> p[i] - 48
        if digit > 9:
            break
        if i == 19 or whole > WHOLE_MAX:
            return BAD_TIME
        whole = whole * 10 + digit
        i += 1
    if i == 0:
        return BAD_TIME
    if i < n:
        used = -1
        if p[i] == 46:
            used = fraction_ns(p + i + 1, n - i - 1, &fraction)
        if used < 0 or i + 1 + used != n:
            return BAD_TIME
    while unit != wanted and (wanted != AUTO or whole < EPOCH_LOW * per_second or whole >= EPOCH_HIGH * per_second):
        if unit == EPOCH_NS:
            return AMBIGUOUS_EPOCH
        unit += 1
        per_second *= 1000
    if whole >= LAST_DAY * 86400 * per_second:
        return BAD_TIME
    if fraction != 0:
        # the fraction is in 1e-9 of the unit and must be whole ns
        if fraction % per_second != 0:
            return BAD_TIME
        fraction = fraction // per_second
    kind[0] = unit
    ns[0] = whole * (SECOND // per_second) + fraction
    return OK


cdef inline int parse_time_of_day(const Zone *zone, Clock *clock, const uint8_t *p, Py_ssize_t n,
                                  int64_t *ns) noexcept nogil:
    # A drop of more than 12 hours is midnight, once; behind it, the last hour before is a late row of the first day.
    cdef int64_t of_day, local, fraction = 0
    cdef Py_ssize_t used
    if n < 8:
        return BAD_TIME
    of_day = clock_ns(p)
    if of_day < 0:
        return BAD_TIME
    if n > 8:
        used = -1
        if p[8] == 46:
            used = fraction_ns(p + 9, n - 9, &fraction)
        if used < 0 or used + 9 != n:
            return BAD_TIME
    local = clock.first_day + of_day + fraction
    if clock.started and clock.latest - local > DAY // 2:
        clock.rolled = 1
    if clock.rolled and clock.latest - local > 3600 * SECOND:
        local += DAY
    if not clock.started or local > clock.latest:
        clock.latest = local
    return to_utc(zone, clock, local, ns)


cdef inline int parse_formatted(const Zone *zone, Clock *clock, const uint8_t *p, Py_ssize_t n,
                                int64_t *ns) noexcept nogil:
    # The pattern was checked: %Y %m %d %H %M %S %f %z %% and literal bytes; ".%f" may be missing in the text.
    cdef const uint8_t *pattern = clock.pattern
    cdef int64_t year = 1970, month = 1, day = 1, of_day = 0, fraction = 0, offset = 0, days
    cdef Py_ssize_t i = 0, at = 0, used
    cdef int value
    cdef bint zoned = False
    cdef uint8_t directive
    while i < clock.n_pattern:
        if pattern[i] != 37:
            if pattern[i] == 46 and i + 2 < clock.n_pattern and pattern[i + 1] == 37 and pattern[i + 2] == 102:
                if at == n or p[at] != 46:
                    i += 3
                    continue
            if at == n or p[at] != pattern[i]:
                return BAD_TIME
            i += 1
            at += 1
            continue
        directive = pattern[i + 1]
        i += 2
        if directive == 37:
            if at == n or p[at] != 37:
                return BAD_TIME
            at += 1
        elif directive == 102:
            used = fraction_ns(p + at, n - at, &fraction)
            if used < 0:
                return BAD_TIME
            at += used
        elif directive == 122:
            if parse_offset(p + at, n - at, &offset) != OK:
                return BAD_TIME
            zoned = True
            at = n
        else:
            if n - at < 2:
                return BAD_TIME
            value = two_digits(p + at)
            at += 2
            if value < 0:
                return BAD_TIME
            if directive == 89:
                year = value * 100
                value = two_digits(p + at) if n - at >= 2 else -1
                if value < 0:
                    return BAD_TIME
                year += value
                at += 2
            elif directive == 109:
                month = value
            elif directive == 100:
                day = value
            elif directive == 72:
                if value > 23:
                    return BAD_TIME
                of_day += value * 3600
            elif value > 59:
                return BAD_TIME
            elif directive == 77:
                of_day += value * 60
            else:
                of_day += value
    days = days_of(year, month, day)
    if at != n or days < 0:
        return BAD_TIME
    of_day = days * DAY + of_day * SECOND + fraction
    if zoned:
        ns[0] = of_day - offset
        return OK
    return to_utc(zone, clock, of_day, ns)


cdef inline int parse_auto(const Zone *zone, Clock *clock, const uint8_t *p, Py_ssize_t n, int64_t *ns,
                           int *kind) noexcept nogil:
    if n >= 8 and p[2] == 58:
        kind[0] = TIME_OF_DAY
        return parse_time_of_day(zone, clock, p, n, ns)
    if n >= 8 and p[4] == 45:
        return parse_iso(zone, clock, p, n, ns, kind)
    return parse_epoch(AUTO, p, n, ns, kind)


cdef inline int parse_time(const Zone *zone, Clock *clock, const uint8_t *p, Py_ssize_t n,
                           int64_t *ns) noexcept nogil:
    # Exact ns UTC. The kind is settled by the option or by the first good row; another kind later is MIXED_TIMES.
    cdef int kind = clock.kind, status
    cdef Clock probe
    if n == 0:
        return EMPTY_FIELD
    if kind == ISO or kind == ISO_OFFSET:
        status = parse_iso(zone, clock, p, n, ns, &kind)
    elif kind == AUTO:
        status = parse_auto(zone, clock, p, n, ns, &kind)
    elif kind == TIME_OF_DAY:
        status = parse_time_of_day(zone, clock, p, n, ns)
    elif kind == FORMATTED:
        status = parse_formatted(zone, clock, p, n, ns)
    else:
        status = parse_epoch(clock.wanted, p, n, ns, &kind)
    if status == OK:
        if kind == TIME_OF_DAY and clock.first_day < 0:
            return NO_DATE
        if kind != clock.kind:
            if clock.settled:
                return MIXED_TIMES
            clock.kind = kind
        clock.settled = 1
        clock.previous = ns[0]
        clock.started = 1
    elif clock.wanted == AUTO and clock.settled:
        # Not a time of the settled kind: is it one of another? A lone time of day has rather lost its date.
        probe = clock[0]
        if status != AMBIGUOUS_FOLD and parse_auto(zone, &probe, p, n, ns, &kind) == OK and kind != clock.kind:
            return BAD_TIME if kind == TIME_OF_DAY else MIXED_TIMES
        if status == AMBIGUOUS_EPOCH:
            return BAD_TIME
    return status
