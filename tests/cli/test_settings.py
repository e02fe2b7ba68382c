"""`mmbt.toml`: what it sets, and what it may not."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from mmbt.cli import settings
from mmbt.cli.app import main, mmbt
from mmbt.errors import UsageError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("mmbt.toml").write_text(text, encoding="utf-8")


def default_map() -> dict[str, object]:
    return settings.to_default_map(settings.load(), mmbt)


def test_no_file_sets_nothing() -> None:
    assert settings.load() == {}


def test_options_by_command_with_either_spelling() -> None:
    write('[backtest]\nlatency = "5ms"\nmaker_fee = -0.5\nsession-gap = "none"\ninstrument = ["A", "B"]\nseed = 3\n')
    assert default_map() == {
        "backtest": {
            "latency": "5ms",
            "maker_fee": "-0.5",
            "session_gap": "none",
            "instruments": ["A", "B"],
            "seed": "3",
        }
    }


def test_one_value_will_do_where_several_may_stand() -> None:
    write('[backtest]\ninstrument = "A"\n')
    assert default_map() == {"backtest": {"instruments": ["A"]}}


def test_a_subcommand_is_a_section_of_its_group() -> None:
    write('[strategies.new]\ndir = "mine"\n')
    assert main(["strategies", "new", "my-maker"]) == 0
    assert Path("mine/my_maker.py").is_file()


def test_flags_win() -> None:
    write('[strategies.new]\ndir = "mine"\n')
    assert main(["strategies", "new", "my-maker", "--dir", "other"]) == 0
    assert Path("other/my_maker.py").is_file()


def test_every_unknown_name_is_told_at_once() -> None:
    write('[backtst]\nx = 1\n[backtest]\nlatncy = "5ms"\nfees = 1\n[strategies.nwe]\n')
    with pytest.raises(UsageError) as caught:
        default_map()
    lines = str(caught.value).splitlines()
    assert lines == [
        "mmbt.toml: there is no command for the section [backtst]; did you mean 'backtest'?",
        lines[1],
        lines[2],
        "mmbt.toml: there is no command for the section [strategies.nwe]; did you mean 'new'?",
    ]
    assert "unknown key 'latncy' in [backtest]; did you mean 'latency'" in lines[1]
    assert "unknown key 'fees' in [backtest]" in lines[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backtest = 3", "must be a section, written [backtest]"),
        ("[backtest]\nlatency = [1, 2]", "backtest.latency must be a single value"),
        ("[backtest]\njson = true", "unknown key 'json'"),
        ("[backtest\n", "mmbt.toml: "),
        ("[backtest]\na = 1\na = 2\n", "mmbt.toml: "),
    ],
)
def test_what_is_wrong_in_the_file_is_a_usage_error(
    text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(text)
    assert main(["strategies", "ls"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_a_wrong_value_says_that_it_stands_in_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    write('[backtest]\nlatency = "soon"\n')
    assert main(["backtest", "--strategy", "random"]) == 2
    assert "(set in mmbt.toml)" in capsys.readouterr().err


def test_help_is_given_whatever_the_file_holds(capsys: pytest.CaptureFixture[str]) -> None:
    write("[nonsense")
    assert main(["backtest", "--help"]) == 0
    assert main(["--help"]) == 0


def test_an_unreadable_file_is_an_io_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmbt.toml").mkdir()
    assert main(["strategies", "ls"]) == 6


def test_bytes_that_are_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmbt.toml").write_bytes(b"[backtest]\n\xff")
    assert main(["strategies", "ls"]) == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_the_file_never_names_code_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("evil.py").write_text(
        "open('marker', 'w')\nfrom mmbt import Strategy\nclass Evil(Strategy): pass\n", encoding="utf-8"
    )
    for spec in ("evil.py:Evil", "./evil.py:Evil", "evil:Evil"):
        write(f'[backtest]\nstrategy = "{spec}"\n')
        assert main(["backtest"]) == 2
        assert "on the command line" in capsys.readouterr().err
    assert not Path("marker").exists()


def test_every_key_the_file_may_hold_is_an_option(tmp_path: Path) -> None:
    context = click.Context(mmbt)
    command = mmbt.get_command(context, "backtest")
    assert command is not None
    keys = [flag.lstrip("-") for parameter in command.params for flag in parameter.opts if flag.startswith("--")]
    for key in keys:
        if key not in {"json", "debug"}:
            write(f'[backtest]\n{key} = "1"\n')
            assert list(default_map()) == ["backtest"]
