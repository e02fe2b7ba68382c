"""The features by name, in the order of their vectors, with units, bounds and first values.

The same list as the enums of features.pxd, which has the arithmetic; the documentation has the definitions.
"""

from __future__ import annotations

from typing import NamedTuple

from cysim.features import BOUNDS

__all__ = ["FEATURES", "MARKET_FEATURES", "PRIVATE_FEATURES", "Feature"]


class Feature(NamedTuple):
    """One number of the state.

    Attributes
    ----------
    name, unit
        What it is called and what its 1 means.
    low, high
        It is clipped to these.
    initial
        Before any row and fill; None for what the clock alone decides.
    """

    name: str
    unit: str
    low: float
    high: float
    initial: float | None


_MARKET: list[tuple[str, str, float | None]] = [
    ("spread_ratio", "reference spreads", 1),
    ("imbalance", "share", 0),
    ("microprice", "reference spreads", 0),
    ("return_1s", "volatilities", 0),
    ("return_5s", "volatilities", 0),
    ("return_30s", "volatilities", 0),
    ("return_120s", "volatilities", 0),
    ("volatility", "doublings", 0),
    ("flow_5s", "share", 0),
    ("flow_60s", "share", 0),
    ("intensity", "doublings", 0),
    ("quote_age", "log of time", 1),
    ("synthetic_mid", "reference spreads", 0),
    ("synthetic_spread", "reference spreads", 0),
    ("has_synthetic", "0 or 1", 0),
    ("time_sin", "sine", None),
    ("time_cos", "cosine", None),
]
_PRIVATE: list[tuple[str, str, float | None]] = [
    ("inventory", "position limits", 0),
    ("abs_inventory", "position limits", 0),
    ("unrealised_pnl", "reference spreads x position limits", 0),
    ("has_bid", "0 or 1", 0),
    ("bid_distance", "reference spreads", 0),
    ("bid_age", "log of time", 0),
    ("has_offer", "0 or 1", 0),
    ("offer_distance", "reference spreads", 0),
    ("offer_age", "log of time", 0),
    ("pending", "0 or 1", 0),
    ("pending_bid", "reference spreads", 0),
    ("pending_offer", "reference spreads", 0),
]

FEATURES = tuple(
    Feature(name, unit, low, high, initial)
    for (name, unit, initial), (low, high) in zip([*_MARKET, *_PRIVATE], BOUNDS, strict=True)
)
MARKET_FEATURES = FEATURES[: len(_MARKET)]
PRIVATE_FEATURES = FEATURES[len(_MARKET) :]
