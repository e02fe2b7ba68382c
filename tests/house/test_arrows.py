"""The arrows between rooms: who may know whom, read from every import and cimport."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Floors of the machine. A module that is not named is a part: it may use types and other parts, in no circle.
PART = 1
FLOORS = {
    "types": 0, "synthetic": PART, "comparison": 2,
    "venue": 2, "accounts": 3, "sight": 3, "arrivals": 3, "desk": 3, "told": 3, "native": 4, "quoter": 5, "context": 5,
    "shown": 6, "state": 5, "feed": 6, "observe": 6, "columns": 6, "copies": 6, "fetch": 6, "parts": 7, "replay": 7,
    "windows": 7, "leap": 8, "events": 8, "lone": 9, "loop": 10, "decisions": 11, "hooks": 11, "answers": 11,
    "instants": 5, "observation": 12, "grid": 12, "fleet": 13, "simulator": 12, "vector": 14, "__init__": 15,
}

# Rooms of mmbt that a room never reaches, and whether it may know the machine.
FORBIDDEN = {
    "formats": {"strategies", "backtest", "report", "testing", "synth", "cli", "cysim"},
    "store": {"strategies", "backtest", "report", "testing", "synth", "cli", "cysim"},
    "portfolio": {"strategies", "backtest", "report", "formats", "store", "testing", "synth", "cli", "cysim"},
    "report": {"strategies", "backtest", "formats", "store", "testing", "synth", "cli", "cysim"},
    "synth": {"strategies", "backtest", "report", "testing", "store", "cli", "cysim"},
    "synthetic": {"strategies", "backtest", "report", "formats", "store", "testing", "synth", "cli"},
    "strategies": {"formats", "store", "report", "synth", "cli"},
    "backtest": {"formats", "report", "synth", "testing", "cli"},
    "testing": {"cli", "report"},
    "theory": {"formats", "store", "strategies", "backtest", "portfolio", "report", "synth", "synthetic", "testing",
               "envs", "learn", "cli", "cysim"},
    "envs": {"formats", "report", "synth", "testing", "theory", "learn", "cli"},
    "learn": {"strategies", "backtest", "report", "formats", "testing", "synth", "theory", "exact_models", "cli"},
}

# Rooms of which a room may know some modules only.
NARROW = {
    ("learn", "store"): {"mmbt.store.files"},  # how files are written whole
}


class Use(NamedTuple):
    source: Path
    line: int
    name: str
    typing_only: bool


def package_of(source: Path) -> list[str]:
    parts = source.relative_to(ROOT).parts
    return list(parts[parts[0] == "src" : -1])


def python_uses(source: Path) -> Iterator[Use]:
    """Every absolute name a Python file imports; relative imports are resolved."""
    package = package_of(source)

    def walk(node: ast.AST, typing_only: bool) -> Iterator[Use]:
        for child in ast.iter_child_nodes(node):
            inside = typing_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
            if isinstance(child, ast.Import):
                yield from (Use(source, child.lineno, alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = [*package[: len(package) - child.level + 1]] if child.level else []
                base += child.module.split(".") if child.module else []
                yield from (Use(source, child.lineno, ".".join([*base, alias.name]), inside) for alias in child.names)
            else:
                yield from walk(child, inside)

    yield from walk(ast.parse(source.read_text(encoding="utf-8")), False)


IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+\(?([\w, ]*)|c?import\s+([\w., ]+))")


def cython_uses(source: Path) -> Iterator[Use]:
    """Every absolute name a Cython file imports or cimports; relative ones are resolved."""
    package = package_of(source)
    for number, text in enumerate(source.read_text(encoding="utf-8").splitlines(), 1):
        match = IMPORT.match(text)
        if not match:
            continue
        if match[3]:
            yield from (Use(source, number, name.split(" as ")[0].strip(), False) for name in match[3].split(","))
            continue
        base = match[1]
        if base.startswith("."):
            level = len(base) - len(base.lstrip("."))
            base = ".".join([*package[: len(package) - level + 1], *filter(None, [base.lstrip(".")])])
        names = [name.split(" as ")[0].strip() for name in match[2].split(",")]
        yield from (Use(source, number, f"{base}.{name}" if name else base, False) for name in names or [""])


def uses(*patterns: str) -> list[Use]:
    found: list[Use] = []
    for pattern in patterns:
        for source in sorted(ROOT.glob(pattern)):
            found += python_uses(source) if source.suffix in {".py", ".pyi"} else cython_uses(source)
    return found


def told(bad: list[Use]) -> str:
    return "\n".join(f"{use.source.relative_to(ROOT)}:{use.line} uses {use.name}" for use in bad)


MACHINE = uses("cysim/**/*.py", "cysim/**/*.pyi", "cysim/**/*.pyx", "cysim/**/*.pxd")
PEOPLE = uses("src/mmbt/**/*.py", "src/mmbt/**/*.pyi", "src/mmbt/**/*.pyx", "src/mmbt/**/*.pxd")


def room(source: Path) -> str:
    parts = source.relative_to(ROOT / "src" / "mmbt").parts
    return parts[0].removesuffix(".py")


def reached(use: Use) -> str:
    """The room a use reaches: cysim, a room of mmbt, or an empty string for anything else."""
    parts = use.name.split(".")
    if parts[0] == "cysim":
        return "cysim"
    return parts[1] if parts[0] == "mmbt" and len(parts) > 1 else ""


def test_the_machine_never_knows_the_people() -> None:
    bad = [use for use in MACHINE if use.name.split(".")[0] == "mmbt" and not use.typing_only]
    assert not bad, told(bad)


@pytest.mark.parametrize("library", ["pandas", "pyarrow", "tensorflow", "numpy", "time", "datetime", "io", "logging"])
def test_the_machine_has_no_files_no_tables_and_no_clock(library: str) -> None:
    bad = [use for use in MACHINE if use.name.split(".")[0] == library and use.source.suffix != ".pyi"
           and not use.typing_only]
    assert not bad, told(bad)


def test_inside_the_machine_arrows_point_down() -> None:
    bad = []
    for use in MACHINE:
        module, (package, *inner) = use.source.stem, use.name.split(".")
        if package != "cysim" or not inner or inner[0] == module:
            continue
        mine, its = FLOORS.get(module, PART), FLOORS.get(inner[0], PART)
        if its > mine or (its == mine and mine != PART):
            bad.append(use)
    assert not bad, told(bad)


def test_the_machines_modules_form_no_circle() -> None:
    edges: dict[str, set[str]] = {}
    for use in MACHINE:
        module, parts = use.source.stem, use.name.split(".")
        if parts[0] == "cysim" and len(parts) > 1 and use.source.suffix in {".pyx", ".pxd"} and parts[1] != module:
            edges.setdefault(module, set()).add(parts[1])

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "circle: " + " -> ".join([*path, module])
        for target in edges.get(module, ()):
            walk(target, (*path, module))

    for module in list(edges):
        walk(module, ())


def test_nobody_imports_the_command_line() -> None:
    bad = [use for use in PEOPLE if reached(use) == "cli" and room(use.source) not in {"cli", "__main__"}]
    assert not bad, told(bad)


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_a_room_reaches_only_what_it_may(name: str) -> None:
    forbidden = FORBIDDEN[name]
    bad = [use for use in PEOPLE if room(use.source) == name and reached(use) in forbidden and not use.typing_only]
    assert not bad, told(bad)


@pytest.mark.parametrize(("name", "other"), sorted(NARROW))
def test_a_room_knows_some_modules_of_another_only(name: str, other: str) -> None:
    mine = [use for use in PEOPLE if room(use.source) == name and reached(use) == other]
    bad = [use for use in mine if not any(use.name.startswith(module + ".") for module in NARROW[name, other])]
    assert mine, f"{name} no longer knows {other}: forbid it"
    assert not bad, told(bad)


def test_the_reference_simulator_shares_no_code_with_the_machine() -> None:
    reference = [use for use in PEOPLE if "reference" in (*use.source.parts, use.source.stem)]
    bad = [use for use in reference if reached(use) in {"cysim", "backtest"}]
    assert reference, "the reference simulator was not found"
    assert not bad, told(bad)


def test_files_at_the_root_of_mmbt_know_no_room_at_import() -> None:
    tree = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "src/mmbt").glob("*.py"))}
    rooms = {path.name for path in (ROOT / "src/mmbt").iterdir() if path.is_dir()}
    bad = []
    for path, module in tree.items():
        if path.name in {"__init__.py", "__main__.py"}:
            continue
        for node in module.body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
            bad += [f"{path.name}:{node.lineno} {name}" for name in names
                    if name.startswith("cysim") or (name.startswith("mmbt.") and name.split(".")[1] in rooms)]
    assert not bad, "\n".join(bad)
