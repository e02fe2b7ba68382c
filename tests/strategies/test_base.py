"""The interface itself: mistakes in a class are told where the class is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mmbt import Strategy, StrategyParams
from mmbt.strategies.base import HOOKS


class Typed(Strategy):
    """A strategy with every kind of plain parameter."""

    class Params(StrategyParams):
        size: int = 1
        ratio: float = 0.5
        on: bool = False
        limit: int | None = None
        names: tuple[str, ...] = ()

    interval = "1s"


def test_a_misspelt_hook_is_refused_at_its_definition() -> None:
    with pytest.raises(TypeError, match=r"Slip\.on_timmer is no hook; did you mean 'on_timer'"):
        type("Slip", (Strategy,), {"on_timmer": lambda self, ctx: None})


def test_a_hook_of_a_later_version_is_refused_rather_than_ignored() -> None:
    with pytest.raises(TypeError, match="on_client is no hook"):
        type("Dealer", (Strategy,), {"on_client": lambda self, ctx, request: None})


def test_params_must_be_a_model_of_ours() -> None:
    with pytest.raises(TypeError, match="must be a class derived from StrategyParams"):
        type("Loose", (Strategy,), {"Params": dict})


@pytest.mark.parametrize("hook", HOOKS)
def test_only_hooks_of_the_class_or_its_bases_count(hook: str) -> None:
    base = type("Base", (Strategy,), {hook: lambda self, *args: None})
    derived = type("Derived", (base,), {})
    assert [name for name in HOOKS if base.overrides(name)] == [hook]
    assert [name for name in HOOKS if derived.overrides(name)] == [hook]
    assert not Strategy.overrides(hook)


@pytest.mark.parametrize("values", [
    {"size": True}, {"ratio": False}, {"limit": True}, {"size": 1.5}, {"ratio": float("nan")}, {"ratio": float("inf")},
    {"size": float("nan")}, {"siez": 1}, {"size": None}, {"on": 2},
])
def test_s13_a_wrong_value_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        Typed(**values)


def test_truth_values_go_where_they_belong() -> None:
    assert Typed(on=True).params.on is True


def test_params_are_frozen_and_may_be_handed_over_whole() -> None:
    params = Typed.Params(size=3)
    assert Typed(params).params is params
    with pytest.raises(ValidationError, match="frozen"):
        params.size = 4


def test_params_of_another_strategy_are_refused() -> None:
    with pytest.raises(TypeError, match=r"takes Typed\.Params"):
        Typed(StrategyParams())


def test_params_and_fields_together_are_refused() -> None:
    with pytest.raises(TypeError, match="not both"):
        Typed(Typed.Params(), size=2)


def test_the_interval_is_of_the_class_or_of_the_params() -> None:
    class Own(Strategy):
        class Params(StrategyParams):
            interval: str | int = "250ms"

    assert Typed().interval_ns == 10**9
    assert Own().interval_ns == 250 * 10**6
    assert Own(interval=7).interval_ns == 7
    assert Strategy().interval_ns == 0


@pytest.mark.parametrize("interval", ["soon", "0s", 0, -5, "1.5ns", "1000000d", 2**62, True, 1.0])
def test_an_interval_that_is_no_positive_duration_is_refused(interval: Any) -> None:
    cls = type("Odd", (Strategy,), {"interval": interval})
    with pytest.raises(ValueError, match=r"Odd\.interval"):
        _ = cls().interval_ns


def test_a_timer_hook_without_an_interval_is_refused() -> None:
    cls = type("Asleep", (Strategy,), {"on_timer": lambda self, ctx: None})
    with pytest.raises(ValueError, match="would never be called"):
        _ = cls().interval_ns
