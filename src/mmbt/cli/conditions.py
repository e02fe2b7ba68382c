"""The conditions of a backtest as options: what is seen, how orders fill, how long things take, what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mmbt.cli.money import fee_options, money_options, money_rules
from mmbt.cli.options import FEED_LATENCY, GAP, LATENCY, MAX_AGE, checked

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig
    from mmbt.store import Catalog

__all__ = ["condition_options", "make_config", "names_to_read", "parse_rules", "rule_options", "seen_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def seen_options(function: _Command) -> _Command:
    """Instruments beside those that are traded."""
    return _together(
        function,
        click.option("--watch", metavar="I", multiple=True, help="An instrument the strategy sees but does not trade."),
        click.option(
            "--synthetic",
            metavar="PAIR[=LEGS]",
            multiple=True,
            help='A pair to price through others, "BTC/RUB = BTC/USD * USD/RUB" or a pair alone for the shortest '
            "chain. Legs are watched unless they are traded; repeat for more.",
        ),
        click.option(
            "--synthetic-max-age",
            type=MAX_AGE,
            default="10s",
            show_default=True,
            help="A leg quoted longer ago gives no synthetic quote; none for any age.",
        ),
    )


def rule_options(function: _Command) -> _Command:
    """How orders fill, how long everything takes, everything about money, and how time goes."""
    return _together(function, *_CLOCKS, money_options, *_TIME)


def condition_options(function: _Command) -> _Command:
    """The same without what only a report needs."""
    return _together(function, seen_options, *_CLOCKS, fee_options, *_TIME)


def parse_rules(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the configuration takes them."""
    from mmbt.backtest import FillRules

    rules = money_rules(options)
    return rules | {"fills": FillRules.parse(rules["fills"]), "place_latency": rules.pop("latency")}


def make_config(traded: Sequence[str], watch: Sequence[str], rules: Mapping[str, Any]) -> BacktestConfig:
    """The configuration from what `parse_rules` gave."""
    from mmbt.backtest import BacktestConfig

    return checked(BacktestConfig, instruments=tuple(traded), watch=tuple(watch), **rules)


def names_to_read(catalog: Catalog, config: BacktestConfig) -> list[str]:
    """The instruments to read: legs of synthetic quotes beside those that were named."""
    from mmbt.backtest import streamed_names

    known = []
    if config.synthetic:
        known = [catalog.instrument(each.name) for each in catalog.summaries() if each.tick_size is not None]
    return streamed_names(known, config)


def _together(function: _Command, *options: Callable[[_Command], _Command]) -> _Command:
    for option in reversed(options):
        function = option(function)
    return function


_CLOCKS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--fills",
        metavar="PRESET[,K=V]...",
        default="seed",
        show_default=True,
        help="Fill rules: seed, conservative, queue or optimistic; options cross, trade, aggressor, size, queue and "
        "power.",
    ),
    click.option(
        "--latency",
        type=LATENCY,
        default="0",
        show_default=True,
        help="From sending an order to its arrival at the venue: 1ms, lognormal:median=1ms,sigma=0.5[,floor=200us], "
        "empirical:FILE or recorded:FILE.",
    ),
    click.option("--cancel-latency", type=LATENCY, help="The same of cancels.  [default: that of orders]"),
    click.option(
        "--response-latency",
        type=LATENCY,
        default="0",
        show_default=True,
        help="From a fill or outcome at the venue to the strategy.",
    ),
    click.option(
        "--feed-latency",
        type=FEED_LATENCY,
        default="0",
        show_default=True,
        help="From a quote or print to the strategy; local for the times of receipt in the store.",
    ),
)
_TIME: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--session-gap",
        type=GAP,
        default="1h",
        show_default=True,
        help="Silence after which a session ends; none for never.",
    ),
    click.option(
        "--ties",
        type=click.Choice(["prints-first", "tob-first"]),
        default="prints-first",
        show_default=True,
        help="Which of a print and a quote of one instant comes first.",
    ),
)
