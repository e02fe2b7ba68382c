"""What commands print: one JSON document or text for people on stdout, progress and notes on stderr.

Names come from data files, so no control character of theirs ever reaches the terminal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Bar",
    "Document",
    "PipeClosed",
    "emit",
    "emit_json",
    "emit_text",
    "note",
    "progress",
    "safe",
    "stderr_console",
    "stdout_console",
]

# C0 and C1 controls, DEL, line separators, zero-width and direction marks: all that can move a cursor or reorder text.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_UNSAFE_BUT_NEWLINE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class PipeClosed(Exception):
    """Whoever read our output went away."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a command answers: `data` for machines and `show` for people.

    The group prints the one or the other, so that no command can print both.
    """

    data: Any
    show: Callable[[], None]
    exit_code: int = 0


def safe(text: object, *, newlines: bool = False) -> str:
    """The text with every control character escaped; `newlines=True` lets line breaks stand."""
    pattern = _UNSAFE_BUT_NEWLINE if newlines else _UNSAFE
    return pattern.sub(lambda match: repr(match[0])[1:-1], str(text))


def emit_json(data: Any) -> None:
    """Write one JSON document to stdout, in ASCII so that it means the same in every locale."""
    emit_text(json.dumps(data, indent=2, allow_nan=False, default=str))


def emit_text(text: str) -> None:
    """Write text and a line break to stdout."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise PipeClosed from None


def emit(*renderables: object) -> None:
    """Write rich renderables (or text, taken literally) to stdout."""
    console = stdout_console()
    try:
        for item in renderables:
            console.print(item, soft_wrap=isinstance(item, str))
        sys.stdout.flush()
    except BrokenPipeError:
        raise PipeClosed from None


def note(message: object) -> None:
    """Tell the person something on stderr."""
    print(safe(message, newlines=True), file=sys.stderr, flush=True)


def stdout_console() -> Console:
    """A console on stdout; built anew because tests and pipes replace `sys.stdout`."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def stderr_console() -> Console:
    """A console on stderr."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


class Bar:
    """Where the work stands. `update` may be called as often as one likes; here it shows nothing."""

    def update(self, done: float, total: float | None, count: int, title: str | None = None) -> None:
        """`done` of `total` is behind us, and `count` things have been handled."""


@contextmanager
def progress(title: str, unit: str) -> Iterator[Bar]:
    """A bar with rate (in `unit` a second) and time left on stderr, where stderr is a terminal."""
    console = stderr_console()
    if not console.is_terminal:
        yield Bar()
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(title, total=None, rate="")

        class Shown(Bar):
            def update(self, done: float, total: float | None, count: int, title: str | None = None) -> None:
                elapsed = shown.tasks[0].elapsed or 0.0
                rate = f"{count / elapsed:,.0f} {unit}/s" if elapsed > 0.2 else ""
                shown.update(task, completed=done, total=total, rate=rate, description=title)

        yield Shown()
