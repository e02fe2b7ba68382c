"""Rows are well formed, and are what the config says, however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbt.synth import PRESETS, MarketBlocks, SynthConfig, generate_market, make_config
from mmbt.synth.rates import CELL_US
from tests.synth.helpers import columns, rows, tables

SHORT = make_config("triangle", {"duration": "20min"})  # five cells


def assert_well_formed(config: SynthConfig) -> None:
    end = config.start_ns + 1000 * config.duration_us
    for tob, trades in tables(config).values():
        assert tob.ts[0] == config.start_ns  # every book stands from the start
        for table in (tob, trades):
            assert np.all(np.diff(table.ts) >= 0)
            assert np.all((table.ts < end) & (table.ts % 1000 == 0))
            assert all(column.flags.c_contiguous for column in columns(table))
            assert all(column.dtype == np.int64 for column in (*columns(tob), *trades[:3]))
        assert trades.side.dtype == np.int8
        assert np.all(tob.bid_px >= 1)
        assert np.all(tob.ask_px > tob.bid_px)
        for column in (*columns(tob)[1:], *trades[1:3]):
            assert np.all((column >= 1) & (column < 2**40))
        assert np.any([np.diff(column) != 0 for column in columns(tob)[1:]], axis=0).all()
        assert set(np.unique(trades.side)) <= {-1, 1}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_rows_are_well_formed(name):
    assert_well_formed(make_config(name, {"duration": "9min", "start": "2022-09-20T23:54:00"}))


shares = st.sampled_from([0.0, 0.3, 1.0])


@settings(max_examples=25)
@given(st.fixed_dictionaries({}, optional={
    "seed": st.integers(0, 2**64 - 1),
    **dict.fromkeys(("sweep_share", "burst_share", "deplete_share", "stale_share", "tie_share", "edge",
                     "quote_same_share", "together_share"), shares),
    **{key: st.sampled_from(values) for key, values in {
        "order_rate": [0.0, 0.1, 4.0], "branching": [0.0, 0.9], "excitation_time": [1e-5, 20.0],
        "burst_extra": [1.0, 20.0], "depth_decay": [1e-6, 0.05, 20.0], "stale_delay_us": [0.0, 1e7],
        "quote_delay_us": [0.0, 1e7], "requote_rate": [0.0, 20.0], "wide_rate": [0.0, 20.0], "size_rate": [0.0, 9.0],
        "wide_time": [1e-5, 100.0], "wide_extra": [1.0, 1e6], "touch_lots": [1.0, 1e9], "touch_log_sd": [1e-6, 4.0],
        "imbalance_tilt": [0.0, 5.0], "print_lots": [1.0, 1e9], "print_log_sd": [0.0, 4.0], "noise_bp": [0.0, 50.0],
        "BTC.volatility_bp": [0.0, 100.0],
    }.items()},
}))
def test_rows_are_well_formed_whatever_the_settings(changes):
    calm = {"pairs": "BTC/RUB_T+0,ETH/USD_T+0", "duration": "5min", "buy_share": 0.5}
    assert_well_formed(make_config("triangle", calm | changes))


def test_same_seed_same_rows_other_seed_other_rows():
    assert rows(SHORT) == rows(SHORT)
    assert rows(SHORT) != rows(make_config("triangle", {"duration": "20min", "seed": 2}))


@pytest.mark.parametrize("block_rows", [1, 7_000, 12_345, 10**9])
def test_block_size_changes_nothing(block_rows):
    whole = rows(SHORT)
    blocks = list(MarketBlocks(SHORT, block_rows))
    assert [b.start_ns for b in blocks][1:] == [b.end_ns for b in blocks][:-1]
    for name, expected in whole.items():
        for table in (0, 1):
            parts = [columns(b.tables[name][table]) for b in blocks]
            seen = [np.concatenate(column).tolist() for column in zip(*parts, strict=True)]
            assert seen == expected[:5] if table == 0 else seen == expected[5:]
    for block in blocks:
        for pair in block.tables.values():
            for table in pair:
                assert np.all((table.ts >= block.start_ns) & (table.ts < block.end_ns))


def test_blocks_are_market_data():
    blocks, whole = MarketBlocks(SHORT, 5_000), generate_market(SHORT)
    assert [i.name for i in blocks.instruments] == [i.name for i in whole.instruments]
    for instrument in whole.instruments:
        for face in ("tob", "trades"):
            parts = list(map(columns, getattr(blocks, face)(instrument.name)))
            joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
            (expected,) = getattr(whole, face)(instrument.name)
            for seen, column in zip(joined, columns(expected), strict=True):
                np.testing.assert_array_equal(seen, column)


@pytest.mark.parametrize("seconds", [1, 255, 256, 257, 700])
def test_a_shorter_run_is_the_beginning_of_a_longer_one(seconds):
    longer, end = tables(SHORT), SHORT.start_ns + seconds * 10**9
    for name, pair in tables(make_config("triangle", {"duration": f"{seconds}s"})).items():
        for table, whole in zip(pair, longer[name], strict=True):
            until = np.searchsorted(whole.ts, end, "left")
            for column, expected in zip(columns(table), columns(whole), strict=True):
                np.testing.assert_array_equal(column, expected[:until])


def test_other_pairs_change_nothing():
    alone = rows(make_config("triangle", {"duration": "20min", "pairs": "BTC/RUB_T+0"}))
    assert alone["BTC/RUB_T+0"] == rows(SHORT)["BTC/RUB_T+0"]
    assert rows(make_config("cross", {"duration": "20min"}))["USD/RUB_T+0"] == rows(SHORT)["USD/RUB_T+0"]


def test_start_shifts_time_only():
    later = rows(make_config("triangle", {"duration": "20min", "start": "2023-01-02T03:04:05.000006+03:00"}))
    first = rows(SHORT)
    shift = later["BTC/USD_T+0"][0][0] - SHORT.start_ns
    for name, expected in first.items():
        for column, (old, new) in enumerate(zip(expected, later[name], strict=True)):
            assert new == ([t + shift for t in old] if column in (0, 5) else old)


def test_a_print_precedes_the_quote_it_causes():
    config = make_config("btc-perp", {"duration": "10min", "stale_share": 0})
    tob, trades = tables(config)["BTC/USD_T+0"]
    strictly = np.searchsorted(tob.ts, trades.ts, "left") - 1
    outside = np.where(trades.side > 0, trades.px >= tob.ask_px[strictly], trades.px <= tob.bid_px[strictly])
    assert outside.mean() > 0.98


def test_rows_do_not_thin_out_at_the_seams_of_cells():
    config = make_config("btc-spot", {"duration": "3h"})
    tob, trades = tables(config)["BTC/USDT_T+0"]
    for ts, slack in ((tob.ts, 1.2), (trades.ts, 8.0)):
        into = (ts - config.start_ns) // 1000 % CELL_US
        seam = np.sum((into < 5_000_000) | (into >= CELL_US - 5_000_000)) / 10
        rest = len(ts) / 256
        assert abs(seam / rest - 1) < 0.1 * slack


def test_pinned_stream_has_its_pace():
    config = make_config("btc-spot", {"duration": "2h"})
    tob, trades = tables(config)["BTC/USDT_T+0"]
    total = len(tob.ts) + len(trades.ts)
    assert 136 < total / 7200 < 152
    assert 0.19 < len(trades.ts) / total < 0.25
