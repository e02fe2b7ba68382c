"""Options of fees, contracts and reporting, and how `[I=]VALUE` is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from mmbt.cli.options import BASIS_POINTS, DURATION
from mmbt.contracts import CONTRACTS
from mmbt.errors import UsageError

__all__ = ["by_instrument", "contract_options", "fee_options", "money_options", "money_rules"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_TERMS = ("contract", "multiplier", "currencies")


def by_instrument(texts: Iterable[str], flag: str) -> dict[str, str]:
    """Values by instrument; one that names no instrument stands for all others."""
    values: dict[str, str] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if values.setdefault(name or "*", value) != value:
            raise UsageError(f"{flag} is given twice for {name or 'all instruments'!r}")
    return values


def contract_options(where: str) -> Callable[[_Command], _Command]:
    """`--contract`, `--multiplier` and `--currencies`; `where` ends their help."""
    return _together(
        click.option(
            "--contract",
            metavar="[I=]TYPE",
            multiple=True,
            help=f"State the contract, {', '.join(CONTRACTS)}, of one instrument or of all.  {where}",
        ),
        click.option(
            "--multiplier",
            metavar="[I=]N",
            multiple=True,
            help="State what one of quantity stands for: base currency, or quote currency of an inverse contract.",
        ),
        click.option(
            "--currencies",
            metavar="[I=]BASE/QUOTE",
            multiple=True,
            help="State the currencies.  [default: read in the name, such as BTC/USD]",
        ),
    )


def money_options(function: _Command) -> _Command:
    """Everything of `mmbt backtest` that is about money."""
    return _together(
        fee_options,
        click.option(
            "--report-currency",
            metavar="C",
            help="Give totals in this currency, through the mids of traded and watched instruments.",
        ),
        click.option(
            "--risk-grid",
            type=DURATION,
            metavar="GRID",
            help="Measure the portfolio's risk, with a covariance of returns over a grid such as 1s.",
        ),
        click.option(
            "--risk-power", type=float, default=0.5, show_default=True, help="The power u of the risk (Q' Omega Q)^u."
        ),
    )(function)


def fee_options(function: _Command) -> _Command:
    """Fees, and what instruments are."""
    return _together(
        click.option(
            "--maker-fee",
            type=BASIS_POINTS,
            default="0",
            show_default=True,
            help="Fee of resting fills in basis points; a rebate is negative.",
        ),
        click.option(
            "--taker-fee", type=BASIS_POINTS, default="0", show_default=True, help="Fee of taker fills in basis points."
        ),
        *(
            click.option(
                f"--{who}-fee-{kind}",
                metavar="AMOUNT",
                default="0",
                show_default=True,
                help=f"Added to it: an amount for each {what}.",
            )
            for who in ("maker", "taker")
            for kind, what in (("qty", "1 of quantity, or contract"), ("flat", "fill"))
        ),
        click.option(
            "--fee-currency",
            type=click.Choice(["settlement", "other"]),
            default="settlement",
            show_default=True,
            help="Of these amounts: what the instrument is settled in, or its other currency, at the fill's price.",
        ),
        contract_options("[default: as converted]"),
    )(function)


def money_rules(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the configuration takes them."""
    return options | {name: by_instrument(options[name], f"--{name}") for name in _TERMS}


def _together(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(function: _Command) -> _Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate
