"""Strategy classes out of people's own code: `package.module:Class` and `path.py:Class`.

A strategy is arbitrary code and runs with the rights of whoever starts it. So nothing is ever looked for: only the file
or module that was named is executed, never one that merely lies in the working directory, beside data or in a model.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from mmbt.errors import FileError, StrategyError, UsageError, did_you_mean
from mmbt.strategies.base import Strategy

__all__ = ["as_strategy", "blame", "load"]


def load(spec: str) -> type[Strategy]:
    """The class that ``package.module:Class`` or ``path.py:Class`` names.

    Raises
    ------
    UsageError
        When there is no such file, module or class, or the class is no strategy.
    StrategyError
        When the code raises while it is imported; the message has the line, `__cause__` the error.
    """
    place, _, name = spec.rpartition(":")
    if not place and name.endswith(".py"):
        place, name = name, ""
    if place.endswith(".py"):
        path = Path(place).expanduser()
        if not name:
            raise UsageError(f"{spec!r} names no class{_suggest(place, _classes_in(path))}")
        module = _module_of_file(path)
    else:
        if not place or not name:
            raise UsageError(f"{spec!r} is no strategy: write package.module:Class or path.py:Class")
        module = _module(place)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if _is_own(value)]
        hint = did_you_mean(name, own) or (f": its strategies are {', '.join(own)}" if own else ": it has no strategy")
        raise UsageError(f"{place!r} has no class {name!r}{hint}")
    return as_strategy(getattr(module, name), spec)


def as_strategy(found: object, spec: str) -> type[Strategy]:
    """The object found under `spec`, once it is known to be a strategy class."""
    if not isinstance(found, type):
        raise UsageError(f"{spec!r} is no class but {type(found).__name__}")
    if found is Strategy:
        raise UsageError(f"{spec!r} is the base class of strategies: name a class derived from it")
    if not issubclass(found, Strategy):
        raise UsageError(f"{spec!r} does not derive from mmbt.Strategy: write `class {found.__name__}(Strategy)`")
    return found


def blame(error: BaseException, path: str | None = None) -> str:
    """What went wrong and in which line: the innermost one of the file `path`, else of the whole traceback."""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {said}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if frame.filename == path), frames[-1] if frames else None)
    if frame is None:
        return said
    return f"{frame.filename}, line {frame.lineno}: {frame.line or '?'}\n    {said}"


def _is_own(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            beside = Path(*name.split(".")).with_suffix(".py") if name.replace(".", "").isidentifier() else None
            hint = f"; to run that file write {beside}:Class" if beside is not None and beside.is_file() else ""
            raise UsageError(f"no module named {error.name!r} can be imported{hint}") from None
        raise StrategyError(f"importing {name} failed: {blame(error)}") from error
    except (ValueError, TypeError) as error:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(f"{name!r} is no module name") from None
        raise StrategyError(f"importing {name} failed: {blame(error)}") from error
    except (Exception, SystemExit) as error:
        raise StrategyError(f"importing {name} failed: {blame(error)}") from error


def _module_of_file(path: Path) -> ModuleType:
    source = _read(path)
    path = path.resolve()
    # The name carries the content: an unchanged file is executed once a process, a changed one afresh.
    digest = hashlib.sha256(str(path).encode(errors="surrogateescape") + b"\0" + source).hexdigest()
    name = f"mmbt_strategy_{digest[:16]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and pydantic look their module up while classes are made
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    except BaseException as error:
        del sys.modules[name]  # half a module must not be found the next time
        if not isinstance(error, Exception | SystemExit):
            raise
        raise StrategyError(f"importing {path} failed: {blame(error, str(path))}") from error
    return module


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        try:
            near = did_you_mean(path.name, [other.name for other in path.parent.glob("*.py")])
        except OSError:
            near = ""
        raise UsageError(f"there is no file {str(path)!r}{near}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot read the strategy {str(path)!r}: {reason}") from error


def _classes_in(path: Path) -> list[str]:
    # Read, not executed: the person has not said yet what to run.
    source = _read(path)
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.bases]


def _suggest(place: str, classes: list[str]) -> str:
    if not classes:
        return f": write {place}:Class"
    return f"; did you mean {' or '.join(f'{place}:{name}' for name in classes)}?"
