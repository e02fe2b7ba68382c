from libc.stdint cimport int64_t, uint64_t

from cysim.book cimport apply_quote, is_valid
from cysim.delays cimport delay_of
from cysim.senses cimport take_visible
from cysim.state cimport Feed, Simulation
from cysim.stream cimport Source
from cysim.types cimport NEVER, PRINTS, QUOTES
from cysim.venue cimport Instrument, seen_book

# Whether every traded instrument's book, as the strategy sees it, is two-sided and not crossed.
cdef inline bint all_traded_valid(Simulation* sim) noexcept nogil:
    cdef int64_t index
    for index in range(sim.venue.instrument_count):
        if sim.venue.instruments[index].traded \
                and not is_valid(seen_book(&sim.venue, &sim.venue.instruments[index])):
            return False
    return True

# Whether single rows matter to the strategy.
cdef inline bint listens(const Simulation* sim) noexcept nogil:
    return sim.wants_tob or sim.wants_trades or sim.awaits_start

# A row wakes the strategy, if it listens.
cdef inline bint wakes(Simulation* sim, const Source* source, int64_t row) noexcept nogil:
    if not (sim.wants_tob if source.table == QUOTES else sim.wants_trades):
        sim.event_instrument = -1
        return False
    sim.event_table = source.table
    sim.event_ts = source.ts[row]
    sim.event_instrument = source.instrument
    if source.table == PRINTS:
        sim.event_px = source.bid_px[row]
        sim.event_qty = source.bid_qty[row]
        sim.event_aggressor = source.aggressor[row]
    return True

# When the feed's next row becomes visible: not before it happened, nor before the row before it (O5).
cdef inline void look_ahead(Feed* feed) noexcept nogil:
    cdef const Source* rows = &feed.rows
    cdef int64_t ts = rows.ts[rows.pos]
    cdef int64_t visible_ts
    feed.ties = feed.ties + 1 if ts == feed.row_ts else 0
    feed.row_ts = ts
    if feed.local_ts != NULL:
        visible_ts = feed.local_ts[rows.pos]
    else:
        visible_ts = ts + delay_of(&feed.delay, ts, <uint64_t>feed.ties)
    if visible_ts < ts:
        visible_ts = ts
    if visible_ts > feed.visible_ts:
        feed.visible_ts = visible_ts
    feed.looked = True

# Whether the venue has passed the feed's next row. `starved` becomes the feed whose next part is missing.
cdef inline bint has_news(Simulation* sim, int64_t index) noexcept nogil:
    cdef Feed* feed = &sim.feeds[index]
    cdef const Source* source = &sim.sources[index]
    if feed.rows.rows_before + feed.rows.pos >= source.rows_before + source.pos:
        return False
    if feed.rows.pos == feed.rows.length:
        sim.starved = sim.source_count + index
        return False
    if not feed.looked:
        look_ahead(feed)
    return True

# The feed whose row becomes visible next, by (visible time, total order); -1: none that the venue has passed.
cdef inline int64_t next_feed(Simulation* sim) noexcept nogil:
    cdef int64_t best = -1, index
    cdef const Feed* feed
    sim.starved = -1
    for index in range(sim.source_count):
        if not has_news(sim, index):
            if sim.starved >= 0:
                return -1
            continue
        feed = &sim.feeds[index]
        if best < 0 or feed.visible_ts < sim.feeds[best].visible_ts or (
                feed.visible_ts == sim.feeds[best].visible_ts and feed.row_ts < sim.feeds[best].row_ts):
            best = index
    return best

# The feed's next row becomes visible; returns whether it wakes the strategy.
cdef inline bint show_row(Simulation* sim, int64_t index) noexcept nogil:
    cdef Feed* feed = &sim.feeds[index]
    cdef const Source* rows = &feed.rows
    cdef Instrument* instrument = &sim.venue.instruments[rows.instrument]
    cdef int64_t row = rows.pos
    if rows.table == QUOTES:
        apply_quote(&instrument.seen, rows.bid_px[row], rows.bid_qty[row], rows.ask_px[row], rows.ask_qty[row])
    if sim.venue.senses != NULL:
        take_visible(sim.venue.senses, rows, row, feed.visible_ts)
    feed.rows.pos += 1
    feed.looked = False
    return wakes(sim, rows, row)

# Nobody is woken by rows: shows all that are visible before `until_ts`. False when a part is missing.
cdef inline bint catch_up(Simulation* sim, int64_t until_ts) noexcept nogil:
    cdef int64_t index
    sim.starved = -1
    for index in range(sim.source_count):
        while has_news(sim, index) and sim.feeds[index].visible_ts < until_ts:
            show_row(sim, index)
        if sim.starved >= 0:
            return False
    return True
