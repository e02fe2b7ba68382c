"""The contract of every command: help, exit codes, one JSON document on stdout, messages on stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mmbt import __version__
from mmbt.cli import app
from mmbt.cli.app import main, mmbt
from mmbt.errors import (
    DataError,
    FileError,
    MmbtError,
    NumericError,
    StoreError,
    StrategyError,
    UsageError,
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MMBT_DEBUG", raising=False)


def every_command(group: click.Group = mmbt, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += every_command(command, (*path, name))
    return found


COMMANDS = every_command()
LEAVES = [
    path for path in COMMANDS if not any(len(other) > len(path) and other[: len(path)] == path for other in COMMANDS)
]


def command_of(path: tuple[str, ...]) -> click.Command:
    found: click.Command = mmbt
    for name in path:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)  # type: ignore[assignment]
    return found


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_of_every_command_has_examples(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*path, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: mmbt {' '.join(path)}")
    assert "Examples:" in out
    assert all(line.startswith("  mmbt ") for line in out.split("Examples:\n")[1].splitlines())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_eighty_columns(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([*path, "--help"])
    text = capsys.readouterr().out.split("Examples:")[0]
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_takes_json_and_debug(path: tuple[str, ...]) -> None:
    flags = {flag for parameter in command_of(path).params for flag in parameter.opts}
    assert {"--json", "--debug"} <= flags


@pytest.mark.parametrize("group", [mmbt, command_of(("strategies",)), command_of(("hot",))],
                         ids=["mmbt", "strategies", "hot"])
def test_the_list_of_commands_says_what_each_help_begins_with(group: app.LazyGroup) -> None:
    for name, (_, line) in group.lazy.items():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.name == name
        assert line.endswith(".")
        assert len(line) <= 60


HEAVY = ("numpy", "pandas", "pyarrow", "pydantic", "rich", "tensorflow", "cysim")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], [], ["--version"], ["backtest", "--help"], ["convert", "--help"], ["strategies", "ls", "--help"]],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str], run: Run) -> None:
    code = (
        "import sys; from mmbt.cli import main; code = main(sys.argv[1:]); "
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    child = run(*arguments, code=code)
    assert child.returncode == 0, child.stderr
    assert child.stderr.strip() == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mmbt {__version__}\n"


def test_the_module_runs_as_a_program(run: Run) -> None:
    child = run("--version")
    assert (child.returncode, child.stdout, child.stderr) == (0, f"mmbt {__version__}\n", "")


WRONG = {
    "command": (["bakctest"], "no such command 'bakctest'; did you mean 'backtest'?"),
    "far_command": (["xyzzy"], "no such command 'xyzzy'; there are convert, backtest, strategies"),
    "help": (["help"], "write mmbt --help"),
    "subcommand": (["strategies", "list"], "no such command 'list'; did you mean 'ls'?"),
    "group_option": (["--jsno"], "no such option '--jsno'"),
    "option": (["backtest", "--strateg", "x"], "no such option '--strateg'; did you mean '--strategy'"),
    "option_without_value": (["backtest", "--strategy"], "option '--strategy' requires an argument"),
    "no_strategy": (["backtest"], "name a strategy with --strategy: dqn, fixed-spread, ladder, linear-skew, random"),
    "strategy": (["backtest", "--strategy", "linear-skwe"], "did you mean 'linear-skew'?"),
    "strategy_as_argument": (["backtest", "linear-skew"], "write --strategy linear-skew"),
    "parameter_as_argument": (["backtest", "--strategy", "random", "size=2"], "write -S size=2"),
    "parameter": (
        ["backtest", "--strategy", "fixed-spread", "-S", "half_spread=2"],
        "did you mean 'half_spread_ticks'",
    ),
    "parameter_without_value": (["backtest", "--strategy", "fixed-spread", "-S", "size"], "write name=value"),
    "preset": (["backtest", "--strategy", "random", "--fills", "sede"], "did you mean 'seed'?"),
    "duration": (["backtest", "--strategy", "random", "--latency", "5 bananas"], "'5 bananas' is not a duration"),
    "latency": (["backtest", "--strategy", "random", "--latency", "logormal:median=1ms"], "did you mean 'lognormal'?"),
    "sigma": (["backtest", "--strategy", "random", "--cancel-latency", "lognormal:median=1s"], "sigma: Field required"),
    "local": (["backtest", "--strategy", "random", "--response-latency", "local"], "'local' is not a duration"),
    "fee": (["backtest", "--strategy", "random", "--maker-fee", "cheap"], "'cheap' is not a number of basis points"),
    "dates": (["backtest", "--strategy", "random", "--dates", "yesterday"], "'yesterday' is not a day"),
    "dates_backwards": (["backtest", "--strategy", "random", "--dates", "2024-08-09..2024-08-08"], "comes after"),
    "from": (["backtest", "--strategy", "random", "--from", "noon"], "'noon' is not an instant"),
    "no_store": (["backtest", "--strategy", "random"], "there is no store at data/store: make one with `mmbt convert"),
    "store": (["backtest", "--strategy", "random", "--data", "sotre"], "no such store: 'sotre'"),
    "no_source": (["convert"], "say what to convert"),
    "source": (["convert", "raw-dta"], "no such file or directory: 'raw-dta' (looked for it here and in 'data')"),
    "format": (["convert", ".", "--format", "sed"], "did you mean 'seed'?"),
    "doctors_store": (["doctor", "--data", "nosuch"], "no such store: 'nosuch'"),
    "shown_strategy": (["strategies", "show", "randm"], "did you mean 'random'?"),
    "no_shown_strategy": (["strategies", "show"], "name a strategy: dqn, fixed-spread"),
    "no_new_name": (["strategies", "new"], "give the new strategy a name"),
    "new_name": (["strategies", "new", "My Maker"], "'my-maker'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_says_what_to_do(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = WRONG[case]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_with_json_is_one_document(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = WRONG[case]
    assert main([*arguments, "--json"] if case != "option_without_value" else ["backtest", "--json", "--strategy"]) == 2
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert {"type", "message", "exit_code"} <= set(error)
    assert (error["type"], error["exit_code"]) == ("UsageError", 2)
    assert message in error["message"]
    assert message in err


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("mmbt.strategies.registry.available", fail)


CODES = {
    MmbtError("broken"): 1,
    UsageError("broken"): 2,
    DataError("broken"): 3,
    StoreError("broken"): 4,
    StrategyError("broken"): 5,
    FileError("broken"): 6,
    NumericError("broken"): 7,
    FileError(28, "No space left on device", "data/store"): 6,
    OSError(5, "Input/output error", "x"): 6,
    PermissionError(13, "Permission denied", "x"): 6,
    RuntimeError("broken"): 1,
    MemoryError(): 1,
    ImportError("No module named 'pyarrow'"): 1,
}


@pytest.mark.parametrize("error", CODES, ids=lambda error: f"{type(error).__name__}_{CODES[error]}")
def test_each_error_has_its_exit_code(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, error)
    assert main(["strategies", "ls", "--json"]) == CODES[error]
    out, err = capsys.readouterr()
    document = json.loads(out)["error"]
    assert document["exit_code"] == CODES[error]
    assert document["type"] == type(error).__name__
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_an_os_error_names_the_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    raising(monkeypatch, FileError(28, "No space left on device", "data/store"))
    main(["strategies", "ls"])
    assert capsys.readouterr().err == "error: No space left on device: 'data/store'\n"


def test_ctrl_c_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert main(["strategies", "ls", "--json"]) == 130
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == {"type": "Interrupted", "message": "interrupted", "exit_code": 130}
    assert err == "interrupted\n"


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_debug_shows_the_traceback(
    how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, RuntimeError("broken"))
    if how == "environment":
        monkeypatch.setenv("MMBT_DEBUG", "1")
    assert main(["strategies", "ls", *(["--debug"] if how == "flag" else [])]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "in fail" in err


def test_control_characters_of_names_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "show", "\x1b[31mred\x1b[0m\x07\u202e"]) == 2
    err = capsys.readouterr().err
    assert not {"\x1b", "\x07", "\u202e"} & set(err)
    assert "\\x1b[31mred" in err


def test_a_closed_pipe_is_quiet() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "mmbt", "strategies", "show", "ladder", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.wait(60) == 6
    assert child.stderr.read() == ""
    child.stderr.close()


def test_output_in_a_locale_without_unicode_is_escaped(run: Run) -> None:
    child = run("strategies", "show", "bücher", PYTHONIOENCODING="ascii")
    assert child.returncode == 2
    assert "'b\\xfccher'" in child.stderr


def test_the_bar_goes_to_a_terminal_on_stderr_and_nowhere_else(inside: Path) -> None:
    import os
    import pty

    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "mmbt", "backtest", "--strategy", "random", "-S", "interval=20ms", "--json"],
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(follower)
    seen = b""
    try:
        while chunk := os.read(leader, 4096):
            seen += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(leader)
    assert child.stdout is not None
    out = child.stdout.read()
    child.stdout.close()
    assert child.wait(60) == 0
    assert b"replaying" in seen
    assert json.loads(out)["strategy"] == "random"


def test_a_file_here_never_stands_in_for_a_library(tmp_path: Path, run: Run) -> None:
    for name in ("click", "numpy", "rich", "json"):
        (tmp_path / f"{name}.py").write_text("open('marker', 'w').close()", encoding="utf-8")
    assert run("strategies", "ls").returncode == 0
    assert not (tmp_path / "marker").exists()
