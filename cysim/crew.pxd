from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

# Threads that share one caller's work, in pieces, and sleep between two calls that do not follow at once: to wake
# somebody takes as long as a piece. Nobody waits awake for longer than that, since a core that another process has is
# not waited for, and the caller does what a helper has not begun. Their owner may vanish at any time between two calls,
# and a forked child, which has no helpers, does all the work itself.

cdef enum:
    LOOKS = 1000                 # before falling asleep: some ten to thirty microseconds

cdef extern from * nogil:
    """
    #define mmbt_load(place) __atomic_load_n(place, __ATOMIC_SEQ_CST)
    #define mmbt_store(place, value) __atomic_store_n(place, value, __ATOMIC_SEQ_CST)
    #define mmbt_take(place) __atomic_sub_fetch(place, (int64_t)1, __ATOMIC_SEQ_CST)
    #define mmbt_clear(place) __atomic_exchange_n(place, (int64_t)0, __ATOMIC_SEQ_CST)
    #if defined(__x86_64__) || defined(__i386__)
    #define mmbt_pause() __builtin_ia32_pause()
    #elif defined(__aarch64__)
    #define mmbt_pause() __asm__ __volatile__("yield")
    #else
    #define mmbt_pause() ((void)0)
    #endif
    """
    int64_t load "mmbt_load"(const int64_t* place)
    void store "mmbt_store"(int64_t* place, int64_t value)
    int64_t take "mmbt_take"(int64_t* place)             # one less; returns what is left
    int64_t clear "mmbt_clear"(int64_t* place)           # returns what it was
    void pause "mmbt_pause"()                            # leaves the core to its other thread for a moment

cdef extern from "pythread.h" nogil:
    ctypedef void* PyThread_type_lock
    int NOWAIT_LOCK
    int WAIT_LOCK
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock lock)
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait)
    void PyThread_release_lock(PyThread_type_lock lock)
    unsigned long PyThread_start_new_thread(void (*body)(void*) noexcept nogil, void* argument)

ctypedef void (*Work)(void* owner, int64_t first, int64_t end, int64_t lane) noexcept nogil

cdef struct Helper:
    Crew* crew
    PyThread_type_lock go        # free: there may be work
    int64_t asleep               # atomic: whoever clears it must free `go`
    int64_t lane                 # from 1; the caller's is 0

cdef struct Crew:
    Helper* helpers
    int64_t helper_count
    int64_t members              # atomic: the owner and the helpers; the last to leave frees it
    int64_t over                 # atomic: the owner has left
    int64_t left                 # atomic: pieces nobody has begun; below 0 when somebody asked in vain
    int64_t unfinished           # atomic: pieces not done, and one while the caller is at work
    PyThread_type_lock done      # free: a helper has done the last piece
    Work work                    # this and what follows: of the call
    void* owner
    int64_t count                # of items
    int64_t piece                # items in a piece
    int64_t pieces

cdef inline void free_crew(Crew* crew) noexcept nogil:
    cdef int64_t place
    if crew == NULL:
        return
    for place in range(crew.helper_count):
        if crew.helpers[place].go != NULL:
            PyThread_free_lock(crew.helpers[place].go)
    if crew.done != NULL:
        PyThread_free_lock(crew.done)
    free(crew.helpers)
    free(crew)

cdef inline void leave_crew(Crew* crew) noexcept nogil:
    if take(&crew.members) == 0:
        free_crew(crew)

# Does pieces until all have been begun.
cdef inline void take_part(Crew* crew, int64_t lane) noexcept nogil:
    cdef int64_t left = take(&crew.left), first, end
    while left >= 0:
        first = (crew.pieces - 1 - left) * crew.piece
        end = first + crew.piece if first + crew.piece < crew.count else crew.count
        crew.work(crew.owner, first, end, lane)
        if take(&crew.unfinished) == 0:
            PyThread_release_lock(crew.done)
        left = take(&crew.left)

cdef inline void look_for_work(const Crew* crew) noexcept nogil:
    cdef int _look
    for _look in range(LOOKS):
        if load(&crew.left) > 0 or load(&crew.over) != 0:
            return
        pause()

# The last piece was begun, and is not done.
cdef inline void wait_until_done(Crew* crew) noexcept nogil:
    cdef int _look
    for _look in range(LOOKS):
        if PyThread_acquire_lock(crew.done, NOWAIT_LOCK):
            return
        pause()
    PyThread_acquire_lock(crew.done, WAIT_LOCK)

cdef inline void help_out(void* argument) noexcept nogil:
    cdef Helper* helper = <Helper*>argument
    cdef Crew* crew = helper.crew
    while load(&crew.over) == 0:
        take_part(crew, helper.lane)
        look_for_work(crew)
        store(&helper.asleep, 1)
        # work that came just before: stays awake, unless somebody has begun to wake it
        if (load(&crew.left) > 0 or load(&crew.over) != 0) and clear(&helper.asleep) == 1:
            continue
        PyThread_acquire_lock(helper.go, WAIT_LOCK)
    leave_crew(crew)

# A crew whose owner and `threads` - 1 helpers share work; NULL when out of memory or threads.
cdef inline Crew* hire(int64_t threads) noexcept:
    cdef Crew* crew = <Crew*>calloc(1, sizeof(Crew))
    cdef Helper* helper
    cdef int64_t place
    if crew == NULL:
        return NULL
    crew.members = 1
    crew.helpers = <Helper*>calloc(<size_t>threads, sizeof(Helper))
    crew.done = PyThread_allocate_lock()
    if crew.helpers == NULL or crew.done == NULL:
        free_crew(crew)
        return NULL
    PyThread_acquire_lock(crew.done, NOWAIT_LOCK)
    for place in range(threads - 1):
        helper = &crew.helpers[place]
        helper.crew = crew
        helper.lane = place + 1
        helper.go = PyThread_allocate_lock()
        crew.helper_count += 1
        if helper.go == NULL:
            dismiss(crew)
            return NULL
        PyThread_acquire_lock(helper.go, NOWAIT_LOCK)
        crew.members += 1        # helpers hired so far leave only once it is over
        if PyThread_start_new_thread(help_out, helper) == <unsigned long>-1:
            take(&crew.members)
            dismiss(crew)
            return NULL
    return crew

cdef inline void wake(Crew* crew, int64_t count) noexcept nogil:
    cdef int64_t place
    for place in range(count):
        if clear(&crew.helpers[place].asleep) == 1:
            PyThread_release_lock(crew.helpers[place].go)

# Calls `work` for all items, `piece` of them at a time; returns when everything is done.
cdef inline void share(Crew* crew, Work work, void* owner, int64_t count, int64_t piece) noexcept nogil:
    crew.work = work
    crew.owner = owner
    crew.count = count
    crew.piece = piece
    crew.pieces = (count + piece - 1) // piece
    store(&crew.unfinished, crew.pieces + 1)
    store(&crew.left, crew.pieces)
    wake(crew, crew.helper_count if crew.helper_count < crew.pieces - 1 else crew.pieces - 1)
    take_part(crew, 0)
    if take(&crew.unfinished) > 0:
        wait_until_done(crew)

# The owner leaves.
cdef inline void dismiss(Crew* crew) noexcept nogil:
    if crew == NULL:
        return
    store(&crew.over, 1)
    wake(crew, crew.helper_count)
    leave_crew(crew)
