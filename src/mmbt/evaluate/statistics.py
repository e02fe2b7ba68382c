"""What can be said of few days: intervals, corrections and means that do not hang on a lucky one. Pure numpy.

A day is the unit: what happens within a day hangs together, so that its fills or minutes are no independent evidence.
Seeds of training are a second source of noise, crossed with the days: every training meets the same days. Both are
drawn anew, days and then seeds, and never pooled into one sample.

    D [n days, m seeds]     differences to a baseline, paired by day
    crossed bootstrap       n days and m seeds with replacement, independently; the mean of the rows and columns drawn
    degrees of freedom      Satterthwaite's of the variance (MS_days + MS_seeds - MS_rest) / (n m); n - 1 if m = 1
    interval                percentiles of the bootstrapped means at Phi(-+ t sqrt((df + 1) / df)) in place of 2.5 and
                            97.5%, t the quantile of Student's law: the bootstrap of few units is too narrow
    p                       the least 1 - level at which that interval holds no 0

Sources: Owen (2007), the pigeonhole bootstrap; Hesterberg (2015), expanded percentiles; Holm (1979); Agarwal et al.
(2021), interquartile means and stratified bootstraps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "crossed_interval", "holm", "interquartile_mean", "stratified_interval", "student_quantile",
           "within_day_interval"]

Floats = NDArray[np.float64]

DRAWS = 10_000
_LEAST_P = 1e-9
_BATCH = 1_000  # draws at a time


class Interval(NamedTuple):
    """An estimate and where the truth may be."""

    mean: float
    low: float  # NaN where the data cannot say
    high: float
    p: float  # two-sided, of no difference
    kind: str  # across-days, within-day, or across-seeds


def crossed_interval(differences: ArrayLike, level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The mean over days and seeds of `differences` [n, m], both drawn anew.

    Fewer than two days say nothing of other days: the bounds are NaN.
    """
    table = np.atleast_2d(np.asarray(differences, np.float64))
    days, seeds = table.shape
    mean = float(table.mean())
    if days < 2:
        return Interval(mean, math.nan, math.nan, math.nan, "across-days")
    random = np.random.Generator(np.random.PCG64(seed))
    means = np.concatenate([
        np.einsum("bn,nm,bm->b", random.multinomial(days, np.full(days, 1 / days), _BATCH), table,
                  random.multinomial(seeds, np.full(seeds, 1 / seeds), _BATCH)) / (days * seeds)
        for _ in range(math.ceil(draws / _BATCH))])
    return _from_draws(mean, means, _degrees(table), level, "across-days")


def within_day_interval(
    blocks: Sequence[ArrayLike], level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """The mean of a day from few days: of each, `blocks` [blocks] or [blocks, seeds] of its difference, drawn anew.

    What this interval says is of these very days, of other days it says nothing.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    parts = [np.asarray(part, np.float64).reshape(len(np.asarray(part)), -1).mean(axis=1) for part in blocks]
    mean = float(np.mean([part.sum() for part in parts]))
    if any(len(part) < 2 for part in parts):
        return Interval(mean, math.nan, math.nan, math.nan, "within-day")
    means = np.mean([random.multinomial(len(part), np.full(len(part), 1 / len(part)), draws) @ part for part in parts],
                    axis=0)
    return _from_draws(mean, means, sum(len(part) - 1 for part in parts), level, "within-day")


def interquartile_mean(scores: ArrayLike) -> float:
    """The mean of the middle half: a quarter of the weight is cut off at each end, fractions of a score included."""
    ordered = np.sort(np.asarray(scores, np.float64).ravel())
    edges = np.arange(len(ordered) + 1) / len(ordered)
    weight = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0.0, None)
    return float(ordered @ weight / weight.sum())


def stratified_interval(scores: ArrayLike, level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The interquartile mean of `scores` [days, seeds], the seeds of each day drawn anew: the noise of training."""
    table = np.asarray(scores, np.float64)
    days, seeds = table.shape
    mean = interquartile_mean(table)
    if seeds < 2:
        return Interval(mean, math.nan, math.nan, math.nan, "across-seeds")
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = random.integers(0, seeds, (draws, days, seeds))
    means = np.array([interquartile_mean(np.take_along_axis(table, each, axis=1)) for each in drawn])
    return _from_draws(mean, means, seeds - 1, level, "across-seeds")


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several comparisons, made larger so that no true equality is refuted more often than stated."""
    order = sorted(range(len(p_values)), key=lambda place: (math.isnan(p_values[place]), p_values[place]))
    adjusted, largest = [math.nan] * len(p_values), 0.0
    for rank, place in enumerate(order):
        if not math.isnan(p_values[place]):
            largest = max(largest, min(1.0, (len(order) - rank) * p_values[place]))
            adjusted[place] = largest
    return adjusted


def student_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's law, to six digits or more."""
    if not 0 < probability < 1 or degrees <= 0:
        raise ValueError(f"a quantile needs a probability between 0 and 1 and degrees above 0, not {probability} of "
                         f"{degrees}")
    low, high = -1e9, 1e9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, degrees) < probability else (low, middle)
    return (low + high) / 2


def _student(t: float, degrees: float) -> float:
    """The law itself: with t = sqrt(degrees) tan(a) its density is cos(a) ** (degrees - 1)."""
    angle = math.atan(t / math.sqrt(degrees))
    nodes, weights = _GAUSS
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(math.pi)
    area = float(weights @ np.cos(angle / 2 * (nodes + 1)) ** (degrees - 1)) * angle / 2
    return float(0.5 + scale * area)


_GAUSS = np.polynomial.legendre.leggauss(200)


def _degrees(table: Floats) -> float:
    """Of freedom, of the variance of the table's mean."""
    days, seeds = table.shape
    if seeds == 1:
        return float(days - 1)
    mean = table.mean()
    by_day, by_seed = table.mean(axis=1) - mean, table.mean(axis=0) - mean
    rest = float(((table - mean - by_day[:, None] - by_seed[None, :]) ** 2).sum()) / ((days - 1) * (seeds - 1))
    of_days, of_seeds = seeds * float(by_day @ by_day) / (days - 1), days * float(by_seed @ by_seed) / (seeds - 1)
    if of_days + of_seeds <= 0:
        return float(days - 1)
    # What one of the two has beyond the rest; a source that shows none adds no uncertainty of its own.
    both = max(of_days + of_seeds - rest, of_days, of_seeds)
    return float(both**2 / (of_days**2 / (days - 1) + of_seeds**2 / (seeds - 1)))


def _from_draws(mean: float, means: Floats, degrees: float, level: float, kind: str) -> Interval:
    if np.ptp(means) == 0:  # nothing varies: 0 apart from 0 is certain, and so is anything else
        return Interval(mean, mean, mean, 1.0 if mean == 0 else _LEAST_P, kind)
    degrees = max(degrees, 1.0)
    widen = math.sqrt((degrees + 1) / degrees)
    z = student_quantile((1 + level) / 2, degrees) * widen
    normal = NormalDist()
    low, high = (_percentile(means, normal.cdf(side * z)) for side in (-1, 1))
    above = (np.count_nonzero(means > 0) + np.count_nonzero(means >= 0)) / 2 / len(means)
    share = max(min(above, 1 - above), normal.cdf(-abs(float(means.mean() / means.std()))), _LEAST_P)
    p = min(1.0, 2 * _student(normal.inv_cdf(min(share, 0.5)) / widen, degrees))
    return Interval(mean, low, high, max(p, _LEAST_P), kind)


def _percentile(means: Floats, share: float) -> float:
    """A percentile; beyond what was drawn, that of the normal law of their mean and deviation, if it is farther off."""
    found = float(np.quantile(means, share))
    if min(share, 1 - share) * len(means) >= 10:
        return found
    normal = float(means.mean() + NormalDist().inv_cdf(min(max(share, 1e-15), 1 - 1e-15)) * means.std())
    return min(found, normal) if share < 0.5 else max(found, normal)
