"""Many simulators at once over the same columns: what a learner trains on.

All simulators share the market's rows; each has its own orders, position, money, latency bus and place in the rows. A
step gives every simulator an action and runs it to its next decision, all of them in one native call. The simulators
are those of `Simulator`, run by the same native loop: what an action leads to here, it leads to there.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int8_t, int64_t
from libc.stdlib cimport calloc, free

from cysim.columns cimport Columns
from cysim.copies cimport copy_simulation, free_simulation, make_room
from cysim.crew cimport Crew, dismiss, hire, share
from cysim.decisions cimport ENDS, Action
from cysim.failures cimport raise_failure
from cysim.fleet cimport Fleet, branch_some, reset_some, step_some
from cysim.simulator cimport Simulator
from cysim.state cimport Simulation
from cysim.types cimport LIMIT, NEVER, OK, OUT_OF_MEMORY, TIME_LIMIT
from cysim.windows cimport look_back

cdef enum:
    FARTHEST = 1_000_000         # units that an action may shift or widen quotes
    RESETS = 16                  # simulators that a thread takes at a time: less is not worth waking a second one
    STEPS = 32
    BRANCHES = 32                # actions, of one simulator at least


@cython.final
cdef class VectorEngine:
    """N independent simulators over one market.

    Parameters
    ----------
    template : Simulator
        Instruments (one traded), fill rules, fees, latencies, session gap and interval of all of them. It is used up:
        it serves one engine and is never run.
    tables : sequence of (tob, trades)
        For each instrument of the template its whole tables, as `Simulator.run` is fed them; empty ones may be `((),)`.
    actions : float64 array of (actions, 5)
        Columns: skew and half spread in units, share of the position to hedge, whether to bid and to offer (0 or 1).
    count : int
        Simulators.
    size : int
        Lots of each quote.
    max_position : int or None
        Lots: no bid at or above it, no offer at or below its negative.
    unit : str
        'spread' (the market's) or 'tick'.
    threads : int
        That share the work of a call, the caller's among them; results do not depend on it.

    Raises
    ------
    ValueError
        Naming the wrong argument, or for impossible rows, instrument, table and row.
    """

    cdef Simulator _template
    cdef Columns _columns
    cdef Fleet _fleet
    cdef Action* _actions
    cdef Crew* _crew
    cdef readonly int64_t count
    cdef readonly int64_t action_count
    cdef readonly int64_t threads
    cdef bint _busy

    def __init__(
        self, Simulator template, tables, const double[:, ::1] actions, *, int64_t count, int64_t size=1,
        max_position=None, str unit="spread", int64_t threads=1,
    ):
        if self._template is not None:
            raise RuntimeError("an engine is made once")
        if template is None or template._started or template.sim.interval == 0:
            raise ValueError("template must have an interval, and serve no other engine nor have been run")
        if template.sim.venue.senses != NULL:
            raise ValueError("template must have no features and no synthetic quotes: the engine computes none")
        traded = [place for place in range(template.sim.venue.instrument_count)
                  if template.sim.venue.instruments[place].traded]
        if len(traded) != 1:
            raise ValueError(f"template must trade exactly one instrument, not {len(traded)}; it may watch others")
        if count < 1 or not 1 <= threads <= 1024:
            raise ValueError(f"count must be at least 1 and threads 1 to 1024, not {count} and {threads}")
        if not 1 <= size < LIMIT:
            raise ValueError(f"size must be 1 lot to 2**40, not {size}")
        if max_position is not None and not 1 <= max_position < LIMIT:
            raise ValueError(f"max_position must be 1 lot to 2**40, or None, not {max_position}")
        if unit not in ("spread", "tick"):
            raise ValueError(f"unit must be spread or tick, not {unit!r}")
        self._template = template
        template._started = True
        self.count = count
        self.threads = threads
        self._fleet.rules.size = size
        self._fleet.rules.max_position = NEVER if max_position is None else max_position
        self._fleet.rules.instrument = traded[0]
        self._fleet.rules.in_ticks = unit == "tick"
        self._read_actions(actions)
        self._columns = Columns(tables)
        self._columns.lend(&template.sim, template._names, template._local)
        self._fleet.template = &template.sim
        self._fleet.count = count
        self._fleet.action_count = self.action_count
        self._fleet.actions = self._actions
        self._fleet.look_back = look_back(&template.sim)
        self._make()

    cdef int _read_actions(self, const double[:, ::1] actions) except -1:
        cdef int64_t place
        self.action_count = actions.shape[0]
        if self.action_count < 1 or actions.shape[1] != 5:
            raise ValueError("actions must have a row and the columns skew, half spread, hedge, bid and offer")
        self._actions = <Action*>PyMem_Calloc(self.action_count, sizeof(Action))
        if self._actions == NULL:
            raise MemoryError
        for place in range(self.action_count):
            if not (-FARTHEST <= actions[place, 0] <= FARTHEST and 0 <= actions[place, 1] <= FARTHEST
                    and 0 <= actions[place, 2] <= 1 and actions[place, 3] in (0, 1) and actions[place, 4] in (0, 1)):
                raise ValueError(
                    f"action {place}: skew must be within a million units, the half spread 0 to a million, hedge 0 to "
                    "1, bid and offer 0 or 1")
            self._actions[place].skew = actions[place, 0]
            self._actions[place].half_spread = actions[place, 1]
            self._actions[place].hedge = actions[place, 2]
            self._actions[place].bid = actions[place, 3] == 1
            self._actions[place].offer = actions[place, 4] == 1
        return 0

    cdef int _make(self) except -1:
        cdef int64_t index
        self._fleet.sims = <Simulation*>calloc(<size_t>self.count, sizeof(Simulation))
        self._fleet.branches = <Simulation*>calloc(<size_t>self.threads, sizeof(Simulation))
        self._fleet.end_ts = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        self._fleet.outcomes = <int8_t*>PyMem_Calloc(self.count, sizeof(int8_t))
        self._fleet.failures = <int8_t*>PyMem_Calloc(self.count, sizeof(int8_t))
        self._crew = hire(self.threads)
        if self._fleet.sims == NULL or self._fleet.branches == NULL or self._fleet.end_ts == NULL \
                or self._fleet.outcomes == NULL or self._fleet.failures == NULL or self._crew == NULL:
            raise MemoryError("no memory, or no threads, for so many simulators")
        for index in range(self.threads):
            if not make_room(&self._fleet.branches[index], &self._template.sim):
                raise MemoryError
        for index in range(self.count):
            if not make_room(&self._fleet.sims[index], &self._template.sim) \
                    or not copy_simulation(&self._fleet.sims[index], &self._template.sim):
                raise MemoryError
            self._fleet.outcomes[index] = ENDS
        return 0

    def __dealloc__(self):
        cdef int64_t index
        dismiss(self._crew)
        if self._fleet.sims != NULL:
            for index in range(self.count):
                free_simulation(&self._fleet.sims[index])
        if self._fleet.branches != NULL:
            for index in range(self.threads):
                free_simulation(&self._fleet.branches[index])
        free(self._fleet.sims)
        free(self._fleet.branches)
        PyMem_Free(self._fleet.end_ts)
        PyMem_Free(self._fleet.outcomes)
        PyMem_Free(self._fleet.failures)
        PyMem_Free(self._actions)

    def reset(self, const int64_t[::1] indices, const int64_t[::1] start_ts, const int64_t[::1] end_ts):
        """Starts simulators anew, flat and without orders, at the first decision from `start_ts` on.

        Parameters
        ----------
        indices : int64 array
            Which simulators, each at most once.
        start_ts, end_ts : int64 array
            ns: rows up to and including `start_ts` are known; no decision is made at or after `end_ts`.

        Raises
        ------
        ValueError
            For an index that is wrong or comes twice, or a window that ends before it starts.
        """
        cdef int64_t place, count = indices.shape[0]
        if start_ts.shape[0] != count or end_ts.shape[0] != count:
            raise ValueError("indices, start_ts and end_ts must be equally long")
        self._begin_call()
        try:
            for place in range(count):
                if not 0 <= indices[place] < self.count:
                    raise ValueError(f"index {indices[place]} is not 0 to {self.count - 1}")
                if not 0 <= start_ts[place] <= end_ts[place] < TIME_LIMIT:
                    raise ValueError(f"window {place} must be 0 <= start <= end < 2**62 ns")
            self._check_once(indices)
            if count > 0:
                self._fleet.call.indices = &indices[0]
                self._fleet.call.start_ts = &start_ts[0]
                self._fleet.call.end_ts = &end_ts[0]
                with nogil:
                    share(self._crew, reset_some, &self._fleet, count, RESETS)
            self._check()
        finally:
            self._busy = False

    def step(
        self, const int64_t[::1] actions, double[::1] pnl, double[::1] held, int64_t[::1] ts, int64_t[::1] position,
        int8_t[::1] done,
    ):
        """Every simulator that stands at a decision takes its action and runs to the next one.

        Parameters
        ----------
        actions : int64 array of (count,)
        pnl, held, ts, position, done : arrays of (count,), written
            What the interval earned in money units, |position| x time in lots x ns, the time reached, the position as
            the decision maker knows it, and whether the window or the data are over. Those that were over already get
            0 for the first two and stay.

        Raises
        ------
        ValueError
            For an array of the wrong length or an action that there is not; nothing has moved then.
        OverflowError
            When money leaves its 128 bits. That simulator stays broken until it is reset; the others have moved.
        """
        cdef int64_t index
        if not (actions.shape[0] == pnl.shape[0] == held.shape[0] == ts.shape[0] == position.shape[0] == done.shape[0]
                == self.count):
            raise ValueError(f"every array must have one element for each of the {self.count} simulators")
        self._begin_call()
        try:
            for index in range(self.count):
                if not 0 <= actions[index] < self.action_count:
                    raise ValueError(
                        f"action {actions[index]} of simulator {index} is not 0 to {self.action_count - 1}")
            self._fleet.call.chosen = &actions[0]
            self._write_to(&pnl[0], &held[0], &ts[0], &position[0], &done[0])
            with nogil:
                share(self._crew, step_some, &self._fleet, self.count, STEPS)
            self._check()
        finally:
            self._busy = False

    def step_all(
        self, double[:, ::1] pnl, double[:, ::1] held, int64_t[:, ::1] ts, int64_t[:, ::1] position,
        int8_t[:, ::1] done, int8_t[:, ::1] admissible,
    ):
        """What every action would lead to: for each exactly what `step` would return, and nothing moves.

        Parameters
        ----------
        pnl, held, ts, position, done : arrays of (count, actions), written
            As in `step`, for each admissible action; the others are left as they are.
        admissible : int8 array of (count, actions), written
            Actions whose quotes and hedge coincide are one: the first is admissible; none where `step` would not act.

        Raises
        ------
        ValueError
            For an array of the wrong shape.
        OverflowError
            When some action would lead money out of its 128 bits.
        """
        for rows, columns in (
                (pnl.shape[0], pnl.shape[1]), (held.shape[0], held.shape[1]), (ts.shape[0], ts.shape[1]),
                (position.shape[0], position.shape[1]), (done.shape[0], done.shape[1]),
                (admissible.shape[0], admissible.shape[1])):
            if rows != self.count or columns != self.action_count:
                raise ValueError(f"every array must have the shape ({self.count}, {self.action_count})")
        self._begin_call()
        try:
            self._write_to(&pnl[0, 0], &held[0, 0], &ts[0, 0], &position[0, 0], &done[0, 0])
            self._fleet.call.admissible = &admissible[0, 0]
            with nogil:
                share(self._crew, branch_some, &self._fleet, self.count, 1 + BRANCHES // self.action_count)
            self._check()
        finally:
            self._busy = False

    cdef void _write_to(self, double* pnl, double* held, int64_t* ts, int64_t* position, int8_t* done) noexcept:
        self._fleet.call.pnl = pnl
        self._fleet.call.held = held
        self._fleet.call.ts = ts
        self._fleet.call.position = position
        self._fleet.call.done = done

    cdef int _begin_call(self) except -1:
        if self._busy:
            raise RuntimeError("the engine is at work in another thread: it serves one call at a time")
        if self._crew == NULL:
            raise RuntimeError("the engine could not be made")
        self._busy = True
        return 0

    # Two threads must not begin one simulator.
    cdef int _check_once(self, const int64_t[::1] indices) except -1:
        cdef int64_t place, twice = -1
        for place in range(indices.shape[0]):
            if self._fleet.failures[indices[place]] != OK:
                twice = indices[place]
            self._fleet.failures[indices[place]] = OUT_OF_MEMORY       # any mark
        for place in range(indices.shape[0]):
            self._fleet.failures[indices[place]] = OK
        if twice >= 0:
            raise ValueError(f"index {twice} comes twice")
        return 0

    cdef int _check(self) except -1:
        cdef int64_t index, broken = -1
        cdef int status = OK
        for index in range(self.count - 1, -1, -1):
            if self._fleet.failures[index] != OK:
                broken, status = index, self._fleet.failures[index]
                self._fleet.failures[index] = OK
        if status != OK:
            raise_failure(status, NULL, f"simulator {broken}", self._fleet.sims[broken].venue.now)
        return 0
