"""From an exception to its message and exit code: the one place where errors are printed.

| what was raised                  | exit | printed                                               |
|----------------------------------|------|-------------------------------------------------------|
| an `MmbtError`                   | its  | `error: ...`                                          |
| `StrategyError`                  | 5    | the traceback of the user's own lines, then `error:`  |
| a usage error of click           | 2    | `error: ...` and where the help is                    |
| Ctrl-C                           | 130  | `interrupted`                                         |
| `OSError`                        | 6    | `error: ...`                                          |
| a missing module                 | 1    | `error: ...`, and that `mmbt doctor` tells more       |
| `MemoryError` or anything else   | 1    | one line; all of it with `--debug` or `MMBT_DEBUG=1`  |
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import click

from mmbt.cli.output import PipeClosed, emit_json, note
from mmbt.errors import INTERRUPTED, MmbtError, StrategyError, did_you_mean

__all__ = ["report_failure"]

_ROOT = Path(__file__).resolve().parents[1]  # src/mmbt
_ISSUE = "this is a bug in mmbt; run it again with --debug for the traceback and report it"


def report_failure(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print the error as the contract says and return the exit code."""
    if isinstance(error, (PipeClosed, BrokenPipeError)):
        return 6
    code, kind, message, lines = _describe(error)
    message = message.strip()
    if debug and not isinstance(error, KeyboardInterrupt):
        note("".join(traceback.format_exception(error)).rstrip())
    elif lines:
        note("\n".join(lines))
    note(message if code == INTERRUPTED else f"error: {message}")
    for remark in getattr(error, "__notes__", ()):
        note(remark)
    if code == 2 and isinstance(error, click.UsageError) and error.ctx is not None:
        note(f"try: {error.ctx.command_path} --help")
    if as_json:
        document: dict[str, Any] = {"type": kind, "message": message, "exit_code": code}
        if lines:
            document["traceback"] = lines
        emit_json({"error": document})
    return code


def _describe(error: BaseException) -> tuple[int, str, str, list[str]]:
    kind = type(error).__name__
    match error:
        case StrategyError():
            return error.exit_code, kind, str(error), _users_lines(error)
        case MmbtError():
            return error.exit_code, kind, _message(error), []
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED, "Interrupted", "interrupted", []
        case click.ClickException():
            return 2, "UsageError", _click_message(error), []
        case OSError():
            return 6, kind, _os_message(error), []
        case ImportError():
            return 1, kind, f"{error}; the installation is incomplete: `mmbt doctor` says what is missing", []
        case MemoryError():
            return 1, kind, "out of memory", []
        case _:
            return 1, kind, f"{kind}: {str(error) or 'no message'}\n{_ISSUE}", []


def _message(error: MmbtError) -> str:
    # FileError is an OSError too, whose str() would be "[Errno 2] ..." when it was made from an errno.
    return _os_message(error) if isinstance(error, OSError) and error.strerror else str(error)


def _os_message(error: OSError) -> str:
    if error.strerror is None:
        return str(error) or type(error).__name__
    where = f": {os.fsdecode(error.filename)!r}" if error.filename is not None else ""
    return f"{error.strerror}{where}"


def _click_message(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        options = [flag for parameter in error.ctx.command.params for flag in parameter.opts] if error.ctx else []
        return f"no such option {error.option_name!r}{did_you_mean(error.option_name, options)}"
    text = error.format_message()
    if isinstance(error, click.BadParameter) and error.ctx is not None and error.param is not None:
        source = error.ctx.get_parameter_source(error.param.name or "")
        if source is click.core.ParameterSource.DEFAULT_MAP:
            text += " (set in mmbt.toml)"
    return text[:1].lower() + text[1:]


def _users_lines(error: StrategyError) -> list[str]:
    """The traceback of the strategy's own error without the frames of mmbt that lead to it."""
    cause = error.__cause__
    if cause is None:
        return []
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if not _ours(frame.filename)]
    if not own and not isinstance(cause, SyntaxError):  # a syntax error shows its line by itself
        own = list(frames)
    text = [
        "Traceback of the strategy (most recent call last):\n",
        *traceback.format_list(own),
        *traceback.format_exception_only(cause),
    ]
    return "".join(text).rstrip().splitlines()


def _ours(filename: str) -> bool:
    path = Path(filename)
    return path.suffix in {".pyx", ".pxd"} or filename.startswith("<frozen ") or path.is_relative_to(_ROOT)
