"""Latencies as the machine draws them, to the nanosecond as the published formulas say in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cysim import Latency

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
TIMES = [0, 1, 1_663_718_400_000_000_000, 2**62 - 1]
KEYS = [0, 1, 7, 2**20, 2**64 - 1]
STREAMS = [1, 2, 3, 16, 17, 40]
SEEDS = [0, 1, 12345, 2**64 - 1]


def mix64(z: int) -> int:
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 & MASK
    z ^= z >> 27
    z = z * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def occasion(seed: int, stream: int, ts: int, key: int) -> int:
    h = mix64(seed + GOLDEN & MASK)
    for word in (stream, ts, key):
        h = mix64((h + GOLDEN & MASK) ^ mix64(word + GOLDEN & MASK))
    return h


def uniform(h: int, i: int) -> float:
    return ((mix64(h + i * GOLDEN & MASK) >> 11) + 1) * 2.0**-53


def normal(h: int) -> float:
    return math.sqrt(-2.0 * math.log(uniform(h, 1))) * math.cos(2.0 * 3.141592653589793 * uniform(h, 2))


def lognormal(median: int, sigma: float, floor: int, h: int) -> int:
    return min(floor + round(math.exp(math.log(median) + sigma * normal(h))), 10**15)


def empirical(values: list[int], h: int) -> int:
    return values[min(len(values) - 1, math.floor((uniform(h, 1) - 2.0**-53) * len(values)))]


def occasions() -> list[tuple[int, int, int, int]]:
    corners = [(seed, stream, ts, key) for seed in SEEDS for stream in STREAMS for ts in TIMES for key in KEYS]
    rng = np.random.default_rng(5)
    wild = [(int(rng.integers(2**63)), int(rng.integers(64)), int(rng.integers(2**62)), int(rng.integers(2**40)))
            for _ in range(2000)]
    return corners + wild


def test_the_mixer_is_the_published_one() -> None:
    # the first three outputs of SplitMix64 from state 0 are its increments mixed
    assert [mix64(i * GOLDEN & MASK) for i in (1, 2, 3)] == [
        0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F,
    ]


@pytest.mark.parametrize(("median", "sigma", "floor"), [(10**6, 0.5, 0), (1, 0.0, 0), (5 * 10**6, 2.0, 200_000),
                                                        (10**14, 3.0, 10**14), (7, 1e-3, 10**15)])
def test_B3_lognormal_draws_are_those_of_the_formula(median: int, sigma: float, floor: int) -> None:
    for seed, stream, ts, key in occasions():
        expected = lognormal(median, sigma, floor, occasion(seed, stream, ts, key))
        assert Latency.lognormal(median, sigma, floor, seed).draw(stream, ts, key) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_B3_empirical_draws_are_those_of_the_formula(count: int) -> None:
    values = np.arange(count, dtype=np.int64) * 17
    for seed, stream, ts, key in occasions():
        expected = empirical(values.tolist(), occasion(seed, stream, ts, key))
        assert Latency.empirical(values, seed).draw(stream, ts, key) == expected


def test_B3_known_draws_stay_what_they_are() -> None:
    drawn = Latency.lognormal(10**6, 0.5, 200_000, seed=7)
    found = [drawn.draw(1, 1_663_718_400_000_000_000, key) for key in range(4)]
    assert found == [lognormal(10**6, 0.5, 200_000, occasion(7, 1, 1_663_718_400_000_000_000, k)) for k in range(4)]
    assert found == [650_836, 2_066_739, 1_315_654, 973_241]


def test_a_recorded_latency_is_that_of_the_last_record() -> None:
    times = np.array([10, 20, 20, 30], dtype=np.int64)
    values = np.array([1, 2, 3, 4], dtype=np.int64)
    recorded = Latency.recorded(times, values)
    asked = {0: 1, 9: 1, 10: 1, 19: 1, 20: 3, 29: 3, 30: 4, 31: 4, 2**62: 4}
    assert {ts: recorded.draw(1, ts, 0) for ts in asked} == asked


def test_a_recorded_latency_is_found_among_many() -> None:
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.integers(0, 5, 1000)).astype(np.int64)
    values = rng.integers(0, 10**6, 1000)
    recorded = Latency.recorded(times, values)
    for ts in range(-1, int(times[-1]) + 2):
        place = max(int(np.searchsorted(times, ts, "right")) - 1, 0)
        assert recorded.draw(2, ts, 5) == values[place]


def test_a_constant_is_the_same_for_everything() -> None:
    assert {Latency.constant(5).draw(stream, ts, key) for stream in (1, 2) for ts in (0, 9) for key in (0, 1)} == {5}
    assert (Latency.constant(5).constant_ns, Latency.lognormal(5, 0.0).constant_ns) == (5, None)


def test_draws_differ_by_stream_time_key_and_seed() -> None:
    def draw(seed: int = 11, stream: int = 1, ts: int = 1, key: int = 1) -> int:
        return Latency.lognormal(10**9, 1.0, seed=seed).draw(stream, ts, key)

    assert len({draw(), draw(seed=12), draw(stream=2), draw(ts=2), draw(key=2)}) == 5
    assert draw(seed=11 + 2**64) == draw()
    assert draw(seed=-1) == draw(seed=2**64 - 1)


def test_draws_are_distributed_as_they_should_be() -> None:
    latency = Latency.lognormal(10**6, 0.5, 10**5, seed=3)
    logs = np.log(np.array([latency.draw(1, ts * 10**6, 0) for ts in range(40_000)]) - 10**5)
    assert np.median(logs) == pytest.approx(math.log(10**6), abs=0.015)
    assert logs.std() == pytest.approx(0.5, rel=0.02)
    assert (logs < math.log(10**6) - 1).mean() == pytest.approx(0.02275, abs=0.003)  # two sigma
    assert abs(np.corrcoef(logs[1:], logs[:-1])[0, 1]) < 0.02
    by_key = np.log(np.array([latency.draw(1, 0, key) for key in range(40_000)]) - 10**5)
    assert by_key.std() == pytest.approx(0.5, rel=0.02)
    values = np.arange(10, dtype=np.int64)
    shares = np.bincount([Latency.empirical(values).draw(1, ts, 0) for ts in range(20_000)]) / 20_000
    assert np.abs(shares - 0.1).max() < 0.01


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Latency.constant(-1), "0 or more"),
    (lambda: Latency.constant(2**62), "below 2\\*\\*62"),
    (lambda: Latency.lognormal(0, 1.0), "median"),
    (lambda: Latency.lognormal(10**15 + 1, 1.0), "median"),
    (lambda: Latency.lognormal(1, -0.1), "sigma"),
    (lambda: Latency.lognormal(1, math.nan), "sigma"),
    (lambda: Latency.lognormal(1, math.inf), "sigma"),
    (lambda: Latency.lognormal(1, 1.0, -1), "floor"),
    (lambda: Latency.empirical(np.array([], dtype=np.int64)), "no values"),
    (lambda: Latency.empirical(np.array([2, 1])), "values must be in ascending order: 1 stands after 2"),
    (lambda: Latency.empirical(np.array([-1, 1])), "value 0 must be 0 or more"),
    (lambda: Latency.recorded(np.array([1]), np.array([1, 2])), "1 times for 2 values"),
    (lambda: Latency.recorded(np.array([2, 1]), np.array([1, 2])), "times must be in ascending order"),
    (lambda: Latency.recorded(np.array([1, 2]), np.array([1, 2**62])), "value 1 must be 0 or more and below"),
])
def test_impossible_latencies_are_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_latency_keeps_its_arrays_alive() -> None:
    latency = Latency.recorded(np.arange(1000) * 2, np.arange(1000) + 5)
    np.arange(10**5)  # something else in the memory they might have left
    assert [latency.draw(1, 2 * i, 0) for i in range(1000)] == list(range(5, 1005))
