from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from mmbt.formats._fields cimport BAD_INSTRUMENT, EMPTY_FIELD, NO_MEMORY, OK, TOO_MANY_NAMES
from mmbt.formats._text cimport good_name


cdef enum:
    MAX_NAMES = 65536       # instruments of a file


cdef struct Name:
    uint64_t hash
    int64_t start           # in the text of all names
    int32_t n
    int32_t code            # -1: a free place


cdef struct Names:          # owned by one Tokenizer: made by names_init, freed by names_free
    Name *table             # open addressing, at most half full
    int64_t room            # of the table, a power of 2
    uint8_t *text           # of all names
    int64_t n_text
    int64_t text_room
    int32_t n
    int32_t _pad


cdef inline uint64_t hash_name(const uint8_t *p, Py_ssize_t n) noexcept nogil:
    cdef uint64_t word, hashed = <uint64_t> n * 0x9E3779B97F4A7C15ULL
    while n >= 8:
        memcpy(&word, p, 8)
        hashed = (hashed ^ word) * 0x9E3779B97F4A7C15ULL
        hashed ^= hashed >> 32
        p += 8
        n -= 8
    word = 0
    memcpy(&word, p, n)
    hashed = (hashed ^ word) * 0x9E3779B97F4A7C15ULL
    return hashed ^ (hashed >> 32)


cdef inline int names_init(Names *names) noexcept nogil:
    names.room = 64
    names.table = <Name *> malloc(names.room * sizeof(Name))
    if names.table == NULL:
        return NO_MEMORY
    memset(names.table, 0xFF, names.room * sizeof(Name))
    return OK


cdef inline void names_free(Names *names) noexcept nogil:
    free(names.table)
    free(names.text)


cdef inline int name_code(Names *names, const uint8_t *p, Py_ssize_t n, int32_t *code) noexcept nogil:
    # The code of a name, a new one for a new name; what is no good name never enters the table.
    cdef uint64_t hashed
    cdef int64_t k
    if n == 0:
        return EMPTY_FIELD
    hashed = hash_name(p, n)
    k = <int64_t> (hashed & <uint64_t> (names.room - 1))
    while names.table[k].code >= 0:
        if names.table[k].hash == hashed and names.table[k].n == n \
                and memcmp(names.text + names.table[k].start, p, n) == 0:
            code[0] = names.table[k].code
            return OK
        k = (k + 1) & (names.room - 1)
    if not good_name(p, n):
        return BAD_INSTRUMENT
    return new_name(names, p, n, hashed, code)


cdef inline int new_name(Names *names, const uint8_t *p, Py_ssize_t n, uint64_t hashed, int32_t *code) noexcept nogil:
    cdef uint8_t *text
    cdef int64_t k
    if names.n == MAX_NAMES:
        return TOO_MANY_NAMES
    if 2 * names.n >= names.room and names_grow(names) != OK:
        return NO_MEMORY
    if names.n_text + n > names.text_room:
        text = <uint8_t *> realloc(names.text, 2 * names.text_room + 4096)
        if text == NULL:
            return NO_MEMORY
        names.text = text
        names.text_room = 2 * names.text_room + 4096
    memcpy(names.text + names.n_text, p, n)
    k = <int64_t> (hashed & <uint64_t> (names.room - 1))
    while names.table[k].code >= 0:
        k = (k + 1) & (names.room - 1)
    names.table[k] = Name(hashed, names.n_text, <int32_t> n, names.n)
    code[0] = names.n
    names.n_text += n
    names.n += 1
    return OK


cdef inline int names_grow(Names *names) noexcept nogil:
    cdef int64_t room = 2 * names.room, k, to
    cdef Name *table = <Name *> malloc(room * sizeof(Name))
    if table == NULL:
        return NO_MEMORY
    memset(table, 0xFF, room * sizeof(Name))
    for k in range(names.room):
        if names.table[k].code >= 0:
            to = <int64_t> (names.table[k].hash & <uint64_t> (room - 1))
            while table[to].code >= 0:
                to = (to + 1) & (room - 1)
            table[to] = names.table[k]
    free(names.table)
    names.table = table
    names.room = room
    return OK
