"""Every clause of the law has a test named after it, and every planted bug still has a place to be planted."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAW = (ROOT / "docs" / "reference" / "simulator.md").read_text("utf-8")
CLAUSES = re.findall(r"^\*\*([UOFAMB][0-9]+)\. ", LAW, re.M) + re.findall(r"^\*\*([UOFAMB][0-9]+)\. `", LAW, re.M)
MUTANTS = tomllib.loads((ROOT / "tools" / "mutants.toml").read_text("utf-8"))["mutant"]


def _names_of_tests() -> list[str]:
    names = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        names += [name for name in functions if name.startswith("test_")]
    return names


TESTS = _names_of_tests()


@pytest.mark.parametrize("clause", sorted(set(CLAUSES)))
def test_a_clause_has_a_test_of_its_name(clause: str) -> None:
    assert [name for name in TESTS if re.search(rf"(?i)_{clause}(_|$)", name)]


def test_the_law_has_all_its_clauses() -> None:
    counts = {"U": 4, "O": 7, "F": 5, "A": 7, "M": 5, "B": 1}
    assert {letter: sum(clause[0] == letter for clause in set(CLAUSES)) for letter in counts} == counts


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant["name"] for mutant in MUTANTS])
def test_a_mutant_applies(mutant: dict[str, str]) -> None:
    source = (ROOT / mutant["file"]).read_text("utf-8")
    assert source.count(mutant["find"]) == 1
    assert mutant["find"] != mutant["replace"]
    assert mutant["clause"] in CLAUSES


def test_every_mutant_can_be_planted() -> None:
    spec = importlib.util.spec_from_file_location("plant", ROOT / "tools" / "plant.py")
    assert spec is not None
    assert spec.loader is not None
    plant = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plant)
    sources = {mutant["file"]: (ROOT / mutant["file"]).read_text("utf-8") for mutant in MUTANTS}
    planted, faults = plant.plant(sources, [plant.Mutant(**mutant) for mutant in MUTANTS])
    assert not faults
    for mutant in MUTANTS:
        assert f"__{mutant['name']}(" in planted[mutant["file"]]
        assert mutant["replace"] in planted[mutant["file"]]


def test_at_least_a_dozen_mutants_of_different_names() -> None:
    assert len({mutant["name"] for mutant in MUTANTS}) == len(MUTANTS) >= 12
