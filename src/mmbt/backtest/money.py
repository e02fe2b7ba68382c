"""The part of a backtest's configuration that is about money: fees, contracts, the currency of its totals, risk."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mmbt.contracts import Terms, terms_of
from mmbt.units import duration_ns, fee_rate

__all__ = ["MoneyRules"]

_DECIMALS = 12  # of a fee stated as an amount


def _amount(value: Decimal) -> Decimal:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > _DECIMALS or abs(value) >= 10**12:
        raise ValueError(f"a fee of {value} must be below 10^12 and have at most {_DECIMALS} decimal places")
    return value


def _grid(value: object) -> object:
    return duration_ns(value) if isinstance(value, str) else value


Amount = Annotated[Decimal, AfterValidator(_amount)]


class MoneyRules(BaseModel):
    """Fees, contracts, and the currency of totals.

    Attributes
    ----------
    maker_fee, taker_fee
        Basis points of the value traded, at most four decimals; negative is a rebate.
    maker_fee_qty, taker_fee_qty
        Beside that, an amount for each 1 of quantity (one of the base, or one contract); negative is a rebate.
    maker_fee_flat, taker_fee_flat
        Beside that, an amount for each fill.
    fee_currency
        Of the amounts: that of settlement, or the other one of the instrument, converted at the fill's price.
    contract, multiplier, currencies
        What is stated of contracts for this run, by instrument (`*`: every other one), over what the market says.
    report_currency
        Totals over instruments are converted into it.
    risk_grid
        Time between the mids that the covariance of returns is estimated from, ns or text; None: no risk is measured.
    risk_power
        u of the risk (Q' Omega Q)^u.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    maker_fee: Decimal = Decimal(0)
    taker_fee: Decimal = Decimal(0)
    maker_fee_qty: Amount = Decimal(0)
    taker_fee_qty: Amount = Decimal(0)
    maker_fee_flat: Amount = Decimal(0)
    taker_fee_flat: Amount = Decimal(0)
    fee_currency: Literal["settlement", "other"] = "settlement"
    contract: dict[str, str] = Field(default_factory=dict)
    multiplier: dict[str, str] = Field(default_factory=dict)
    currencies: dict[str, str] = Field(default_factory=dict)
    report_currency: str | None = Field(default=None, min_length=1)
    risk_grid: Annotated[int, BeforeValidator(_grid), Field(ge=10**6, lt=2**62)] | None = None
    risk_power: Annotated[float, Field(gt=0, le=2)] = 0.5

    @model_validator(mode="after")
    def _amounts(self) -> Self:
        fee_rate(self.maker_fee)
        fee_rate(self.taker_fee)
        for name in {*self.contract, *self.multiplier, *self.currencies}:
            self.terms(name)
        return self

    @property
    def maker_rate(self) -> int:
        """The maker fee in 1e-8 of the value traded."""
        return fee_rate(self.maker_fee)

    @property
    def taker_rate(self) -> int:
        """The taker fee in 1e-8 of the value traded."""
        return fee_rate(self.taker_fee)

    def terms(self, instrument: str) -> Terms:
        """What this run states of an instrument's contract."""
        return terms_of(instrument, self.contract, self.multiplier, self.currencies)
