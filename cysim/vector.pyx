"""Many simulators at once over the same columns: what a learner trains on.

All simulators of a market share its rows; each has its own orders, position, money, latency bus and place in the rows.
A step gives every simulator an action and runs it to its next decision, all of them in one native call. The simulators
are those of `Simulator`, run by the same native loop: what an action leads to here, it leads to there.
"""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free

from cysim.columns cimport Columns
from cysim.copies cimport copy_simulation, free_simulation, make_room
from cysim.crew cimport Crew, dismiss, hire, share
from cysim.decisions cimport ENDS, Action
from cysim.failures cimport raise_failure
from cysim.fleet cimport Fleet, Market, branch_some, observe_some, reset_some, step_some
from cysim.grid cimport read_actions
from cysim.observation cimport Wants, free_wants, make_wants
from cysim.senses cimport open_owns
from cysim.simulator cimport Simulator
from cysim.state cimport Simulation
from cysim.types cimport LIMIT, NEVER, OK, OUT_OF_MEMORY, TIME_LIMIT
from cysim.windows cimport look_back

from cysim.feature_names import PRIVATE_FEATURES

cdef enum:
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
    actions : float64 array of (actions, 5 or 6)
        Columns: skew and half spread in units, share of the position to hedge, whether to bid and to offer (0 or 1),
        lots of each quote (`size` without it).
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
    more : sequence of (template, tables)
        Further markets of the same instruments, other days say: a reset chooses among all of them.
    tapes : sequence of (instants, scale)
        For each market the times of its timers, ns, and at each the mid and the reference spread in price units:
        `Instants` notes them. Without tapes there is nothing to observe.
    private : sequence of str
        The private features that are observed (`cysim.PRIVATE_FEATURES`), `inventory` among them.

    Raises
    ------
    ValueError
        Naming the wrong argument, or for impossible rows, instrument, table and row.
    """

    cdef list _kept              # templates, columns and tapes, which the fleet points into
    cdef Fleet _fleet
    cdef Market* _markets
    cdef Action* _actions
    cdef Crew* _crew
    cdef readonly int64_t count
    cdef readonly int64_t action_count
    cdef readonly int64_t threads
    cdef readonly int64_t market_count
    cdef bint _busy

    def __init__(
        self, Simulator template, tables, const double[:, ::1] actions, *, int64_t count, int64_t size=1,
        max_position=None, str unit="spread", int64_t threads=1, more=(), tapes=(), private=(),
    ):
        cdef list known = [feature.name for feature in PRIVATE_FEATURES]
        if self._kept is not None:
            raise RuntimeError("an engine is made once")
        if count < 1 or not 1 <= threads <= 1024:
            raise ValueError(f"count must be at least 1 and threads 1 to 1024, not {count} and {threads}")
        if not 1 <= size < LIMIT:
            raise ValueError(f"size must be 1 lot to 2**40, not {size}")
        if max_position is not None and not 1 <= max_position < LIMIT:
            raise ValueError(f"max_position must be 1 lot to 2**40, or None, not {max_position}")
        if unit not in ("spread", "tick"):
            raise ValueError(f"unit must be spread or tick, not {unit!r}")
        if tapes and (max_position is None or "inventory" not in private or not set(private) <= set(known)
                      or len(set(private)) < len(private) or len(tapes) != 1 + len(more)):
            raise ValueError(
                "tapes must be one a market, with a max_position and distinct private features, inventory among "
                f"them, out of {', '.join(known)}")
        self._kept = []
        self.count, self.threads = count, threads
        self._fleet.rules.max_position = NEVER if max_position is None else max_position
        self._fleet.rules.in_ticks = unit == "tick"
        for name in private if tapes else ():
            self._fleet.eye.chosen[self._fleet.eye.count] = <int32_t>known.index(name)
            self._fleet.eye.count += 1
        self._actions = read_actions(actions, size)
        self.action_count = actions.shape[0]
        self._markets = <Market*>PyMem_Calloc(1 + len(more), sizeof(Market))
        if self._markets == NULL:
            raise MemoryError
        self._fleet.markets = self._markets
        self._fleet.count = count
        self._fleet.action_count = self.action_count
        self._fleet.actions = self._actions
        for place, (one, its_tables) in enumerate([(template, tables), *more]):
            self._add_market(one, its_tables, tapes[place] if tapes else None)
        self._make()

    cdef int _add_market(self, Simulator template, tables, tape) except -1:
        cdef Market* market = &self._markets[self.market_count]
        cdef const Simulation* first = self._markets[0].template
        cdef Columns columns
        cdef const int64_t[::1] instants
        cdef const double[:, ::1] scale
        if template is None or template._started or template.sim.interval == 0:
            raise ValueError("template must have an interval, and serve no other engine nor have been run")
        if template.sim.venue.senses != NULL:
            raise ValueError("template must have no features and no synthetic quotes: the engine computes none")
        traded = [place for place in range(template.sim.venue.instrument_count)
                  if template.sim.venue.instruments[place].traded]
        if len(traded) != 1:
            raise ValueError(f"template must trade exactly one instrument, not {len(traded)}; it may watch others")
        if first != NULL and (template._names != (<Simulator>self._kept[0])._names
                              or traded[0] != self._fleet.rules.instrument
                              or (template.sim.feeds == NULL) != (first.feeds == NULL)):
            raise ValueError("every template must trade and watch the same instruments, with the same latencies")
        template._started = True
        columns = Columns(tables)
        columns.lend(&template.sim, template._names, template._local)
        if tape is not None:
            instants, scale = tape
            if instants.shape[0] == 0 or scale.shape[0] != instants.shape[0] or scale.shape[1] != 2:
                raise ValueError("a tape must have an instant at least, and a mid and a spread for each")
            template.sim.venue.senses = open_owns(
                template.sim.venue.instrument_count, self._fleet.rules.max_position)
            market.tape.instants = &instants[0]
            market.tape.scale = &scale[0, 0]
            market.tape.count = instants.shape[0]
        self._kept += [template, columns, tape]
        market.template = &template.sim
        market.look_back = look_back(&template.sim)
        self._fleet.rules.instrument = traded[0]
        self.market_count += 1
        return 0

    cdef int _make(self) except -1:
        cdef int64_t index
        cdef const Simulation* template = self._markets[0].template
        cdef Fleet* fleet = &self._fleet
        fleet.sims = <Simulation*>calloc(<size_t>self.count, sizeof(Simulation))
        fleet.branches = <Simulation*>calloc(<size_t>self.threads, sizeof(Simulation))
        fleet.wants = <Wants*>calloc(<size_t>self.threads, sizeof(Wants))
        fleet.seen = <float*>calloc(<size_t>(self.threads * (fleet.eye.count + 1)), sizeof(float))
        fleet.end_ts = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        fleet.places = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        fleet.rows = <int64_t*>PyMem_Calloc(self.count, sizeof(int64_t))
        fleet.outcomes = <int8_t*>PyMem_Calloc(self.count, sizeof(int8_t))
        fleet.failures = <int8_t*>PyMem_Calloc(self.count, sizeof(int8_t))
        self._crew = hire(self.threads)
        if fleet.sims == NULL or fleet.branches == NULL or fleet.wants == NULL or fleet.seen == NULL \
                or fleet.end_ts == NULL or fleet.places == NULL or fleet.rows == NULL or fleet.outcomes == NULL \
                or fleet.failures == NULL or self._crew == NULL:
            raise MemoryError("no memory, or no threads, for so many simulators")
        for index in range(self.threads):
            if not (make_room(&fleet.branches[index], template) and make_wants(&fleet.wants[index], self.action_count)):
                raise MemoryError
        for index in range(self.count):
            if not make_room(&fleet.sims[index], template) or not copy_simulation(&fleet.sims[index], template):
                raise MemoryError
            fleet.outcomes[index] = ENDS
        return 0

    def __dealloc__(self):
        cdef int64_t index
        dismiss(self._crew)
        if self._fleet.sims != NULL:
            for index in range(self.count):
                free_simulation(&self._fleet.sims[index])
        if self._fleet.branches != NULL and self._fleet.wants != NULL:
            for index in range(self.threads):
                free_simulation(&self._fleet.branches[index])
                free_wants(&self._fleet.wants[index])
        free(self._fleet.sims)
        free(self._fleet.branches)
        free(self._fleet.wants)
        free(self._fleet.seen)
        PyMem_Free(self._fleet.end_ts)
        PyMem_Free(self._fleet.places)
        PyMem_Free(self._fleet.rows)
        PyMem_Free(self._fleet.outcomes)
        PyMem_Free(self._fleet.failures)
        PyMem_Free(self._actions)
        PyMem_Free(self._markets)

    def reset(
        self, const int64_t[::1] indices, const int64_t[::1] start_ts, const int64_t[::1] end_ts, *,
        const int64_t[::1] markets=None, const int64_t[::1] positions=None,
    ):
        """Starts simulators anew, without orders, at the first decision from `start_ts` on.

        Parameters
        ----------
        indices : int64 array
            Which simulators, each at most once.
        start_ts, end_ts : int64 array
            ns: rows up to and including `start_ts` are known; no decision is made at or after `end_ts`.
        markets : int64 array, optional
            Which market each is put down in; the first by default.
        positions : int64 array, optional
            Lots each begins with, as the position that a backtest begins with; none by default.

        Raises
        ------
        ValueError
            For an index that is wrong or comes twice, or a window that ends before it starts.
        """
        cdef int64_t place, count = indices.shape[0]
        if start_ts.shape[0] != count or end_ts.shape[0] != count or (
                markets is not None and markets.shape[0] != count) or (
                positions is not None and positions.shape[0] != count):
            raise ValueError("indices, start_ts, end_ts, markets and positions must be equally long")
        self._begin_call()
        try:
            for place in range(count):
                if not 0 <= indices[place] < self.count:
                    raise ValueError(f"index {indices[place]} is not 0 to {self.count - 1}")
                if not 0 <= start_ts[place] <= end_ts[place] < TIME_LIMIT:
                    raise ValueError(f"window {place} must be 0 <= start <= end < 2**62 ns")
                if markets is not None and not 0 <= markets[place] < self.market_count:
                    raise ValueError(f"market {markets[place]} is not 0 to {self.market_count - 1}")
                if positions is not None and not -LIMIT < positions[place] < LIMIT:
                    raise ValueError(f"position {positions[place]} lots must stay below 2**40")
            self._check_once(indices)
            if count > 0:
                self._fleet.call.indices = &indices[0]
                self._fleet.call.start_ts = &start_ts[0]
                self._fleet.call.end_ts = &end_ts[0]
                self._fleet.call.markets = &markets[0] if markets is not None else NULL
                self._fleet.call.positions = &positions[0] if positions is not None else NULL
                with nogil:
                    share(self._crew, reset_some, &self._fleet, count, RESETS)
            self._check()
        finally:
            self._busy = False

    def step(
        self, const int64_t[::1] actions, double[::1] pnl, double[::1] held, int64_t[::1] ts, int64_t[::1] position,
        int8_t[::1] done, *, double[::1] inventory=None, double[::1] closing=None,
    ):
        """Every simulator that stands at a decision takes its action and runs to the next one.

        Parameters
        ----------
        actions : int64 array of (count,)
        pnl, held, ts, position, done : arrays of (count,), written
            What the interval earned in money units, |position| x time in lots x ns, the time reached, the position as
            the decision maker knows it, and whether the window or the data are over. Those that were over already get
            0 for the first two and stay.
        inventory, closing : arrays of (count,), written if given
            Money units: the part of `pnl` that holding the position earned while the mid moved; and, where it is over,
            what closing the position at the opposite touch costs, fee included, against the mid, else 0.

        Raises
        ------
        ValueError
            For an array of the wrong length or an action that there is not; nothing has moved then.
        OverflowError
            When money leaves its 128 bits. That simulator stays broken until it is reset; the others have moved.
        """
        cdef int64_t index
        if not (actions.shape[0] == pnl.shape[0] == held.shape[0] == ts.shape[0] == position.shape[0] == done.shape[0]
                == self.count) or (inventory is not None and inventory.shape[0] != self.count) \
                or (closing is not None and closing.shape[0] != self.count):
            raise ValueError(f"every array must have one element for each of the {self.count} simulators")
        self._begin_call()
        try:
            for index in range(self.count):
                if not 0 <= actions[index] < self.action_count:
                    raise ValueError(
                        f"action {actions[index]} of simulator {index} is not 0 to {self.action_count - 1}")
            self._fleet.call.chosen = &actions[0]
            self._write_to(
                &pnl[0], &held[0], &ts[0], &position[0], &done[0], &inventory[0] if inventory is not None else NULL,
                &closing[0] if closing is not None else NULL)
            with nogil:
                share(self._crew, step_some, &self._fleet, self.count, STEPS)
            self._check()
        finally:
            self._busy = False

    def step_all(
        self, double[:, ::1] pnl, double[:, ::1] held, int64_t[:, ::1] ts, int64_t[:, ::1] position,
        int8_t[:, ::1] done, int8_t[:, ::1] admissible, *, double[:, ::1] inventory=None,
        double[:, ::1] closing=None, int64_t[::1] row=None, float[:, :, ::1] private=None,
        uint8_t[:, ::1] outcome=None, int8_t[:, :, ::1] next_admissible=None,
    ):
        """What every action would lead to: for each exactly what `step` would return, and nothing moves.

        Parameters
        ----------
        pnl, held, ts, position, done, inventory, closing : arrays of (count, actions), written
            As in `step`, for each admissible action; the others are left as they are.
        admissible : int8 array of (count, actions), written
            Actions whose quotes and hedge coincide are one: the first is admissible; none where `step` would not act.
        row : int64 array of (count,), written if given
            The next decision's place in the tape; -1 at the end. With tapes only; the next three must then be given.
        private : float32 array of (count, states, features), written if given
            The distinct private features that the actions lead to, as `observe` would tell them; rows that are not used
            repeat the first. All zero at the end. An action whose state has no room left is not admissible.
        outcome : uint8 array of (count, actions), written if given
            Which of these states each action leads to; 0 for those that are not admissible.
        next_admissible : int8 array of (count, states, actions), written if given
            What is admissible in each of these states; all actions at the end.

        Raises
        ------
        ValueError
            For an array of the wrong shape.
        OverflowError
            When some action would lead money out of its 128 bits.
        """
        check_shapes([<object>pnl, <object>held, <object>ts, <object>position, <object>done, <object>admissible,
                      <object>inventory, <object>closing, <object>outcome], (self.count, self.action_count))
        if private is not None:
            self._expect_tapes()
            if row is None or outcome is None or next_admissible is None or not 1 <= private.shape[1] <= 256:
                raise ValueError("private needs row, outcome and next_admissible, and room for 1 to 256 states")
            check_shapes([<object>row], (self.count,))
            check_shapes([<object>private], (self.count, private.shape[1], self._fleet.eye.count))
            check_shapes([<object>next_admissible], (self.count, private.shape[1], self.action_count))
        self._begin_call()
        try:
            self._write_to(&pnl[0, 0], &held[0, 0], &ts[0, 0], &position[0, 0], &done[0, 0],
                           &inventory[0, 0] if inventory is not None else NULL,
                           &closing[0, 0] if closing is not None else NULL)
            self._fleet.call.admissible = &admissible[0, 0]
            self._fleet.call.private = NULL
            if private is not None:
                self._fleet.call.row = &row[0]
                self._fleet.call.private = &private[0, 0, 0]
                self._fleet.call.room = private.shape[1]
                self._fleet.call.outcome = &outcome[0, 0]
                self._fleet.call.next_admissible = &next_admissible[0, 0, 0]
            with nogil:
                share(self._crew, branch_some, &self._fleet, self.count, 1 + BRANCHES // self.action_count)
            self._check()
        finally:
            self._busy = False

    def observe(self, int64_t[::1] row, float[:, ::1] private, int8_t[:, ::1] admissible):
        """What every simulator sees at the decision it stands at. With tapes only.

        Parameters
        ----------
        row : int64 array of (count,), written
            The decision's place in the tape; -1 where there is none to make.
        private : float32 array of (count, features), written
            The private features, as `Context.features` would tell them to a strategy in that place.
        admissible : int8 array of (count, actions), written
            As in `step_all`.

        Raises
        ------
        ValueError
            For an array of the wrong shape.
        """
        self._expect_tapes()
        check_shapes([<object>row], (self.count,))
        check_shapes([<object>private], (self.count, self._fleet.eye.count))
        check_shapes([<object>admissible], (self.count, self.action_count))
        self._begin_call()
        try:
            self._fleet.call.row = &row[0]
            self._fleet.call.private = &private[0, 0]
            self._fleet.call.admissible = &admissible[0, 0]
            with nogil:
                share(self._crew, observe_some, &self._fleet, self.count, STEPS)
        finally:
            self._busy = False

    cdef int _expect_tapes(self) except -1:
        if self._fleet.eye.count == 0:
            raise ValueError("an engine without tapes observes nothing")
        return 0

    cdef void _write_to(
        self, double* pnl, double* held, int64_t* ts, int64_t* position, int8_t* done, double* inventory,
        double* closing,
    ) noexcept:
        self._fleet.call.pnl = pnl
        self._fleet.call.held = held
        self._fleet.call.ts = ts
        self._fleet.call.position = position
        self._fleet.call.done = done
        self._fleet.call.inventory = inventory
        self._fleet.call.closing = closing

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


cdef int check_shapes(list arrays, tuple shape) except -1:
    for array in arrays:
        if array is not None and tuple(array.shape[:array.ndim]) != shape:
            raise ValueError(f"every array must have the shape {shape}, not {tuple(array.shape[:array.ndim])}")
    return 0
