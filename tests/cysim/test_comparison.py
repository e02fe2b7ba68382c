"""The tallies of a comparison against a twin that looks at every nanosecond."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import numpy as np
import pytest

from cysim import Comparison, SyntheticBook

UNIT, LOT = "1", "1"


def leg(name, inverse=False, fee=0):
    return (name, UNIT, LOT, inverse, False, fee)


def random_rows(rng, length, price):
    rows, ts = [], rng.randint(0, 5)
    for _ in range(length):
        ts += rng.choice([0, 1, 1, 2, 3, 7, 40])
        bid = price + rng.randint(-3, 3)
        row = (ts, bid, rng.randint(1, 9), bid + rng.choice([0, 1, 2, 2, 3, -1]), rng.randint(1, 9))
        if rng.random() < 0.03:
            row = (ts, 0, 0, *row[3:])
        rows.append(row)
    return rows


def feeder(tables, part=None):
    """Feeds each table in parts of random length, some of them empty."""
    rng = random.Random(len(tables) if part is None else part)
    rest = {name: list(rows) for name, rows in tables.items()}

    def feed(name):
        rows = rest[name]
        if not rows:
            return None
        length = len(rows) if part is None else rng.randint(0, part)
        taken, rest[name] = rows[:length], rows[length:]
        columns = np.array(taken, np.int64).reshape(-1, 5).T
        return tuple(np.ascontiguousarray(column) for column in columns)

    return feed


def compared(legs, direct, tables, part=None, **options):
    comparison = Comparison(legs, direct, **options)
    comparison.run(feeder(tables, part))
    return comparison.result()


def twin(legs, direct, tables, max_age, interval, session_gap):
    """Every nanosecond from the first quote to the last: what the books said, and whether it counts."""
    events = sorted((row[0], name, row[1:]) for name, rows in tables.items() for row in rows)
    times = sorted({ts for ts, _, _ in events})
    first, last = times[0], times[-1]
    silent = set()
    for before, after in itertools.pairwise(times):
        if session_gap is not None and after - before >= session_gap:
            silent |= set(range(before, after))
    chain, own = SyntheticBook(legs, max_age), SyntheticBook([direct])
    names = [each[0] for each in legs]
    found = dict.fromkeys(
        ("quoted", "absent", "crossed", "old", "both", "cheaper", "dearer", "better", "arbitrage"), 0)
    differences, spreads, own_spreads = [], [], []
    at = {ts: [] for ts in times}
    for name, rows in tables.items():
        for row in rows:
            at[row[0]].append((name, row[1:]))
    for now in range(first, last + 1):
        for name, quote in at.get(now, ()):
            if name in names:
                chain.update(name, now, *quote)
            if name == direct[0]:
                own.update(name, now, *quote)
        chain.refresh(now)
        both = chain.state == own.state == "quoted"
        cheaper, dearer = both and chain.ask < own.ask, both and chain.bid > own.bid
        if now < last and now not in silent:
            found[chain.state] += 1
            found["both"] += both
            found["cheaper"] += cheaper
            found["dearer"] += dearer
            found["better"] += cheaper or dearer
            found["arbitrage"] += both and (chain.ask < own.bid or chain.bid > own.ask)
        if both and (now - first) % interval == 0 and (now not in silent or now in times):
            differences.append((chain.mid / own.mid - 1) * 1e4)
            spreads.append((chain.ask - chain.bid) / chain.mid * 1e4)
            own_spreads.append((own.ask - own.bid) / own.mid * 1e4)
    return found, differences, spreads, own_spreads


@pytest.mark.parametrize("seed", range(40))
def test_every_tally_is_the_twins(seed):
    rng = random.Random(seed)
    tables = {"X/Y": random_rows(rng, 120, 50), "Z/Y": random_rows(rng, 120, 20), "X/Z": random_rows(rng, 90, 1000)}
    legs = [leg("X/Z", fee=rng.choice([0, 10_000])), leg("Z/Y")]
    if seed % 2:
        tables["X/Z"], tables["Z/X"] = random_rows(rng, 90, 25), tables["X/Z"]
        legs = [leg("Z/X", inverse=True), leg("Z/Y", fee=-2_000)]
        tables["X/Y"] = random_rows(rng, 120, 2)
        tables["X/Y"] = [(ts, max(b, 0), q if b > 0 else 0, max(a, 0), p if a > 0 else 0)
                         for ts, b, q, a, p in tables["X/Y"]]
        del tables["X/Z"]
    else:
        tables["X/Y"] = random_rows(rng, 120, 20_000)
    options = {"max_age": rng.choice([None, 0, 8, 30]), "interval": rng.choice([1, 7, 100]),
               "session_gap": rng.choice([None, 30, 41])}
    direct = leg("X/Y", fee=rng.choice([0, 5_000]))
    found = compared(legs, direct, tables, part=rng.choice([None, 1, 9]), **options)
    tallies, differences, spreads, own_spreads = twin(legs, direct, tables, **options)
    assert {key: found[key] for key in tallies} == tallies
    assert found["samples"] == len(differences)
    if len(differences) > 1:
        assert found["mean_bp"] == pytest.approx(statistics.fmean(differences), rel=1e-9, abs=1e-9)
        assert found["sd_bp"] == pytest.approx(statistics.stdev(differences), rel=1e-9, abs=1e-9)
        assert found["spread_bp"] == pytest.approx(statistics.fmean(spreads), rel=1e-9)
        assert found["direct_spread_bp"] == pytest.approx(statistics.fmean(own_spreads), rel=1e-9)
    assert found["quotes"] == sum(map(len, tables.values()))


def test_parts_do_not_show():
    rng = random.Random(1)
    tables = {"A": random_rows(rng, 200, 50), "B": random_rows(rng, 200, 50), "D": random_rows(rng, 200, 2500)}
    wholes = [compared([leg("A"), leg("B")], leg("D"), tables, part, interval=3) for part in (None, 1, 5)]
    assert wholes[0] == wholes[1] == wholes[2]
    assert wholes[0]["both"] > 0


def test_without_a_direct_book_only_the_chain_is_tallied():
    tables = {"A": [(0, 60, 1, 61, 1), (100, 60, 1, 61, 1)], "B": [(10, 60, 1, 61, 1)]}
    found = compared([leg("A"), leg("B")], None, tables, interval=10)
    assert (found["quoted"], found["absent"], found["both"], found["samples"]) == (90, 10, 0, 0)
    assert found["mean_bp"] is found["sd_bp"] is found["spread_bp"] is None


def test_no_quotes_at_all():
    found = compared([leg("A")], leg("D"), {"A": [], "D": []})
    assert (found["quotes"], found["first_ts"], found["last_ts"], found["quoted"]) == (0, None, None, 0)


def test_one_instant_is_sampled_once():
    found = compared([leg("A")], leg("D"), {"A": [(5, 60, 1, 62, 1)], "D": [(5, 60, 1, 61, 1)]})
    assert found["samples"] == 1
    assert found["mean_bp"] == pytest.approx((61 / 60.5 - 1) * 1e4)
    assert found["sd_bp"] is None


def test_an_impossible_row_is_named():
    rows = [(0, 60, 1, 61, 1), (1, 60, 0, 61, 1)]
    with pytest.raises(ValueError, match="A, tob, row 1: impossible values"):
        compared([leg("A")], None, {"A": rows}, part=1)
    with pytest.raises(ValueError, match="A, tob, row 1: time goes backwards"):
        compared([leg("A")], None, {"A": [(1, 60, 1, 61, 1), (0, 60, 1, 61, 1)]})


@pytest.mark.parametrize(("options", "message"), [
    ({"interval": 0}, "interval"), ({"session_gap": 0}, "session_gap"), ({"max_age": -1}, "max_age"),
])
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Comparison([leg("A")], None, **options)


def test_progress_is_told_on_a_long_way():
    length = (1 << 20) + 10
    ts = np.arange(length, dtype=np.int64)
    ones = np.ones(length, np.int64)
    parts = {"A": iter([(ts, 60 * ones, ones, 61 * ones, ones)])}
    told = []
    comparison = Comparison([leg("A")], leg("A"), interval=10**6)
    comparison.run(lambda name: next(parts[name], None), told.append)
    assert told == [1 << 20]
    assert comparison.result()["quoted"] == length - 1
    assert math.isclose(comparison.result()["mean_bp"], 0, abs_tol=1e-9)
