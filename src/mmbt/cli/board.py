"""What a training shows of itself while it runs: a few lines on stderr that stay where they are.

    training    ━━━━━━━━━━━━━━━━━━━━━━━━   62%   0:00:05 left      21,400 steps/s
    learning    loss      1.16   TD error     0.378   reward     0.913   exploring  12%
    validation  F     0.630   best     0.710   mean |Q|  3.10 lots   quoting  84%

Every number has a place of its own. What does not fit into the terminal is left out, from the right, so that no line
is ever broken. The clock runs on between two blocks; all else changes at barriers.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmbt.cli.output import stderr_console

if TYPE_CHECKING:
    from mmbt.learn.session import Progress

__all__ = ["Board", "shown", "working"]

_BAR = 24  # columns
_RATE_SPAN = 10.0  # seconds over which steps are counted
_TITLE, _GAP = 12, "   "

Field = tuple[str, str]  # a name, dim, and its value


class Board:
    """Where a training stands, as rich prints it.

    Parameters
    ----------
    warm_steps
        Steps before learning begins.
    judged
        Whether there are days to validate on.
    time_left
        Seconds until a limit; infinite without one.
    stopping
        Whether the training was asked to stop.
    clock
        Seconds, of any beginning.
    """

    def __init__(
        self, warm_steps: int, judged: bool, time_left: Callable[[], float], stopping: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warm_steps, self._judged, self._time_left, self._stopping = warm_steps, judged, time_left, stopping
        self._clock, self._begun = clock, clock()
        self._told: Progress | None = None
        self._at = self._begun  # when it was told
        self._pace: tuple[float, int] | None = None  # when the first block that learned was done, and which it was
        self._counted: deque[tuple[float, int]] = deque()  # times and steps of late

    def update(self, told: Progress) -> None:
        """A block is done."""
        self._told, self._at = told, self._clock()
        block, steps = told.barrier.block, told.barrier.steps
        if self._pace is None and math.isfinite(told.barrier.loss):
            self._pace = self._at, block  # blocks before it are faster, it is slower: it was compiled
        self._counted.append((self._at, steps))
        while len(self._counted) > 2 and self._counted[1][0] < self._at - _RATE_SPAN:
            self._counted.popleft()

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """The lines, each within the width of the terminal."""
        from rich.text import Text

        width = options.max_width
        yield self._first(console, options)
        yield _line(width, "learning", self._learning())
        if self._judged:
            yield _line(width, "validation", self._validation())
        if self._stopping():
            yield Text("stopping after this block; Ctrl-C again to stop at once"[:width], "bold")

    # ---- lines

    def _first(self, console: Any, options: Any) -> Any:
        done = self._done()
        filled, full = int(done * _BAR), "#" if options.ascii_only else "━"
        line = _line(options.max_width, "training", [])
        line.append(full * filled, "bar.complete")
        line.append((full if console.color_system and not console.no_color else " ") * (_BAR - filled), "bar.back")
        line.append(f"  {done:4.0%}", "progress.percentage")
        for text in (f"{_GAP}{_duration(self._left())} left", f"{_GAP}{self._rate():>9} steps/s"):
            if len(line) + len(text) <= options.max_width:
                line.append(text)
        line.truncate(options.max_width)
        return line

    def _learning(self) -> list[Field]:
        if self._told is None:
            return [("", "waiting for the first block")]
        barrier = self._told.barrier
        if not math.isfinite(barrier.loss):
            return [("", f"begins after {self._warm_steps:,} random steps"), ("reward", _number(barrier.reward))]
        return [("loss", _number(barrier.loss)), ("TD error", _number(barrier.td)),
                ("reward", _number(barrier.reward)), ("exploring", f"{barrier.epsilon:4.0%}")]

    def _validation(self) -> list[Field]:
        if self._told is None or self._told.scores is None or self._told.best is None:
            return [("", "none yet")]
        scores = self._told.scores
        return [("F", _number(scores["F"])), ("best", _number(self._told.best["F"])),
                ("mean |Q|", f"{scores['position']:5.2f} lots"), ("quoting", f"{scores['quoting']:4.0%}")]

    # ---- the clock

    def _done(self) -> float:
        """The share that is behind us, of the blocks or of the time, whichever is more."""
        blocks = self._told.barrier.block / self._told.blocks if self._told else 0.0
        spent, left = self._clock() - self._begun, self._time_left()
        return min(1.0, max(blocks, spent / (spent + left) if spent + left > 0 else 1.0))

    def _left(self) -> float:
        """Seconds, infinite while nobody knows."""
        left = self._time_left()
        if self._told and self._pace and self._told.barrier.block > self._pace[1]:
            at, block = self._pace
            pace = (self._at - at) / (self._told.barrier.block - block)
            since = self._clock() - self._at
            left = min(left, (self._told.blocks - self._told.barrier.block) * pace - since)
        return max(0.0, left)

    def _rate(self) -> str:
        if len(self._counted) < 2:
            return "-"
        (begin, before), (end, now) = self._counted[0], self._counted[-1]
        return f"{(now - before) / max(end - begin, 1e-9):,.0f}"


@contextmanager
def shown(board: Board) -> Iterator[Callable[[Progress], None]]:
    """Show it on stderr, where that is a terminal."""
    console = stderr_console()
    if not console.is_interactive:
        yield lambda told: None
        return
    from rich.live import Live

    with Live(board, console=console, transient=True, refresh_per_second=4):
        yield board.update


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say what takes its time, with no end that anybody knows, on stderr where that is a terminal."""
    console = stderr_console()
    if not console.is_interactive:
        yield
        return
    with console.status(what, spinner="line"):
        yield


def _line(width: int, title: str, fields: list[Field]) -> Any:
    """As many of the fields as fit."""
    from rich.text import Text

    line = Text(title.ljust(_TITLE), no_wrap=True, overflow="crop")
    for place, (name, value) in enumerate(fields):
        before = f"{_GAP if place else ''}{name}{' ' if name else ''}"
        if place and len(line) + len(before) + len(value) > width:
            break
        line.append(before, "dim").append(value)
    line.truncate(width)
    return line


def _number(value: float) -> str:
    """Three digits that matter, always in as many columns."""
    return f"{f'{value:#.3g}'.removesuffix('.'):>9}"


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "-:--:--"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
