"""Backtests: one strategy over one market, and where its results lie."""

from mmbt.backtest.config import PRESETS, BacktestConfig, FillRules
from mmbt.backtest.results import RunDirectory, describe_run
from mmbt.backtest.runner import BacktestResult, RunInterrupted, chosen_instruments, run_backtest
from mmbt.backtest.sinks import NoSink
from mmbt.backtest.synthetics import streamed_names
from mmbt.backtest.totals import Totals

__all__ = [
    "PRESETS",
    "BacktestConfig",
    "BacktestResult",
    "FillRules",
    "NoSink",
    "RunDirectory",
    "RunInterrupted",
    "Totals",
    "chosen_instruments",
    "describe_run",
    "run_backtest",
    "streamed_names",
]
