"""`mmbt evaluate`: strategies against tuned baselines, on days that nothing was chosen on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mmbt import __version__
from mmbt.cli.app import command
from mmbt.cli.money import money_options, money_rules
from mmbt.cli.options import DATES, FEED_LATENCY, GAP, LATENCY, PAIR, checked, find_store
from mmbt.cli.output import Bar, Document, note, progress
from mmbt.cli.verdicts import publish_json, show_verdict
from mmbt.errors import UsageError
from mmbt.units import duration_ns

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig
    from mmbt.cli.judged import Judged, Training
    from mmbt.evaluate.days import Contender, EvaluationDay
    from mmbt.store import Catalog

__all__ = ["evaluate", "split_days"]

Days = tuple[date | None, date | None]

_HELD_OUT = 0.2  # of the days for validation, and as many for the test, where nobody says which
_FEWEST = 3


@command(
    "evaluate",
    examples="""
    mmbt evaluate --train 2024-01-01..2024-01-20 --validate 2024-01-21..2024-01-25 --test 2024-01-26..2024-02-14
    mmbt evaluate runs/20240301-101500-train
    mmbt evaluate runs/a runs/b runs/c --against linear-skew --against imbalance-skew
    mmbt evaluate --strategy my_maker.py:MyMaker --trials 100
    mmbt evaluate --strategy linear-skew --fills queue --taker-fee 1 --json > evaluation.json
    """,
)
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--strategy", metavar="NAME", help="Who is judged: a name, package.module:Class or path.py:Class.")
@click.option("-S", "--set", "given", type=PAIR, metavar="K=V", multiple=True, help="A parameter of it; repeat.")
@click.option(
    "--vary",
    type=PAIR,
    metavar="K=V",
    multiple=True,
    help="A parameter of one of several trainings of it, such as model=RUN; repeat, once a training.",
)
@click.option("--data", metavar="STORE", help="The store, looked for here and under data/.  [default: data/store]")
@click.option("--instrument", metavar="I", help="What is traded.  [default: the instrument with most trades]")
@click.option("--train", type=DATES, metavar="A..B", help="Days baselines are fitted to.  [default: the first 60%]")
@click.option("--validate", type=DATES, metavar="A..B", help="Days that choose.  [default: the next 20%]")
@click.option("--test", type=DATES, metavar="A..B", help="Days that judge, once.  [default: the rest]")
@click.option("--against", metavar="NAME", multiple=True, help="A baseline; repeat for more.  [default: all]")
@click.option("--trials", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Of each baseline.")
@click.option("--interval", default="1s", show_default=True, help="Between two looks at the market, of all.")
@click.option("--size", type=click.IntRange(min=1), default=1, show_default=True, help="Lots of each quote, of all.")
@click.option("--max-position", type=click.IntRange(min=1), default=10, show_default=True, help="Lots, of all.")
@click.option("--fills", metavar="PRESET[,K=V]...", default="seed", show_default=True, help="As of mmbt backtest.")
@click.option("--latency", type=LATENCY, default="0", show_default=True, help="From sending an order to its arrival.")
@click.option("--cancel-latency", type=LATENCY, help="The same of cancels.  [default: that of orders]")
@click.option("--response-latency", type=LATENCY, default="0", show_default=True, help="From a fill to the strategy.")
@click.option("--feed-latency", type=FEED_LATENCY, default="0", show_default=True, help="From a quote to the strategy.")
@money_options
@click.option("--session-gap", type=GAP, default="1h", show_default=True, help="Silence after which a session ends.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of trials and of bootstraps.")
@click.option("--figures/--no-figures", default=None, help="Draw them.  [default: if matplotlib is installed]")
@click.option("--out", metavar="RUN", help="A new folder for the results.  [default: runs/<time>-evaluate]")
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    runs: tuple[str, ...],
    strategy: str | None,
    given: tuple[tuple[str, str], ...],
    vary: tuple[tuple[str, str], ...],
    data: str | None,
    instrument: str | None,
    train: Days | None,
    validate: Days | None,
    test: Days | None,
    against: tuple[str, ...],
    trials: int,
    interval: str,
    size: int,
    max_position: int,
    seed: int,
    figures: bool | None,
    out: str | None,
    **rules: Any,
) -> Document:
    """Judge a strategy, or the model of each RUN of mmbt train, against baselines on days that nothing was chosen on.

    Several RUNs are judged as so many trainings of one contender. Store, days and conditions are those of their
    training where no option says otherwise.

    The baselines are no quotes at all, random quotes, a constant spread, skews with and without the imbalance,
    Avellaneda-Stoikov, Cartea-Jaimungal and the base model. Each is tuned on the validation days by as many trials,
    which also say which of them is the best. Every day begins flat and is closed at the opposite touch. Test days are
    used once: each use is written down, and a later one is told.
    """
    from mmbt.cli.conditions import names_to_read
    from mmbt.cli.judged import judged_models, judged_strategy, trainings
    from mmbt.evaluate.baselines import Terms, chosen
    from mmbt.evaluate.fits import fit_market
    from mmbt.evaluate.judging import judge, tune
    from mmbt.store import open_store

    if strategy is None and (given or vary):
        raise UsageError("-S and --vary are parameters of a strategy: name it with --strategy")
    named = ctx.get_parameter_source("strategy")
    if named is ParameterSource.DEFAULT_MAP and strategy and ("." in strategy):
        raise UsageError(f"mmbt.toml names the code {strategy!r}: code to run is named on the command line, --strategy")
    if runs and named is ParameterSource.COMMANDLINE:
        raise UsageError(f"judge either the models of runs, or the strategy {strategy}: not both at once")
    families = chosen(against)
    terms = Terms(_duration(interval), size, max_position)
    trained = trainings(runs) if runs else None
    judged = (judged_models(runs, terms) if runs
              else None if strategy is None else judged_strategy(strategy, given, vary, terms))
    contender = None if judged is None else judged.contender
    terms = terms if judged is None else judged.terms
    catalog = open_store(find_store(data or (trained.store if trained else None)))
    told_by = {name for name in rules if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}
    config = _config(catalog, instrument, seed, money_rules(rules), told_by, trained)
    traded = config.instruments[0]
    split = _split(_dates(catalog, traded), train, validate, test, trained)
    if judged is not None:
        judged.check_unseen(catalog, traded, split["test"])
    warnings = [] if judged is None else judged.warnings(config)
    for warning in warnings:
        note(f"warning: {warning}")
    with progress("reading", "days") as bar:
        days = _read(catalog, names_to_read(catalog, config), config, split, bar)
    fit = fit_market(days["train"] or days["validate"], traded, terms.interval_ns)
    work = len(days["validate"]) * (trials * len(families) - (trials - 1) * ("no-quotes" in families))
    with progress("tuning", "backtests") as bar:
        tuned = tune(days["validate"], config, fit, terms, names=families, trials=trials, seed=seed,
                     told=_counter(bar, work, "tuning", len(days["validate"])))
    path, earlier = _use(days["test"], traded, contender, out)
    tests = len(days["test"]) * (len(families) + (len(contender.params) if contender else 0))
    with progress("testing", "backtests") as bar:
        verdict = judge(days["test"], config, tuned, contender, seed=seed, told=_counter(bar, tests, "testing", 1))
    document = {
        "run": str(path),
        "strategy": None if contender is None else contender.strategy,
        "contender": None if contender is None else contender.name,
        "about": [] if judged is None else [made.about() for made in judged.made],
        "warnings": warnings,
        "instrument": traded,
        "days": {part: {day.name: day.hash for day in days[part]} for part in days},
        "earlier_uses": earlier,
        "terms": terms.told(),
        "trials": trials,
        "fit": asdict(fit),
        "currency": next(i.currency for i in days["test"][0].market.instruments if i.name == traded),
        **verdict.told(),
        "config": config.model_dump(mode="json"),
        "versions": {"mmbt": __version__},
    }
    document["figures"] = _draw(path, document, judged, days["test"][0], figures)
    publish_json(path / "evaluation.json", document)
    if earlier:
        note(f"these test days were used before, {len(earlier)} times, first on {earlier[0]['time']}: what was learned "
             "from that is in this result as well")
    return Document(document, lambda: show_verdict(document))


def split_days(
    dates: Sequence[str], train: Days | None, validate: Days | None, test: Days | None
) -> dict[str, list[str]]:
    """The days of training, validation and test, in this order in time and apart.

    Without any of the three the days are split three to one to one. Without `train` alone no day is for training.

    Raises
    ------
    UsageError
        When a part is missing or empty, or the parts overlap or are not in order.
    """
    if train is None and validate is None and test is None:
        if len(dates) < _FEWEST:
            raise UsageError(f"{len(dates)} days are too few to train, validate and test on: {_FEWEST} are the least")
        held = max(1, round(len(dates) * _HELD_OUT))
        first, second = len(dates) - 2 * held, len(dates) - held
        return {"train": [*dates[:first]], "validate": [*dates[first:second]], "test": [*dates[second:]]}
    if validate is None or test is None:
        raise UsageError("name both the days that choose, --validate, and the days that judge, --test; or neither")
    spans = {"train": train, "validate": validate, "test": test}
    split = {name: _within(dates, span, name) for name, span in spans.items()}
    last = ""
    for name, days in split.items():
        if days and days[0] <= last:
            raise UsageError(f"--{name} begins on {days[0]}, not after {last}: training, validation and test days "
                             "follow each other in time and have no day in common")
        last = days[-1] if days else last
    return split


def _within(dates: Sequence[str], span: Days | None, name: str) -> list[str]:
    if span is None:
        return []
    first, last = (None if day is None else day.isoformat() for day in span)
    found = [day for day in dates if (first is None or day >= first) and (last is None or day <= last)]
    if not found:
        raise UsageError(f"--{name}: the store has no such day; it has {dates[0]} to {dates[-1]}")
    return found


def _duration(text: str) -> str:
    try:
        if duration_ns(text) > 0:
            return text
    except ValueError as error:
        raise UsageError(f"--interval: {error}") from None
    raise UsageError("--interval: must be positive")


def _split(
    dates: Sequence[str], train: Days | None, validate: Days | None, test: Days | None, trained: Training | None
) -> dict[str, list[str]]:
    """The days of each part; unless options name them, those of the training."""
    if train is validate is test is None and trained is not None and trained.split is not None:
        train, validate, test = (
            (date.fromisoformat(part[0]), date.fromisoformat(part[-1])) for part in trained.split.values())
    return split_days(dates, train, validate, test)


def _config(
    catalog: Catalog, instrument: str | None, seed: int, rules: dict[str, Any], told: Collection[str],
    trained: Training | None,
) -> BacktestConfig:
    """The conditions: of the training, if there was one, but for the options that were `told`."""
    from mmbt.backtest import BacktestConfig, FillRules

    if "fills" in told or trained is None:
        rules["fills"] = FillRules.parse(rules["fills"])
    if trained is not None:
        rules = {name: value for name, value in rules.items() if name in told}
        instrument = instrument or trained.conditions["instruments"][0]
    if "latency" in rules:
        rules["place_latency"] = rules.pop("latency")
    traded = instrument or catalog.default_instrument()
    base = {} if trained is None else trained.conditions
    return checked(BacktestConfig, **{**base, **rules, "instruments": (traded,), "seed": seed})


def _dates(catalog: Catalog, traded: str) -> list[str]:
    catalog.instrument(traded)  # says so when there is none
    return sorted(next(each.dates for each in catalog.summaries() if each.name == traded))


def _read(
    catalog: Catalog, instruments: Sequence[str], config: BacktestConfig, split: Mapping[str, Sequence[str]], bar: Bar
) -> dict[str, list[EvaluationDay]]:
    from mmbt.evaluate.days import EvaluationDay

    total, done = sum(map(len, split.values())), 0
    days: dict[str, list[EvaluationDay]] = {}
    for part, names in split.items():
        days[part] = []
        for name in names:
            local = config.feed_latency == "local"
            with catalog.select(instruments, (name, name), local=local) as market:
                days[part].append(EvaluationDay.of(name, market, config))
            done += 1
            bar.update(done, total, done, "reading")
    return days


def _use(
    days: Sequence[EvaluationDay], traded: str, contender: Contender | None, out: str | None
) -> tuple[Path, list[Any]]:
    """The folder of the results, and earlier uses of the days; this one is written down."""
    from mmbt.cli.rundir import RUNS, run_path
    from mmbt.evaluate.uses import earlier_uses, log_use

    path = run_path(out, "evaluate")
    if path.exists() and any(path.iterdir()):
        raise UsageError(f"{path} already holds something: name a new folder with --out")
    earlier = earlier_uses(Path(RUNS), days)
    log_use(Path(RUNS), days, {"run": str(path), "instrument": traded,
                               "strategy": None if contender is None else contender.strategy})
    return path, earlier


def _counter(bar: Bar, total: int, title: str, each: int) -> Callable[[str], None]:
    done = 0

    def told(name: str) -> None:
        nonlocal done
        done += each
        bar.update(done, total, done, f"{title} {name}")

    return told


def _draw(
    path: Path, document: Mapping[str, Any], judged: Judged | None, day: EvaluationDay, wanted: bool | None
) -> list[str]:
    from importlib.util import find_spec

    if wanted is False or (wanted is None and find_spec("matplotlib") is None):
        return []
    from mmbt.evaluate.figures import draw_evaluation, draw_policy
    from mmbt.evaluate.policy import market_policy

    drawn = draw_evaluation(document, path)
    models = {} if judged is None else judged.models
    if models:
        tick = next(each.tick_units for each in day.market.instruments if each.name == document["instrument"])
        frozen = next(iter(models.values())).model.info.world["frozen"]
        spread = max(1, round(document["fit"]["spread"]))
        bid = max(1, round(frozen["mid"] / tick - spread / 2))
        drawn += draw_policy(
            [market_policy(name, made, bid=bid, ask=bid + spread) for name, made in models.items()], path / "policy",
            f"What is quoted in a market {spread} {'tick' if spread == 1 else 'ticks'} wide, all else that the model "
            "sees being as it is on average")
    return [str(figure) for figure in drawn]
