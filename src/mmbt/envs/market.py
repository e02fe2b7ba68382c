"""Recorded days as a `World`: n simulators of the vector engine in random windows of the days.

A decision falls on the timers of a backtest; timers without a valid book decide nothing, and the interval goes on to
the next that has one. A window that has had its decisions is cut off there: its next state is bootstrapped. The end of
a day closes the position at the opposite touch and is final.

With `backup="all"` an interval is tried with every action from copies of each simulator, and relabelled rows do the
same from other positions at the same instants: a simulator put down there with so many lots, without orders, as a
backtest begins. With a delay of D decisions what is chosen now is done D decisions later: all actions share the
interval, and lead to states that differ by what is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmbt.backtest import BacktestConfig, chosen_instruments
from mmbt.backtest.tables import money_unit
from mmbt.envs.days import Day, prepare_day
from mmbt.envs.features import Frozen
from mmbt.envs.options import MarketOptions, private_features, states_of
from mmbt.envs.seats import Calendar, Seats, uniforms
from mmbt.envs.world import Intervals, Observation, Sizes
from mmbt.errors import UsageError
from mmbt.market import MarketData

__all__ = ["Behaviour", "MarketWorld"]

_WINDOWS, _POSITIONS, _PENDING = 1, 2, 3  # streams of random numbers


@dataclass
class Behaviour:
    """What the simulators really did in the last interval, [n] each: what is logged beside rewards."""

    pnl: NDArray[np.float64]  # money, in the currency the instrument is settled in; closing a position included
    position: NDArray[np.int64]  # lots, at the end of the interval
    held: NDArray[np.float64]  # mean |position|, lots
    ended: NDArray[np.bool_]  # the day was over
    truncated: NDArray[np.bool_]  # the window was


class MarketWorld:
    """n simulators over recorded days.

    Parameters
    ----------
    days
        To draw windows from: made ready, or markets, which then are.
    config
        The conditions of a backtest; one instrument is traded.
    options
        What is decided, seen and paid.
    n
        Simulators stepped together.
    relabel
        Share of the rows that begin with other positions, 0 <= relabel < 1; needs `backup="all"` or a delay.
    backup
        Whether intervals tell of all actions, or of the one taken only.
    threads
        That share the work; results do not depend on it.
    frozen
        Units and scales of the days trained on; measured on `days` by default.

    Raises
    ------
    UsageError
        When the arguments do not fit each other, or the days hold no window.
    DataError
        For impossible rows.
    """

    name = "market"

    def __init__(
        self, days: Sequence[Day | MarketData], config: BacktestConfig, options: MarketOptions | None = None, *,
        n: int = 128, relabel: float = 0.0, backup: Literal["all", "taken"] = "all", threads: int = 1,
        frozen: Frozen | None = None,
    ) -> None:
        self.options = options = MarketOptions() if options is None else options
        if n < 1:
            raise UsageError(f"a world needs at least one market, not {n}")
        if not 0 <= relabel < 1 or (relabel > 0 and backup == "taken" and not options.delay):
            raise UsageError(
                f"relabel={relabel} must be 0 <= relabel < 1, and 0 where only the action taken is backed up")
        ready = [day if isinstance(day, Day) else prepare_day(day, config, options.interval) for day in days]
        self.frozen = Frozen.of([day.tape for day in ready], options.market) if frozen is None else frozen
        if self.frozen.names != options.market:
            raise UsageError(f"the frozen scales are of {', '.join(self.frozen.names)}, not of the features chosen")
        self._calendar = Calendar.of(ready, self.frozen)
        if not len(self._calendar.starts):
            raise UsageError("the days hold no two decisions in a row: nothing can be learned")
        instrument = next(i for i in chosen_instruments(ready[0].market, config) if i.name == config.instruments[0])
        self._inverse, self._money = instrument.inverse, float(money_unit(instrument))
        self._rows = options.actions.rows()
        self._action_features = options.actions.features()
        self._lots = min(options.actions.sizes)
        self._branches = backup == "all" and not options.delay
        own = private_features(options, config)
        actions, delay = len(self._rows), options.delay
        self.sizes = Sizes(n, actions, len(options.market), len(own) + delay * self._action_features.shape[1],
                           states_of(options, config, own, backup))
        self.private_names = (*own, *(f"{part}_under_way_{k + 1}" for k in range(delay)
                                      for part in ("skew", "half_spread", "hedge", "bid", "offer")))
        others = round(n * relabel / (1 - relabel))
        common: dict[str, Any] = {
            "private": own, "interval_ns": options.interval, "max_position": options.max_position,
            "unit": options.actions.unit, "threads": threads, "branches": self._branches}
        self._mine = Seats(ready, self._calendar, config, self._rows, count=n, **common)
        self._others = Seats(ready, self._calendar, config, self._rows, count=others, **common) if others else None
        self._seen = Observation(np.zeros((n, self.sizes.market), np.float32),
                                 np.zeros((n, self.sizes.private), np.float32), self._mine.admissible)
        self._learned = _empty_intervals(self.sizes, n + others)
        self.behaviour = Behaviour(np.zeros(n), np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.bool_),
                                   np.zeros(n, np.bool_))
        self._episode, self._start, self._steps = (np.zeros(n, np.int64) for _ in range(3))
        self._pending = np.zeros((n, delay), np.int16)
        self._log = np.zeros((n, options.window), np.int16)  # what each has done since its window began
        self._seed = self._step = 0
        self.reset(0)

    def reset(self, seed: int) -> Observation:
        """Start all markets anew; the same seed gives the same bits."""
        if not 0 <= seed < 2**64:
            raise UsageError(f"a seed is a whole number from 0 to 2**64 - 1, not {seed}")
        self._seed, self._step = int(seed), 0
        self._episode[:] = 0
        self._begin(np.arange(self.sizes.n))
        self._see()
        return self._seen

    def step(self, actions: NDArray[np.int16]) -> tuple[Observation, Intervals]:
        """Take one action a market: the observation after, and what can be learned from the interval.

        Raises
        ------
        ValueError
            When an action is none of the grid, or is not admissible while all are tried; then nothing has changed.
        """
        n, delay = self.sizes.n, self.options.delay
        chosen = np.asarray(actions).astype(np.int64)
        if chosen.shape != (n,) or chosen.min() < 0 or chosen.max() >= self.sizes.actions:
            raise ValueError(f"actions must be {n} numbers from 0 to {self.sizes.actions - 1}")
        wrong = np.flatnonzero(~self._seen.admissible[np.arange(n), chosen] & self._branches)
        if len(wrong):
            raise ValueError(f"action {chosen[wrong[0]]} of market {wrong[0]} is not admissible there")
        mine, behaved = self._mine, slice(0, n)
        began = self._calendar.ts[mine.row]
        self._learned.action[behaved] = chosen
        self._learned.action[n:] = -1
        self._note_start(behaved, mine, self._pending)
        self._relabel()
        if self._branches:
            self._try_all(behaved, mine)
            lost = ~self._learned.admissible[np.arange(n), chosen]  # more states than there was room for
            self._learned.action[behaved][lost] = -1
        executed = self._pending[:, 0].astype(np.int64) if delay else chosen
        self._log[np.arange(n), self._steps] = executed
        self._steps += 1
        mine.step(executed)
        self._note_behaviour(began)
        if not self._branches:
            row = mine.row.copy()
            mine.observe()
            self._note_step(behaved, mine, row, chosen, self._pending)
        self._pending = np.concatenate([self._pending, chosen[:, None].astype(np.int16)], axis=1)[:, 1:]
        restarted = np.flatnonzero(self.behaviour.ended | self.behaviour.truncated)
        if len(restarted):
            self._begin(restarted)
        self._step += 1
        self._see()
        return self._seen, self._learned

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything, for exact resumption: where each window began and what was done in it since."""
        return {
            "seed": np.array(self._seed, np.uint64),
            "step": np.array(self._step, np.int64),
            "episode": self._episode.copy(),
            "start": self._start.copy(),
            "steps": self._steps.copy(),
            "log": self._log[:, : int(self._steps.max())].copy(),
            "pending": self._pending.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state`, exactly: every window is played again up to where it stood.

        Raises
        ------
        ValueError
            When the state is that of another world.
        """
        n, longest = self.sizes.n, int(state["steps"].max())
        limits = {"episode": ((n,), 2**62), "start": ((n,), len(self._calendar.ts) - 1),
                  "steps": ((n,), self.options.window), "log": ((n, longest), self.sizes.actions),
                  "pending": ((n, self.options.delay), self.sizes.actions)}
        for name, (shape, limit) in limits.items():
            theirs = state[name]
            if theirs.shape != shape or (theirs.size and not 0 <= theirs.min() <= theirs.max() < limit):
                raise ValueError(f"{name}: {theirs.dtype}{theirs.shape} is not of this world")
        self._seed, self._step = int(state["seed"]), int(state["step"])
        for mine, name in ((self._episode, "episode"), (self._start, "start"), (self._steps, "steps"),
                           (self._pending, "pending")):
            mine[:] = state[name]
        self._log[:, :longest] = state["log"]
        everyone, late = np.arange(n), longest - self._steps
        self._mine.begin(everyone, self._start, over=True)  # who is over stays where it is
        for step in range(longest + 1):
            due = np.flatnonzero(late == step)
            if len(due):
                self._mine.begin(due, self._start[due])
            if step < longest:
                place = np.maximum(step - late, 0)
                self._mine.step(self._log[everyone, place].astype(np.int64))
        self._see()

    def metadata(self) -> dict[str, Any]:
        """What a model must carry to act elsewhere as it did here."""
        return {
            "world": self.name,
            "options": self.options.model_dump(mode="json"),
            "actions_hash": self.options.actions.hash,
            "frozen": self.frozen.model_dump(mode="json"),
            "private": list(self.private_names),
        }

    def _begin(self, which: NDArray[np.int64]) -> None:
        """New random windows."""
        drawn = uniforms(self._seed, _WINDOWS, self._episode[which], which)
        rows = self._calendar.starts[(drawn * len(self._calendar.starts)).astype(np.int64)]
        self._mine.begin(which, rows)
        self._start[which], self._steps[which], self._pending[which] = rows, 0, 0
        self._episode[which] += 1

    def _see(self) -> None:
        self._mine.observe()
        self._seen.market[:] = self._calendar.inputs[self._mine.row]
        self._seen.private[:] = self._joined(self._mine.private, self._pending)
        if self.options.delay:  # what coincides is known when it is done
            self._seen.admissible[:] = True

    def _joined(self, own: NDArray[np.float32], pending: NDArray[np.int16]) -> NDArray[np.float32]:
        if not self.options.delay:
            return own
        return np.concatenate([own, self._action_features[pending].reshape(len(own), -1)], axis=1)

    def _relabel(self) -> None:
        """Rows that begin with other positions, at the instants of some of the behaved ones."""
        others = self._others
        if others is None:
            return
        n, part, key = self.sizes.n, slice(self.sizes.n, None), np.arange(others.count)
        source = (self._step * others.count + key) % n
        most = self.options.max_position // self._lots
        drawn = uniforms(self._seed, _POSITIONS, self._step, key)
        positions = (np.floor(drawn * (2 * most + 1)).astype(np.int64) - most) * self._lots
        row = self._mine.row[source]
        others.begin(key, row, positions)
        others.observe()
        if self._branches:
            self._note_start(part, others, self._pending[:0])
            self._try_all(part, others)
            return
        delay, actions = self.options.delay, self.sizes.actions
        under_way = uniforms(self._seed, _PENDING, self._step, np.arange(others.count * delay))
        pending = (under_way * actions).astype(np.int16).reshape(-1, delay)
        self._note_start(part, others, pending)
        others.step(pending[:, 0].astype(np.int64))
        others.observe()
        self._note_step(part, others, row, None, pending)

    def _note_start(self, part: slice, seats: Seats, pending: NDArray[np.int16]) -> None:
        self._learned.market[part] = self._calendar.inputs[seats.row]
        self._learned.private[part] = self._joined(seats.private, pending)
        self._learned.admissible[part] = True if self.options.delay else seats.admissible

    def _try_all(self, part: slice, seats: Seats) -> None:
        """What every action leads to."""
        learned = self._learned
        began, admissible = self._calendar.ts[seats.row], learned.admissible[part]
        out, row = seats.step_all(admissible, learned.next_private[part], learned.outcome[part],
                                  learned.next_admissible[part])
        earned = self._reward(out.earned(began[:, None]))
        learned.reward[part] = np.where(admissible, earned, 0.0)
        self._note_next(part, row, began)

    def _note_step(
        self, part: slice, seats: Seats, row: NDArray[np.int64], chosen: NDArray[np.int64] | None,
        pending: NDArray[np.int16],
    ) -> None:
        """What the action done leads to: of all that are chosen meanwhile, or of the one taken."""
        learned, began = self._learned, self._calendar.ts[row]
        earned = self._reward(seats.stepped.earned(began))
        ended = seats.stepped.done != 0
        if self.options.delay:
            own = np.repeat(seats.private[:, None, :], self.sizes.actions, axis=1)
            kept = self._action_features[pending[:, 1:]].reshape(len(own), 1, 5 * (self.options.delay - 1))
            fresh = np.broadcast_to(self._action_features, (len(own), *self._action_features.shape))
            learned.next_private[part] = np.concatenate(
                [own, np.repeat(kept, self.sizes.actions, axis=1), fresh], axis=2)
            learned.reward[part] = earned[:, None]
            learned.outcome[part] = np.arange(self.sizes.actions)
            learned.next_admissible[part] = True
        else:
            assert chosen is not None
            learned.reward[part] = 0.0
            learned.reward[part][np.arange(len(chosen)), chosen] = earned
            learned.outcome[part] = 0
            learned.next_private[part, 0] = seats.private
            learned.next_admissible[part, 0] = seats.admissible | ended[:, None]
        self._note_next(part, seats.row, began)

    def _note_next(self, part: slice, row: NDArray[np.int64], began: NDArray[np.int64]) -> None:
        ends, none = self._calendar.ts[row], len(self._calendar.ts) - 1
        passed = np.where(row == none, 0, ends - began) / self.options.reference_ns
        self._learned.next_market[part] = self._calendar.inputs[row]
        self._learned.discount[part] = np.where(row == none, 0.0, self.options.beta**passed)

    def _note_behaviour(self, began: NDArray[np.int64]) -> None:
        out, told = self._mine.stepped, self.behaviour
        told.pnl[:] = (out.pnl - out.closing) * self._money
        told.position[:] = out.position
        told.held[:] = out.held / np.maximum(out.ts - began, 1)
        told.ended[:] = out.done != 0
        told.truncated[:] = ~told.ended & (self._steps >= self.options.window)

    def _reward(self, earned: Any) -> NDArray[np.float64]:
        frozen = self.frozen
        value = 1e20 / frozen.mid**2 if self._inverse else 1e8  # money units of a price unit, a lot
        return self.options.reward.reward(
            earned, money=frozen.spread * value * self._lots, lots=self._lots, interval_ns=self.options.reference_ns,
            variance=frozen.variance * self.options.reference_ns / 1e9)


def _empty_intervals(sizes: Sizes, rows: int) -> Intervals:
    a, m, p, k = sizes.actions, sizes.market, sizes.private, sizes.outcomes
    return Intervals(
        market=np.zeros((rows, m), np.float32), private=np.zeros((rows, p), np.float32),
        admissible=np.zeros((rows, a), np.bool_), action=np.zeros(rows, np.int16),
        reward=np.zeros((rows, a), np.float32), outcome=np.zeros((rows, a), np.uint8),
        next_market=np.zeros((rows, m), np.float32), next_private=np.zeros((rows, k, p), np.float32),
        next_admissible=np.zeros((rows, k, a), np.bool_), discount=np.zeros(rows, np.float32))
