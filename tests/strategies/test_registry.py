"""Strategies by name, entry point, module and file; nothing runs that was not asked for (X4)."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from mmbt import Strategy
from mmbt.errors import FileError, StrategyError, UsageError
from mmbt.strategies.params import summary
from mmbt.strategies.registry import BUILT_IN, GROUP, available, find, make

SKEW = '''
from mmbt import Strategy, StrategyParams


class Skew(Strategy):
    """Lean against the position."""

    class Params(StrategyParams):
        size: int = 1

    interval = "1s"


class Other:
    pass


NUMBER = 3
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs a distribution with entry points, as pip would."""

    def install(name: str, source: str, **entries: str) -> Path:
        site = tmp_path / f"site-{name}"
        info = site / f"{name}-1.2.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(source, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", encoding="utf-8")
        lines = [f"[{GROUP}]", *(f"{key.replace('_', '-')} = {value}" for key, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return site / f"{name}.py"

    return install


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_is_found_and_summed_up_by_its_own_docstring(name: str) -> None:
    cls = find(name)
    assert issubclass(cls, Strategy)
    assert BUILT_IN[name][1] == summary(cls)
    if name != "dqn":  # which needs a model
        assert make(name).interval_ns == {"no-quotes": 0, "base-model": 10**9}.get(name, 10**8)


def test_the_built_in_are_those_of_the_law() -> None:
    assert sorted(BUILT_IN) == ["avellaneda-stoikov", "base-model", "cartea-jaimungal", "dqn", "fixed-spread",
                                "imbalance-skew", "ladder", "linear-skew", "no-quotes", "random"]
    assert [entry.name for entry in available() if entry.origin == "built in"] == sorted(BUILT_IN)


def test_listing_imports_no_strategy_and_nothing_heavy() -> None:
    code = ("import sys; from mmbt.strategies.registry import available; available(); "
            "print([m for m in sys.modules if m in ('mmbt.strategies.ladder', 'cysim', 'numpy', 'pandas', 'pyarrow')])")
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


def test_an_unknown_name_gets_close_ones() -> None:
    with pytest.raises(UsageError, match="there is no strategy 'linear-skw'; did you mean 'linear-skew'") as caught:
        find("linear-skw")
    assert caught.value.exit_code == 2
    assert "path.py:Class" in str(caught.value)


def test_x4_a_bare_name_never_runs_a_file_that_lies_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("open('marker', 'w').close()\n" + SKEW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"to run the file here, write evil\.py:Class"):
        find("evil")
    with pytest.raises(UsageError, match="names no class"):
        find("evil.py")
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("spec", ["", ":", "a:", ":B", "a b:C", "..x:C", "a..b:C", "no_such_module:C", "os.nothing:C",
                                  "nothing here", "\x1b[31m"])
def test_nonsense_is_a_usage_error(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(spec)
    assert "\x1b" not in str(caught.value)


# --- entry points ----------------------------------------------------------------------------------------------------


def test_an_entry_point_is_listed_unseen_and_found(package: Callable[..., Path]) -> None:
    marker = package("skewers", "raise_if_listed = 1\n" + SKEW, their_skew="skewers:Skew").with_suffix(".marker")
    module = marker.with_suffix(".py")
    module.write_text(f"open({str(marker)!r}, 'w').close()\n" + SKEW, encoding="utf-8")
    assert ("their-skew", "skewers 1.2", "skewers:Skew") in available()
    assert not marker.exists()
    assert find("their-skew").__name__ == "Skew"
    assert marker.exists()
    assert make("their-skew", ["size=4"]).params.size == 4
    with pytest.raises(UsageError, match="did you mean 'their-skew'"):
        find("their-skwe")


def test_two_packages_with_one_name_are_told_apart(package: Callable[..., Path]) -> None:
    package("one_p", SKEW, twice="one_p:Skew")
    package("two_p", SKEW, twice="two_p:Skew")
    with pytest.raises(UsageError, match=r"installed more than once: write one of one_p:Skew .*, two_p:Skew"):
        find("twice")
    assert find("two_p:Skew").__module__ == "two_p"


def test_a_built_in_is_not_replaced_by_a_package(package: Callable[..., Path]) -> None:
    package("usurper", SKEW, ladder="usurper:Skew")
    assert find("ladder").__name__ == "Ladder"
    assert any("hidden by the built-in ladder" in entry.origin for entry in available())


def test_a_package_that_raises_is_blamed_by_name_and_line(package: Callable[..., Path]) -> None:
    package("broken_p", "x = 1\nraise RuntimeError('no licence')\n", broken="broken_p:Skew")
    with pytest.raises(StrategyError, match=r"(?s)broken_p 1\.2.*line 2.*no licence"):
        find("broken")


def test_an_entry_point_that_is_no_strategy_is_told(package: Callable[..., Path]) -> None:
    package("odd_p", SKEW, odd="odd_p:Other")
    with pytest.raises(UsageError, match="does not derive from"):
        find("odd")


# --- modules ---------------------------------------------------------------------------------------------------------


def test_a_class_of_a_module_is_found() -> None:
    assert find("mmbt.strategies.ladder:Ladder") is find("ladder")


def test_a_missing_module_with_a_file_of_that_name_points_at_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_alone.py").write_text(SKEW, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"write mine_alone\.py:Class"):
        find("mine_alone:Skew")


def test_a_module_whose_own_import_is_missing_is_blamed(package: Callable[..., Path]) -> None:
    package("needy", "import no_such_thing_at_all\n")
    with pytest.raises(StrategyError, match=r"(?s)needy.*line 1.*no_such_thing_at_all"):
        find("needy:Skew")


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def skew(tmp_path: Path) -> Path:
    path = tmp_path / "my skew.py"
    path.write_text(SKEW, encoding="utf-8")
    return path


def test_a_class_of_a_file_is_found_and_leaves_nothing_beside_it(skew: Path) -> None:
    strategy = make(f"{skew}:Skew", ["size=2"])
    assert strategy.params.size == 2
    assert strategy.interval_ns == 10**9
    assert [path.name for path in skew.parent.iterdir()] == ["my skew.py"]


def test_an_unchanged_file_runs_once_and_a_changed_one_afresh(skew: Path) -> None:
    first = find(f"{skew}:Skew")
    assert find(f"{skew}:Skew") is first
    skew.write_text(SKEW.replace("size: int = 1", "size: int = 9"), encoding="utf-8")
    assert find(f"{skew}:Skew")().params.size == 9


def test_a_file_is_kept_when_found_while_another_error_is_handled(skew: Path) -> None:
    try:
        raise KeyError("of somebody else")
    except KeyError:
        first = find(f"{skew}:Skew")
    assert find(f"{skew}:Skew") is first


def test_ctrl_c_while_importing_passes_and_leaves_no_half_module(tmp_path: Path) -> None:
    path = tmp_path / "slow.py"
    path.write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            find(f"{path}:A")


def test_a_relative_path_is_taken_from_here(skew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(skew.parent)
    assert find("my skew.py:Skew").__name__ == "Skew"
    assert find("./my skew.py:Skew") is find(f"{skew}:Skew")


@pytest.mark.parametrize(("name", "said"), [
    ("Skwe", "has no class 'Skwe'; did you mean 'Skew'"),
    ("Zzz", "has no class 'Zzz': its strategies are Skew"),
    ("Other", r"does not derive from mmbt\.Strategy: write `class Other\(Strategy\)`"),
    ("NUMBER", "is no class but int"),
    ("Strategy", "is the base class"),
    ("", "names no class; did you mean .*my skew.py:Skew"),
])
def test_a_wrong_class_of_a_file_is_told(skew: Path, name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find(f"{skew}:{name}")


def test_a_missing_file_is_a_usage_error_with_close_names(skew: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no file .*my skwe\.py.*did you mean 'my skew\.py'"):
        find(f"{skew.with_name('my skwe.py')}:Skew")
    with pytest.raises(UsageError, match="there is no file"):
        find(f"{skew.parent / 'no' / 'such.py'}:Skew")


def test_a_directory_is_no_strategy(tmp_path: Path) -> None:
    (tmp_path / "dir.py").mkdir()
    with pytest.raises(FileError, match="cannot read the strategy"):
        find(f"{tmp_path / 'dir.py'}:Skew")


@pytest.mark.parametrize(("source", "line", "said"), [
    ("import os\n\n\ndef f():\n    return 1 / 0\n\n\nf()\n", 5, "ZeroDivisionError"),
    ("x = 1\nimport no_such_module_here\n", 2, "no_such_module_here"),
    ("x = 1\n\ny = (\n", 3, "SyntaxError"),
    ("import sys\nsys.exit(0)\n", 2, "SystemExit"),
    ("from mmbt import Strategy\nclass A(Strategy):\n    def on_tick(self, ctx): ...\n", 2, "on_tick is no hook"),
    ("x = '\0'\n", None, "null bytes"),
    ("# coding: latin-9000\n", None, "SyntaxError"),
])
def test_s16_an_error_while_importing_keeps_the_users_line(
    tmp_path: Path, source: str, line: int | None, said: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(StrategyError, match=said) as caught:
        find(f"{path}:A")
    assert caught.value.exit_code == 5
    assert "bad.py" in str(caught.value)
    assert line is None or f"bad.py, line {line}" in str(caught.value)
    cause = caught.value.__cause__
    assert cause is not None
    if line and not isinstance(cause, SyntaxError):
        assert (str(path), line) in [(f.filename, f.lineno) for f in traceback.extract_tb(cause.__traceback__)]
    assert not [name for name in sys.modules if name.startswith("mmbt_strategy_") and name.endswith("_bad")]


def test_s16_an_error_in_the_constructor_is_the_strategys(tmp_path: Path) -> None:
    path = tmp_path / "ctor.py"
    bad = "class Bad(Skew):\n    def __init__(self, params=None):\n        self.x = {}['k']\n"
    path.write_text(SKEW + bad, encoding="utf-8")
    with pytest.raises(StrategyError, match=r"(?s)ctor\.py, line \d+: self\.x.*KeyError") as caught:
        make(f"{path}:Bad")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_constructor_that_drops_the_parameters_is_told(tmp_path: Path) -> None:
    path = tmp_path / "drops.py"
    path.write_text(SKEW + "class Drops(Skew):\n    def __init__(self, params=None):\n        self.x = 1\n", "utf-8")
    with pytest.raises(StrategyError, match=r"drops its parameters: Drops\.__init__ must"):
        make(f"{path}:Drops")


def test_a_missing_interval_is_told_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "asleep.py"
    path.write_text("from mmbt import Strategy\nclass A(Strategy):\n    def on_timer(self, ctx): ...\n", "utf-8")
    with pytest.raises(StrategyError, match="has on_timer but no interval"):
        make(f"{path}:A")


def test_annotations_and_dataclasses_of_a_file_resolve(tmp_path: Path) -> None:
    path = tmp_path / "modern.py"
    path.write_text("""
from __future__ import annotations
from dataclasses import dataclass
from mmbt import Strategy, StrategyParams
from mmbt.strategies.params import Lots

@dataclass
class Memory:
    seen: dict[str, int]

class Modern(Strategy):
    class Params(StrategyParams):
        size: Lots = 2
""", encoding="utf-8")
    assert make(f"{path}:Modern", ["size=3"]).params.size == 3
