"""One contender on one day: what is told of it follows from the run, and the end is charged."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt import BacktestConfig, run_backtest
from mmbt.errors import DataError, UsageError
from mmbt.evaluate.days import EvaluationDay, run_day, score_day
from mmbt.evaluate.fits import fit_market
from mmbt.market import ArrayMarket, Instrument
from mmbt.strategies.registry import make
from mmbt.synth.planted import NAME
from mmbt.testing.markets import tables_of

QUOTES = {"half_spread_ticks": 2.0, "interval": "1s", "max_position": 5}
SECOND = 10**9


def test_a_score_is_what_the_backtest_says(days: list[EvaluationDay], config: BacktestConfig) -> None:
    score = score_day(days[0], "fixed-spread", QUOTES, config)
    run = run_backtest(days[0].market, make("fixed-spread", QUOTES), config)
    assert score.pnl == float(run.summary["liquidation_pnl"]) == run_day(days[0], "fixed-spread", QUOTES, config)
    assert score.fills == run.summary["fills"] > 50
    assert score.turnover_lots == run.summary["traded_lots"]
    assert score.pnl == pytest.approx(score.spread + score.inventory - score.hedge - score.fees - score.closing)
    assert score.closing == pytest.approx(0.02 * abs(run.summary["position_lots"]))  # half of the spread a lot
    assert score.pnl_spreads == pytest.approx(score.pnl / 0.04)
    assert sum(score.blocks) == pytest.approx(score.pnl)
    assert len(score.blocks) == 5  # of a minute
    assert 0 < score.mean_position <= 5
    assert score.drawdown > 0


def test_blocks_are_the_pnl_of_stretches_of_the_day(days: list[EvaluationDay], config: BacktestConfig) -> None:
    blocks = score_day(days[1], "fixed-spread", QUOTES, config).blocks
    equity = run_backtest(days[1].market, make("fixed-spread", QUOTES), config).equity.to_pylist()
    start = equity[0]["ts"] // SECOND * SECOND
    marks = [[float(row["pnl"]) for row in equity if row["ts"] <= start + 60 * SECOND * (place + 1)][-1]
             for place in range(2)]
    assert blocks[0] == pytest.approx(marks[0])
    assert blocks[1] == pytest.approx(marks[1] - marks[0])


def market(rows: list[tuple[int, int, int, int, int]], trades: list[tuple[int, int, int, int]] = []) -> ArrayMarket:  # noqa: B006
    instrument = Instrument("A/B", "1", "1", "1", base="A", quote="B")
    tob, prints = tables_of(rows, trades)
    return ArrayMarket([(instrument, tob, prints)])


def steady(seconds: int) -> list[tuple[int, int, int, int, int]]:
    return [(second * SECOND, 100, 5, 102, 5 + second % 2) for second in range(1, seconds + 1)]


def test_the_share_of_time_with_a_quote() -> None:
    config = BacktestConfig(instruments=("A/B",))
    whole = EvaluationDay.of("x", market(steady(101)), config)
    assert score_day(whole, "fixed-spread", {"interval": "1s"}, config).quoting == 1
    assert score_day(whole, "no-quotes", {}, config).quoting == 0
    # both quotes are run over half a second after each timer, and are made anew at the next
    trades = [(second * SECOND + SECOND // 2, price, 9, side) for second in range(1, 101)
              for price, side in ((103, 1), (99, -1))]
    half = EvaluationDay.of("x", market(steady(101), trades), config)
    score = score_day(half, "fixed-spread", {"interval": "1s"}, config)
    assert score.fills == 200
    assert score.quoting == pytest.approx(0.5)


def test_a_day_without_a_quote_to_close_at_is_no_day() -> None:
    config = BacktestConfig(instruments=("A/B",))
    rows = [*steady(10), (11 * SECOND, 0, 0, 102, 5)]
    day = EvaluationDay.of("a day", market(rows, [(2 * SECOND + 1, 90, 1, -1)]), config)
    score = score_day(day, "fixed-spread", {"interval": "1s"}, config)
    assert score.closing == pytest.approx(1)  # the last bid that was present
    with pytest.raises(UsageError, match="without a lasting two-sided book"):
        EvaluationDay.of("x", market([(SECOND, 0, 0, 102, 5), (2 * SECOND, 0, 0, 102, 6)]), config)


def test_days_are_known_by_their_rows(days: list[EvaluationDay], config: BacktestConfig) -> None:
    assert len({day.hash for day in days}) == len(days)
    again = EvaluationDay.of("another name", days[0].market, config)
    assert again.hash == days[0].hash
    assert again.spread == days[0].spread == 4


def test_the_fit_finds_the_law(days: list[EvaluationDay]) -> None:
    fit = fit_market(days, NAME, SECOND)
    assert fit.spread == 4
    assert fit.k == pytest.approx(1.5, rel=0.1)
    assert fit.p0 == pytest.approx(0.6, rel=0.05)
    assert 0.77 < fit.sigma < 1.5  # drift of a lasting imbalance adds to sqrt(0.6)
    assert fit.lam == pytest.approx(fit.p0 * np.exp(fit.k / 2))


def test_a_market_that_nobody_reaches_into_can_be_fitted() -> None:
    config = BacktestConfig(instruments=("A/B",))
    fit = fit_market([EvaluationDay.of("x", market(steady(50)), config)], "A/B", SECOND)
    assert fit.sigma == 0
    assert 0 < fit.p0 < 0.05
    assert np.isfinite([fit.k, fit.lam]).all()


def test_bad_rows_are_told() -> None:
    rows = [(2 * SECOND, 100, 5, 102, 5), (SECOND, 100, 5, 102, 5)]
    with pytest.raises(DataError):
        EvaluationDay.of("x", market(rows), BacktestConfig(instruments=("A/B",)))
