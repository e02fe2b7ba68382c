"""A policy judged on days that it did not learn from: all of their decisions, no exploring.

The days are cut into windows of equal length, a simulator each. A window begins flat and ends with the position closed
at the opposite touch, and charged for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig
from mmbt.envs.days import Day
from mmbt.envs.features import Frozen
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.envs.world import Observation

__all__ = ["Choose", "Validation"]

Choose = Callable[[Observation], NDArray[np.int16]]


class Validation:
    """Whole days, decided by one policy after the other.

    Parameters
    ----------
    days
        Made ready.
    config, options, frozen
        Those of the world that was learned in.
    longest
        Decisions of a window, at most.
    threads
        That share the work; results do not depend on it.
    """

    def __init__(
        self, days: Sequence[Day], config: BacktestConfig, options: MarketOptions, frozen: Frozen, *,
        longest: int = 3600, threads: int = 1,
    ) -> None:
        cut = [_in_windows(day, longest) for day in days]
        before = np.cumsum([0] + [len(day.tape.ts) for day in cut])
        starts = np.concatenate([day.starts + at for day, at in zip(cut, before, strict=False)])
        self._world = MarketWorld(
            cut, config, options.model_copy(update={"window": longest + 1}), n=max(1, len(starts)), backup="taken",
            frozen=frozen, threads=threads)
        self._quotes = np.array([action.bid or action.offer for action in options.actions.actions])
        n = self._world.sizes.n
        self._begin = self._world.state() | {
            "start": starts, "steps": np.zeros(n, np.int64), "log": np.zeros((n, 0), np.int16),
            "pending": np.zeros((n, options.delay), np.int16)}

    @property
    def windows(self) -> int:
        """How many there are."""
        return self._world.sizes.n

    def score(self, choose: Choose) -> dict[str, float]:
        """What a policy does in all windows.

        Parameters
        ----------
        choose
            An action for each row of what is seen.

        Returns
        -------
        `F`: mean reward of a decision; `pnl`: money; `position`: mean of |position|, lots; `quoting`: share of the
        decisions that quote; `decisions`: their number.
        """
        world, everyone = self._world, np.arange(self._world.sizes.n)
        seen = world.reset(0)
        world.restore(self._begin)  # `seen` is the world's own array, and shows the new places
        going = np.ones(len(everyone), np.bool_)
        paid = pnl = held = 0.0
        quoting = decisions = 0
        while going.any():
            actions = choose(seen)
            seen, learned = world.step(actions)
            told = world.behaviour
            paid += float(learned.reward[everyone, actions][going].sum(dtype=np.float64))
            pnl += float(told.pnl[going].sum())
            held += float(told.held[going].sum())
            quoting += int(self._quotes[actions[going]].sum())
            decisions += int(going.sum())
            going &= ~(told.ended | told.truncated)
        return {"F": paid / decisions, "pnl": pnl, "position": held / decisions, "quoting": quoting / decisions,
                "decisions": float(decisions)}


def _in_windows(day: Day, longest: int) -> Day:
    """The same day, where every stretch ends after at most so many decisions."""
    end_ts, starts = day.end_ts.copy(), []
    inside = np.flatnonzero(day.end_ts)
    for stretch in np.split(inside, np.flatnonzero(np.diff(day.end_ts[inside])) + 1):
        for window in np.array_split(stretch, max(1, -(-len(stretch) // longest))):
            end_ts[window] = day.tape.ts[window[-1]] + 1
            possible = window[:-1][day.tape.valid[window[:-1]]]
            starts += possible[:1].tolist()
    return replace(day, end_ts=end_ts, starts=np.array(starts, np.int64))
