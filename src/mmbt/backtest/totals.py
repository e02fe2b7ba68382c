"""The money of a run over all its instruments: holdings by currency, and totals in one currency.

Amounts of different currencies are never added. Where all accounts share the currency of the totals these are exact;
converted ones are exact fractions, rounded once to `DIGITS` decimal places, half away from zero. Inventory closes the
identity, so that pnl = spread + inventory - hedge cost - fees holds for the totals as written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mmbt.backtest.config import BacktestConfig
from mmbt.backtest.tables import EXACT
from mmbt.errors import UsageError
from mmbt.market import Instrument, MarketData
from mmbt.portfolio.risk import estimate_risk
from mmbt.portfolio.valuation import DIGITS, Converter, holdings, rounded

__all__ = ["MONEY", "Totals", "decimal_text"]

MONEY = {
    "pnl": "pnl",
    "pnl_spread": "spread",
    "pnl_inventory": "inventory",
    "hedge_cost": "hedge_cost",
    "fees": "fees",
    "liquidation_pnl": "liquidation_pnl",
}
"""Names of money in the summary, and in the engine's accounts."""


class Totals:
    """Sums over the traded instruments of a run.

    Parameters
    ----------
    instruments
        All instruments of the run.
    config
        Which of them are traded, and the reporting currency: by default that in which all of these are settled.

    Raises
    ------
    UsageError
        When the currencies of a traded instrument are not known, or nothing converts them into the reporting one; or
        when there is no such currency, and the risk is asked for.
    """

    def __init__(self, instruments: Sequence[Instrument], config: BacktestConfig):
        currency = config.report_currency
        self._config = config
        self._traded = [i for i in instruments if i.name in config.instruments]
        self._converter = Converter(instruments)
        settled = {i.currency for i in self._traded}
        # accounts whose currency has no name may not be added: nobody knows whether it is one
        alone = len(self._traded) == 1
        self.single = currency is None and len(settled) == 1 and (alone or None not in settled)
        self.currency = currency if currency is not None or not self.single else self._traded[0].currency
        self._ticks = {i.name: Fraction(i.tick_size) for i in instruments}
        self._paths: dict[str, tuple[str, ...]] = {}
        if config.risk_grid is not None and currency is None and not self.single:
            raise UsageError("the risk of several currencies is counted in one: name it with --report-currency")
        if currency is None:
            return
        for instrument in self._traded:
            if instrument.base is None or instrument.quote is None:
                raise UsageError(
                    f"{instrument.name}: its currencies are not known, so nothing can be converted into {currency}: "
                    f"state them with --currencies {instrument.name}=BASE/QUOTE"
                )
            for held in _currencies(instrument):
                path = self._converter.path(held, currency)
                self._paths[held] = tuple(leg.instrument for leg in path)

    def risk(self, market: MarketData) -> dict[str, Any] | None:
        """The covariance that the portfolio's risk is measured with; None when it is not asked for, or not known."""
        grid = self._config.risk_grid
        if grid is None:
            return None
        silence = self._config.session_gap
        model = estimate_risk(market, self._traded, self.currency, self._converter, grid, silence)
        return None if model is None else {**model.to_dict(), "power": self._config.risk_power}

    def summary(self, accounts: Mapping[str, Mapping[str, Any]], mids: Mapping[str, int | None]) -> dict[str, Any]:
        """The part of a run's summary that speaks of all instruments.

        Parameters
        ----------
        accounts, mids
            What the engine's summary has.
        """
        held = self._holdings(accounts)
        told: dict[str, Any] = {
            "holdings": None if held is None else {name: decimal_text(_exact(amount)) for name, amount in held.items()},
            "report_currency": self.currency,
        }
        if self.currency is None or not self._paths:
            return told | self._sums(accounts, {i.currency: Fraction(1) for i in self._traded if self.single})
        prices = {name: None if mid2 is None else self._ticks[name] * mid2 / 2 for name, mid2 in mids.items()}
        rates: dict[str | None, Fraction | None] = {
            source: self._converter.rate(source, self.currency, prices) for source in self._paths
        }
        value = self._total((amount, rates[name]) for name, amount in (held or {}).items())
        return told | {
            "conversion": {
                "digits": DIGITS,
                "paths": {source: list(path) for source, path in self._paths.items()},
                "rates": {source: _text(_rounded(rate)) for source, rate in rates.items()},
            },
            "holdings_value_total": _text(value),
            **self._sums(accounts, rates),
        }

    def _sums(
        self, accounts: Mapping[str, Mapping[str, Any]], rates: Mapping[str | None, Fraction | None]
    ) -> dict[str, str | None]:
        sums: dict[str, Decimal | None] = {}
        for name, key in MONEY.items():
            sums[name] = self._total(
                (_amount(accounts[i.name], key), rates.get(i.currency)) for i in self._traded)
        pnl, spread, cost, fees = (sums[name] for name in ("pnl", "pnl_spread", "hedge_cost", "fees"))
        if pnl is not None and spread is not None and cost is not None and fees is not None:
            sums["pnl_inventory"] = EXACT.add(EXACT.subtract(pnl, spread), EXACT.add(cost, fees))
        return {f"{name}_total": _text(total) for name, total in sums.items()}

    def _total(self, amounts: Iterable[tuple[Fraction | None, Fraction | None]]) -> Decimal | None:
        total = Fraction(0)
        for amount, rate in amounts:
            if amount is None or rate is None:
                return None
            total += amount * rate
        return rounded(total) if any(self._paths.values()) else _exact(total)

    def _holdings(self, accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, Fraction] | None:
        held: dict[str, Fraction] = {}
        for instrument in self._traded:
            account = accounts[instrument.name]
            cash, pnl = _amount(account, "cash"), _amount(account, "pnl")
            assert cash is not None
            assert pnl is not None
            for name, amount in holdings(instrument, account["position"], cash, pnl):
                if name is None:
                    return None
                held[name] = held.get(name, Fraction(0)) + amount
        return dict(sorted(held.items()))


def decimal_text(value: Decimal) -> str:
    """An exact decimal as JSON has it: no exponent, no zeros at the end."""
    return f"{value.normalize(EXACT):f}"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)


def _amount(account: Mapping[str, Any], key: str) -> Fraction | None:
    return None if account[key] is None else account[key] * Fraction(account["money_unit"])


def _exact(value: Fraction) -> Decimal:
    return EXACT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _rounded(rate: Fraction | None) -> Decimal | None:
    return None if rate is None else rounded(rate)


def _currencies(instrument: Instrument) -> tuple[str, ...]:
    assert instrument.base is not None
    assert instrument.quote is not None
    if instrument.contract == "spot":
        return instrument.base, instrument.quote
    return (instrument.base if instrument.inverse else instrument.quote,)
