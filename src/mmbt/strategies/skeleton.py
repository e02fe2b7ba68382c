"""What `mmbt strategies new` writes: a strategy that quotes, and a test that already passes."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

from mmbt.errors import FileError, UsageError
from mmbt.strategies.registry import BUILT_IN

__all__ = ["write_skeleton"]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_TAKEN = {"Strategy", "StrategyParams", "StrategyConformance", "Field", "Depth", "Interval", "Lots", "Ticks", "Context"}


def write_skeleton(name: str, directory: Path = Path()) -> list[Path]:
    """Write a strategy and its test into a directory, which is made when missing.

    Parameters
    ----------
    name
        Lower-case words joined by ``-`` or ``_``: ``my-skew`` gives the class `MySkew` in ``my_skew.py``.
    directory
        Where the two files go.

    Returns
    -------
    list of Path
        The strategy's file, then the test's. Files that exist are never overwritten.

    Raises
    ------
    UsageError
        When the name cannot be used, or one of the files exists.
    FileError
        When a file cannot be written.
    """
    module, class_name = _names(name)
    texts = {directory / f"{module}.py": "skeleton.py.tmpl", directory / f"test_{module}.py": "skeleton_test.py.tmpl"}
    for path in texts:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{str(path)!r} exists already and is left as it is: choose another name or directory")
    written: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, template in texts.items():
            source = files("mmbt.strategies").joinpath(template).read_text(encoding="utf-8")
            text = Template(source).substitute(name=name, module=module, class_name=class_name)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise FileError(f"cannot write the strategy into {str(directory)!r}: {error.strerror or error}") from error
    return written


def _names(name: str) -> tuple[str, str]:
    if not _NAME.match(name) or len(name) > 64:
        raise UsageError(f"{name!r} is no name for a strategy: write lower-case words joined by '-', such as "
                         f"{_similar(name)!r}")
    module = name.replace("-", "_")
    class_name = "".join(word.capitalize() for word in re.split("[-_]", name))
    if name.replace("_", "-") in BUILT_IN:
        raise UsageError(f"{name!r} is a built-in strategy: choose another name, such as 'my-{name}'")
    if keyword.iskeyword(module) or module in sys.stdlib_module_names or module == "mmbt" or class_name in _TAKEN:
        raise UsageError(f"{name!r} already means something in Python or mmbt: choose another, such as 'my-{name}'")
    return module, class_name


def _similar(name: str) -> str:
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", name)
    likely = "-".join(words).lower()[:64].strip("-")
    return likely if _NAME.match(likely) else "my-strategy"
