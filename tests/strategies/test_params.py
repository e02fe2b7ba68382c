"""Parameters from the command line and from files: read as meant, or refused with all mistakes at once."""

from __future__ import annotations

import enum
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from mmbt import Strategy, StrategyParams
from mmbt.errors import FileError, UsageError
from mmbt.strategies.params import Depth, Interval, Lots, PositionLimit, Ticks, describe, make_params, parse_value


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


class Many(Strategy):
    """A strategy with many parameters.

    And a longer text.
    """

    class Params(StrategyParams):
        half_spread_ticks: Depth = Field(1.0, description="distance from the mid")
        skew: Ticks = 0.0
        size: Lots = 1
        interval: Interval = "100ms"
        max_position: PositionLimit = None
        label: str = "x"
        weights: tuple[float, ...] = (1.0,)
        rate: Decimal = Decimal("0.1")
        side: Side = Side.BUY
        mode: Literal["fast", "slow"] = "fast"
        loud: bool = False
        needed: int = Field()

        @model_validator(mode="after")
        def _consistent(self) -> Many.Params:
            if self.size > 100 and not self.loud:
                raise ValueError("a size above 100 must be loud")
            return self


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1), ("-3", -3), ("1_000", 1000), ("0x10", 16), ("1.5", 1.5), ("1e3", 1000.0), ("true", True),
    ("100ms", "100ms"), ('"1"', "1"), ("'a b'", "a b"), ("[1, 2]", [1, 2]), ('["a", "b"]', ["a", "b"]), ("none", None),
    ("None", None), (" 7 ", 7), ("", ""), ("a=b", "a=b"), ("True", "True"), ("1 2", "1 2"), ("{a = 1}", {"a": 1}),
    ("1\nother = 2", "1\nother = 2"), ("[" * 5000, "[" * 5000), ("BTC/USD_T+0", "BTC/USD_T+0"), ("#fff", "#fff"),
])
def test_text_is_read_as_one_toml_value_or_stays_text(text: str, value: object) -> None:
    read = parse_value(text)
    assert read == value
    assert type(read) is type(value)


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_value(text)


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_numbers_and_truth_values_survive_the_way_through_text(value: object) -> None:
    assert parse_value(str(value).lower()) == value


@pytest.mark.parametrize(("pair", "field", "value"), [
    ("half_spread_ticks=2", "half_spread_ticks", 2.0),
    ("half-spread-ticks=2.5", "half_spread_ticks", 2.5),
    ("skew=-0.5", "skew", -0.5),
    ("size=1e2", "size", 100),
    ("interval=250ms", "interval", "250ms"),
    ("interval=5", "interval", 5),
    ("max_position=none", "max_position", None),
    ("max_position=7", "max_position", 7),
    ("label=3", "label", "3"),
    ("label=true", "label", "true"),
    ("label=none", "label", "none"),
    ("label=a=b", "label", "a=b"),
    ('label="quoted"', "label", "quoted"),
    ("weights=[1, 2.5]", "weights", (1.0, 2.5)),
    ("rate=0.3", "rate", Decimal("0.3")),
    ("side=sell", "side", Side.SELL),
    ("mode=slow", "mode", "slow"),
    ("loud=true", "loud", True),
])
def test_a_pair_reaches_its_field(pair: str, field: str, value: object) -> None:
    assert getattr(make_params("many", Many, [pair, "needed=1"]), field) == value


def test_a_text_field_may_look_like_a_number_beside_a_mistake() -> None:
    with pytest.raises(UsageError) as caught:
        make_params("many", Many, ["label=3", "size=0", "needed=1"])
    assert "size = 0" in str(caught.value)
    assert "label" not in str(caught.value).split("its parameters are")[0]


def test_all_mistakes_are_reported_at_once() -> None:
    pairs = ["half_spread_ticks=-1", "siez=2", "size=true", "interval=soon", "max_position=0", "skew=nan",
             "mode=medium", "oops"]
    with pytest.raises(UsageError) as caught:
        make_params("many", Many, pairs)
    said = str(caught.value)
    for part in ("strategy many: 9 mistakes", "half_spread_ticks = -1: must be greater than or equal to 0",
                 "siez: unknown parameter; did you mean 'size'", "size = True: must not be true or false",
                 "interval = 'soon'", "max_position = 0", "skew = nan: must be a finite number", "'fast' or 'slow'",
                 "oops: write name=value", "needed: is missing", "no default", "lots", "default '100ms'"):
        assert part in said, said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("pairs", [["half_spread_ticks=inf"], ["half_spread_ticks=1e400"], ["skew=1e300"], ["size=1.5"],
                                   ["size=99999999999999999999"], ["interval=0"], ["interval=-1s"],
                                   ["interval=1000000d"], ["weights=1"],
                                   ["size="], ["=1"], ["loud=2"], ["max_position=-1"], ["size=1", "size=2"]])
def test_s13_each_of_these_is_a_mistake(pairs: list[str]) -> None:
    with pytest.raises(UsageError, match=r"a mistake in the parameters"):
        make_params("many", Many, [*pairs, "needed=1"])


def test_a_rule_about_several_parameters_speaks_for_itself() -> None:
    with pytest.raises(UsageError, match="a size above 100 must be loud"):
        make_params("many", Many, ["size=101", "needed=1"])
    assert make_params("many", Many, ["size=101", "loud=true", "needed=1"]).model_dump()["size"] == 101


def test_control_characters_of_a_terminal_are_escaped() -> None:
    with pytest.raises(UsageError) as caught:
        make_params("many", Many, ["\x1b[31mred=1", "needed=\x1b[0m"])
    assert "\x1b" not in str(caught.value)


def test_a_mapping_is_taken_as_it_is() -> None:
    assert make_params("many", Many, {"needed": 2, "label": "3"}).model_dump()["label"] == "3"
    with pytest.raises(UsageError, match="label = 3"):
        make_params("many", Many, {"needed": 2, "label": 3})


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text('needed = 4\nsize = 5\ninterval = "1s"\n', encoding="utf-8")
    params: Any = make_params("many", Many, ["size=6"], file)
    assert (params.needed, params.size, params.interval) == (4, 6, "1s")


def test_a_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "params.toml"
    file.write_text("needed = 4\nhalf_spread = 5\n", encoding="utf-8")
    with pytest.raises(UsageError, match="half_spread: unknown parameter; did you mean 'half_spread_ticks'"):
        make_params("many", Many, (), file)


def test_a_missing_or_foreign_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot read the parameters in"):
        make_params("many", Many, (), tmp_path / "absent.toml")
    file = tmp_path / "params.toml"
    file.write_text("size: 5\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is no TOML file"):
        make_params("many", Many, (), file)


def test_describe_tells_type_default_unit_bounds_and_meaning() -> None:
    told = describe(Many)
    fields = {parameter.name: parameter for parameter in told.parameters}
    assert told.summary == "A strategy with many parameters."
    assert told.doc.endswith("And a longer text.")
    assert told.interval == "100ms"
    assert fields["half_spread_ticks"][1:] == ("float", 1.0, False, "ticks", ">= 0, < 2^40", "distance from the mid")
    assert fields["skew"].bounds == "> -2^40, < 2^40"
    assert fields["max_position"][1:6] == ("int | none", None, False, "lots", ">= 1, < 2^40")
    assert fields["interval"][1:6] == ("duration", "100ms", False, "", "")
    assert fields["weights"].type == "tuple[float, ...]"
    assert fields["label"].type == "text"
    assert fields["mode"].type == "'fast' | 'slow'"
    assert fields["needed"].required
