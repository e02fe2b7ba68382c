"""The features against their slow twin, and what must not matter to them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cysim
from mmbt.testing.markets import random_market, scrambled_after
from mmbt.testing.reference.features import entry_of, market_twin, private_twin, scale_of

MARKET = [feature.name for feature in cysim.MARKET_FEATURES]
PRIVATE = [feature.name for feature in cysim.PRIVATE_FEATURES]
SECOND = 10**9
NEAR = {"rtol": 1e-12, "atol": 1e-12}
SIGNED = {"imbalance", "microprice", "return_1s", "return_5s", "return_30s", "return_120s", "flow_5s", "flow_60s"}


def columns(quotes, prints):
    tob = np.array(quotes, dtype=np.int64).reshape(-1, 5).T
    trades = np.array(prints, dtype=np.int64).reshape(-1, 4).T
    return (tuple(np.ascontiguousarray(column) for column in tob),
            (*(np.ascontiguousarray(column) for column in trades[:3]), trades[3].astype(np.int8)))


def rows_of(market, stretch=1):
    """The first instrument's tables as rows from one second on, time stretched, and its tick."""
    spec = market.instruments[0]
    (tob,), (trades,) = market.tob(spec.name), market.trades(spec.name)
    start = min(part.ts[0] for part in (tob, trades) if len(part.ts))
    quotes, prints = (
        [(SECOND + (ts - start) * stretch, *rest) for ts, *rest in zip(*(c.tolist() for c in part), strict=True)]
        for part in (tob[:5], trades[:4]))
    return quotes, prints, spec.tick_units


def readings(quotes, prints, times, tick=1, synthetic=None):
    out, scale = np.empty((len(times), len(MARKET))), np.empty((len(times), 2))
    cysim.FeatureState(tick).replay(
        *columns(quotes, prints), np.array(times, dtype=np.int64), out, scale, synthetic)
    return out, scale


def vector(told, names=MARKET):
    assert sorted(told) == sorted(names)
    return [told[name] for name in names]


def assert_twins(quotes, prints, times, tick=1):
    found, scale = readings(quotes, prints, times, tick)
    for row, now in enumerate(times):
        np.testing.assert_allclose(found[row], vector(market_twin(quotes, prints, now, tick)), **NEAR, err_msg=f"{now}")
        np.testing.assert_allclose(scale[row], scale_of(quotes, now, tick), **NEAR)


def random_times(rng, quotes, prints, count):
    """Instants of rows, of the grid, and between; the last well after the last row."""
    last = max(quotes[-1][0], prints[-1][0])
    stamps = [row[0] for row in rng.permutation(np.array(quotes))[:count]]
    free = rng.integers(0, last, count).tolist()
    return sorted(map(int, [*stamps, *free, *(ts // 10**8 * 10**8 for ts in free), last + 3 * SECOND, 2 * last]))


@pytest.mark.parametrize("stretch", [1, 7, 330])
@pytest.mark.parametrize("seed", range(4))
def test_random_markets_give_the_twins_numbers(seed, stretch):
    quotes, prints, tick = rows_of(random_market(seed, 1500, 1), stretch)
    times = random_times(np.random.default_rng(seed), quotes, prints, 12)
    assert_twins(quotes, prints, times, tick)


STAMPS = st.lists(st.sampled_from([0, 1, 99_999_999, 10**8, SECOND, 5 * SECOND, 61 * SECOND, 600 * SECOND,
                                   600 * SECOND + 10**8, 700 * SECOND]), min_size=1, max_size=12)


@st.composite
def small_markets(draw):
    quotes, prints, times = [], [], []
    ts = draw(st.integers(0, 3)) * 33_333_333
    for gap in draw(STAMPS):
        ts += gap
        kind = draw(st.sampled_from(["quote", "quote", "print", "reading"]))
        if kind == "quote":
            bid, ask = draw(st.sampled_from([0, 8, 10, 12])), draw(st.sampled_from([0, 9, 12, 30]))
            qty = draw(st.integers(1, 9)), draw(st.integers(1, 9))
            quotes.append((ts, bid, qty[0] * (bid > 0), ask, qty[1] * (ask > 0)))
        elif kind == "print":
            prints.append((ts, draw(st.integers(8, 13)), draw(st.integers(1, 9)), draw(st.sampled_from([-1, 0, 1]))))
        else:
            times.append(ts)
    return quotes, prints, [*times, ts + draw(st.sampled_from([0, 1, 10**8, 29 * SECOND, 601 * SECOND]))]


@given(small_markets())
def test_small_markets_give_the_twins_numbers(market):
    assert_twins(*market)


@given(small_markets())
def test_rows_one_by_one_give_the_very_same_bits(market):
    quotes, prints, times = market
    found, _ = readings(quotes, prints, times)
    state = cysim.FeatureState()
    events = sorted([(row[0], 0, row) for row in prints] + [(row[0], 1, row) for row in quotes]
                    + [(now, 2, now) for now in times], key=lambda event: event[:2])
    told = []
    for _, kind, row in events:
        if kind == 2:
            told.append(state.read_market(row, np.empty(len(MARKET))))
        else:
            (state.on_quote if kind else state.on_print)(*row)
    assert np.array(told).tobytes() == found.tobytes()


def test_cuts_copies_and_readings_on_the_way_change_no_bit():
    rng = np.random.default_rng(5)
    quotes, prints, tick = rows_of(random_market(5, 3000, 1), 3)
    now = max(quotes[-1][0], prints[-1][0])
    (whole,), _ = readings(quotes, prints, [now], tick)
    state = cysim.FeatureState(tick)
    for cut in sorted(rng.integers(0, now, 40).tolist()):
        older = [[row for row in table if row[0] <= cut] for table in (quotes, prints)]
        quotes, prints = ([row for row in table if row[0] > cut] for table in (quotes, prints))
        tob, trades = columns(*older)
        state.on_prints(*trades)
        state.on_quotes(*tob)
        state.copy().read_market(now + SECOND, np.empty(len(MARKET)))
        state.read_market(cut, np.empty(len(MARKET)))
        state = state.copy()
    state.replay(*columns(quotes, prints), np.empty(0, dtype=np.int64), np.empty((0, len(MARKET))))
    assert state.read_market(now, np.empty(len(MARKET))).tobytes() == whole.tobytes()


def test_single_precision_is_the_same_numbers_rounded():
    quotes, prints, tick = rows_of(random_market(2, 500, 1))
    times = np.arange(1, 8) * SECOND
    full, _ = readings(quotes, prints, times, tick)
    single = np.empty(full.shape, dtype=np.float32)
    cysim.FeatureState(tick).replay(*columns(quotes, prints), times, single)
    assert (single == full.astype(np.float32)).all()
    state = cysim.FeatureState(tick)
    tob, trades = columns(*([row for row in table if row[0] <= times[-1]] for table in (quotes, prints)))
    state.on_quotes(*tob)
    state.on_prints(*trades)
    assert (state.read_market(int(times[-1]), np.empty(len(MARKET), dtype=np.float32)) == single[-1]).all()


def test_the_future_is_unknown():
    market = random_market(11, 2000, 1)
    quotes, prints, tick = rows_of(market)
    cut = int(next(market.tob(market.instruments[0].name)).ts[len(quotes) // 2])
    other_quotes, other_prints, _ = rows_of(scrambled_after(market, cut, 1))
    now = quotes[len(quotes) // 2][0]
    assert quotes != other_quotes
    first, _ = readings(quotes, prints, [now // 2, now], tick)
    second, _ = readings(other_quotes, other_prints, [now // 2, now], tick)
    assert first.tobytes() == second.tobytes()


def moved(quotes, prints, times, seconds):
    shift = seconds * SECOND
    return ([(row[0] + shift, *row[1:]) for row in quotes], [(row[0] + shift, *row[1:]) for row in prints],
            [now + shift for now in times])


@pytest.mark.parametrize("seed", range(3))
def test_relations(seed):
    quotes, prints, tick = rows_of(random_market(seed, 1500, 1), 4)
    quotes = [(ts, b, min(bq, 2**38), a, min(aq, 2**38)) for ts, b, bq, a, aq in quotes]  # room for larger lots
    times = random_times(np.random.default_rng(seed), quotes, prints, 20)
    found, _ = readings(quotes, prints, times, tick)
    clock = [MARKET.index("time_sin"), MARKET.index("time_cos")]

    another_day, _ = readings(*moved(quotes, prints, times, 86_400), tick)
    assert found.tobytes() == another_day.tobytes(), "a day later"
    later, _ = readings(*moved(quotes, prints, times, 12_345), tick)
    assert np.delete(found, clock, 1).tobytes() == np.delete(later, clock, 1).tobytes(), "some seconds later"

    scaled = [(ts, 7 * b, 3 * bq, 7 * a, 3 * aq) for ts, b, bq, a, aq in quotes]
    dear, _ = readings(scaled, [(ts, 7 * px, 5 * qty, side) for ts, px, qty, side in prints], times, 7 * tick)
    np.testing.assert_allclose(found, dear, **NEAR, err_msg="another tick and lot")

    top = 10**6 * tick
    mirrored, _ = readings(
        [(ts, top - a if a else 0, aq, top - b if b else 0, bq) for ts, b, bq, a, aq in quotes],
        [(ts, top - px, qty, -side) for ts, px, qty, side in prints], times, tick)
    sign = np.array([-1 if name in SIGNED else 1 for name in MARKET])
    np.testing.assert_allclose(found * sign, mirrored, **NEAR, err_msg="bids for offers")

    repeated = [row for row in quotes for _ in range(2)]
    again, _ = readings(repeated, prints, times, tick)
    assert found.tobytes() == again.tobytes(), "each quote twice"


def test_synthetic_quotes_are_measured_like_our_own():
    quotes, prints, tick = rows_of(random_market(3, 400, 1))
    times = [SECOND // 2, 3 * SECOND, 4 * SECOND, 5 * SECOND]
    mids = [(70.5, 3.0), (float("nan"), 1.0), (1e9, 1e9), (60.25, 0.5)]
    found, _ = readings(quotes, prints, times, tick, np.array(mids))
    for row, now, synthetic in zip(found, times, mids, strict=True):
        known = None if np.isnan(synthetic[0]) else synthetic
        np.testing.assert_allclose(row, vector(market_twin(quotes, prints, now, tick, known)), **NEAR)
    assert found[:, MARKET.index("has_synthetic")].tolist() == [0, 0, 1, 1]
    state = cysim.FeatureState()
    state.on_quote(SECOND, 10, 1, 12, 1)
    state.set_synthetic(12, 4)
    told = dict(zip(MARKET, state.read_market(SECOND, np.empty(len(MARKET))), strict=True))
    assert (told["synthetic_mid"], told["synthetic_spread"], told["has_synthetic"]) == (0.5, 2, 1)
    state.set_synthetic()
    assert state.read_market(SECOND, np.empty(len(MARKET)))[MARKET.index("has_synthetic")] == 0


FILLS = st.lists(st.tuples(st.sampled_from([-1, 1]), st.integers(90, 110), st.integers(1, 5)), max_size=8)
PX = st.sampled_from([0, 80, 97, 100, 103, 500])


@given(FILLS, st.sampled_from([0, 3, -2]), st.sampled_from([0, 100]), st.fixed_dictionaries({
    "bid_px": PX, "ask_px": PX, "bid_ts": st.integers(0, 9 * SECOND), "ask_ts": st.integers(0, 9 * SECOND),
    "pending": st.integers(0, 1), "pending_bid_px": PX, "pending_ask_px": PX}))
def test_private_features_are_the_twins(fills, position, bid, own):
    state = cysim.FeatureState(max_position=6, position=position)
    quotes = [(2 * SECOND, bid, 5, bid + 5, 5)] if bid else []
    for row in quotes:
        state.on_quote(*row)
    for fill in fills:
        state.on_fill(*fill)
    now = 9 * SECOND
    found = state.read_private(now, np.empty(len(PRIVATE)), **own)
    held, entry = entry_of(fills, position)
    assert state.position == held
    assert state.entry_px == pytest.approx(float(entry or 0), rel=1e-12)
    expected = private_twin(*scale_of(quotes, now, 1), now, 6, held, entry, own)
    np.testing.assert_allclose(found, vector(expected, PRIVATE), **NEAR)


def test_before_any_row_features_have_their_first_values():
    state = cysim.FeatureState()
    found = [*state.read_market(SECOND, np.empty(len(MARKET))), *state.read_private(SECOND, np.empty(len(PRIVATE)))]
    known = [(value, feature.initial) for value, feature in zip(found, cysim.FEATURES, strict=True)
             if feature.initial is not None]
    assert [value for value, _ in known] == [initial for _, initial in known]


def test_wild_markets_are_clipped_to_the_bounds():
    state = cysim.FeatureState(1, max_position=1)
    bounds = np.array([(feature.low, feature.high) for feature in cysim.FEATURES])
    rng = np.random.default_rng(1)
    reached = np.zeros(bounds.shape, dtype=bool)
    for second in range(1, 2000):
        low, high = np.sort((10 ** rng.uniform(0, 11.9, 2)).astype(np.int64)).tolist() if second % 7 else (5, 5)
        state.on_quote(second * SECOND, low, 1 + rng.integers(0, 2) * 2**38, high, 1 + rng.integers(0, 2) * 2**38)
        state.on_print(second * SECOND, low, 5, rng.choice([-1, 1]))
        state.on_fill(1 if second % 100 < 50 else -1, low if second % 2 else high, 1)
        state.set_synthetic(*rng.choice([0.0, 1e15], 2))
        now = second * SECOND + SECOND // 2
        own = {"bid_px": low, "ask_px": low, "pending_bid_px": high, "pending_ask_px": high}
        found = np.concatenate([state.read_market(now, np.empty(len(MARKET))),
                                state.read_private(now, np.empty(len(PRIVATE)), **own)])
        assert ((found >= bounds[:, 0]) & (found <= bounds[:, 1])).all()
        reached |= found[:, None] == bounds
    clipped = {feature.name for feature, (_, high) in zip(cysim.FEATURES, reached, strict=True) if high}
    assert clipped >= {"spread_ratio", "synthetic_mid", "synthetic_spread", "inventory", "abs_inventory",
                       "unrealised_pnl", "bid_distance"}


def test_a_jump_of_a_calm_market_is_clipped_and_a_small_step_is_not():
    for step, told in ((40, 8), (1, 4)):
        state = cysim.FeatureState()
        for second in range(130):
            state.on_quote(second * SECOND, 100, 1, 102, 1)
        state.on_quote(129 * SECOND + 1, 100 + step, 1, 102 + step, 1)
        found = state.read_market(129 * SECOND + 2, np.empty(len(MARKET)))
        assert found[MARKET.index("return_1s")] == told  # of an eighth of a spread of 2


def test_the_state_is_small_and_of_one_size():
    assert cysim.FeatureState().nbytes == 7384  # 2640 of quotes, 4720 of prints


GOOD = (SECOND, 10, 1, 12, 1)


@pytest.mark.parametrize(("method", "arguments", "message"), [
    ("on_quote", (SECOND - 1, 10, 1, 12, 1), r"features, tob, row 1: time goes backwards"),
    ("on_quote", (SECOND, 10, 0, 12, 1), r"features, tob, row 1: impossible values \[10, 0, 12, 1\]"),
    ("on_quote", (SECOND, 10, 1, 13, 1), r"features, tob, row 1: impossible values"),
    ("on_print", (SECOND, 0, 0, 1), r"features, trades, row 0: impossible values"),
    ("on_print", (SECOND, 10, 1, 2), r"features, trades, row 0: impossible values"),
    ("read_market", (SECOND - 1, np.empty(17)), r"now=999999999 is before a row or reading at 1000000000"),
    ("read_market", (SECOND, np.empty(16)), r"out must hold 1 x 17 numbers, not 1 x 16"),
    ("read_market", (SECOND, np.empty(17, dtype=np.int64)), "Buffer dtype mismatch"),
    ("on_fill", ("hold", 10, 1), "side must be"),
    ("on_fill", (1, float("nan"), 1), "px must be a positive price"),
    ("on_fill", (1, 10, 0), "qty must be positive"),
])
def test_wrong_input_is_named_and_changes_nothing(method, arguments, message):
    state = cysim.FeatureState(2, max_position=4)
    state.on_quote(*GOOD)
    with pytest.raises(ValueError, match=message):
        getattr(state, method)(*arguments)
    state.on_quote(*GOOD)
    assert (state.position, state.mid, state.reference_spread) == (0, 11, 2)


def test_replay_names_what_does_not_fit():
    tob, trades = columns([GOOD], [])
    state = cysim.FeatureState()
    with pytest.raises(ValueError, match=r"out must hold 2 x 17 numbers, not 1 x 17"):
        state.replay(tob, trades, np.array([1, 2]), np.empty((1, 17)))
    with pytest.raises(ValueError, match=r"scale must hold 1 x 2"):
        state.replay(tob, trades, np.array([1]), np.empty((1, 17)), np.empty((1, 3)))
    with pytest.raises(ValueError, match=r"times\[1\]=1 is before a row, reading or time at 2"):
        state.replay(tob, trades, np.array([2, 1]), np.empty((2, 17)))
    with pytest.raises(ValueError, match="columns of a part differ in length"):
        state.replay((tob[0][:0], *tob[1:]), trades, np.array([1]), np.empty((1, 17)))
    with pytest.raises(ValueError, match="tick_units"):
        cysim.FeatureState(0)
    with pytest.raises(ValueError, match="max_position must be positive"):
        cysim.FeatureState(max_position=0)
    with pytest.raises(OverflowError, match="position"):
        cysim.FeatureState(position=2**40)


def test_the_documentation_tells_the_code():
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "features.md").read_text("utf-8")
    told = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page, re.M)
    rows = [(name, unit, float(low), float(high), None if first == "-" else float(first))
            for name, unit, low, high, first in told]
    assert rows == [tuple(feature) for feature in cysim.FEATURES]
    assert f"{len(rows)} dimensionless numbers, {len(MARKET)} of the market and {len(PRIVATE)} private ones" in page
    assert f"{cysim.FeatureState().nbytes:,} bytes" in page
