from libc.stdint cimport int64_t

cdef struct Book:            # one instrument's display and what we know of it
    int64_t bid_px           # price units; 0: the side is absent
    int64_t bid_qty          # lots
    int64_t ask_px
    int64_t ask_qty
    int64_t bid_taken        # lots of the display our orders have taken (F3)
    int64_t ask_taken
    int64_t bid_printed      # lots printed at the bid since it was displayed, under the probable queue
    int64_t ask_printed
    int64_t mid2             # bid + ask of the last valid book, price units; 0: none yet
    int64_t first_mid2       # of the first valid book
    int64_t last_bid_px      # last bid and offer present, price units; 0: none yet
    int64_t last_ask_px

cdef inline bint is_valid(const Book* book) noexcept nogil:
    return book.bid_qty > 0 and book.ask_qty > 0 and book.bid_px <= book.ask_px

cdef inline int64_t still_taken(int64_t taken, int64_t old_px, int64_t new_px, int64_t display) noexcept nogil:
    if taken == 0 or new_px != old_px:
        return 0
    return taken if taken < display else display

cdef inline void apply_quote(
    Book* book, int64_t bid_px, int64_t bid_qty, int64_t ask_px, int64_t ask_qty,
) noexcept nogil:
    book.bid_taken = still_taken(book.bid_taken, book.bid_px, bid_px, bid_qty)
    book.ask_taken = still_taken(book.ask_taken, book.ask_px, ask_px, ask_qty)
    book.bid_px = bid_px
    book.bid_qty = bid_qty
    book.ask_px = ask_px
    book.ask_qty = ask_qty
    if bid_qty > 0:
        book.last_bid_px = bid_px
    if ask_qty > 0:
        book.last_ask_px = ask_px
    if is_valid(book):
        if book.mid2 == 0:
            book.first_mid2 = bid_px + ask_px
        book.mid2 = bid_px + ask_px
