"""What a learner on recorded days decides, sees and is paid."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mmbt.backtest import BacktestConfig
from mmbt.backtest.latency import Constant
from mmbt.envs.actions import ActionGrid
from mmbt.envs.features import MARKET_FEATURES, PRIVATE_FEATURES
from mmbt.envs.rewards import RewardRule
from mmbt.errors import did_you_mean
from mmbt.units import duration_ns

__all__ = ["MarketOptions", "private_features", "states_of"]

_POSITION = ("inventory", "abs_inventory")

Duration = Annotated[int, BeforeValidator(duration_ns), Field(gt=0, lt=2**62)]


class MarketOptions(BaseModel):
    """Options of a world of recorded days; they are stored with every model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval: Duration = Field(10**9, description="between decisions")
    max_position: int = Field(10, ge=1, lt=2**40, description="lots beyond which no side adds to the position")
    actions: ActionGrid = Field(ActionGrid(), description="what can be done")
    reward: RewardRule = Field(RewardRule(), description="what is paid for it")
    market: tuple[str, ...] = Field(MARKET_FEATURES, min_length=1, description="features of the market that are seen")
    private: tuple[str, ...] | None = Field(
        None, description="private features that are seen; none named: the position, and all where orders outlive it")
    delay: int = Field(0, ge=0, le=16, description="decisions between choosing and doing")
    beta: float = Field(0.99, gt=0, lt=1, description="discount of a reference interval")
    reference: Duration | None = Field(None, description="the interval that discount and risk count in")
    window: int = Field(600, ge=1, le=10**7, description="decisions of a window, fewer where the day ends before")
    outcomes: int | None = Field(None, ge=1, le=255, description="room for next states; actions beyond it are masked")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for chosen, known in ((self.market, MARKET_FEATURES), (self.private or (), PRIVATE_FEATURES)):
            for name in chosen:
                if name not in known:
                    raise ValueError(f"unknown feature {name!r}{did_you_mean(name, known) or '.'}")
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"a feature is named twice: {', '.join(chosen)}")
        if self.private is not None and "inventory" not in self.private:
            raise ValueError("private: the inventory must be seen")
        if max(self.actions.sizes) > self.max_position:
            raise ValueError("max_position must not be less than the size of a quote")
        return self

    @property
    def reference_ns(self) -> int:
        """The interval that discount and risk count in."""
        return self.interval if self.reference is None else self.reference


def private_features(options: MarketOptions, config: BacktestConfig) -> tuple[str, ...]:
    """Those chosen; if none are, the position alone where a decision replaces all orders at once, else all."""
    if options.private is not None:
        return options.private
    at_once = all(latency in (None, Constant(ns=0)) for latency in (
        config.place_latency, config.cancel_latency, config.response_latency))
    return _POSITION if at_once and config.fills.trade != "queue" else PRIVATE_FEATURES


def states_of(
    options: MarketOptions, config: BacktestConfig, private: tuple[str, ...], backup: Literal["all", "taken"]
) -> int:
    """Most distinct states that the actions of one decision lead to."""
    actions = len(options.actions.actions)
    if options.delay:
        return actions  # each leaves another action under way
    if backup == "taken":
        return 1
    if options.outcomes is not None:
        return min(options.outcomes, actions)
    if set(private) <= set(_POSITION) and config.fills.size == "full" and len(options.actions.sizes) == 1:
        return min(actions, 3 + len(options.actions.hedges))  # a quote filled or none, or the position hedged
    return actions
