"""What a training shows on a terminal: calm, aligned, and never wider than it."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mmbt.cli.board import Board, shown, working


def told(block: int, *, loss: float = 1.164, f: float | None = 0.63, reward: float = 0.9133) -> Any:
    """A barrier as a session tells it."""
    barrier = SimpleNamespace(block=block, steps=1000 * block, epsilon=0.123, reward=reward, loss=loss, td=0.378)
    scores = None if f is None else {"F": f, "position": 3.1, "quoting": 0.84}
    return SimpleNamespace(barrier=barrier, blocks=100, scores=scores, best=scores)


class Shown:
    """A board whose clock stands where it is put."""

    def __init__(self, *, judged: bool = True, left: Callable[[], float] = lambda: math.inf, stopping: bool = False):
        self.now = 0.0
        self.board = Board(2000, judged, left, lambda: stopping, clock=lambda: self.now)

    def at(self, now: float, progress: Any) -> None:
        self.now = now
        self.board.update(progress)

    def lines(self, width: int = 80, **console: Any) -> list[str]:
        file = io.StringIO()
        options = {"width": width, "color_system": None, "force_terminal": True, "legacy_windows": False} | console
        Console(file=file, **options).print(self.board)
        return file.getvalue().splitlines()


def learning() -> Shown:
    """Ten blocks a second from the second on, after one that was compiled for three."""
    shown = Shown()
    shown.at(1.0, told(1, loss=math.nan, f=None))
    shown.at(4.0, told(2))
    for block in range(3, 23):
        shown.at(4.0 + (block - 2) / 10, told(block))
    return shown


def test_everything_that_was_promised_is_there_at_80_columns() -> None:
    first, second, third = learning().lines(80)
    assert first.startswith("training    ━━━━━ ")
    assert first.split() == ["training", "━━━━━", "22%", "0:00:07", "left", "4,200", "steps/s"]
    assert second.split() == ["learning", "loss", "1.16", "TD", "error", "0.378", "reward", "0.913"]
    assert " ".join(third.split()) == "validation F 0.630 best 0.630 mean |Q| 3.10 lots quoting 84%"
    assert learning().lines(120)[1].endswith("exploring  12%")


@pytest.mark.parametrize("width", [10, 40, 60, 79, 80, 120])
@pytest.mark.parametrize("size", [1e-9, -1.2345e-5, 0.0, 7.0, -123456.0, 1e30])
def test_no_line_is_wider_than_the_terminal_and_no_number_moves_another(width: int, size: float) -> None:
    one, other = learning(), learning()
    other.at(7.0, told(23, loss=abs(size), f=size, reward=size))
    for before, after in zip(one.lines(width), other.lines(width), strict=True):
        assert len(after) <= width
        names = [place for place, letter in enumerate(after) if letter.isalpha() and letter != "e"]
        assert [before[place] for place in names] == [after[place] for place in names]


def test_before_learning_it_says_what_it_waits_for() -> None:
    shown = Shown()
    assert shown.lines()[1:] == ["learning    waiting for the first block", "validation  none yet"]
    shown.at(1.0, told(1, loss=math.nan, f=None))
    first, second, _ = shown.lines()
    assert "-:--:-- left" in first
    assert second == "learning    begins after 2,000 random steps   reward     0.913"
    assert "nan" not in "".join(shown.lines())
    assert len(Shown(judged=False).lines()) == 2


def test_time_left_is_counted_from_blocks_that_learn_and_runs_on_between_them() -> None:
    shown = learning()
    shown.now += 3.0
    assert "0:00:04 left" in shown.lines()[0]
    shown.now += 60.0
    assert "0:00:00 left" in shown.lines()[0]


def test_a_time_limit_ends_it_sooner() -> None:
    shown = learning()
    limited = Shown(left=lambda: 8.0 - limited.now)
    limited.at(1.0, told(1, loss=math.nan, f=None))
    limited.at(6.0, told(2))
    assert " 75%   0:00:02 left" in limited.lines()[0]
    assert " 22%   0:00:07 left" in shown.lines()[0]


def test_a_signal_is_answered_at_once() -> None:
    assert Shown(stopping=True).lines()[-1] == "stopping after this block; Ctrl-C again to stop at once"


def test_without_colour_and_on_plain_terminals() -> None:
    assert "\x1b" not in "".join(learning().lines())
    assert "\x1b" in "".join(learning().lines(color_system="standard"))
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=ascii_only, width=80, color_system=None, force_terminal=True, legacy_windows=False)
    console.print(learning().board)
    ascii_only.seek(0)
    assert ascii_only.read().startswith("training    ##### ")


@pytest.mark.parametrize("terminal", ["piped", "dumb"])
def test_nothing_is_shown_where_nothing_can_be_taken_back(
    terminal: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if terminal == "dumb":
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with shown(learning().board) as show, working("loading"):
        show(told(30))
    assert capsys.readouterr() == ("", "")
