"""`mmbt evaluate`: strategies against tuned baselines, on days that nothing was chosen on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    from mmbt.evaluate.baselines import Terms
    from mmbt.evaluate.days import Contender, EvaluationDay
    from mmbt.store import Catalog

__all__ = ["evaluate", "split_days"]

Days = tuple[date | None, date | None]

_HELD_OUT = 0.2  # of the days for validation, and as many for the test, where nobody says which
_FEWEST = 3


def _stray(word: str) -> str:
    return f"to set a parameter write -S {word}" if "=" in word else f"to name a strategy write --strategy {word}"


@command(
    "evaluate",
    examples="""
    mmbt evaluate --train 2024-01-01..2024-01-20 --validate 2024-01-21..2024-01-25 --test 2024-01-26..2024-02-14
    mmbt evaluate --strategy dqn -S model=runs/20240301-101500-train
    mmbt evaluate --strategy dqn --vary model=runs/a --vary model=runs/b --vary model=runs/c
    mmbt evaluate --strategy my_maker.py:MyMaker --against linear-skew --against imbalance-skew --trials 100
    mmbt evaluate --strategy linear-skew --fills queue --taker-fee 1 --json > evaluation.json
    """,
    hint=_stray,
)
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
    """Judge a strategy against baselines on days that nothing was chosen on.

    The baselines are no quotes at all, random quotes, a constant spread, skews with and without the imbalance,
    Avellaneda-Stoikov, Cartea-Jaimungal and the base model. Each is tuned on the validation days by as many trials,
    which also say which of them is the best. Every day begins flat and is closed at the opposite touch. Test days are
    used once: each use is written down, and a later one is told.
    """
    from mmbt.evaluate.baselines import Terms, chosen
    from mmbt.evaluate.fits import fit_market
    from mmbt.evaluate.judging import judge, tune
    from mmbt.store import open_store

    if strategy is None and (given or vary):
        raise UsageError("-S and --vary are parameters of a strategy: name it with --strategy")
    if ctx.get_parameter_source("strategy") is ParameterSource.DEFAULT_MAP and strategy and ("." in strategy):
        raise UsageError(f"mmbt.toml names the code {strategy!r}: code to run is named on the command line, --strategy")
    families = chosen(against)
    terms = Terms(_duration(interval), size, max_position)
    contender = None if strategy is None else _contender(strategy, given, vary, terms)
    if contender is not None:
        terms = _terms_of(contender, terms)
    catalog = open_store(find_store(data))
    traded = instrument or catalog.default_instrument()
    config = _config(traded, seed, money_rules(rules))
    split = split_days(_dates(catalog, traded), train, validate, test)
    with progress("reading", "days") as bar:
        days = _read(catalog, config, split, bar)
    fit = fit_market(days["train"] or days["validate"], traded, terms.interval_ns)
    work = len(days["validate"]) * (trials * len(families) - (trials - 1) * ("no-quotes" in families))
    with progress("tuning", "backtests") as bar:
        tuned = tune(days["validate"], config, fit, terms, names=families, trials=trials, seed=seed,
                     told=_counter(bar, work, "tuning", len(days["validate"])))
    path, earlier = _use(days["test"], traded, strategy, out)
    runs = len(days["test"]) * (len(families) + (len(contender.params) if contender else 0))
    with progress("testing", "backtests") as bar:
        verdict = judge(days["test"], config, tuned, contender, seed=seed, told=_counter(bar, runs, "testing", 1))
    document = {
        "run": str(path),
        "strategy": strategy,
        "contender": None if contender is None else contender.name,
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
    document["figures"] = _draw(path, document, figures)
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


def _contender(
    strategy: str, given: Sequence[tuple[str, str]], vary: Sequence[tuple[str, str]], terms: Terms
) -> Contender:
    """Who is judged; what all keep to is told to it where it can be told and was not."""
    from mmbt.evaluate.baselines import BASELINES
    from mmbt.evaluate.days import Contender
    from mmbt.strategies.params import parse_value
    from mmbt.strategies.registry import find, make

    fields = find(strategy).Params.model_fields
    plain = {key.replace("-", "_"): parse_value(value) for key, value in given}
    common = {key: value for key, value in terms.told().items() if key in fields} | plain
    every = [common | {key.replace("-", "_"): parse_value(value)} for key, value in vary] or [common]
    for params in every:
        make(strategy, params)  # mistakes are told before the data are read
    name = f"{strategy} (yours)" if strategy in BASELINES else strategy  # a baseline of that name may be tuned as well
    return Contender(name, strategy, tuple(every))


def _terms_of(contender: Contender, terms: Terms) -> Terms:
    """What the contender really keeps to: the baselines do as well."""
    from mmbt.evaluate.baselines import Terms
    from mmbt.strategies.registry import make

    made = make(contender.strategy, contender.params[0])
    size = getattr(made.params, "size", terms.size)
    return Terms(made.interval or terms.interval, size, made.max_position or terms.max_position)


def _config(traded: str, seed: int, rules: dict[str, Any]) -> BacktestConfig:
    from mmbt.backtest import BacktestConfig, FillRules

    latency, fills = rules.pop("latency"), FillRules.parse(rules.pop("fills"))
    return checked(BacktestConfig, instruments=(traded,), fills=fills, place_latency=latency, seed=seed, **rules)


def _dates(catalog: Catalog, traded: str) -> list[str]:
    catalog.instrument(traded)  # says so when there is none
    return sorted(next(each.dates for each in catalog.summaries() if each.name == traded))


def _read(
    catalog: Catalog, config: BacktestConfig, split: Mapping[str, Sequence[str]], bar: Bar
) -> dict[str, list[EvaluationDay]]:
    from mmbt.evaluate.days import EvaluationDay

    total, done = sum(map(len, split.values())), 0
    days: dict[str, list[EvaluationDay]] = {}
    for part, names in split.items():
        days[part] = []
        for name in names:
            local = config.feed_latency == "local"
            with catalog.select(config.instruments, (name, name), local=local) as market:
                days[part].append(EvaluationDay.of(name, market, config))
            done += 1
            bar.update(done, total, done, "reading")
    return days


def _use(days: Sequence[EvaluationDay], traded: str, strategy: str | None, out: str | None) -> tuple[Path, list[Any]]:
    """The folder of the results, and earlier uses of the days; this one is written down."""
    from mmbt.cli.rundir import RUNS, run_path
    from mmbt.evaluate.uses import earlier_uses, log_use

    path = run_path(out, "evaluate")
    if path.exists() and any(path.iterdir()):
        raise UsageError(f"{path} already holds something: name a new folder with --out")
    earlier = earlier_uses(Path(RUNS), days)
    log_use(Path(RUNS), days, {"run": str(path), "instrument": traded, "strategy": strategy})
    return path, earlier


def _counter(bar: Bar, total: int, title: str, each: int) -> Callable[[str], None]:
    done = 0

    def told(name: str) -> None:
        nonlocal done
        done += each
        bar.update(done, total, done, f"{title} {name}")

    return told


def _draw(path: Path, document: Mapping[str, Any], wanted: bool | None) -> list[str]:
    from importlib.util import find_spec

    if wanted is False or (wanted is None and find_spec("matplotlib") is None):
        return []
    from mmbt.evaluate.figures import draw_evaluation

    return [str(figure) for figure in draw_evaluation(document, path)]
