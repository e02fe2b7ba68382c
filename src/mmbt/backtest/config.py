"""What a backtest is told: frozen, typed, printed and stored with every result."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mmbt.backtest.latency import Constant, FeedLatency, LatencyModel
from mmbt.backtest.money import MoneyRules
from mmbt.errors import UsageError, did_you_mean
from mmbt.units import duration_ns

__all__ = ["PRESETS", "BacktestConfig", "FillRules"]

HOUR_NS = 3600 * 10**9

PRESETS: dict[str, dict[str, str]] = {
    "seed": {"cross": "through", "trade": "through", "aggressor": "auto", "size": "full"},
    "conservative": {"cross": "through", "trade": "through", "aggressor": "auto", "size": "displayed"},
    "queue": {"cross": "through", "trade": "queue", "aggressor": "auto", "size": "displayed"},
    "optimistic": {"cross": "touch", "trade": "touch", "aggressor": "ignore", "size": "full"},
}

_OPTIONS = {
    "cross": ("through", "touch"),
    "trade": ("through", "touch", "queue"),
    "aggressor": ("auto", "ignore"),
    "size": ("full", "displayed"),
    "queue": ("front", "back", "prob"),
    "power": (),
}


class FillRules(BaseModel):
    """When a resting order of ours fills, always at its own price (docs: fill rules).

    `queue` is the model of the queue at our price under ``trade="queue"``, and `power` the exponent of ``prob``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = "seed"
    cross: Literal["through", "touch"] = "through"
    trade: Literal["through", "touch", "queue"] = "through"
    aggressor: Literal["auto", "ignore"] = "auto"
    size: Literal["full", "displayed"] = "full"
    queue: Literal["front", "back", "prob"] = "back"
    power: Annotated[float, Field(gt=0, le=20)] = 2.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Rules written as a preset and changes to it: ``conservative`` or ``seed,size=displayed``.

        Raises
        ------
        UsageError
            Naming each unknown preset, option or value.
        """
        preset, *changes = [part.strip() for part in text.split(",")]
        options = _preset(preset)
        for change in changes:
            name, _, value = change.partition("=")
            if name not in _OPTIONS:
                raise UsageError(f"unknown fill option {name!r}{did_you_mean(name, _OPTIONS) or '.'} "
                                 f"Options: {', '.join(_OPTIONS)}")
            options[name] = _power(value) if name == "power" else _choice(name, value)
        if options["trade"] != "queue" and options.keys() & {"queue", "power"}:
            raise UsageError(f"fill options queue and power need trade=queue, which the preset queue has; {preset!r} "
                             f"with trade={options['trade']} never looks at queues")
        return cls.model_validate({"preset": preset, **options})

    def __str__(self) -> str:
        queue = f", queue={self.queue}" if self.trade == "queue" else ""
        power = f", power={self.power:g}" if queue and self.queue == "prob" else ""
        return (f"{self.preset} (cross={self.cross}, trade={self.trade}, aggressor={self.aggressor}, size={self.size}"
                f"{queue}{power})")


def _preset(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise UsageError(f"unknown fill preset {name!r}{did_you_mean(name, PRESETS) or '.'} "
                         f"Presets: {', '.join(PRESETS)}")
    return dict(PRESETS[name])


def _choice(name: str, value: str) -> str:
    if value not in _OPTIONS[name]:
        raise UsageError(f"fill option {name} must be {' or '.join(_OPTIONS[name])}, not {value!r}")
    return value


def _power(value: str) -> float:
    try:
        power = float(value)
    except ValueError:
        power = 0.0
    if not 0 < power <= 20:
        raise UsageError(f"fill option power must be a number above 0 and at most 20, not {value!r}")
    return power


def _duration(value: Any) -> Any:
    return duration_ns(value)


def _duration_or_none(value: Any) -> Any:
    return None if value in (None, "none") else duration_ns(value)


Lasting = Annotated[int, Field(ge=0, lt=2**62)]
Duration = Annotated[Lasting, BeforeValidator(_duration)]
PositiveNs = Annotated[int, Field(gt=0, lt=2**62)]


class BacktestConfig(MoneyRules):
    """Everything that decides a backtest's result beside the data and the strategy; fees and contracts: `MoneyRules`.

    Attributes
    ----------
    instruments, watch
        Names that are traded, and names that are only seen.
    fills
        The fill rules.
    place_latency, cancel_latency
        How long a command takes to the venue: ns, text such as ``"1ms"``, or a model such as
        ``"lognormal:median=1ms,sigma=0.5"``; cancels are drawn from the model of placing unless given their own.
    response_latency
        How long fills and outcomes take to the strategy.
    feed_latency
        How long quotes and prints take to the strategy; ``"local"``: until their times of receipt.
    session_gap
        Silence that ends a session, ns or text; None: sessions never end.
    ties
        What goes first at one instant.
    equity_interval
        Between two rows of the equity record, ns or text, at least 1 ms.
    position
        Lots held at the start (one traded instrument only).
    synthetic
        Pairs priced through others: ``PAIR``, or ``PAIR = LEG * LEG / LEG``. Legs are watched unless they are traded.
    synthetic_max_age
        Since a leg's last quote, ns or text, up to which it counts; None: any.
    seed
        Of drawn latencies; strategies that draw random numbers take it as their default seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruments: tuple[str, ...] = Field(min_length=1)
    watch: tuple[str, ...] = ()
    fills: FillRules = FillRules()
    place_latency: LatencyModel = Constant(ns=0)
    cancel_latency: LatencyModel | None = None
    response_latency: LatencyModel = Constant(ns=0)
    feed_latency: FeedLatency = Constant(ns=0)
    session_gap: Annotated[PositiveNs | None, BeforeValidator(_duration_or_none)] = HOUR_NS
    ties: Literal["prints-first", "tob-first"] = "prints-first"
    equity_interval: Annotated[Duration, Field(ge=10**6)] = 10**9
    position: Annotated[int, Field(gt=-(2**40), lt=2**40)] = 0
    synthetic: tuple[str, ...] = ()
    synthetic_max_age: Annotated[Lasting | None, BeforeValidator(_duration_or_none)] = 10**10
    seed: int = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.instruments + self.watch
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"named twice among traded and watched instruments: {', '.join(twice)}")
        if self.position and len(self.instruments) > 1:
            raise ValueError("a starting position needs exactly one traded instrument")
        return self
