"""A training from its first block to its end: logs, validation, the best model so far, checkpoints, resumption.

Whatever ends it, ends it at a barrier: what a checkpoint holds goes on bit for bit, the best model so far included.
When to stop early, when to validate and which model is best depend on seed and options only; when a checkpoint is
written, and when time is up, on the clock, and neither changes what is learned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmbt.envs.world import Observation, World
from mmbt.errors import FileError, NumericError, StoreError
from mmbt.learn._forward import ForwardPass
from mmbt.learn.checkpoint import Checkpoint, Checkpoints
from mmbt.learn.journal import Journal, Warn
from mmbt.learn.options import LearnerOptions
from mmbt.learn.schedule import ScheduleOptions
from mmbt.learn.training import Barrier, DivergedError, Trainer
from mmbt.store.files import io_errors

__all__ = ["Best", "Progress", "Session", "greedy"]

Layers = list[NDArray[np.float32]]
Judge = Callable[[Callable[[Observation], NDArray[np.int16]]], dict[str, float]]
Counts = dict[str, int]
Publish = Callable[[Layers, dict[str, float], Counts], None]

CHECKPOINTS, REPORT = "checkpoints", "nan_report"


class Best(NamedTuple):
    """The best model so far."""

    counts: Counts  # block, steps and gradient steps by then
    scores: dict[str, float]
    layers: Layers


class Progress(NamedTuple):
    """Where a training stands after a block."""

    barrier: Barrier
    blocks: int  # of the whole training
    scores: dict[str, float] | None  # of the last validation
    best: dict[str, float] | None


class Session:
    """A training in a folder of its own; a context manager.

    Parameters
    ----------
    world, options
        As `Trainer` takes them.
    schedule
        When to judge.
    folder
        Where logs and checkpoints go.
    identity
        What a run is: a checkpoint of another one is refused.
    judge
        Scores a policy on the validation days by `F` and more; None: the last model is the result.
    publish
        Called with each model that is the best so far, its scores, and the block, steps and gradient steps by then.
    checkpoint_s
        Seconds between checkpoints.
    warn
        Told what a person should know.
    """

    def __init__(
        self, world: World, options: LearnerOptions, schedule: ScheduleOptions, *, folder: Path, identity: str,
        judge: Judge | None, publish: Publish, checkpoint_s: float, warn: Warn,
    ) -> None:
        self._schedule, self._folder, self._identity = schedule, folder, identity
        self._judge, self._publish, self._every, self._warn = judge, publish, checkpoint_s, warn
        self._checkpoints = Checkpoints(folder / CHECKPOINTS)
        self.trainer = Trainer(world, options)
        self.ended = ""  # why: complete, early stop, or what `stop` said
        self.best: Best | None = None
        self.scores: dict[str, float] | None = None
        self._stale = 0  # validations since the best
        self._journal: Journal | None = None
        self._saved = -1  # the block of the last checkpoint

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.trainer.close()
        if self._journal:
            self._journal.close()

    def resume(self) -> int:
        """Go on from the latest checkpoint that is whole, if there is any; its block.

        Raises
        ------
        StoreError
            When none is whole, or it is of another run, or lacks something.
        """
        found, wrong = self._checkpoints.latest()
        for message in wrong:
            self._warn(message)
        if found is None:
            return 0
        if wrong:
            self._warn(f"going on from the checkpoint before, of block {found.block:,}")
        self._take(found)
        return found.block

    def run(self, stop: Callable[[], str]) -> Iterator[Progress]:
        """Block after block until the end, or until `stop` says why not to go on.

        Raises
        ------
        NumericError
            When a loss, gradient or weight is no number; what it was met with is then in `nan_report`.
        FileError
            When a checkpoint cannot be written; those before are whole.
        """
        trainer = self.trainer
        self._journal = Journal(self._folder, trainer.block, self._warn)
        self._check_ended()
        begun, saved = time.perf_counter(), time.perf_counter()
        while not self.ended:
            try:
                barrier = trainer.advance()
            except DivergedError as error:
                self._report(error, batches=error.batches._asdict(), weights=_numbered(error.weights))
                raise
            if not np.isfinite(barrier.reward):
                unearned = NumericError(f"a reward of block {barrier.block:,} is no number: it comes from the market, "
                                        "not from the learner")
                self._report(unearned, intervals=_not_finite(trainer.replay.state()))
                raise unearned
            scores = self._validate()
            self._log(barrier, scores, time.perf_counter() - begun)
            self._check_ended()
            if not self.ended:
                self.ended = stop()
            if self.ended or time.perf_counter() - saved >= self._every:
                self.checkpoint()
                saved = time.perf_counter()
            yield Progress(barrier, trainer.blocks, self.scores, self.best.scores if self.best else None)

    def checkpoint(self) -> None:
        """Save everything, if the last checkpoint is not of this block."""
        trainer = self.trainer
        if self._saved == trainer.block:
            return
        assert self._journal is not None
        arrays = trainer.state()
        _check_finite({name: array for name, array in arrays.items() if name.startswith("agent.")})
        meta: dict[str, Any] = {"identity": self._identity, "stale": self._stale, "scores": self.scores, "best": None}
        if self.best is not None:
            meta["best"] = {"counts": self.best.counts, "scores": self.best.scores}
            arrays |= {f"best.{place}": layer for place, layer in enumerate(self.best.layers)}
        self._journal.sync()
        try:
            self._checkpoints.save(trainer.block, arrays, meta)
        except FileError as error:
            error.add_note("the training stopped; the checkpoints before are whole")
            raise
        self._saved = trainer.block

    def publish(self) -> None:
        """The best model; where nothing was judged yet, what was learned last."""
        if self.best is not None:
            self._publish(self.best.layers, self.best.scores, self.best.counts)
        else:
            self._publish(self.trainer.result, {}, self._counts())

    # ---- parts of a block

    def _check_ended(self) -> None:
        patience = self._schedule.patience
        if self.trainer.done:
            self.ended = "complete"
        elif patience is not None and self._stale >= patience:
            self.ended = "early stop"

    def _validate(self) -> dict[str, float] | None:
        if self._judge is None or not self._due():
            return None
        self.scores = self._judge(greedy(self.trainer.result))
        if self.best is None or self.scores["F"] > self.best.scores["F"]:
            self.best, self._stale = Best(self._counts(), self.scores, self.trainer.result), 0
            self.publish()
        else:
            self._stale += 1
        return self.scores

    def _counts(self) -> Counts:
        trainer = self.trainer
        return {"block": trainer.block, "steps": trainer.steps, "gradient_steps": trainer.agent.gradient_steps}

    def _due(self) -> bool:
        """Validations are spread evenly over the blocks that learn; the last block has one."""
        trainer, count = self.trainer, self._schedule.validations
        learning, done = trainer.blocks - trainer.warm_blocks, trainer.block - trainer.warm_blocks
        return done > 0 and done * count // learning > (done - 1) * count // learning

    def _log(self, barrier: Barrier, scores: dict[str, float] | None, seconds: float) -> None:
        assert self._journal is not None
        told = barrier._asdict()
        clock = {name: told.pop(name) for name in ("learn_seconds", "collect_seconds", "wall_seconds")}
        block = told.pop("block")
        self._journal.write(block, told | ({"validation": scores} if scores else {}), clock | {"seconds": seconds})

    def _report(self, error: NumericError, **parts: Mapping[str, NDArray[Any]]) -> None:
        """Keep what was met that is no number; the error itself is told even if that cannot be written."""
        report, trainer = self._folder / REPORT, self.trainer
        about = {"message": str(error), "seed": trainer.options.seed, "block": trainer.block,
                 "gradient_steps": trainer.agent.gradient_steps}
        try:
            with io_errors(report, "writing"):
                report.mkdir(exist_ok=True)
                (report / "report.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
                for name, arrays in parts.items():
                    np.savez(report / f"{name}.npz", allow_pickle=False, **arrays)
            error.add_note(f"what it was met with is in {report}: {', '.join(parts)} as arrays")
        except FileError as failed:
            error.add_note(f"what it was met with could not be kept: {failed}")
        error.add_note("the last checkpoint is from before, and whole; to go on from it would come here again: start a "
                       "new run" if self._saved >= 0 else "there was no checkpoint yet")

    def _take(self, found: Checkpoint) -> None:
        meta = found.meta
        if meta.get("identity") != self._identity:
            raise StoreError(f"{found.path} is of a training with other options: a run goes on with its own")
        try:
            self.trainer.restore(found.arrays)
            best = meta["best"]
            if best is not None:
                layers = [found.arrays[f"best.{place}"].copy() for place in range(_count(found.arrays, "best."))]
                self.best = Best(best["counts"], best["scores"], layers)
                self.publish()
            self._stale, self.scores = int(meta["stale"]), meta["scores"]
        except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise StoreError(f"{found.path} does not fit this training: {error}") from error
        self._saved = found.block


def greedy(layers: Layers) -> Callable[[Observation], NDArray[np.int16]]:
    """The policy that does what a network values most."""
    forward = ForwardPass(layers)

    def choose(seen: Observation) -> NDArray[np.int16]:
        actions = np.empty(len(seen.admissible), np.int16)
        forward.act(seen.market, seen.private, seen.admissible.view(np.uint8), actions)
        return actions

    return choose


def _count(arrays: Mapping[str, Any], before: str) -> int:
    return sum(name.startswith(before) for name in arrays)


def _numbered(arrays: Layers) -> dict[str, NDArray[Any]]:
    return {str(place): array for place, array in enumerate(arrays)}


def _not_finite(rows: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The rows of a replay with a reward that is no number."""
    wrong = ~np.isfinite(rows["reward"]).all(axis=1)
    return {name: column[wrong] for name, column in rows.items() if column.shape[:1] == wrong.shape}


def _check_finite(arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise NumericError(f"{name} holds what is no number, so no checkpoint is written: lower learning_rate")
