"""A market made ready once: the same results, checked before any run, read by many."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.backtest import BacktestConfig, NoSink, PreparedMarket, run_backtest
from mmbt.errors import DataError
from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch
from mmbt.strategies.linear_skew import LinearSkew
from mmbt.testing.cases import random_case
from mmbt.testing.differential import difference, run_engine

X = Instrument("X", "1", "1", "1", quote="USD")


def tables(rows, prints=()):
    tob = np.array(rows, np.int64).reshape(-1, 5).T.copy()
    ts, px, qty, side = np.array(prints, np.int64).reshape(-1, 4).T.copy()
    return TobBatch(*tob), TradeBatch(ts, px, qty, side.astype(np.int8))


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_a_prepared_market_gives_every_row_of_the_results_of_the_market_itself(first):
    for seed in range(first, first + 20):
        case = random_case(seed)
        prepared = PreparedMarket(case.market)
        expected = run_engine(case.market, case.strategy(), case.options)
        for _ in range(2):
            assert not difference(expected, run_engine(prepared, case.strategy(), case.options)), seed


def test_batches_are_joined_and_times_of_receipt_kept_where_some_batch_has_them():
    tob, prints = tables([(i * 10**9, 60, 1, 61, 1) for i in range(7)])
    tob = tob._replace(local_ts=tob.ts + 5)
    prepared = PreparedMarket(ArrayMarket([(X, tob, prints)], batch_rows=2))
    (whole,) = prepared.tob("X")
    for column, joined in zip(tob, whole, strict=True):
        assert np.array_equal(column, joined)
    assert len(prepared.table("X", "tob")) == 7
    assert len(prepared.table("X", "trades")) == 0


@pytest.mark.parametrize(("rows", "prints", "told"), [
    ([(5, 60, 1, 61, 1), (4, 60, 1, 61, 1)], [], r"X, tob, row 1: time goes backwards"),
    ([(5, 60, 0, 61, 1)], [], r"X, tob, row 0: impossible values"),
    ([(5, 60, 1, 61, 1)], [(6, 0, 1, 1)], r"X, trades, row 0: impossible values"),
])
def test_impossible_rows_are_refused_before_any_run(rows, prints, told):
    with pytest.raises(DataError, match=told):
        PreparedMarket(ArrayMarket([(X, *tables(rows, prints))]))


def test_sessions_end_in_the_silences_that_each_run_says():
    rows = [(i * 10**9 + (i // 50) * 10**12, 60 + i % 3, 1, 61 + i % 3, 1) for i in range(200)]
    prepared = PreparedMarket(ArrayMarket([(X, *tables(rows))]))
    for gap, sessions in (("1h", 1), ("10m", 4), ("15m", 4), ("20m", 1), (None, 1)):
        config = BacktestConfig(instruments=("X",), session_gap=gap)
        assert run_backtest(prepared, LinearSkew(), config, NoSink()).summary["sessions"] == sessions
