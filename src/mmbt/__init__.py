"""mmbt: a market-making backtester.

Importing it is cheap: every name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbt.backtest import (
        BacktestConfig,
        FillRules,
        NoSink,
        PreparedMarket,
        make_vector_engine,
        run_backtest,
    )
    from mmbt.market import ArrayMarket, Instrument, MarketData, TobBatch, TradeBatch
    from mmbt.strategies.base import Strategy, StrategyParams

__all__ = [
    "ArrayMarket",
    "BacktestConfig",
    "FillRules",
    "Instrument",
    "MarketData",
    "NoSink",
    "PreparedMarket",
    "Strategy",
    "StrategyParams",
    "TobBatch",
    "TradeBatch",
    "__version__",
    "make_vector_engine",
    "run_backtest",
]

__version__ = "0.1.0"

_HOMES = {
    "ArrayMarket": "mmbt.market",
    "BacktestConfig": "mmbt.backtest",
    "FillRules": "mmbt.backtest",
    "Instrument": "mmbt.market",
    "MarketData": "mmbt.market",
    "NoSink": "mmbt.backtest",
    "PreparedMarket": "mmbt.backtest",
    "Strategy": "mmbt.strategies.base",
    "StrategyParams": "mmbt.strategies.base",
    "TobBatch": "mmbt.market",
    "TradeBatch": "mmbt.market",
    "make_vector_engine": "mmbt.backtest",
    "run_backtest": "mmbt.backtest",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mmbt' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
