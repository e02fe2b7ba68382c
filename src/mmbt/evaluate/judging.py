"""From days to a verdict: baselines are tuned and the best of them named on validation days, test days are used once.

    validation days     choose everything: the parameters of each baseline, and which baseline is the best
    test days           one run of the contender and of each baseline on each day, and nothing is chosen by them
    verdict             paired daily differences of the contender to every baseline; that to the best one is the claim
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig
from mmbt.evaluate.baselines import Terms, chosen, trials_of
from mmbt.evaluate.days import ABSTAINS, Contender, DayScore, EvaluationDay, run_day, score_day
from mmbt.evaluate.fits import MarketFit
from mmbt.evaluate.statistics import (
    Interval,
    crossed_interval,
    holm,
    interquartile_mean,
    stratified_interval,
    within_day_interval,
)

__all__ = ["FEW_DAYS", "Comparison", "Scores", "Tuned", "Verdict", "compare", "judge", "tune"]

FEW_DAYS = 10
"""Test days below which an interval speaks of these days only."""

Told = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """A baseline with the parameters that earned most on the validation days."""

    contender: Contender
    validation_pnl: float  # mean of a day
    trials: int


@dataclass(frozen=True)
class Scores:
    """What a contender did on the days, [day][training]."""

    contender: Contender
    days: list[list[DayScore]]

    @property
    def pnl(self) -> NDArray[np.float64]:
        """[days, trainings]."""
        return np.array([[score.pnl for score in day] for day in self.days])

    @property
    def quoting(self) -> float:
        """Mean share of the time with a quote in the market."""
        return float(np.mean([[score.quoting for score in day] for day in self.days]))

    @property
    def abstains(self) -> bool:
        """Whether it hardly trades: not losing so is no success."""
        return self.quoting < ABSTAINS

    def summary(self) -> dict[str, Any]:
        """Means over days and trainings, under the names of `DayScore`, and the interquartile mean of the PnL."""
        flat = [asdict(score) for day in self.days for score in day]
        names = [name for name in flat[0] if name != "blocks"]
        means = {name: _mean([row[name] for row in flat]) for name in names}
        trained = {} if len(self.days[0]) < 2 else {"training": _interval(stratified_interval(self.pnl))}
        return {**means, "iqm_pnl": interquartile_mean(self.pnl), **trained, "abstains": self.abstains,
                "daily_pnl": self.pnl.tolist()}


@dataclass(frozen=True)
class Comparison:
    """The contender less a baseline, paired by day."""

    baseline: str
    interval: Interval
    p_holm: float  # over all baselines of the verdict

    def told(self) -> dict[str, Any]:
        """As JSON types."""
        return {"baseline": self.baseline, **_interval(self.interval), "p_holm": _number(self.p_holm)}


@dataclass(frozen=True)
class Verdict:
    """Everything that came of the test days."""

    best: str  # the baseline that did best on validation
    tuned: list[Tuned]
    scores: list[Scores]  # the contender, if there is one, then the baselines
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def claim(self) -> Comparison | None:
        """The comparison with the best baseline."""
        return next((each for each in self.comparisons if each.baseline == self.best), None)

    @property
    def wins(self) -> bool:
        """Whether days, not minutes, say that the contender earns more than the best baseline, and it does trade."""
        claim = self.claim
        return (claim is not None and claim.interval.kind == "across-days" and claim.interval.low > 0
                and not self.scores[0].abstains)

    def told(self) -> dict[str, Any]:
        """As JSON types."""
        tuned = [{"baseline": each.contender.name, "params": dict(each.contender.params[0]),
                  "validation_pnl": each.validation_pnl, "trials": each.trials} for each in self.tuned]
        scores = [{"contender": each.contender.name, "params": [dict(params) for params in each.contender.params],
                   **each.summary()} for each in self.scores]
        claim = self.claim
        return {"best_baseline": self.best, "baselines": tuned, "scores": scores,
                "comparisons": [each.told() for each in self.comparisons],
                "claim": None if claim is None else claim.told(), "wins": self.wins}


def tune(
    days: Sequence[EvaluationDay], config: BacktestConfig, fit: MarketFit, terms: Terms, *,
    names: Sequence[str] | None = None, trials: int = 40, seed: int = 0, told: Told = lambda _: None,
) -> list[Tuned]:
    """Each baseline with the best of `trials` draws of its parameters by the mean PnL of these days."""
    found = []
    for name in chosen(names):
        draws = trials_of(name, fit, terms, trials, seed)
        means = []
        for params in draws:
            means.append(float(np.mean([run_day(day, name, params, config) for day in days])))
            told(name)
        best = int(np.argmax(means))
        found.append(Tuned(Contender(name, name, (draws[best],), terms.size), means[best], len(draws)))
    return found


def judge(
    days: Sequence[EvaluationDay], config: BacktestConfig, tuned: Sequence[Tuned], contender: Contender | None, *,
    seed: int = 0, told: Told = lambda _: None,
) -> Verdict:
    """Run everybody on the test days, once, and compare."""
    everybody = [*([contender] if contender else []), *(each.contender for each in tuned)]
    scores = []
    for one in everybody:
        table = []
        for day in days:
            table.append([score_day(day, one.strategy, params, config, one.size) for params in one.params])
            told(one.name)
        scores.append(Scores(one, table))
    best = max(tuned, key=lambda each: each.validation_pnl).contender.name
    verdict = Verdict(best, list(tuned), scores)
    return verdict if contender is None else Verdict(best, list(tuned), scores, compare(scores[0], scores[1:], seed))


def compare(mine: Scores, others: Sequence[Scores], seed: int = 0) -> list[Comparison]:
    """The paired daily differences to each of the others: across days, or within them where they are few."""
    intervals = [_paired(mine, other, seed) for other in others]
    adjusted = holm([interval.p for interval in intervals])
    return [Comparison(other.contender.name, interval, p)
            for other, interval, p in zip(others, intervals, adjusted, strict=True)]


def _paired(mine: Scores, other: Scores, seed: int) -> Interval:
    if len(mine.days) >= FEW_DAYS:
        return crossed_interval(mine.pnl - other.pnl.mean(axis=1, keepdims=True), seed=seed)
    blocks = [
        np.array([score.blocks for score in of_mine]).T - np.mean([score.blocks for score in of_other], axis=0)[:, None]
        for of_mine, of_other in zip(mine.days, other.days, strict=True)
    ]
    return within_day_interval(blocks, seed=seed)


def _interval(interval: Interval) -> dict[str, Any]:
    told: Mapping[str, Any] = interval._asdict()
    return {name: value if isinstance(value, str) else _number(value) for name, value in told.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
