"""The synthetic quotes of a run: which legs they need, and how the machine takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mmbt.backtest.config import BacktestConfig
from mmbt.market import Instrument
from mmbt.synthetic import Chain, Declared, Leg, declared, direct_of, leg_values

__all__ = ["Synthetics", "streamed_names"]


def streamed_names(instruments: Iterable[Instrument], config: BacktestConfig) -> list[str]:
    """The instruments that a run replays: traded, watched, and the other legs of synthetic quotes.

    Parameters
    ----------
    instruments
        All that the market has.

    Raises
    ------
    UsageError
        For declarations that cannot be read, and legs that the market does not have.
    """
    legs = [leg.instrument for each in _declared(instruments, config) for leg in each.chain.legs]
    return list(dict.fromkeys((*config.instruments, *config.watch, *legs)))


class Synthetics:
    """The synthetic quotes of a run.

    Parameters
    ----------
    config
        Which are declared.
    instruments
        All instruments of the run, on the terms it states.

    Raises
    ------
    UsageError
        When several instruments trade a declared pair.
    """

    def __init__(self, config: BacktestConfig, instruments: Sequence[Instrument]):
        self._config = config
        self._instruments = instruments
        self._declared = _declared(instruments, config)
        self._direct = [direct_of(each, instruments) for each in self._declared]

    def native(self) -> list[tuple[str, Any, Any, int | None]]:
        """As the machine takes them."""
        found = []
        for each, direct in zip(self._declared, self._direct, strict=True):
            own = None if direct is None else Chain(each.chain.base, each.chain.quote, (Leg(direct.name),))
            found.append((each.name, self._values(each.chain), None if own is None else self._values(own)[0],
                          self._config.synthetic_max_age))
        return found

    def summary(self, hedges: Sequence[tuple[int, int]]) -> dict[str, dict[str, Any]]:
        """The part of a run's summary that speaks of them, by name; `hedges` is what the engine counted."""
        return {
            each.name: {
                "chain": str(each),
                "direct": None if direct is None else direct.name,
                "hedges_direct": straight,
                "hedges_through": through,
            }
            for each, direct, (straight, through) in zip(self._declared, self._direct, hedges, strict=True)
        }

    def _values(self, chain: Chain) -> list[tuple[str, str, str, bool, bool, int]]:
        return leg_values(chain, self._instruments, self._config.taker_fee)


def _declared(instruments: Iterable[Instrument], config: BacktestConfig) -> list[Declared]:
    if not config.synthetic:
        return []
    return declared(config.synthetic, [config.terms(each.name).applied(each) for each in instruments])
