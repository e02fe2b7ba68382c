"""`mmbt.toml` in the current directory: project settings, by command. Flags win.

    [convert]
    out = "data/store"

    [backtest]
    strategy = "linear-skew"
    latency = "5ms"

    [backtest.params.linear-skew]     # defaults of -S for that strategy
    half_spread_ticks = 3

    [train.params]                    # defaults of -S
    max_position = 5

A key is an option's long name, with `-` or `_`. The file can set options, never make mmbt run code: a strategy given by
file or module must stand on the command line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mmbt.errors import FileError, UsageError, did_you_mean

__all__ = ["FILE_NAME", "load", "to_default_map"]

FILE_NAME = "mmbt.toml"
_FREE_TABLES = {"backtest": {"params"}, "train": {"params"}}  # tables that a command reads by itself
_NOT_SETTINGS = {"json", "debug", "help"}


def load(path: Path = Path(FILE_NAME)) -> dict[str, Any]:
    """The settings of the file; none when there is no file.

    Raises
    ------
    UsageError
        When the file is no TOML.
    FileError
        When it cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None


def to_default_map(settings: Mapping[str, Any], group: click.Group, where: str = FILE_NAME) -> dict[str, Any]:
    """The settings as click's default map, with every section and key checked against the commands.

    Raises
    ------
    UsageError
        Listing every unknown section and key, each with near names.
    """
    problems: list[str] = []
    result = _section(settings, group, (), problems)
    if problems:
        raise UsageError(f"{where}: " + f"\n{where}: ".join(problems))
    return result


def _section(
    settings: Mapping[str, Any], group: click.Group, path: tuple[str, ...], problems: list[str]
) -> dict[str, Any]:
    context = click.Context(group)
    known = group.list_commands(context)
    result: dict[str, Any] = {}
    for name, table in settings.items():
        here = (*path, name)
        command = group.get_command(context, name)
        if command is None:
            problems.append(f"there is no command for the section [{'.'.join(here)}]{did_you_mean(name, known)}")
        elif not isinstance(table, Mapping):
            problems.append(f"{'.'.join(here)} must be a section, written [{'.'.join(here)}]")
        elif isinstance(command, click.Group):
            result[name] = _section(table, command, here, problems)
        else:
            result[name] = _options(table, command, here, problems)
    return result


def _options(
    table: Mapping[str, Any], command: click.Command, path: tuple[str, ...], problems: list[str]
) -> dict[str, Any]:
    options = {
        flag.lstrip("-"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--") and flag.lstrip("-") not in _NOT_SETTINGS
    }
    free = _FREE_TABLES.get(".".join(path), set())
    result: dict[str, Any] = {}
    for key, value in table.items():
        option = options.get(key.replace("_", "-"))
        if key in free:
            continue
        if option is None or option.name is None:
            problems.append(f"unknown key {key!r} in [{'.'.join(path)}]{did_you_mean(key, {*options, *free})}")
        elif isinstance(value, Mapping) or (isinstance(value, list) and not option.multiple):
            problems.append(f"{'.'.join((*path, key))} must be a single value")
        elif f"--{key.replace('_', '-')}" in option.secondary_opts and isinstance(value, bool):
            result[option.name] = not value  # no_hot = true says what hot = false says
        else:
            result[option.name] = _value(value, option)
    return result


def _value(value: Any, option: click.Option) -> Any:
    if option.multiple:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    return value if isinstance(value, bool) else str(value)
