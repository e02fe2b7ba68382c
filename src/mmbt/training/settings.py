"""All options of a training as one flat list of names, as `-S name=value` and TOML files give them.

The parts know nothing of each other; here each field of a part is a field of the whole, under its own name or the one
in `_RENAMED`.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from mmbt.envs.actions import ActionGrid
from mmbt.envs.options import MarketOptions
from mmbt.envs.rewards import RewardRule
from mmbt.envs.split import SplitOptions
from mmbt.errors import UsageError
from mmbt.exact_models import BaseModelParams, ExactMarketParams
from mmbt.learn.options import LearnerOptions
from mmbt.learn.schedule import ScheduleOptions
from mmbt.strategies.params import Parameter, fill_params, parameters_of
from mmbt.units import duration_ns

__all__ = ["MODELS", "RECORDED", "Settings", "describe_settings", "model_steps", "parse_settings"]

RECORDED = "recorded"
MODELS: dict[str, type[ExactMarketParams] | type[BaseModelParams]] = {
    "exact-market": ExactMarketParams, "base-model": BaseModelParams}

# Where a part's own name would say too little among all others.
_RENAMED = {(RewardRule, "kind"): "reward", (ActionGrid, "name"): "grid"}
_NESTED = {(MarketOptions, "actions"), (MarketOptions, "reward")}  # parts of their own here

_Part = TypeVar("_Part", bound=BaseModel)


class WorldSize(BaseModel):
    """How many markets are stepped together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    markets: int = Field(512, ge=1, le=2**20, description="markets that are stepped together")


class RecordedSize(BaseModel):
    """How many simulators are stepped together, in training and in validation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    markets: int = Field(128, ge=1, le=2**20, description="simulators that are stepped together")
    validation_window: int = Field(3600, ge=2, le=10**6, description="decisions of a window of validation, at most")


class Settings:
    """The options of a training.

    Parameters
    ----------
    market
        `recorded`, or the name of an exact model.
    values
        All of them by their flat names.

    Raises
    ------
    UsageError
        When they contradict one another, with every mistake.
    """

    def __init__(self, market: str, values: Mapping[str, Any]) -> None:
        self.market, self.values = market, dict(values)
        mistakes: list[str] = []

        def part(kind: type[_Part], **nested: Any) -> _Part:
            own = {name: values[flat] for name, flat in _names(kind).items()}
            try:
                return kind(**own, **nested)
            except ValidationError as error:
                mistakes.extend(item["msg"].removeprefix("Value error, ") for item in error.errors(include_url=False))
                return kind.model_construct(**own, **nested)

        self.learner = part(LearnerOptions)
        if market == RECORDED:
            self.schedule = part(ScheduleOptions)
            self.split, size = part(SplitOptions), part(RecordedSize)
            self.markets, self.validation_window = size.markets, size.validation_window
            self.options = part(MarketOptions, actions=part(ActionGrid), reward=part(RewardRule))
        else:
            self.params, self.schedule = part(MODELS[market]), ScheduleOptions()
            self.markets = part(WorldSize).markets
        if mistakes:
            raise UsageError("\n  ".join([f"{_title(market)}: options that do not fit one another", *mistakes]))

    def dump(self) -> dict[str, Any]:
        """By name, as JSON has them."""
        flat = _flat_model(self.market)
        dumped: dict[str, Any] = flat.model_construct(**self.values).model_dump(mode="json")
        return dumped

    @property
    def hash(self) -> str:
        """SHA-256 of market and options."""
        text = json.dumps([self.market, self.dump()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def parse_settings(
    market: str, overrides: Sequence[str] = (), toml: Path | None = None, *, base: Mapping[str, Any] | None = None
) -> Settings:
    """Settings from texts `name=value`, which win over a TOML file, and that over `base` or the defaults.

    Raises
    ------
    UsageError
        Naming every option that is unknown or wrong, with what is expected.
    FileError
        When the TOML file cannot be read.
    """
    flat = _flat_model(market, base or {})
    found = fill_params(_title(market), flat, overrides, toml)
    values = {name: getattr(found, name) for name in flat.model_fields}
    if market in MODELS and base is None and "steps" not in found.model_fields_set:
        values["steps"] = model_steps(values["delay"])
    return Settings(market, values)


def model_steps(delay: int) -> int:
    """Steps of a training on an exact model unless others are asked for: as many again for each step of delay."""
    default: int = LearnerOptions.model_fields["steps"].default
    return default * (1 + delay)


def describe_settings(market: str) -> tuple[Parameter, ...]:
    """All options of a training in words."""
    flat = _flat_model(market)
    told = []
    for item in parameters_of(flat):
        rules = flat.model_fields[item.name].metadata
        if any(isinstance(rule, BeforeValidator) and rule.func is duration_ns for rule in rules):
            default = None if item.default is None else f"{item.default / 1e9:g}s"
            item = item._replace(type="duration", bounds="", default=default)
        told.append(item)
    return tuple(told)


def _title(market: str) -> str:
    return "training" if market == RECORDED else f"training on {market}"


def _parts(market: str) -> tuple[type[BaseModel], ...]:
    if market == RECORDED:
        return MarketOptions, RewardRule, ActionGrid, SplitOptions, RecordedSize, ScheduleOptions, LearnerOptions
    return MODELS[market], WorldSize, LearnerOptions


def _names(part: type[BaseModel]) -> dict[str, str]:
    """A part's own names and the flat ones."""
    return {name: _RENAMED.get((part, name), name) for name in part.model_fields if (part, name) not in _NESTED}


def _flat_model(market: str, base: Mapping[str, Any] | None = None) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for part in _parts(market):
        for name, flat in _names(part).items():
            field = part.model_fields[name]
            assert flat not in fields, f"two options are called {flat}"
            kind: Any = field.annotation
            for rule in field.metadata:
                kind = Annotated[kind, rule]
            if part not in MODELS.values() and _is_list(field.annotation):
                kind = Annotated[kind, BeforeValidator(_listed)]
            default = (base or {}).get(flat, field.default)
            fields[flat] = (kind, Field(default, description=field.description))
    return create_model("Settings", __config__=ConfigDict(frozen=True, extra="forbid", validate_default=True), **fields)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(map(_is_list, get_args(annotation)))
    return get_origin(annotation) is tuple


def _listed(value: Any) -> Any:
    """`64,64` and `0.5` beside `[64, 64]` and `[0.5]`."""
    if isinstance(value, str):
        words = value.strip().strip("[](){}").replace(",", " ").split()
        return tuple(words)
    return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value
