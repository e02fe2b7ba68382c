"""Latencies: how long commands, reports and market data take, each a function of what travels and when it sets out.

| kind      | latency of what sets out at `ts`                                                         |
|-----------|------------------------------------------------------------------------------------------|
| constant  | always the same                                                                          |
| lognormal | floor + rint(exp(ln(median) + sigma x normal)), at most 10^15 ns                         |
| empirical | of n sorted values v: v[floor((u_1 - 2^-53) x n)]                                        |
| recorded  | that of the last record at or before `ts`; before the first record, that of the first    |

The random numbers depend on seed, stream, `ts` and a key that numbers what sets out at one instant, and on nothing that
was drawn before (docs: latency).
"""

cimport cython
from libc.math cimport isfinite, log
from libc.stdint cimport int64_t, uint64_t

from cysim.types cimport TIME_LIMIT


@cython.final
cdef class Latency:
    """A latency as the simulator takes it; made by `constant`, `lognormal`, `empirical` or `recorded`."""

    @staticmethod
    def constant(int64_t ns):
        """The same for everything.

        Parameters
        ----------
        ns : int
            0 or more, below 2**62.
        """
        cdef Latency made = Latency.__new__(Latency)
        made.delay.kind = CONSTANT_DELAY
        if not 0 <= ns < TIME_LIMIT:
            raise ValueError(f"ns must be 0 or more and below 2**62, not {ns}")
        made.delay.constant_ns = ns
        return made

    @staticmethod
    def lognormal(int64_t median, double sigma, int64_t floor=0, seed=0):
        """Drawn from a lognormal distribution, beyond a floor.

        Parameters
        ----------
        median : int
            Of what comes on top of the floor, ns: 1 to 10**15.
        sigma : float
            Standard deviation of the logarithm.
        floor : int
            ns: 0 to 10**15.
        seed : int
            Taken modulo 2**64.
        """
        cdef Latency made = Latency.__new__(Latency)
        if not 1 <= median <= LONGEST_DRAWN:
            raise ValueError(f"median must be 1 to 10**15 ns, not {median}")
        if not 0 <= floor <= LONGEST_DRAWN:
            raise ValueError(f"floor must be 0 to 10**15 ns, not {floor}")
        if not isfinite(sigma) or sigma < 0:
            raise ValueError(f"sigma must be finite and not negative, not {sigma}")
        made.delay.kind = LOGNORMAL_DELAY
        made.delay.ln_median = log(<double>median)
        made.delay.sigma = sigma
        made.delay.floor_ns = floor
        made.delay.seed = as_seed(seed)
        return made

    @staticmethod
    def empirical(values, seed=0):
        """Drawn from given latencies, all of them equally likely.

        Parameters
        ----------
        values : array of int64
            ns, in ascending order. It must not change afterwards.
        seed : int
            Taken modulo 2**64.
        """
        cdef Latency made = Latency.__new__(Latency)
        made.delay.kind = EMPIRICAL_DELAY
        made.delay.seed = as_seed(seed)
        lend_values(made, values)
        check_ascending(made.delay.values, made.delay.count, "values")
        return made

    @staticmethod
    def recorded(times, values):
        """As measured over time.

        Parameters
        ----------
        times : array of int64
            When each latency was measured, ns, in ascending order.
        values : array of int64
            ns. Neither array may change afterwards.
        """
        cdef Latency made = Latency.__new__(Latency)
        cdef const int64_t[::1] lent = times
        made.delay.kind = RECORDED_DELAY
        lend_values(made, values)
        if lent.shape[0] != made.delay.count:
            raise ValueError(f"{lent.shape[0]} times for {made.delay.count} values")
        made._times = memoryview(times)
        made.delay.times = &lent[0]
        check_ascending(made.delay.times, made.delay.count, "times")
        return made

    @property
    def constant_ns(self):
        """The latency if it is constant, else None."""
        return self.delay.constant_ns if self.delay.kind == CONSTANT_DELAY else None

    def draw(self, uint64_t stream, int64_t ts, uint64_t key):
        """The latency that a run meets, ns.

        Parameters
        ----------
        stream : int
            1 placing and replacing, 2 cancelling, 3 reports, 16 and on the market data (docs: latency).
        ts : int
            When it sets out, ns.
        key : int
            Its number among what sets out at that instant.
        """
        cdef Delay delay = self.delay
        delay.stream = stream
        return delay_of(&delay, ts, key)


cdef int lend_values(Latency made, object values) except -1:
    cdef const int64_t[::1] lent = values
    cdef int64_t place
    if lent.shape[0] == 0:
        raise ValueError("there are no values to draw from")
    for place in range(lent.shape[0]):
        if not 0 <= lent[place] < TIME_LIMIT:
            raise ValueError(f"value {place} must be 0 or more and below 2**62 ns, not {lent[place]}")
    made._values = memoryview(values)
    made.delay.values = &lent[0]
    made.delay.count = lent.shape[0]
    return 0


cdef uint64_t as_seed(object seed) except? 0:
    return seed & 0xFFFFFFFFFFFFFFFF


cdef int check_ascending(const int64_t* values, int64_t count, str name) except -1:
    cdef int64_t place
    for place in range(1, count):
        if values[place] < values[place - 1]:
            raise ValueError(f"{name} must be in ascending order: {values[place]} stands after {values[place - 1]}")
    return 0
