"""Every number of the manifest is estimated back from the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmbt.synth import make_config, truth
from tests.synth.helpers import assert_share, mids, next_move, orders, tables

PAIRS = ["BTC/USD_T+0", "USD/RUB_T+0", "BTC/RUB_T+0", "ETH/USD_T+0"]
# No print after the quote it caused: then the touch before the first print is the one its order met.
CLEAR = make_config("triangle", {"duration": "8h", "stale_share": 0, "seed": 11,
                                 "BTC/USD_T+0.imbalance_edge": 0, "USD/RUB_T+0.flow_edge": 0})
# Only quotes that orders cause, and no order that another excites.
QUIET = make_config("triangle", {"pairs": "BTC/USD_T+0", "duration": "8h", "branching": 0, "size_rate": 0,
                                 "wide_rate": 0, "requote_rate": 0, "order_rate": 0.4, "seed": 3})


@pytest.fixture(scope="module")
def market():
    return tables(CLEAR)


@pytest.fixture(scope="module")
def told():
    return truth(CLEAR)


@pytest.mark.parametrize("name", PAIRS)
def test_drift(market, told, name):
    tob, _ = market[name]
    law = told["instruments"][name]
    seconds = (tob.ts[-1] - tob.ts[0]) * 1e-9
    path = np.log(mids(tob, 1))
    assert abs(path[-1] - path[0] - law["drift"] * seconds) < 4 * law["volatility"] * math.sqrt(seconds)


def test_strong_drift():
    config = make_config("triangle", {"duration": "3h", "BTC.drift_bp": 0.4, "RUB.drift_bp": -0.1})
    market = tables(config)
    for name, expected in zip(PAIRS, (0.4e-4, 0.1e-4, 0.5e-4, 0.0), strict=True):
        law = truth(config)["instruments"][name]
        assert law["drift"] == pytest.approx(expected)
        path = np.log(mids(market[name][0], 1))
        assert abs((path[-1] - path[0]) / 10_800 - expected) < 4 * law["volatility"] / math.sqrt(10_800)


@pytest.mark.parametrize("name", PAIRS)
def test_volatility(market, told, name):
    horizon = 20.0
    law, path = told["instruments"][name], mids(market[name][0], horizon)
    steps = np.diff(np.log(path)) - law["drift"] * horizon
    # The noise adds two deviations that have forgotten each other, the grid two roundings.
    grid = 2 / 12 / np.mean(path) ** 2
    noise = 2 * law["noise"]["sd"] ** 2 * -math.expm1(-horizon / law["noise"]["relaxation_s"])
    expected = law["volatility"] ** 2 * horizon + noise + grid
    assert abs(np.mean(steps**2) / expected - 1) < 4 * math.sqrt(2 / len(steps))


def test_correlation(market, told):
    moves = [np.diff(np.log(mids(market[name][0], 60.0))) for name in PAIRS]
    short = min(map(len, moves))
    seen = np.corrcoef([m[:short] for m in moves])
    matrix = np.array(told["correlation"]["matrix"])
    assert told["correlation"]["instruments"] == PAIRS
    # Mids a second old, noise and grid pull a correlation over a minute towards 0 by some hundredths.
    assert np.all(np.abs(seen - matrix) < 4 * (1 - matrix**2) / math.sqrt(short) + 0.05 * np.abs(matrix))


def test_triangle_holds_up_to_noise(market):
    legs = [np.log(mids(market[name][0], 1) * float(CLEAR.pairs[name].tick_size)) for name in PAIRS[:3]]
    short = min(map(len, legs))
    gap = legs[0][:short] + legs[1][:short] - legs[2][:short]
    assert abs(gap.mean()) < 1e-5
    assert gap.std() < 3e-4  # noise, and mids that are about a second old
    assert np.abs(gap[-600:]).mean() < 2 * np.abs(gap[:600]).mean() + 1e-4  # it does not grow


@pytest.mark.parametrize("name", PAIRS)
def test_order_rate_and_prints(market, told, name):
    tob, trades = market[name]
    law, seen = told["instruments"][name], orders(tob, trades)
    seconds = 8 * 3600
    expected = law["orders_per_s"] * seconds
    excess = 1 / (1 - law["self_excitation"]["branching"])
    # Orders of one side within 100 us pass for one.
    assert abs(len(seen.count) - expected) < 4 * excess * math.sqrt(expected) + 2e-3 * expected
    spread = seen.count.std() / math.sqrt(len(seen.count))
    assert abs(seen.count.mean() - law["prints_per_order"]) < 4 * spread + 3e-3 * law["prints_per_order"]


def test_self_excitation():
    config = make_config("triangle", {"pairs": "BTC/USD_T+0", "duration": "20h", "branching": 0.6, "order_rate": 3,
                                      "burst_share": 0, "sweep_share": 0, "size_rate": 0, "excitation_time": 0.2})
    tob, trades = tables(config)["BTC/USD_T+0"]
    counts = np.bincount((orders(tob, trades).begin - config.start_ns) // (20 * 10**9))[:-1]
    branching = 1 - 1 / math.sqrt(counts.var() / counts.mean())  # Hawkes: variance/mean tends to 1/(1 - n)^2
    assert abs(branching - 0.6) < 0.03


def test_kernel_time():
    # So few orders that a child is the next one: its gap is exponential, on a flat ground of strangers' gaps.
    config = make_config("triangle", {"pairs": "BTC/USD_T+0", "duration": "20h", "branching": 0.1, "order_rate": 0.06,
                                      "burst_share": 0, "sweep_share": 0, "size_rate": 0, "excitation_time": 0.05})
    tob, trades = tables(config)["BTC/USD_T+0"]
    gaps = np.diff(orders(tob, trades).begin) * 1e-9
    near, strangers = gaps[gaps < 0.4], np.sum((gaps >= 0.6) & (gaps < 1.0))
    kernel = (near.sum() - 0.2 * strangers) / (len(near) - strangers)
    assert abs(kernel - 0.05) < 0.012


@pytest.mark.parametrize("name", PAIRS)
def test_buy_share(market, told, name):
    law, seen = told["instruments"][name]["buy_share"], orders(*market[name])
    trades = market[name][1]
    # Children copy sides, so neighbours are not independent: the error comes from stretches of time.
    for ts, side, expected in ((seen.begin, seen.side, law["orders"]), (trades.ts, trades.side, law["prints"])):
        stretch = (ts - CLEAR.start_ns) // (240 * 10**9)
        excess = np.bincount(stretch, weights=(side > 0) - expected)
        assert abs(excess.sum()) < 4 * math.sqrt(np.sum(excess**2))


@pytest.mark.parametrize("name", PAIRS)
def test_sweep_share(market, told, name):
    tob, trades = market[name]
    law, seen = told["instruments"][name]["sweep_share"], orders(tob, trades)
    assert_share(seen.depth > 0, law["orders"], slack=1e-3)
    touch = np.searchsorted(tob.ts, trades.ts, "left") - 1
    beyond = np.where(trades.side > 0, trades.px > tob.ask_px[touch], trades.px < tob.bid_px[touch])
    assert_share(beyond[::3], law["prints"], slack=4e-3)


@pytest.mark.parametrize("name", PAIRS)
def test_fill_intensity(market, told, name):
    law, seen = told["instruments"][name]["fill_intensity"], orders(*market[name])
    seconds = 8 * 3600
    deep = seen.depth[seen.depth > 0]
    stay = math.exp(-law["k"])
    k = -math.log(1 - 1 / deep.mean())
    error = (1 - stay) / math.sqrt(stay * len(deep))  # of the maximum-likelihood estimate
    assert abs(k - law["k"]) < 4 * error + 2e-3
    excess = 1 / (1 - CLEAR.pairs[name].branching)
    for side, intensity in ((1, law["A_offers"]), (-1, law["A_bids"])):
        for d in (1, 2, 4):
            hits = np.sum((seen.depth >= d) & (seen.side == side))
            expected = intensity * math.exp(-law["k"] * d) * seconds
            assert abs(hits - expected) < 4 * excess * math.sqrt(expected) + 3e-3 * expected, (side, d)
    assert law["A"] == pytest.approx(law["A_offers"] + law["A_bids"])


@pytest.mark.parametrize("name", PAIRS)
def test_spread_process(market, told, name):
    tob, _ = market[name]
    law = told["instruments"][name]["spread"]
    seconds = 8 * 3600
    width = (tob.ask_px - tob.bid_px)[:-1]
    stays = np.diff(tob.ts) * 1e-9
    openings = law["open_rate"] * seconds
    wide = 1 - law["one_tick_time_share"]
    share = (stays * (width > 1)).sum() / seconds
    assert abs(share / wide - 1) < 4 * math.sqrt(2 / openings) + 0.01
    extra = (stays * (width - 1)).sum() / (stays * (width > 1)).sum()
    spread = math.sqrt(1 - 1 / law["mean_extra_ticks"])  # geometric: relative standard deviation
    assert abs(extra / law["mean_extra_ticks"] - 1) < 4 * math.sqrt(1 + spread**2) * math.sqrt(2 / openings) + 0.02


@pytest.mark.parametrize("name", PAIRS)
def test_tie_share(market, told, name):
    _, trades = market[name]
    gap = np.diff(trades.ts)
    further = (gap <= 100_000) & (np.diff(trades.side) == 0)
    assert_share(gap[further] == 0, told["instruments"][name]["ties"], slack=2e-3)


@pytest.mark.parametrize("name", PAIRS)
def test_sizes(market, told, name):
    tob, trades = market[name]
    law = told["instruments"][name]
    prints = np.log(trades.qty)
    assert abs(prints.mean() - math.log(law["print_lots"]["median"])) < 0.02 + 4 * prints.std() / math.sqrt(len(prints))
    assert abs(prints.std() / law["print_lots"]["log_sd"] - 1) < 0.05
    shown = np.log(np.r_[tob.bid_qty, tob.ask_qty])
    assert abs(shown.mean() - math.log(law["touch_lots"]["median"])) < 0.05
    # The tilt is +-tilt with equal chance, on top of the normal.
    assert abs(shown.std() / math.hypot(law["touch_lots"]["log_sd"], law["touch_lots"]["tilt"]) - 1) < 0.03


@pytest.mark.parametrize("name", PAIRS)
def test_imbalance_edge(market, told, name):
    tob, _ = market[name]
    step = np.sign(np.diff(tob.bid_px + tob.ask_px))
    before = np.flatnonzero(step)[1:]
    heavier = np.sign(tob.bid_qty[before] - tob.ask_qty[before])
    hits = (heavier == step[before])[heavier != 0]
    assert_share(hits, told["instruments"][name]["edge"]["imbalance_agreement"], slack=2e-3)


@pytest.mark.parametrize("name", PAIRS)
def test_flow_edge(market, told, name):
    tob, trades = market[name]
    edge, seen = told["instruments"][name]["edge"], orders(tob, trades)
    agrees = next_move(tob, seen.begin) == seen.side
    assert_share(agrees[seen.depth > 0], edge["take_agreement"], slack=4e-3)
    # A lone print cannot have taken the touch. Neighbours share their next move and their sides: count every fourth.
    lone = (seen.count == 1) & (seen.depth == 0)
    assert_share(agrees[lone][::4], edge["flow_agreement"], slack=4e-3)


def test_no_edge_foretells_nothing(told):
    assert told["instruments"]["BTC/USD_T+0"]["edge"]["imbalance_agreement"] == 0.5
    assert told["instruments"]["USD/RUB_T+0"]["edge"]["flow_agreement"] == 0.5


def test_caused_quote_share_and_delay():
    config = QUIET.model_copy(update={"pairs": {n: p.model_copy(update={"stale_share": 0.0, "wide_rate": 0.0})
                                                for n, p in QUIET.pairs.items()}})
    tob, trades = tables(config)["BTC/USD_T+0"]
    law, seen = truth(config)["instruments"]["BTC/USD_T+0"]["caused_quote"], orders(tob, trades)
    follow = np.searchsorted(tob.ts, seen.end, "left")
    delay = (tob.ts[np.minimum(follow, len(tob.ts) - 1)] - seen.end)[:-1] * 1e-3
    assert_share(delay == 0, law["same_stamp"], slack=1e-3)
    later = delay[(delay > 0) & (delay < 50_000)]
    assert abs(later.mean() - (law["delay_us"] + 0.5)) < 4 * law["delay_us"] / math.sqrt(len(later)) + 1
    moved = np.diff(tob.bid_px + tob.ask_px)[np.searchsorted(tob.ts, seen.end, "right")[:-1] - 1] != 0
    assert 0 < moved.mean() < 1


def test_stale_share_and_delay():
    config = QUIET.model_copy(update={"pairs": {n: p.model_copy(update={"stale_share": 0.35, "quote_same_share": 0.0})
                                                for n, p in QUIET.pairs.items()}})
    tob, trades = tables(config)["BTC/USD_T+0"]
    law, seen = truth(config)["instruments"]["BTC/USD_T+0"]["caused_quote"], orders(tob, trades)
    before = tob.ts[np.searchsorted(tob.ts, seen.begin, "left") - 1]
    lead = (seen.begin - before) * 1e-3
    stale = lead < 30_000  # the order's own quote came first; the next order is seconds away
    assert_share(stale[1:], law["stale_share"], slack=0.015)
    assert abs(np.median(lead[stale]) / (law["stale_delay_us"] * math.log(2)) - 1) < 0.1
