"""`mmbt backtest`: replay a store against a strategy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mmbt import __version__
from mmbt.cli.app import command
from mmbt.cli.conditions import make_config, names_to_read, parse_rules, rule_options, seen_options
from mmbt.cli.options import DATES, DURATION, INSTANT, find_store
from mmbt.cli.output import Document, emit_text, note, progress, safe
from mmbt.errors import INTERRUPTED, StrategyError, UsageError

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig, BacktestResult
    from mmbt.store import StoreMarket
    from mmbt.strategies.base import Strategy

__all__ = ["backtest"]


def _stray(word: str) -> str:
    if "=" in word:
        return f"to set a parameter write -S {word}"
    return f"to name a strategy write --strategy {word}; a store, --data {word}"


@command(
    "backtest",
    examples="""
    mmbt backtest --strategy linear-skew
    mmbt backtest --strategy fixed-spread -S half_spread_ticks=2 -S size=1 -S interval=100ms
    mmbt backtest --strategy my_maker.py:MyMaker --data store --instrument BTC/USD_T+0 --dates 2022-09-20..2022-09-21
    mmbt backtest --strategy linear-skew --fills conservative,cross=touch --latency 5ms --maker-fee -0.5 --taker-fee 4
    mmbt backtest --strategy linear-skew --contract inverse --multiplier 100 --taker-fee 5 --taker-fee-flat 0.0001
    mmbt backtest --strategy my_maker.py:MyMaker --instrument BTC/RUB --synthetic "BTC/RUB = BTC/USD * USD/RUB"
    mmbt backtest --strategy linear-skew --json > result.json
    """,
    hint=_stray,
)
@click.option(
    "--strategy", metavar="NAME", help="A name of `mmbt strategies ls`, package.module:Class or path.py:Class."
)
@click.option(
    "-S", "--set", "overrides", metavar="K=V", multiple=True, help="A parameter of the strategy; repeat for more."
)
@click.option("--data", metavar="STORE", help="The store, looked for here and under data/.  [default: data/store]")
@click.option(
    "--instrument",
    "instruments",
    metavar="I",
    multiple=True,
    help="An instrument to trade; repeat for more.  [default: the one with most trades]",
)
@seen_options
@click.option("--dates", type=DATES, metavar="A..B", help="Days to replay, both included, as 2024-08-08..2024-08-09.")
@click.option(
    "--from", "start", type=INSTANT, metavar="T", help="Replay events at or after T, UTC unless it has an offset."
)
@click.option("--to", "end", type=INSTANT, metavar="T", help="Replay events before T.")
@rule_options
@click.option("--position", type=int, default=0, show_default=True, help="Lots held at the start.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all randomness of the run."
)
@click.option(
    "--equity-interval", type=DURATION, default="1s", show_default=True, help="Time between two rows of equity."
)
@click.option(
    "--hot/--no-hot",
    default=False,
    show_default=True,
    help="Read from the hot store, made once and then read much faster (see mmbt hot).",
)
@click.option("--out", metavar="RUN", help="A new folder for the results.  [default: runs/<time>-<strategy>]")
@click.pass_context
def backtest(
    ctx: click.Context,
    /,
    strategy: str | None,
    overrides: tuple[str, ...],
    data: str | None,
    instruments: tuple[str, ...],
    watch: tuple[str, ...],
    dates: tuple[date | None, date | None] | None,
    start: int | None,
    end: int | None,
    hot: bool,
    out: str | None,
    **rules: Any,
) -> Document:
    """Replay every quote and print of a store, one by one, against a strategy.

    Prices of parameters are in ticks, quantities in lots. The results lie in a new folder: fills, orders and equity as
    Parquet, metrics and the whole configuration as JSON.
    """
    from mmbt.strategies.registry import available, make

    if strategy is None:
        raise UsageError(
            f"name a strategy with --strategy: {', '.join(item.name for item in available())}, "
            "package.module:Class or path.py:Class"
        )
    _trust(ctx, strategy)
    if ctx.get_parameter_source("seed") is not ParameterSource.DEFAULT:
        overrides = _seeded(strategy, overrides, rules["seed"])
    maker = make(strategy, _parameters(ctx.obj, strategy, overrides))
    rules = parse_rules(rules)

    from mmbt.store import HotCache, open_store

    catalog = open_store(find_store(data))
    traded = instruments or (catalog.default_instrument(),)
    days = None if dates is None else (_iso(dates[0]), _iso(dates[1]))
    config = make_config(traded, watch, rules)
    cache = HotCache(catalog.root, warn=note) if hot else False
    local = config.feed_latency == "local"
    names = names_to_read(catalog, config)
    with catalog.select(names, days, start, end, local=local, hot=cache) as market:
        inputs = {"store": str(catalog.root), "content_hash": catalog.content_hash, "hot": hot, "files": market.inputs}
        return _replay(market, maker, config, strategy, out, inputs)


def _replay(
    market: StoreMarket, maker: Strategy, config: BacktestConfig, name: str, out: str | None, inputs: dict[str, Any]
) -> Document:
    from mmbt.backtest import RunDirectory, RunInterrupted, Totals, chosen_instruments, describe_run, run_backtest
    from mmbt.cli.rundir import measured, run_path
    from mmbt.report.table import render

    chosen = chosen_instruments(market, config)
    Totals(chosen, config)  # a currency that nothing leads to shows before anything is written
    total = sum(market.rows(table, instrument.name) for instrument in chosen for table in ("tob", "trades"))
    clocks = {} if market.clocks is None else {"clocks": market.clocks}
    path = run_path(out, name.rpartition(":")[2])
    for text in maker.warnings(config):
        note(f"warning: {text}")

    def finish(result: BacktestResult, status: str) -> dict[str, Any]:
        folder.close_tables()
        own = {
            "strategy": name,
            "params": maker.params.model_dump(mode="json"),
            "config": config.model_dump(mode="json"),
            **clocks,
        }
        document = measured(path, {**result.summary, **own})
        folder.close(status, document)
        return document

    with RunDirectory(path, chosen, describe_run(name, maker, config, inputs | clocks, __version__)) as folder:
        try:
            with progress("replaying", "events") as bar:
                result = run_backtest(market, maker, config, folder, lambda events: bar.update(events, total, events))
        except RunInterrupted as stopped:
            document = finish(stopped.result, "interrupted")
            note(f"interrupted; what happened before is in {path}")
            return _answer(document, render(document), INTERRUPTED)
        except StrategyError as error:
            if (before := getattr(error, "result", None)) is not None:
                finish(before, "failed")
                error.add_note(f"what happened before is in {path}")
            raise
        document = finish(result, "complete")
    return _answer(document, render(document), 0)


def _answer(document: dict[str, Any], table: str, exit_code: int) -> Document:
    return Document(document, lambda: emit_text(safe(table, newlines=True)), exit_code)


def _trust(ctx: click.Context, strategy: str) -> None:
    """A settings file that lies about must not run code: only names may come from it."""
    if ctx.get_parameter_source("strategy") is ParameterSource.DEFAULT_MAP and (
        ":" in strategy or strategy.endswith(".py")
    ):
        raise UsageError(
            f"mmbt.toml names the code {strategy!r} as strategy: code to run must be named on the command line, "
            f"by --strategy {strategy}"
        )


def _parameters(file: Mapping[str, Any], strategy: str, overrides: Sequence[str]) -> list[str]:
    """Parameters from `mmbt.toml` that no flag overrides, then those of the flags."""
    table = file.get("backtest", {}).get("params", {})
    own = table.get(strategy, {}) if isinstance(table, Mapping) else None
    if not isinstance(own, Mapping):
        raise UsageError(
            f"mmbt.toml: parameters stand in a section of their strategy, such as [backtest.params.{strategy}]"
        )
    flagged = {_key(text) for text in overrides}
    return [f"{key}={json.dumps(value)}" for key, value in own.items() if _key(key) not in flagged] + [*overrides]


def _seeded(strategy: str, overrides: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """`--seed` is the seed of a strategy that takes one, unless it was given its own."""
    from mmbt.strategies.registry import find

    if "seed" in find(strategy).Params.model_fields and "seed" not in map(_key, overrides):
        return (*overrides, f"seed={seed}")
    return overrides


def _key(text: str) -> str:
    return text.partition("=")[0].strip().replace("-", "_")


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
