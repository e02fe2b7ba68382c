"""Many simulators at once over the same columns: what a learner trains on.

All simulators share the market's rows; each has its own orders, position, money, latency bus and place in the rows. A
step gives every simulator an action and runs it to its next decision, all of them in one parallel native call. The
simulators are those of `Simulator`, run by the same native loop: what an action leads to here, it leads to there.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cython.parallel cimport prange, threadid
from libc.math cimport isfinite
from libc.stdint cimport int8_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

from cysim.copies cimport copy_simulation, free_simulation, make_room
from cysim.decisions cimport (
    BREAKS, DECIDES, ENDS, Action, Result, Rules, Wanted, decide, is_same, run_to_decision, wanted,
)
from cysim.failures cimport raise_failure
from cysim.simulator cimport Simulator
from cysim.state cimport Simulation
from cysim.stream cimport WINDOW, Source, attach, check_rows
from cysim.types cimport LIMIT, NEVER, OK, QUOTES, TIME_LIMIT
from cysim.windows cimport put_down


@cython.final
cdef class VectorEngine:
    """N independent simulators over one market.

    Parameters
    ----------
    template : Simulator
        Instruments (one traded), fill rules, fees, latencies, session gap and interval of all of them; it is never run.
    tables : sequence of (tob, trades)
        For each instrument of the template its whole tables, as `Simulator.run` is fed them.
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
        That share the work of a call.

    Raises
    ------
    ValueError
        Naming the wrong argument, or for impossible rows, instrument, table and row.
    """

    cdef Simulator _template
    cdef Simulation* _sims
    cdef Simulation* _branches   # one a thread
    cdef int64_t* _end_ts        # by simulator: no decision at or after it
    cdef int8_t* _outcomes
    cdef Action* _actions
    cdef uint8_t** _gaps         # by source
    cdef Rules _rules
    cdef list _tables            # keeps the columns alive
    cdef readonly int64_t count
    cdef readonly int64_t action_count
    cdef int _threads

    def __init__(
        self, Simulator template, tables, const double[:, ::1] actions, *, int64_t count, int64_t size=1,
        max_position=None, str unit="spread", int threads=1,
    ):
        cdef int64_t place
        if self._template is not None:
            raise RuntimeError("an engine is made once")
        if template._started or template.sim.interval == 0:
            raise ValueError("template must have an interval and must not have been run")
        traded = [place for place in range(template.sim.venue.instrument_count)
                  if template.sim.venue.instruments[place].traded]
        if len(traded) != 1:
            raise ValueError(f"template must trade exactly one instrument, not {len(traded)}")
        if count < 1 or threads < 1:
            raise ValueError(f"count and threads must be at least 1, not {count} and {threads}")
        if not 1 <= size < LIMIT:
            raise ValueError(f"size must be 1 lot to 2**40, not {size}")
        if max_position is not None and max_position < 1:
            raise ValueError(f"max_position must be at least 1 lot, or None, not {max_position}")
        if unit not in ("spread", "tick"):
            raise ValueError(f"unit must be spread or tick, not {unit!r}")
        if len(tables) != template.sim.venue.instrument_count:
            raise ValueError("tables must hold one pair (tob, trades) for each instrument of the template")
        self._template = template
        self.count = count
        self._threads = threads
        self._rules.size = size
        self._rules.max_position = NEVER if max_position is None else max_position
        self._rules.instrument = traded[0]
        self._rules.in_ticks = unit == "tick"
        self._read_actions(actions)
        self._attach(tables)
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
            if not (isfinite(actions[place, 0]) and isfinite(actions[place, 1]) and 0 <= actions[place, 1]
                    and 0 <= actions[place, 2] <= 1 and actions[place, 3] in (0, 1) and actions[place, 4] in (0, 1)):
                raise ValueError(
                    f"action {place}: skew and half spread must be finite, the half spread not negative, hedge 0 to 1, "
                    "bid and offer 0 or 1")
            self._actions[place].skew = actions[place, 0]
            self._actions[place].half_spread = actions[place, 1]
            self._actions[place].hedge = actions[place, 2]
            self._actions[place].bid = actions[place, 3] == 1
            self._actions[place].offer = actions[place, 4] == 1
        return 0

    # The whole tables become the template's sources, every row of them checked once.
    cdef int _attach(self, object tables) except -1:
        cdef Simulation* sim = &self._template.sim
        cdef Source* source
        cdef int64_t place
        cdef int status
        self._tables = [tuple(pair) for pair in tables]
        self._gaps = <uint8_t**>PyMem_Calloc(sim.source_count, sizeof(uint8_t*))
        if self._gaps == NULL:
            raise MemoryError
        for place in range(sim.source_count):
            source = &sim.sources[place]
            part = self._tables[source.instrument][0 if source.table == QUOTES else 1]
            source.finished = True
            if len(part[0]) == 0:
                continue
            attach(source, part, self._template._names[source.instrument])
            self._gaps[place] = <uint8_t*>PyMem_Calloc(source.length // WINDOW + 1, 1)
            if self._gaps[place] == NULL:
                raise MemoryError
            while source.checked < source.length:
                self._gaps[place][source.checked // WINDOW] = 0
                status = check_rows(source, sim.session_gap if sim.session_gap < TIME_LIMIT else TIME_LIMIT)
                if status != OK:
                    raise_failure(status, source, self._template._names[source.instrument], source.ts[source.checked])
                self._gaps[place][(source.checked - 1) // WINDOW] = source.may_gap
            source.gaps = self._gaps[place]
            source.checked = 0
            if sim.feeds != NULL:
                attach(&sim.feeds[place].rows, part, self._template._names[source.instrument])
        return 0

    cdef int _make(self) except -1:
        cdef int64_t index
        self._sims = <Simulation*>calloc(self.count, sizeof(Simulation))
        self._branches = <Simulation*>calloc(self._threads, sizeof(Simulation))
        self._end_ts = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        self._outcomes = <int8_t*>PyMem_Calloc(self.count, sizeof(int8_t))
        if self._sims == NULL or self._branches == NULL or self._end_ts == NULL or self._outcomes == NULL:
            raise MemoryError
        for index in range(self._threads):
            if not make_room(&self._branches[index], &self._template.sim):
                raise MemoryError
        for index in range(self.count):
            if not make_room(&self._sims[index], &self._template.sim) \
                    or not copy_simulation(&self._sims[index], &self._template.sim):
                raise MemoryError
            self._outcomes[index] = ENDS
        return 0

    def __dealloc__(self):
        cdef int64_t index
        if self._sims != NULL:
            for index in range(self.count):
                free_simulation(&self._sims[index])
        if self._branches != NULL:
            for index in range(self._threads):
                free_simulation(&self._branches[index])
        free(self._sims)
        free(self._branches)
        PyMem_Free(self._end_ts)
        PyMem_Free(self._outcomes)
        PyMem_Free(self._actions)
        if self._gaps != NULL:
            for index in range(self._template.sim.source_count):
                PyMem_Free(self._gaps[index])
        PyMem_Free(self._gaps)

    def reset(self, const int64_t[::1] indices, const int64_t[::1] start_ts, const int64_t[::1] end_ts):
        """Starts simulators anew, flat and without orders, at the first decision from `start_ts` on.

        Parameters
        ----------
        indices : int64 array
            Which simulators.
        start_ts, end_ts : int64 array
            ns: rows up to and including `start_ts` are known; no decision is made at or after `end_ts`.

        Raises
        ------
        ValueError
            For a wrong index or a window that ends before it starts.
        """
        cdef int64_t place, count = indices.shape[0]
        if start_ts.shape[0] != count or end_ts.shape[0] != count:
            raise ValueError("indices, start_ts and end_ts must be equally long")
        for place in range(count):
            if not 0 <= indices[place] < self.count:
                raise ValueError(f"index {indices[place]} is not 0 to {self.count - 1}")
            if not 0 <= start_ts[place] <= end_ts[place] < TIME_LIMIT:
                raise ValueError(f"window {place} must be 0 <= start <= end < 2**62 ns")
        for place in prange(count, nogil=True, num_threads=self._threads, schedule="static"):
            self._begin(indices[place], start_ts[place], end_ts[place])
        self._check()

    cdef void _begin(self, int64_t index, int64_t start_ts, int64_t end_ts) noexcept nogil:
        cdef Simulation* sim = &self._sims[index]
        self._end_ts[index] = end_ts
        if not copy_simulation(sim, &self._template.sim):
            self._outcomes[index] = BREAKS
            return
        put_down(sim, start_ts)
        self._outcomes[index] = run_to_decision(sim, &self._rules, end_ts)

    def step(
        self, const int64_t[::1] actions, double[::1] pnl, double[::1] held, int64_t[::1] ts, int64_t[::1] position,
        int8_t[::1] done,
    ):
        """Every simulator that stands at a decision takes its action and runs to the next one.

        Parameters
        ----------
        actions : int64 array of (count,)
        pnl, held, ts, position, done : arrays of (count,), written
            What the interval earned in money units, |position| x time in lots x ns, the time reached, the position, and
            whether the window or the data are over. Those that were over already get 0 and stay.
        """
        cdef int64_t index
        if not (actions.shape[0] == pnl.shape[0] == held.shape[0] == ts.shape[0] == position.shape[0] == done.shape[0]
                == self.count):
            raise ValueError(f"every array must have one element for each of the {self.count} simulators")
        for index in range(self.count):
            if not 0 <= actions[index] < self.action_count:
                raise ValueError(f"action {actions[index]} of simulator {index} is not 0 to {self.action_count - 1}")
        for index in prange(self.count, nogil=True, num_threads=self._threads, schedule="static"):
            self._step(index, actions[index], &pnl[index], &held[index], &ts[index], &position[index], &done[index])
        self._check()

    cdef void _step(
        self, int64_t index, int64_t action, double* pnl, double* held, int64_t* ts, int64_t* position, int8_t* done,
    ) noexcept nogil:
        cdef Simulation* sim = &self._sims[index]
        cdef Result result
        if self._outcomes[index] != DECIDES:
            pnl[0] = 0
            held[0] = 0
            ts[0] = sim.venue.now
            position[0] = sim.venue.instruments[self._rules.instrument].ledger.position
            done[0] = True
            return
        result = decide(sim, &self._rules, &self._actions[action], self._end_ts[index])
        self._outcomes[index] = result.outcome
        pnl[0] = result.pnl
        held[0] = result.held
        ts[0] = result.ts
        position[0] = result.position
        done[0] = result.outcome != DECIDES

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
        """
        cdef int64_t index
        for rows, columns in (
                (pnl.shape[0], pnl.shape[1]), (held.shape[0], held.shape[1]), (ts.shape[0], ts.shape[1]),
                (position.shape[0], position.shape[1]), (done.shape[0], done.shape[1]),
                (admissible.shape[0], admissible.shape[1])):
            if rows != self.count or columns != self.action_count:
                raise ValueError(f"every array must have the shape ({self.count}, {self.action_count})")
        for index in prange(self.count, nogil=True, num_threads=self._threads, schedule="static"):
            self._branch(
                index, &self._branches[threadid()], &pnl[index, 0], &held[index, 0], &ts[index, 0],
                &position[index, 0], &done[index, 0], &admissible[index, 0])
        self._check()

    cdef void _branch(
        self, int64_t index, Simulation* branch, double* pnl, double* held, int64_t* ts, int64_t* position,
        int8_t* done, int8_t* admissible,
    ) noexcept nogil:
        cdef int64_t action
        cdef Result result
        self._mask(index, admissible)
        for action in range(self.action_count):
            if not admissible[action]:
                continue
            if not copy_simulation(branch, &self._sims[index]):
                self._outcomes[index] = BREAKS
                return
            result = decide(branch, &self._rules, &self._actions[action], self._end_ts[index])
            if result.outcome == BREAKS:
                self._sims[index].venue.status = branch.venue.status
                self._outcomes[index] = BREAKS
                return
            pnl[action] = result.pnl
            held[action] = result.held
            ts[action] = result.ts
            position[action] = result.position
            done[action] = result.outcome != DECIDES

    cdef void _mask(self, int64_t index, int8_t* admissible) noexcept nogil:
        cdef int64_t action, earlier
        cdef Wanted want, other
        for action in range(self.action_count):
            admissible[action] = self._outcomes[index] == DECIDES
            if not admissible[action]:
                continue
            want = wanted(&self._sims[index], &self._rules, &self._actions[action])
            for earlier in range(action):
                if not admissible[earlier]:
                    continue
                other = wanted(&self._sims[index], &self._rules, &self._actions[earlier])
                if is_same(&want, &other):
                    admissible[action] = False
                    break

    cdef int _check(self) except -1:
        cdef int64_t index
        for index in range(self.count):
            if self._outcomes[index] == BREAKS:
                raise_failure(
                    self._sims[index].venue.status, &self._sims[index].sources[0], "", self._sims[index].venue.now)
        return 0
