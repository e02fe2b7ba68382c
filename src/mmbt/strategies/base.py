"""The interface a strategy implements.

A hook that a class does not override costs nothing: the engine never leaves native code for it. Prices are in ticks and
quantities in lots; `ctx` is one reused view of what the strategy may know, valid during the call only.

| hook                  | called                                                                          |
|-----------------------|---------------------------------------------------------------------------------|
| `on_start(ctx)`       | once, before the first event; may read, not trade                               |
| `on_timer(ctx)`       | every `interval` from the first valid book of all traded instruments, for each  |
| `on_tob(ctx)`         | after a top-of-book update of a traded or watched instrument                    |
| `on_trade(ctx, trade)`| after a print of a traded or watched instrument                                 |
| `on_fill(ctx, fill)`  | for each fill of ours, once the whole event has been applied                    |
| `on_order(ctx, order)`| when an order was accepted, rejected, cancelled, or a command came too late     |
| `on_end(ctx)`         | once, after the last event; may read, not trade                                 |

Names that begin with `on_` are kept for hooks: a class that defines another one is refused where it is defined, since a
misspelt hook would never be called and nothing else would tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from mmbt.errors import did_you_mean
from mmbt.units import duration_ns

if TYPE_CHECKING:
    from cysim import Context, Fill, NativeStrategy, Order, Trade
    from mmbt.backtest import BacktestConfig

__all__ = ["HOOKS", "Strategy", "StrategyParams"]

HOOKS = ("on_start", "on_timer", "on_tob", "on_trade", "on_fill", "on_order", "on_end")
LONGEST = 2**62  # ns: sums of a time and an interval stay within 64 bits


class StrategyParams(BaseModel):
    """A strategy's parameters: typed, frozen, and refusing names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would read true as 1, and a slip such as size=true would trade.
        if isinstance(value, bool):
            field = cls.model_fields.get(info.field_name or "")
            if field is not None and not _takes_bool(field.annotation):
                raise ValueError("must not be true or false")
        return value


class Strategy:
    """Base of all strategies: override the hooks you need.

    Parameters
    ----------
    params
        An instance of the class's `Params`; instead, its fields may be given by name.

    Attributes
    ----------
    Params
        The typed model of the parameters. A field named `interval` sets the timer.
    interval
        Time between two calls of `on_timer`: text such as ``"100ms"``, or ns; None for no timer.
    features
        Names of the features that hooks read by `ctx.features` (`cysim.FEATURES` has all); the others cost nothing.
    max_position
        Lots, what the features of our own position are measured with. A field of `Params` of that name sets it.
    """

    Params: ClassVar[type[StrategyParams]] = StrategyParams
    interval: str | int | None = None
    features: Sequence[str] = ()
    max_position: int | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in vars(cls):
            if name.startswith("on_") and name not in HOOKS:
                raise TypeError(f"{cls.__name__}.{name} is no hook{did_you_mean(name, HOOKS) or '.'} The hooks are "
                                f"{', '.join(HOOKS)}; give a method of your own a name without 'on_'")
        if not (isinstance(cls.Params, type) and issubclass(cls.Params, StrategyParams)):
            raise TypeError(f"{cls.__name__}.Params must be a class derived from StrategyParams, not {cls.Params!r}")

    def __init__(self, params: StrategyParams | None = None, **values: Any) -> None:
        if params is not None and values:
            raise TypeError("give either a params object or its fields by name, not both")
        if params is not None and not isinstance(params, self.Params):
            raise TypeError(f"{type(self).__name__} takes {self.Params.__qualname__}, not {type(params).__qualname__}")
        self.params: Any = cast(Any, self.Params(**values) if params is None else params)
        if "interval" in type(self.params).model_fields:
            self.interval = self.params.interval
        if "max_position" in type(self.params).model_fields:
            self.max_position = self.params.max_position

    @property
    def interval_ns(self) -> int:
        """The timer's interval in ns; 0 when the strategy has none.

        Raises
        ------
        ValueError
            When `interval` is no positive duration, or is missing although `on_timer` is overridden.
        """
        name = type(self).__name__
        if self.interval is None:
            if self.overrides("on_timer"):
                raise ValueError(f"{name} has on_timer but no interval, so it would never be called: set "
                                 'interval = "100ms" on the class, or give Params a field named interval')
            return 0
        try:
            interval = duration_ns(self.interval)
        except ValueError as error:
            raise ValueError(f"{name}.interval: {error}") from None
        if not 0 < interval < LONGEST:
            raise ValueError(f"{name}.interval must be positive and shorter than 146 years, not {self.interval!r}")
        return interval

    def checked_features(self) -> tuple[tuple[str, ...], int]:
        """The names of `features`, and the position limit that they are measured with.

        Raises
        ------
        ValueError
            For an unknown name, one that stands there twice, and a position that is measured without a limit.
        """
        from cysim import FEATURES, PRIVATE_FEATURES

        name = type(self).__name__
        if isinstance(self.features, str):
            raise ValueError(f"{name}.features must be a sequence of names, not {self.features!r}")
        features = tuple(self.features)
        if not features:
            return (), 1
        known = [feature.name for feature in FEATURES]
        for feature in features:
            if feature not in known:
                hint = did_you_mean(str(feature), known) or "."
                raise ValueError(f"{name}.features: unknown feature {feature!r}{hint} There are: {', '.join(known)}")
            if features.count(feature) > 1:
                raise ValueError(f"{name}.features: {feature!r} stands there twice")
        limited = [each.name for each in PRIVATE_FEATURES if "position limits" in each.unit and each.name in features]
        if limited and self.max_position is None:
            raise ValueError(f"{name} reads {limited[0]}, which is measured in position limits: set max_position = 10 "
                             "on the class, or give Params a field max_position")
        limit = 1 if self.max_position is None else self.max_position
        if not 0 < limit < 2**40:
            raise ValueError(f"{name}.max_position must be positive and below 2**40 lots, not {limit!r}")
        return features, limit

    @classmethod
    def overrides(cls, hook: str) -> bool:
        """Whether the class overrides the hook of that name."""
        return getattr(cls, hook) is not getattr(Strategy, hook)

    def native(self) -> NativeStrategy | None:
        """The native code that answers in place of this object's hooks; None for strategies written in Python.

        Asked once, before the run begins.
        """
        return None

    def about(self) -> dict[str, Any]:
        """What a run's record tells of this object beside its parameters: plain JSON, by name."""
        return {}

    def warnings(self, config: BacktestConfig) -> list[str]:
        """What a person should know before it runs under these conditions; told at once and kept with the result."""
        return []

    def on_start(self, ctx: Context) -> None:
        """Called once before the first event; may read, not trade."""

    def on_timer(self, ctx: Context) -> None:
        """Called every `interval`, once for each traded instrument."""

    def on_tob(self, ctx: Context) -> None:
        """Called after a top-of-book update."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        """Called after a print."""

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """Called for each fill of ours."""

    def on_order(self, ctx: Context, order: Order) -> None:
        """Called with the outcome of a command."""

    def on_end(self, ctx: Context) -> None:
        """Called once after the last event; may read, not trade."""


def _takes_bool(annotation: Any) -> bool:
    if annotation in (bool, Any, object) or isinstance(annotation, bool):
        return True
    return any(_takes_bool(part) for part in get_args(annotation))
