"""The engine against the reference on real quotes and prints, and one result whatever runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mmbt.backtest import PRESETS, BacktestConfig, FillRules, run_backtest
from mmbt.market import ArrayMarket
from mmbt.store import convert, open_store
from mmbt.strategies.fixed_spread import FixedSpread
from mmbt.testing.differential import Options, difference, run_engine, run_reference
from mmbt.testing.reference import ReferenceQuoter

NAME = "BTC/USDT_T+0"
VALUES = {"half_spread_ticks": 2.0, "size": 1, "interval": "100ms"}

pytestmark = pytest.mark.captures


@pytest.fixture(scope="module")
def store(captures, tmp_path_factory):
    """The seed-shape capture as a store."""
    root = tmp_path_factory.mktemp("captures") / "store"
    convert([captures / "seed-shape"], root)
    return root


@pytest.fixture(scope="module")
def market(store):
    """One instrument of it in memory."""
    with open_store(store).select([NAME]) as stored:
        (instrument,) = stored.instruments
        tables = [
            type(parts[0])(*(np.concatenate(columns) for columns in zip(*parts, strict=True) if columns[0] is not None))
            for parts in (list(stored.tob(NAME)), list(stored.trades(NAME)))
        ]
    return ArrayMarket([(instrument, *tables)])


@pytest.mark.parametrize("latency", [0, 50_000_000])
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_fill_is_the_references(market, preset, latency):
    options = Options((NAME,), **PRESETS[preset], place_latency=latency, cancel_latency=latency)
    expected = run_reference(market, ReferenceQuoter(2.0, 0.0, size=1, interval="100ms"), options)
    text = difference(expected, run_engine(market, FixedSpread(**VALUES), options))
    assert not text, text
    assert len(expected.fills) > 100


def test_S21_chunks_and_threads_do_not_show(store):
    def result_hash(batch_rows, prefetch):
        config = BacktestConfig(instruments=(NAME,), fills=FillRules.parse("conservative"))
        with open_store(store).select([NAME], batch_rows=batch_rows, prefetch=prefetch) as stored:
            return run_backtest(stored, FixedSpread(**VALUES), config).result_hash

    expected = result_hash(None, 2)
    for batch_rows in (1, 7, 1024, 65536):
        assert result_hash(batch_rows, 1) == expected, batch_rows
    for threads in (2, 16):
        with ThreadPoolExecutor(threads) as pool:
            assert set(pool.map(lambda _: result_hash(1024, 4), range(threads))) == {expected}


def test_S21_ten_processes_with_different_hash_seeds(store, tmp_path):
    command = [sys.executable, "-m", "mmbt", "backtest", "--data", str(store), "--instrument", NAME, "--json",
               "--strategy", "fixed-spread", *(f"-S{name}={value}" for name, value in VALUES.items())]
    found = set()
    for seed in range(10):
        child = subprocess.run([*command, "--out", str(tmp_path / str(seed))], capture_output=True, check=True,
                               env=os.environ | {"PYTHONHASHSEED": str(seed)})
        found.add(json.loads(child.stdout)["result_hash"])
    assert len(found) == 1
