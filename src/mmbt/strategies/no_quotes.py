"""No orders, no fills, PnL 0: what every other strategy is shown against."""

from __future__ import annotations

from mmbt.strategies.base import Strategy

__all__ = ["NoQuotes"]


class NoQuotes(Strategy):
    """Quote nothing: the baseline that costs and earns nothing."""
