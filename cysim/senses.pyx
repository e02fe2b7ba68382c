"""What a strategy asked to be computed beside the books: features and synthetic quotes, one state an instrument.

Nothing of it exists in a run whose strategy asks for nothing. Where rows are visible at once they are not told to it
one by one: those replayed since the last look are taken when the strategy looks, and before a part of a table is given
up.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t

from cysim.checks cimport checked_qty
from cysim.features cimport MARKET_FEATURE_COUNT, OwnState, begin_features
from cysim.stream cimport Source
from cysim.synthetic cimport read_legs
from cysim.types cimport PRINTS

from cysim.feature_names import FEATURES


# NULL when nothing is asked for. `instruments` as the simulator takes them, `features` and `synthetics` likewise.
cdef Senses* open_senses(
    list instruments, const Source* sources, int64_t source_count, bint quotes_travel, tuple features, object array,
    int64_t max_position, tuple synthetics,
) except? NULL:
    cdef Senses* senses
    cdef int64_t place
    if not features and not synthetics:
        return NULL
    senses = <Senses*>PyMem_Calloc(1, sizeof(Senses))
    if senses == NULL:
        raise MemoryError
    try:
        open_items(senses, instruments)
        take_owns(senses, len(instruments), checked_qty(max_position, "max_position"))
        for place in range(len(instruments)):
            senses.owns[place].position = instruments[place][6]
        choose(senses, features, array)
        open_pairs(senses, [spec[0] for spec in instruments], synthetics)
    except BaseException:
        close_senses(senses)
        raise
    if not quotes_travel:
        attach_sources(senses, sources, source_count)
    return senses


# What of ours the private features need, and nothing of the market's.
cdef Senses* open_owns(int64_t count, int64_t max_position) except NULL:
    cdef Senses* senses = <Senses*>PyMem_Calloc(1, sizeof(Senses))
    if senses == NULL:
        raise MemoryError
    try:
        take_owns(senses, count, max_position)
    except BaseException:
        close_senses(senses)
        raise
    return senses


cdef int take_owns(Senses* senses, int64_t count, int64_t max_position) except -1:
    cdef int64_t place
    senses.count = count
    senses.owns = <OwnState*>PyMem_Calloc(count, sizeof(OwnState))
    if senses.owns == NULL:
        raise MemoryError
    for place in range(count):
        senses.owns[place].max_position = max_position
    return 0


cdef void close_senses(Senses* senses) noexcept:
    if senses != NULL:
        PyMem_Free(senses.items)
        PyMem_Free(senses.owns)
        PyMem_Free(senses.pairs)
        PyMem_Free(senses)


cdef int open_items(Senses* senses, list instruments) except -1:
    cdef Sense* sense
    cdef int64_t place, count = len(instruments)
    senses.items = <Sense*>PyMem_Calloc(count, sizeof(Sense))
    if senses.items == NULL:
        raise MemoryError
    for place in range(count):
        sense = &senses.items[place]
        begin_features(&sense.market, instruments[place][4])
        sense.pair = -1
    return 0


# Which features the strategy named, and where it looks at them.
cdef int choose(Senses* senses, tuple features, object array) except -1:
    cdef double[:, ::1] rows
    cdef int64_t place
    cdef list known = [feature.name for feature in FEATURES]
    if not features:
        return 0
    if len(set(features)) < len(features):
        raise ValueError(f"a feature is named twice: {', '.join(features)}")
    for name in features:
        if name not in known:
            raise ValueError(f"unknown feature {name!r}; there are: {', '.join(known)}")
        place = known.index(name)
        senses.chosen[senses.chosen_count] = <int32_t>place
        senses.chosen_count += 1
        if place < MARKET_FEATURE_COUNT:
            senses.wants_market = True
        else:
            senses.wants_private = True
    rows = array
    if rows.shape[0] != senses.count or rows.shape[1] != senses.chosen_count:
        raise ValueError(f"feature_array must have the shape ({senses.count}, {senses.chosen_count})")
    for place in range(senses.count):
        senses.items[place].shown = &rows[place, 0]
    return 0


cdef int open_pairs(Senses* senses, list names, tuple synthetics) except -1:
    cdef PricedPair* pair
    cdef Sense* sense
    cdef int64_t place
    if not synthetics:
        return 0
    if len({spec[0] for spec in synthetics}) < len(synthetics):
        raise ValueError(f"two synthetic quotes have one name: {', '.join(spec[0] for spec in synthetics)}")
    senses.pairs = <PricedPair*>PyMem_Calloc(len(synthetics), sizeof(PricedPair))
    if senses.pairs == NULL:
        raise MemoryError
    senses.pair_count = len(synthetics)
    for place in range(senses.pair_count):
        _, legs, direct, max_age = synthetics[place]
        pair = &senses.pairs[place]
        read_legs(&pair.legs, legs, max_age, names)
        if direct is None:
            continue
        read_legs(&pair.direct, (direct,), max_age, names)
        sense = &senses.items[pair.direct.legs[0].instrument]
        if sense.pair < 0:
            sense.pair = <int32_t>place
    return 0


cdef int attach_sources(Senses* senses, const Source* sources, int64_t source_count) except -1:
    cdef int64_t place
    for place in range(source_count):
        if sources[place].table == PRINTS:
            senses.items[sources[place].instrument].prints = &sources[place]
        else:
            senses.items[sources[place].instrument].quotes = &sources[place]
    return 0


# How many hedges that had the choice went to the instrument, and through the legs, by pair.
cdef list hedges_of(const Senses* senses):
    cdef list counts = []
    cdef int64_t place
    if senses != NULL:
        for place in range(senses.pair_count):
            counts.append((senses.pairs[place].hedges_direct, senses.pairs[place].hedges_through))
    return counts
