"""Backtests: one strategy over one market, and where its results lie."""

from mmbt.backtest.config import PRESETS, BacktestConfig, FillRules
from mmbt.backtest.prepared import PreparedMarket
from mmbt.backtest.results import RunDirectory, describe_run
from mmbt.backtest.runner import BacktestResult, RunInterrupted, chosen_instruments, run_backtest
from mmbt.backtest.sinks import NoSink
from mmbt.backtest.synthetics import streamed_names
from mmbt.backtest.totals import Totals
from mmbt.backtest.vector import make_vector_engine

__all__ = [
    "PRESETS",
    "BacktestConfig",
    "BacktestResult",
    "FillRules",
    "NoSink",
    "PreparedMarket",
    "RunDirectory",
    "RunInterrupted",
    "Totals",
    "chosen_instruments",
    "describe_run",
    "make_vector_engine",
    "run_backtest",
    "streamed_names",
]
