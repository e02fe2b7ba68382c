"""A training at the command line: its progress, what stops it, and what it comes to."""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmbt import __version__
from mmbt.cli.board import Board, shown, working
from mmbt.cli.output import Document, emit, note, progress, safe
from mmbt.errors import INTERRUPTED, FileError

if TYPE_CHECKING:
    from mmbt.learn.session import Session
    from mmbt.training.recorded import RecordedData
    from mmbt.training.run import TrainingRun
    from mmbt.training.settings import Settings

__all__ = ["Limits", "begin_training"]

_ABSTAINS = 0.05  # a model that quotes more rarely has learned not to


@dataclass(frozen=True)
class Limits:
    """What a session may use; none of it changes what is learned."""

    threads: int
    time_ns: int | None
    checkpoint_ns: int


def begin_training(run: TrainingRun, settings: Settings, data: RecordedData | None, limits: Limits) -> Document:
    """Train until the end, or until something stops it."""
    try:
        answer = _train(run, settings, data, limits)
    except (FileError, KeyboardInterrupt) as error:  # after others the same would come again
        error.add_note(_to_go_on(run))
        raise
    if answer["status"] in _RESUMED_BY_HAND:
        note(f"{answer['status']}; {_to_go_on(run)}")
    return Document(answer, lambda: _show(answer), INTERRUPTED if answer["status"] == "interrupted" else 0)


_RESUMED_BY_HAND = {"interrupted", "time limit"}


def _train(run: TrainingRun, settings: Settings, data: RecordedData | None, limits: Limits) -> dict[str, Any]:
    stop = _Stop(limits.time_ns)
    inputs: dict[str, Any]
    if data is None:
        from mmbt.training.models import input_names, make_world

        world: Any = make_world(settings)
        judge, inputs = None, {"names": input_names(settings), "world": {}}
    else:
        with progress("reading", "days") as bar:
            recorded = data.prepare(limits.threads, lambda done, total, day: bar.update(done, total, done, day))
        world = recorded.world
        judge = recorded.validation.score if recorded.validation else None
        inputs = {"names": [*world.options.market, *world.private_names], "world": world.metadata()}
    note(f"the run is in {run.path}")

    with _without_greetings(), working("loading TensorFlow"):
        from mmbt.learn.agent import runtime
        from mmbt.learn.session import Session
        from mmbt.training.publish import publisher
        from mmbt.training.run import describe_runtime

        publish = publisher(run, settings, inputs["names"], inputs["world"])
        made = Session(
            world, settings.learner, settings.schedule, folder=run.path, identity=run.identity, judge=judge,
            publish=publish, checkpoint_s=limits.checkpoint_ns / 1e9, warn=note)
    board = Board(settings.learner.learn_start, judge is not None, stop.time_left, stop.asked)
    with made as session:
        block = session.resume()
        for difference in run.begin(block, describe_runtime(runtime(), __version__)):
            note(f"{difference}: the result may differ from that of an uninterrupted run in its last bits")
        with stop, shown(board) as show:
            for told in session.run(stop.reason):
                show(told)
        session.publish()
        answer = _answer(run, session, block, stop.elapsed())
        if data is None:
            from mmbt.training.models import exact_score

            with working("computing the exact score"):
                answer["exact"] = exact_score(settings, world, session.trainer.result)
        run.end(session.ended, answer)
    return answer


def _to_go_on(run: TrainingRun) -> str:
    return f"to go on: mmbt train --resume {shlex.quote(str(run.path))}"


@contextmanager
def _without_greetings() -> Iterator[None]:
    """What TensorFlow says while it is loaded, before any setting of it counts, is shown on failure only.

    Its own code writes to the file of stderr, which leads elsewhere meanwhile; ours writes to where that led before.
    """
    import tempfile

    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said, os.fdopen(kept, "w", errors="backslashreplace") as terminal:
        os.dup2(said.fileno(), 2)
        try:
            with redirect_stderr(terminal if sys.stderr.isatty() else sys.stderr):
                yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)


class _Stop:
    """Why to stop: the first Ctrl-C or SIGTERM, or the time. A second signal does not wait for the barrier.

    While it is entered, signals are its; `stop.reason` is asked at each barrier.
    """

    def __init__(self, limit_ns: int | None) -> None:
        self._begun, self._limit = time.monotonic(), math.inf if limit_ns is None else limit_ns / 1e9
        self._asked = False
        self._before: dict[int, Any] = {}

    def elapsed(self) -> float:
        return time.monotonic() - self._begun

    def time_left(self) -> float:
        return self._limit - self.elapsed()

    def asked(self) -> bool:
        return self._asked

    def reason(self) -> str:
        return "interrupted" if self._asked else "time limit" if self.time_left() <= 0 else ""

    def _handle(self, number: int, frame: Any) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():  # only that one may handle signals
            self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _answer(run: TrainingRun, session: Session, block: int, seconds: float) -> dict[str, Any]:
    trainer, best = session.trainer, session.best
    split = run.manifest.get("split")
    return {
        "run": str(run.path),
        "market": run.manifest["market"],
        "status": session.ended,
        "resumed_from_block": block,
        "blocks": trainer.block,
        "steps": trainer.steps,
        "gradient_steps": trainer.agent.gradient_steps,
        "wall_s": round(seconds, 3),
        "split": split["kind"] if split else None,
        "validation": best.scores if best else None,
        "best_block": best.counts["block"] if best else None,
        "abstains": best.scores["quoting"] < _ABSTAINS if best else None,
        "model": str(run.path / "model"),
    }


def _show(answer: dict[str, Any]) -> None:
    done = f"{answer['steps']:,} steps and {answer['gradient_steps']:,} gradient steps"
    lines = [f"{answer['status']}: {done}, {answer['wall_s']:.1f} s"]
    if answer["split"] == "within one day":
        lines.append("validated within one day: hours of the day that was learned from, no day of its own")
    if (best := answer["validation"]) is not None:
        lines.append(f"validation: F {best['F']:.6g} a decision (0: not quoting), PnL {best['pnl']:.6g}, mean |Q| "
                     f"{best['position']:.3g} lots, quoting {best['quoting']:.1%} of the time")
        if answer["abstains"]:
            lines.append("the model abstains: it hardly ever quotes")
    if (exact := answer.get("exact")) is not None:
        told = ", ".join(f"{name} {'-' if value is None else format(value, '.4%')}" for name, value in exact.items())
        lines.append(f"exact: {told}")
    lines.append(f"model      {answer['model']}")
    if answer["market"] == "recorded":
        lines.append(f"to run it: mmbt backtest --strategy dqn -S model={shlex.quote(answer['run'])}")
    emit(*map(safe, lines))
