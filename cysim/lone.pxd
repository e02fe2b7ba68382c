from libc.stdint cimport int64_t

from cysim.book cimport Book, apply_quote
from cysim.fetch cimport fetch
from cysim.leap cimport LANDED, SHORT, WOKEN, Leap, quiet_end, reach_until
from cysim.observe cimport next_observation, observe_before, record_fills_equity
from cysim.replay cimport happen
from cysim.state cimport Simulation
from cysim.stream cimport Source
from cysim.types cimport NEVER, OK, PRINTS, QUOTES
from cysim.venue cimport Instrument

# The leap of a lone instrument whose reports and quotes take no time: what most backtests are. It does what `leap` does
# for any number of instruments, with both tables in hand: half the instructions.

cdef enum:
    UNSEEN = -1                  # a time that is to be looked for
    ROWS_AHEAD = 64              # of the quantities, which a leap reads of one row only, and not in step

# Quiet quotes leave only the last of them behind.
cdef inline void take_last_quote(Book* book, Source* quotes, int64_t end) noexcept nogil:
    cdef int64_t row = end - 1
    cdef int64_t bid_px, bid_qty, ask_px, ask_qty
    bid_px = quotes.bid_px[row]
    bid_qty = quotes.bid_qty[row]
    ask_px = quotes.ask_px[row]
    ask_qty = quotes.ask_qty[row]
    if (book.bid_taken | book.ask_taken) != 0 or bid_qty == 0 or ask_qty == 0 or bid_px > ask_px:
        for row in range(quotes.pos, end):   # the last valid mid, the last touches, what is taken may hang on all
            apply_quote(book, quotes.bid_px[row], quotes.bid_qty[row], quotes.ask_px[row], quotes.ask_qty[row])
        return
    book.bid_px = bid_px
    book.bid_qty = bid_qty
    book.ask_px = ask_px
    book.ask_qty = ask_qty
    book.last_bid_px = bid_px
    book.last_ask_px = ask_px
    book.mid2 = bid_px + ask_px

# Quotes before `end` have happened, none of which can fill us. Whether there are any is not asked: the last one taken
# leaves the same when it is taken again.
cdef inline void pass_quotes(Simulation* sim, Book* book, Source* quotes, int64_t end) noexcept nogil:
    cdef int64_t ts, last_ts = sim.last_ts
    if end == 0:
        return
    take_last_quote(book, quotes, end)
    quotes.pos = end
    ts = quotes.ts[end - 1]
    sim.last_ts = ts if ts > last_ts else last_ts

# So have prints: they leave nothing behind.
cdef inline void pass_prints(Simulation* sim, Source* prints, int64_t end) noexcept nogil:
    cdef int64_t ts, last_ts = sim.last_ts
    if end == 0:
        return
    prints.pos = end
    ts = prints.ts[end - 1]
    sim.last_ts = ts if ts > last_ts else last_ts

# Takes the mids and rows of equity due before `ts`.
cdef inline void observe_quotes(Simulation* sim, Source* quotes, int64_t end, int64_t ts) noexcept nogil:
    if next_observation(sim) < ts:
        quotes.quiet = end
        observe_before(sim, ts)

# What comes later is asked for now: most columns are read in step and come by themselves, but not all, and not at once.
cdef inline void expect_rows(const Source* quotes) noexcept nogil:
    cdef int64_t row = quotes.pos
    fetch(&quotes.ts[row + 2 * ROWS_AHEAD])
    fetch(&quotes.ts[row + 2 * ROWS_AHEAD + 8])
    fetch(&quotes.bid_px[row + 2 * ROWS_AHEAD])
    fetch(&quotes.bid_px[row + 2 * ROWS_AHEAD + 8])
    fetch(&quotes.ask_px[row + 2 * ROWS_AHEAD])
    fetch(&quotes.ask_px[row + 2 * ROWS_AHEAD + 8])
    fetch(&quotes.bid_qty[row + ROWS_AHEAD])
    fetch(&quotes.bid_qty[row + ROWS_AHEAD + 8])
    fetch(&quotes.ask_qty[row + ROWS_AHEAD])
    fetch(&quotes.ask_qty[row + ROWS_AHEAD + 8])

cdef inline Leap leap_alone(Simulation* sim, int64_t due_ts) noexcept nogil:
    cdef Instrument* instrument = &sim.venue.instruments[0]
    cdef Source* quotes = &sim.sources[sim.first_quotes]
    cdef Source* prints = &sim.sources[1 - sim.first_quotes]
    cdef int64_t limit_ts = reach_until(sim, due_ts)
    cdef int64_t loud_quote = 0, loud_print = 0      # the first that may fill us or is later than `limit_ts`
    cdef int64_t quote_ts = UNSEEN, print_ts = UNSEEN
    cdef int64_t end
    cdef bint filled
    if limit_ts < sim.last_ts:
        return SHORT
    expect_rows(quotes)
    while True:
        if quote_ts == UNSEEN:
            loud_quote = quiet_end(instrument, quotes, QUOTES, limit_ts)
            quote_ts = quotes.ts[loud_quote] if loud_quote < quotes.checked else NEVER
        if print_ts == UNSEEN:
            loud_print = quiet_end(instrument, prints, PRINTS, limit_ts)
            print_ts = prints.ts[loud_print] if loud_print < prints.checked else NEVER
        if quote_ts > limit_ts and print_ts > limit_ts:
            observe_quotes(sim, quotes, loud_quote, limit_ts + 1 if limit_ts < due_ts else due_ts)
            pass_quotes(sim, &instrument.book, quotes, loud_quote)
            pass_prints(sim, prints, loud_print)
            sim.last_traded_ts = sim.last_ts
            sim.venue.now = sim.last_ts
            return LANDED if limit_ts == due_ts else SHORT
        # What a fill takes from the market's reach can only make rows quiet: those later than the limit stay the first.
        if quote_ts < print_ts or (quote_ts == print_ts and sim.first_quotes == 0):
            observe_quotes(sim, quotes, loud_quote, quote_ts)
            pass_quotes(sim, &instrument.book, quotes, loud_quote)
            filled = happen(sim, quotes)
            end = quote_ts + sim.first_quotes
            quote_ts = UNSEEN
            if print_ts <= limit_ts:
                print_ts = UNSEEN
        else:
            end = quiet_end(instrument, quotes, QUOTES, print_ts - sim.first_quotes)
            observe_quotes(sim, quotes, end, print_ts)
            pass_quotes(sim, &instrument.book, quotes, end)
            prints.pos = loud_print
            filled = happen(sim, prints)
            end = 0
            print_ts = UNSEEN
            if quote_ts <= limit_ts:
                quote_ts = UNSEEN
        sim.last_ts = sim.venue.now
        sim.last_traded_ts = sim.venue.now
        if filled:
            record_fills_equity(sim)
            if sim.venue.recorder.notice_count > 0 or sim.venue.status != OK:
                while prints.pos < prints.checked and prints.ts[prints.pos] < end:
                    prints.pos += 1      # they were quiet before the fill, and left nothing behind
                sim.event_instrument = -1
                return WOKEN if sim.venue.recorder.notice_count > 0 else SHORT
