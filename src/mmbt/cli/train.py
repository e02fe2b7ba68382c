"""`mmbt train`: learn to quote, on the days of a store or on a model whose best answer is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mmbt.cli.app import command
from mmbt.cli.conditions import condition_options, make_config, names_to_read, parse_rules
from mmbt.cli.options import DATES, SPAN, find_store
from mmbt.cli.output import Document, emit, note
from mmbt.errors import MmbtError, StoreError, UsageError

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig
    from mmbt.training.recorded import RecordedData
    from mmbt.training.run import TrainingRun
    from mmbt.training.settings import Settings

__all__ = ["train"]

_ALWAYS = {"as_json", "debug", "overrides", "threads", "time_limit", "checkpoint_every"}
_WITH_RESUME = _ALWAYS | {"resume", "data", "force_data_change"}
_WITH_MODEL = _ALWAYS | {"market", "file", "seed", "out"}


def _stray(word: str) -> str:
    return f"to set an option of training write -S {word}" if "=" in word else f"to name a store write --data {word}"


@command(
    "train",
    examples="""
    mmbt train
    mmbt train --instrument BTC/USD_T+0 --dates 2024-10-07..2024-10-10 -S validation=1 -S test=1 --fills queue
    mmbt train -S steps=500000 -S max_position=5 -S reward=quadratic -S r=0.05 --time-limit 10m
    mmbt train --resume runs/20241011-090000-train
    mmbt train --market exact-market --seed 1 --json
    mmbt train --market base-model -S shifts=0,0.25,0.5,1,2 -S k=1 -S delay=2
    """,
    hint=_stray,
)
@click.option("--market", type=click.Choice(["exact-market", "base-model"]),
              help="Learn on a model whose exact answer is known, and be scored by it, instead of on a store.")
@click.option("-S", "--set", "overrides", metavar="K=V", multiple=True,
              help="An option of learner, market, actions, reward or split, or a number of the model; repeat for more.")
@click.option("--options", "only_options", is_flag=True, help="List these options with their defaults; nothing else.")
@click.option("--config", "file", metavar="FILE", help="A TOML file of such options; -S wins.")
@click.option("--data", metavar="STORE", help="The store, looked for here and under data/.  [default: data/store]")
@click.option("--instrument", metavar="I", help="What is traded.  [default: the instrument with most trades]")
@click.option("--dates", type=DATES, metavar="A..B", help="Days to use, both included; split in order of time.")
@condition_options
@click.option("--hot/--no-hot", default=False, show_default=True, help="Read from the hot store (see mmbt hot).")
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0, show_default=True,
              help="Seed of weights, sampling and exploration.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True,
              help="That step the markets, beside the one that learns. Results do not depend on it.")
@click.option("--time-limit", type=SPAN, metavar="D", help="Stop after that long; the run can be resumed.")
@click.option("--checkpoint-every", type=SPAN, metavar="D", default="60s", show_default=True,
              help="Between two checkpoints.")
@click.option("--resume", metavar="RUN", help="Go on with a run, exactly.")
@click.option("--force-data-change", is_flag=True, help="Resume although the data are not those the run began with.")
@click.option("--out", metavar="RUN", help="A new folder for the run.  [default: runs/<time>-train]")
@click.pass_context
def train(
    ctx: click.Context,
    /,
    market: str | None,
    overrides: tuple[str, ...],
    only_options: bool,
    resume: str | None,
    threads: int,
    time_limit: int | None,
    checkpoint_every: int,
    force_data_change: bool,
    out: str | None,
    **rules: Any,
) -> Document:
    """Learn which quotes earn most.

    Days of a store are split in order of time: learned from, chosen by, left for a test. The best model by the
    validation days is in the run's folder, with checkpoints to go on from and a line of metrics for each block.
    """
    if only_options:
        return _options(market)
    if find_spec("tensorflow") is None:
        raise UsageError("mmbt train needs TensorFlow, which is not installed: pip install 'mmbt[train]'")
    from mmbt.cli.training import Limits, begin_training
    from mmbt.training.run import TrainingRun

    limits = Limits(threads, time_limit, checkpoint_every)
    if resume is not None:
        with TrainingRun.open(_run_folder(resume)) as run:
            settings = _unchanged(ctx, run, overrides)
            data = _same_data(run, settings, rules["data"], force_data_change)
            return begin_training(run, settings, data, limits)

    from mmbt.cli.rundir import run_path
    from mmbt.training.settings import RECORDED, parse_settings

    if ctx.get_parameter_source("seed") is not ParameterSource.DEFAULT:
        overrides = (*(text for text in overrides if _key(text) != "seed"), f"seed={rules['seed']}")
    file = rules.pop("file")
    settings = parse_settings(market or RECORDED, [*_from_project(ctx.obj, overrides, file), *overrides],
                              None if file is None else Path(file))
    manifest: dict[str, Any] = {"market": settings.market, "settings": settings.dump()}
    data = None
    if market is None:
        config, data, told = _choose_data(rules, settings)
        manifest |= {"conditions": config.model_dump(mode="json"), "data": told, "split": data.describe()}
    elif flags := _flags_beside(ctx, _WITH_MODEL):
        raise UsageError(f"{flags}: a model has no days and no conditions; its numbers are set by -S")
    with TrainingRun.create(run_path(out, f"train-{market}" if market else "train"), manifest) as run:
        return begin_training(run, settings, data, limits)


def _options(market: str | None) -> Document:
    from mmbt.cli.parameters import parameter_data, parameter_table
    from mmbt.training.settings import RECORDED, describe_settings

    found = describe_settings(market or RECORDED)
    return Document({"options": [parameter_data(item) for item in found]},
                    lambda: emit(parameter_table(found, "option", 24)))


def _choose_data(
    rules: dict[str, Any], settings: Settings
) -> tuple[BacktestConfig, RecordedData, dict[str, Any]]:
    """The store's days under the conditions that were given."""
    from mmbt.store import open_store

    store, instrument, dates, hot = (rules.pop(name) for name in ("data", "instrument", "dates", "hot"))
    watch = rules.pop("watch")
    rules = parse_rules(rules)
    catalog = open_store(find_store(store))
    config = make_config((instrument or catalog.default_instrument(),), watch, rules)
    told: dict[str, Any] = {"store": str(catalog.root), "dates": None if dates is None else [*map(_iso, dates)],
                            "hot": hot}
    data = _recorded(told, config, settings)
    return config, data, told | {"content_hash": catalog.content_hash, "files": data.inputs}


def _recorded(told: Mapping[str, Any], config: BacktestConfig, settings: Settings) -> RecordedData:
    from mmbt.store import HotCache, open_store
    from mmbt.training.recorded import RecordedData

    catalog = open_store(told["store"])
    cache = HotCache(catalog.root, warn=note) if told["hot"] else False
    dates = tuple(told["dates"]) if told["dates"] else None
    return RecordedData(catalog, config, names_to_read(catalog, config), settings, dates, cache)


def _run_folder(name: str) -> Path:
    from mmbt.cli.rundir import RUNS

    inside = Path(RUNS) / name
    return inside if not Path(name).exists() and inside.exists() else Path(name)


def _unchanged(ctx: click.Context, run: TrainingRun, overrides: Sequence[str]) -> Settings:
    """The options of a run; a run goes on with its own, so others are refused."""
    from mmbt.training.settings import parse_settings

    if flags := _flags_beside(ctx, _WITH_RESUME):
        raise UsageError(f"{flags} cannot be given with --resume: {run.path} goes on as it began")
    base, market = run.manifest["settings"], run.manifest["market"]
    try:
        kept = parse_settings(market, base=base)
    except (UsageError, KeyError, TypeError) as error:
        raise StoreError(f"{run.path}: its options cannot be read: {error}") from error
    if unknown := ", ".join(sorted(base.keys() - kept.values.keys())):
        raise StoreError(f"{run.path} has options that this version of mmbt does not know ({unknown}): go on with the "
                         "version that began it, which its manifest names, or start a new run")
    told, wanted = kept.dump(), parse_settings(market, overrides, base=base).dump()
    changed = [f"{name} = {wanted[name]} (was {told[name]})" for name in told if wanted[name] != told[name]]
    if changed:
        raise UsageError(f"{run.path} goes on as it began, not with {', '.join(changed)}: leave them out, or start "
                         "a new run")
    return kept


def _same_data(run: TrainingRun, settings: Settings, store: str | None, force: bool) -> RecordedData | None:
    """The data of a run, if they are still what they were."""
    from mmbt.backtest import BacktestConfig
    from mmbt.training.settings import RECORDED

    told = run.manifest.get("data")
    if settings.market != RECORDED:
        return None
    try:
        config = BacktestConfig.model_validate(run.manifest["conditions"])
    except (ValueError, KeyError) as error:
        raise StoreError(f"{run.path}: its conditions cannot be read: {error}") from error
    if told is None or "split" not in run.manifest:
        raise StoreError(f"{run.path}: its manifest does not say which data it learns from")
    if store is not None:
        told["store"] = str(find_store(store))
    try:
        data = _recorded(told, config, settings)
    except MmbtError as error:
        error.add_note(f"the run learns from {told['store']}; if that has moved, say where to by --data")
        raise
    before, now = ([(each["sha256"], each["rows"]) for each in files] for files in (told["files"], data.inputs))
    if before == now and run.manifest["split"] == data.describe():
        return data
    if not force:
        raise StoreError(f"the data in {told['store']} are not those that {run.path} began with: it would learn "
                         "something else. Start a new run, or go on with --force-data-change")
    note("the data have changed since the run began: its result is not that of an uninterrupted run")
    run.manifest |= {"split": data.describe(), "data": told | {"files": data.inputs, "changed": True}}
    return data


def _flags_beside(ctx: click.Context, allowed: set[str]) -> str:
    """The flags of this command line that are not among those."""
    return ", ".join(
        parameter.opts[0] for parameter in ctx.command.params if parameter.name not in allowed
        and ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE)


def _from_project(settings: Mapping[str, Any], overrides: Sequence[str], file: str | None) -> list[str]:
    """Options from the section [train.params] of mmbt.toml that nothing else gives."""
    table = settings.get("train", {}).get("params", {})
    if not isinstance(table, Mapping):
        raise UsageError("mmbt.toml: options of training stand in a section [train.params]")
    flagged = {_key(text) for text in overrides}
    return [] if file else [f"{key}={json.dumps(value)}" for key, value in table.items() if _key(key) not in flagged]


def _key(text: str) -> str:
    return text.partition("=")[0].strip().replace("-", "_")


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
