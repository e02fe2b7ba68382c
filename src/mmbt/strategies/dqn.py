"""Quotes what a trained network values most: a model of `mmbt train`, without TensorFlow.

At each timer with a valid book the features that the model was trained on, the actions under way where it learned with
a delay, and the mask of actions that differ make the network's inputs; of the admissible actions the one of the highest
value is taken. Features, scales, mask and prices are those of training, bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from mmbt.errors import StoreError, UsageError
from mmbt.strategies.base import Strategy, StrategyParams
from mmbt.strategies.params import Interval
from mmbt.units import format_duration

if TYPE_CHECKING:
    from cysim import Context
    from mmbt.backtest import BacktestConfig
    from mmbt.envs.features import Frozen
    from mmbt.envs.options import MarketOptions
    from mmbt.learn._policy import Policy
    from mmbt.learn.model import ModelInfo

__all__ = ["DQN"]

# What a model may meet otherwise than it learned it without a word: it says nothing of how the market answers.
_FREE = {"instruments", "watch", "report_currency", "risk_grid", "risk_power", "equity_interval", "position", "seed"}
_PARTS = 5  # numbers that tell of an action under way


class DQN(Strategy):
    """Quote what a trained network values most.

    The network is a model that `mmbt train` has left: the latest under `runs/`, or the one named. It sees what it saw
    in training and decides at every interval; without a two-sided, uncrossed book the quotes stay as they are. A run
    under other conditions than it learned under is warned of.
    """

    class Params(StrategyParams):
        """What `dqn` can be told."""

        model: str | None = Field(None, description="a model's folder, or the run of a training; none: the latest")
        interval: Interval | None = Field(None, description="time between two decisions; none: the model's own")

    def __init__(self, params: StrategyParams | None = None, **values: Any) -> None:
        from mmbt.learn.model import Model, find_model

        super().__init__(params, **values)
        named = self.params.model
        self.path = find_model(None if named is None else Path(named), "market")
        self.model = Model.load(self.path)
        self.policies: dict[str, Policy] = {}
        info = self.model.info
        self._options, self._frozen, own = _world(self.path, info)
        self.features = (*self._frozen.names, *own)
        self.max_position = self._options.max_position
        self.interval = self._options.interval if self.params.interval is None else self.params.interval
        try:
            self.new_policy()
        except ValueError as error:
            raise StoreError(f"{self.path}: what it says of its world does not fit its network ({error}); train "
                             "again") from None

    def on_start(self, ctx: Context) -> None:
        """Begin with nothing under way."""
        self.policies = {name: self.new_policy() for name in ctx.instruments}

    def on_timer(self, ctx: Context) -> None:
        """Decide, and state what follows from it."""
        if not ctx.valid:
            return
        bid, ask, qty, hedge = self.policies[ctx.instrument].decide(
            ctx.features, ctx.bid, ctx.ask, ctx.position, ctx.price_limit)
        ctx.quote(bid, ask, qty)
        if hedge:
            ctx.hedge(hedge)

    def about(self) -> dict[str, Any]:
        """Which model it is."""
        return {"model": str(self.path), "model_hash": self.model.hash}

    def warnings(self, config: BacktestConfig) -> list[str]:
        """Conditions other than those that the model learned under."""
        conditions, now = self.model.info.conditions, config.model_dump(mode="json")
        names = sorted(now.keys() - _FREE & conditions.keys())
        if "cancel_latency" in names and conditions["cancel_latency"] is None is now["cancel_latency"]:
            names.remove("cancel_latency")  # both are those of placing
        found = [(name, _shown(name, conditions), _shown(name, now)) for name in names
                 if _told(name, conditions) != _told(name, now)]
        if self.interval_ns != self._options.interval:
            found.append(("interval", format_duration(self._options.interval), format_duration(self.interval_ns)))
        known = conditions.get("instruments", list(config.instruments))
        learned = {str(name) for name in known} if isinstance(known, list) else set()
        if others := sorted(set(config.instruments) - learned):
            found.append(("instruments", ", ".join(sorted(learned)), ", ".join(others)))
        return [f"the model learned with {name.replace('_', ' ')} {was} and runs with {is_now}: what it learned may "
                "not hold here" for name, was, is_now in found]

    def new_policy(self) -> Policy:
        """What decides for one instrument."""
        from mmbt.learn._policy import Policy

        options, frozen = self._options, self._frozen
        return Policy(
            self.model.weights, options.actions.rows(), mean=frozen.mean, scale=frozen.scale,
            private=len(self.features) - len(frozen.names), max_position=options.max_position,
            unit=options.actions.unit, under_way=options.actions.features(), delay=options.delay)


def _world(path: Path, info: ModelInfo) -> tuple[MarketOptions, Frozen, tuple[str, ...]]:
    """Options and frozen scales of the world that a model learned in, and the names of its private features."""
    from mmbt.envs.features import Frozen
    from mmbt.envs.options import MarketOptions

    if info.kind != "market":
        raise UsageError(f"{path} learned in the world {info.kind}: a backtest needs a model that learned on recorded "
                         "days; train one by `mmbt train`, without --market")
    try:
        options = MarketOptions.model_validate(info.world["options"])
        frozen = Frozen.model_validate(info.world["frozen"])
        private, grid = tuple(info.world["private"]), info.world["actions_hash"]
    except (ValidationError, KeyError, TypeError) as error:
        said = str(error).splitlines()
        raise StoreError(f"{path}: what it says of its world is not for this version of mmbt ({said[0]}); train "
                         "again") from None
    own = private[: len(private) - _PARTS * options.delay]
    if (grid != options.actions.hash or info.actions != len(options.actions.actions)
            or info.inputs != (*frozen.names, *private) or frozen.names != options.market):
        raise StoreError(f"{path}: its inputs or actions are not those of the world that it says it learned in; train "
                         "again")
    return options, frozen, own


def _shown(name: str, conditions: Mapping[str, Any]) -> str:
    told, value = _told(name, conditions), conditions[name]
    return f"{value.get('preset')} ({told})" if name == "fills" and isinstance(value, Mapping) else told


def _told(name: str, conditions: Mapping[str, Any]) -> str:
    """A condition in words; equal ones in the same."""
    value = conditions[name]
    if name == "fills" and isinstance(value, Mapping):
        unread = set() if value.get("trade") == "queue" else {"queue", "power"}
        return ", ".join(f"{key}={each}" for key, each in value.items() if key not in unread | {"preset"})
    if name == "cancel_latency" and value is None:
        return _told("place_latency", conditions) if "place_latency" in conditions else "none"
    if isinstance(value, int):
        return format_duration(value) if value else "0"
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)
