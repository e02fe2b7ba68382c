"""A training at the command line: its progress, what stops it, and what it comes to."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbt import __version__
from mmbt.cli.output import Document, emit, note, progress, safe, stderr_console
from mmbt.errors import INTERRUPTED, MmbtError

if TYPE_CHECKING:
    from mmbt.learn.session import Progress, Session
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
    begun = time.monotonic()
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

    with _without_greetings():
        from mmbt.learn.agent import runtime
        from mmbt.learn.session import Session
        from mmbt.training.publish import publisher
        from mmbt.training.run import describe_runtime

        publish = publisher(run, settings, inputs["names"], inputs["world"])
        made = Session(
            world, settings.learner, settings.schedule, folder=run.path, identity=run.identity, judge=judge,
            publish=publish, checkpoint_s=limits.checkpoint_ns / 1e9, warn=note)
    with made as session:
        block = session.resume()
        for difference in run.begin(block, describe_runtime(runtime(), __version__)):
            note(f"{difference}: the result may differ from that of an uninterrupted run in its last bits")
        with _until(begun, limits.time_ns) as stop, _shown(begun, limits.time_ns) as show:
            try:
                for told in session.run(stop):
                    show(told)
            except MmbtError as error:
                error.add_note(f"to go on: mmbt train --resume {run.path}")
                raise
        session.publish()
        answer = _answer(run, session, block, time.monotonic() - begun)
        if data is None:
            from mmbt.training.models import exact_score

            answer["exact"] = exact_score(settings, world, session.trainer.result)
        run.end(session.ended, answer)
    if session.ended in _RESUMED_BY_HAND:
        note(f"{session.ended}; to go on: mmbt train --resume {run.path}")
    return Document(answer, lambda: _show(answer), INTERRUPTED if session.ended == "interrupted" else 0)


_RESUMED_BY_HAND = {"interrupted", "time limit"}


@contextmanager
def _without_greetings() -> Iterator[None]:
    """What TensorFlow says while it is loaded, before any setting of it counts, is shown on failure only."""
    import tempfile

    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def _until(begun: float, limit_ns: int | None) -> Iterator[Callable[[], str]]:
    """Why to stop: the first Ctrl-C or SIGTERM, or the time. A second signal does not wait for the barrier."""
    asked: list[int] = []

    def handle(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        note("stopping when this block is done; again to stop at once")

    def stop() -> str:
        if asked:
            return "interrupted"
        return "time limit" if limit_ns is not None and (time.monotonic() - begun) * 1e9 >= limit_ns else ""

    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(begun: float, limit_ns: int | None) -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr, where it is a terminal."""
    console = stderr_console()
    if not console.is_terminal:
        yield lambda told: None
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    columns = (TextColumn("training"), BarColumn(bar_width=24), TaskProgressColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn(compact=True))
    bars = Bars(*columns)
    task = bars.add_task("training", total=None, rate="")
    rate, first = 0.0, True
    with Live(bars, console=console, transient=True, refresh_per_second=4) as live:

        def show(told: Progress) -> None:
            nonlocal rate, first
            barrier = told.barrier
            now = barrier.steps / barrier.block / max(barrier.wall_seconds, 1e-9)
            rate, first = now if first else rate + 0.05 * (now - rate), False
            done = barrier.block / told.blocks
            if limit_ns is not None:
                done = max(done, (time.monotonic() - begun) * 1e9 / limit_ns)
            bars.update(task, completed=done, total=1.0, rate=f"{rate:,.0f} steps/s")
            live.update(Group(bars, Text(_line(told))))

        yield show


def _line(told: Progress) -> str:
    barrier = told.barrier
    parts = [f"loss {barrier.loss:.4g}", f"TD {barrier.td:.4g}", f"reward {barrier.reward:.4g}"]
    if told.scores and told.best:
        parts += [f"validation F {told.scores['F']:.4g} (best {told.best['F']:.4g})",
                  f"|Q| {told.scores['position']:.3g} lots", f"quoting {told.scores['quoting']:.0%}"]
    return "  ".join(parts)


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
    lines.append(f"model      {Path(answer['model'])}")
    emit(*map(safe, lines))
