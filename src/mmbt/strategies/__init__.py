"""Strategies: the interface, the registry, and the built-in ones."""

from mmbt.strategies.base import Strategy, StrategyParams

__all__ = ["Strategy", "StrategyParams"]
