"""Training in lock-step blocks: while block n is learned from, block n + 1 is collected.

    collect    block n + 1, a thread: worlds stepped by the weights after block n - 1, into rows nobody samples yet
    learn      from what was there up to block n, one or more compiled calls, in the calling thread
    barrier    both are done: the rows of block n + 1 may be sampled, the weights after block n act next

Neither sees what the other does before the barrier, so a result does not depend on timing or on whether the two
overlap, and a `state` taken at a barrier goes on bit for bit. The first `learn_start` steps are random actions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mmbt.envs.world import Observation, World
from mmbt.errors import NumericError, UsageError
from mmbt.learn._forward import ForwardPass
from mmbt.learn._replay import Replay
from mmbt.learn.agent import Agent, Batches, Metrics
from mmbt.learn.options import LearnerOptions

__all__ = ["Barrier", "DivergedError", "Trainer"]

Arrays = dict[str, NDArray[Any]]


class DivergedError(NumericError):
    """A loss that is not a number; `batches` and `weights` are what it was met with."""

    def __init__(self, message: str, batches: Batches, weights: list[NDArray[np.float32]]) -> None:
        super().__init__(message)
        self.batches, self.weights = batches, weights


class Barrier(NamedTuple):
    """What one block did. All but the seconds are the same in every run with the same seed."""

    block: int  # blocks done
    steps: int  # of all markets together, so far
    learned: int  # intervals in gradient steps so far
    gradient_steps: int  # so far
    epsilon: float  # share of random actions in the block collected
    reward: float  # mean reward of the actions taken in it
    loss: float  # means over the block; NaN before learning begins
    td: float
    value: float
    norm: float
    centre: float  # the mean reward that is subtracted
    learn_seconds: float
    collect_seconds: float
    wall_seconds: float


class Trainer:
    """Learn in a world; `advance` does one block and returns at its barrier.

    Parameters
    ----------
    world
        The markets; reset with the seed of the options.
    options
        How to learn.
    overlap
        Collect in a thread beside learning. The result is the same without.
    """

    def __init__(self, world: World, options: LearnerOptions, *, overlap: bool = True) -> None:
        self.world, self.options, sizes = world, options, world.sizes
        self._plan = _Plan(options, sizes.n)
        self.agent = Agent(
            sizes.market + sizes.private, sizes.actions, options, self._plan.gradient_steps, self._plan.group)
        self.replay = Replay(
            sizes.market, sizes.private, sizes.actions, sizes.outcomes, options.capacity,
            taken=options.backup == "taken", n_step=options.n_step, alpha=options.alpha if options.prioritized else 0.0,
            group=self._plan.group)
        self._columns, self._slots = _batch_arrays(world, options)
        self._observation = world.reset(options.seed)
        self._world_steps = self._updates = self._block = 0
        self._thread = ThreadPoolExecutor(1, "collect") if overlap else None
        self._publish()

    # ---- the loop

    @property
    def done(self) -> bool:
        """Whether every step and gradient step of the options was made."""
        return self._updates >= self._plan.calls

    @property
    def result(self) -> list[NDArray[np.float32]]:
        """The averaged network as plain layers: what `ForwardPass` takes."""
        return self.agent.layers("average")

    @property
    def block(self) -> int:
        """Blocks done."""
        return self._block

    @property
    def steps(self) -> int:
        """Steps of all markets together."""
        return self._world_steps * self.world.sizes.n

    @property
    def blocks(self) -> int:
        """Blocks of the whole training, `warm_blocks` included."""
        return self.warm_blocks + self._plan.blocks

    @property
    def warm_blocks(self) -> int:
        """Blocks before learning begins."""
        return self._plan.warm_blocks

    def run(self) -> Iterator[Barrier]:
        """Block after block until the end."""
        while not self.done:
            yield self.advance()

    def advance(self) -> Barrier:
        """Learn from what is there and collect the next block, at the same time; return when both are done."""
        begin = time.perf_counter()
        learning = self._block >= self._plan.warm_blocks
        steps = self._plan.block_steps
        self.replay.reserve(self._plan.block_rows)
        if self._thread and learning:
            collecting = self._thread.submit(self._collect, steps)
            try:
                metrics, learn_seconds = self._learn()
            finally:
                epsilon, reward, collect_seconds = collecting.result()
        else:
            metrics, learn_seconds = self._learn() if learning else ([], 0.0)
            epsilon, reward, collect_seconds = self._collect(steps)
        self.replay.commit()
        self._block += 1
        self._publish()
        self._recentre(reward)
        loss, td, value, norm = (
            float(np.mean([column for each in metrics for column in getattr(each, name)])) if metrics else math.nan
            for name in ("loss", "td", "value", "norm"))
        return Barrier(
            self._block, self.steps, self._updates * self._plan.call_rows,
            self._updates * self.options.updates, epsilon, reward, loss, td, value, norm, self.agent.centre,
            learn_seconds, collect_seconds, time.perf_counter() - begin)

    def close(self) -> None:
        """End the collecting thread."""
        if self._thread:
            self._thread.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the two halves of a block

    def _learn(self) -> tuple[list[Metrics], float]:
        begin, options, found = time.perf_counter(), self.options, []
        for _ in range(self._plan.calls_per_block):
            part = self._updates / self._plan.calls
            beta = options.beta_start + (options.beta_end - options.beta_start) * part
            weights = self._columns["weight"]
            self.replay.sample(options.seed, self._updates, self._slots, weights, options.batch, beta)
            self.replay.gather(self._slots, **{name: self._columns[name] for name in _GATHERED})
            batches = self._batches()
            metrics = self.agent.update(batches)
            finite = np.isfinite(metrics.loss) & np.isfinite(metrics.norm)
            if not finite.all():
                place = int(np.argmin(finite))
                raise DivergedError(
                    f"the loss or its gradient is not a number after {self._updates * options.updates + place:,} "
                    "gradient steps: lower learning_rate, or set clip_norm", batches, self.agent.weights())
            self.replay.set_priorities(self._slots, metrics.priority.reshape(-1))
            self._updates += 1
            found.append(metrics)
        return found, time.perf_counter() - begin

    def _batches(self) -> Batches:
        shape = (self.options.updates, self.options.batch)
        columns = {name: column.reshape(*shape, *column.shape[1:]) for name, column in self._columns.items()}
        masks = {name: columns[name].view(np.bool_) for name in ("mask", "next_mask")}
        return Batches(**columns | masks)

    def _collect(self, steps: int) -> tuple[float, float, float]:
        begin, count, rewards = time.perf_counter(), self.world.sizes.n, 0.0
        epsilon = self._epsilon()
        actions, markets = np.empty(count, np.int16), np.arange(count)
        for _ in range(steps):
            seen = self._observation
            self._acting.act(seen.market, seen.private, seen.admissible.view(np.uint8), actions, epsilon=epsilon,
                             seed=self.options.seed, step=self._world_steps)
            self._observation, intervals = self.world.step(actions)
            self.replay.push(intervals, count)
            rewards += float(intervals.reward[markets, actions].mean(dtype=np.float64))
            self._world_steps += 1
        return epsilon, rewards / steps, time.perf_counter() - begin

    def _epsilon(self) -> float:
        options = self.options
        if self._block < self._plan.warm_blocks:
            return 1.0
        if options.noisy:
            return 0.0
        span = options.epsilon_share * options.steps
        part = min(1.0, self._world_steps * self.world.sizes.n / span) if span else 1.0
        return options.epsilon_start + (options.epsilon_end - options.epsilon_start) * part

    def _recentre(self, reward: float) -> None:
        """A mean in which a block of warm-up weighs as much as its number: the policy gets better on the way."""
        number = self._block - self._plan.warm_blocks
        if self.options.centering and 0 < number <= max(1.0, self.options.centering_share * self._plan.blocks):
            self.agent.centre += (reward - self.agent.centre) * 2 / (number + 1)

    def _publish(self) -> None:
        self._acting = ForwardPass(self.agent.layers("online", self._block if self.options.noisy else None))

    # ---- resuming

    def state(self) -> Arrays:
        """Everything at a barrier, as plain arrays under dotted names: learner, replay, world, counters."""
        counters = np.array([self._block, self._world_steps, self._updates], np.int64)
        parts: dict[str, Mapping[str, NDArray[Any]]] = {
            "agent": self.agent.state(), "replay": self.replay.state(), "world": self.world.state(),
            "observation": vars(self._observation), "trainer": {"counters": counters}}
        return {f"{part}.{name}": np.array(value) for part, values in parts.items() for name, value in values.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a `state` of a trainer with the same world and options, exactly."""

        def part(name: str) -> Arrays:
            return {key.partition(".")[2]: value for key, value in state.items() if key.startswith(name + ".")}

        self.agent.restore(part("agent"))
        self.replay.restore(part("replay"))
        self.world.restore(part("world"))
        self._observation = Observation(**part("observation"))
        self._block, self._world_steps, self._updates = (int(count) for count in part("trainer")["counters"])
        self._publish()


_GATHERED = ("state", "mask", "action", "reward", "mass", "outcome", "next_state", "next_mask", "discount")


class _Plan:
    """How many steps and compiled calls a block and the whole training have."""

    def __init__(self, options: LearnerOptions, markets: int) -> None:
        wanted, self.call_rows = options.ratio * markets, options.updates * options.batch
        self.block_steps = max(1, int(self.call_rows // wanted))
        self.calls_per_block = max(1, math.ceil(self.block_steps * wanted / self.call_rows))
        per_block = self.block_steps * markets
        others = math.ceil(markets * options.relabel / (1 - options.relabel)) if options.backup == "all" else 0
        self.block_rows = self.block_steps * (markets + others)  # at most
        self.group = _group(options)
        self.warm_blocks = math.ceil(options.learn_start / per_block)
        self.blocks = max(1, math.ceil(options.steps / per_block) - self.warm_blocks)  # of learning
        self.calls = self.blocks * self.calls_per_block
        self.gradient_steps = self.calls * options.updates
        if self.block_rows > options.capacity // 2:
            raise UsageError(
                f"capacity: a block stores {self.block_rows:,} intervals, more than half of {options.capacity:,}: "
                "raise capacity or ratio, or lower batch, updates, relabel or the number of markets")


def _group(options: LearnerOptions) -> int:
    """Rows of one interval that are learned together: all, where every market has as many and a batch has room."""
    group = 1 / (1 - options.relabel)
    rows = round(group)
    uniform = options.backup == "all" and not options.prioritized
    return rows if uniform and abs(group - rows) < 1e-9 and options.batch % rows == 0 else 1


def _batch_arrays(world: World, options: LearnerOptions) -> tuple[Arrays, NDArray[np.int64]]:
    sizes, rows = world.sizes, options.updates * options.batch
    taken = options.backup == "taken"
    columns, outcomes = (1, 1) if taken else (sizes.actions, sizes.outcomes)
    width = sizes.market + sizes.private
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "state": ((width,), np.float32), "mask": ((columns,), np.uint8), "action": ((), np.int32),
        "reward": ((columns,), np.float32), "mass": ((), np.float32), "outcome": ((columns,), np.uint8),
        "next_state": ((outcomes, width), np.float32), "next_mask": ((outcomes, sizes.actions), np.uint8),
        "discount": ((), np.float32), "weight": ((), np.float32)}
    arrays = {name: np.zeros((rows, *shape), kind) for name, (shape, kind) in shapes.items()}
    return arrays, np.zeros(rows, np.int64)
