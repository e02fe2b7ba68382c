"""Parameters of the markets whose optimal quotes are known exactly: what `mmbt.theory` solves and `mmbt.envs` samples.

Both are shared from here, so that a world to learn in needs nothing of what solves it. Lengths are in spreads of the
market where they are quotes, in units of price elsewhere; inventory is in lots; `beta` is a step.

    state     inventory Q in -q_max..q_max, the market's own levels, and the actions under way when there is a delay
    fills     an offer at a, a bid at b, one lot each, fill independently with min(1, p0 exp(k (A-a)/S)) and its mirror
    limits    no bid at Q = q_max, no offer at Q = -q_max: looked at when the fill would happen
    delay     the action chosen at t governs the fills of t + delay; until then the `pending` one is in force
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

__all__ = ["BaseModelParams", "CarteaJaimungalParams", "ExactMarketParams", "PlantedEdgeParams"]

_MOST_SHIFTS = 10_000


def _grid(value: Any) -> Any:
    """A list of numbers from `-1:4:0.05` (both ends are included) or from `0, .5, 1`, bracketed or not."""
    if not isinstance(value, str):
        return (value,) if isinstance(value, int | float) else value
    text = value.strip().strip("[](){}")
    if ":" not in text:
        return tuple(_number(word) for word in text.replace(",", " ").split())
    parts = [_number(word) for word in text.split(":")]
    if len(parts) != 3:
        raise ValueError(f"{value!r} is not FIRST:LAST:STEP")
    first, last, step = parts
    if not (step > 0 and last >= first):
        raise ValueError(f"{value!r}: the step must be positive and the last number not below the first")
    if (last - first) / step > _MOST_SHIFTS:
        raise ValueError(f"{value!r} has more than {_MOST_SHIFTS:,} numbers")
    count = math.floor((last - first) / step + 1e-9) + 1
    return tuple(round(first + place * step, 12) for place in range(count))


def _number(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise ValueError(f"{word.strip()!r} is not a number: write FIRST:LAST:STEP, or numbers with commas") from None
    if not math.isfinite(number):
        raise ValueError(f"{word.strip()!r} is not finite")
    return number


def _increasing(values: Sequence[float]) -> bool:
    return all(a < b for a, b in pairwise(values))


def _nearest(values: Sequence[float], wanted: float) -> int:
    return min(range(len(values)), key=lambda place: abs(values[place] - wanted))


_Number = Annotated[float, Field(allow_inf_nan=False)]
_Numbers = Annotated[tuple[_Number, ...], BeforeValidator(_grid), Field(min_length=1, max_length=_MOST_SHIFTS)]
_Matrix = tuple[tuple[float, ...], ...]


class _Params(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any) -> Any:
        if isinstance(value, bool):  # pydantic would read it as 0 or 1
            raise ValueError("must be a number, not true or false")
        return value


class BaseModelParams(_Params):
    """The base model: a market that stands still, and quotes measured from its touch.

    An offer stands at A + x S and a bid at B - y S, x and y in spreads; S = 1. A step earns (a-M) for a filled offer,
    (M-b) for a filled bid, and costs r|Q|, charged before the decision.
    """

    k: float = Field(1.0, gt=0, allow_inf_nan=False, description="how fast fills get rarer with distance, per spread")
    r: float = Field(0.1, ge=0, allow_inf_nan=False, description="cost of risk, a lot and step")
    beta: float = Field(0.99, ge=0, lt=1, description="discount of a step")
    p0: float = Field(1.0, gt=0, allow_inf_nan=False, description="chance of a fill at the touch")
    q_max: int = Field(10, ge=1, le=10_000, description="limit of the inventory, in lots")
    delay: int = Field(0, ge=0, le=64, description="steps from a decision to its fills")
    shifts: _Numbers = Field(_grid("-1:4:0.05"), description="distances from the touch that may be quoted, in spreads")
    ask_shifts: _Numbers | None = Field(None, description="those of the offer, where they differ from shifts")
    bid_shifts: _Numbers | None = Field(None, description="those of the bid, where they differ from shifts")
    pending: tuple[_Number, _Number] | None = Field(
        None, description="[ask, bid] shifts under way at the start of a delay; without it those nearest to 0.5"
    )

    @field_validator("shifts", "ask_shifts", "bid_shifts")
    @classmethod
    def _sorted(cls, values: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if values is None:
            return None
        values = tuple(sorted(values))
        if not _increasing(values):
            raise ValueError("a number stands twice in the list")
        return values

    @model_validator(mode="after")
    def _pending_is_an_action(self) -> BaseModelParams:
        if self.pending is not None:
            for side, shift, known in zip(("ask", "bid"), self.pending, (self.asks, self.bids), strict=True):
                if shift not in known:
                    raise ValueError(f"pending: {shift:g} is none of the {side}'s shifts")
        return self

    @property
    def asks(self) -> tuple[float, ...]:
        """Shifts of the offer, ascending."""
        return self.shifts if self.ask_shifts is None else self.ask_shifts

    @property
    def bids(self) -> tuple[float, ...]:
        """Shifts of the bid, ascending."""
        return self.shifts if self.bid_shifts is None else self.bid_shifts

    @property
    def actions(self) -> tuple[tuple[float, float], ...]:
        """(ask shift, bid shift) of each action; ties between actions go to the first."""
        return tuple((x, y) for x in self.asks for y in self.bids)

    @property
    def pending_action(self) -> int:
        """The action under way at the start."""
        ask, bid = self.pending or (0.5, 0.5)
        return _nearest(self.asks, ask) * len(self.bids) + _nearest(self.bids, bid)


class ExactMarketParams(_Params):
    """A market with an imbalance I that foretells its next move, and a spread s that changes.

    A quote is a skew and a half-spread w in spreads: a-M = (w+skew) S, M-b = (w-skew) S with S = s and A-M = S/2. A
    step earns (a-M) for a filled offer, (M-b) for a filled bid, then Q dM - r|Q| on the inventory Q after the fills,
    where dM has mean `drift` I, of the imbalance before its transition, and deviation `sd`, whatever the spread is.
    """

    k: float = Field(1.5, gt=0, allow_inf_nan=False, description="how fast fills get rarer with distance, per spread")
    r: float = Field(0.02, ge=0, allow_inf_nan=False, description="cost of risk, a lot and step")
    beta: float = Field(0.99, ge=0, lt=1, description="discount of a step")
    drift: float = Field(0.10, allow_inf_nan=False, description="mean move of the mid for each 1 of imbalance")
    sd: float = Field(0.3, ge=0, allow_inf_nan=False, description="standard deviation of the mid's move")
    q_max: int = Field(10, ge=1, le=10_000, description="limit of the inventory, in lots")
    delay: int = Field(0, ge=0, le=64, description="steps from a decision to its fills")
    skews: _Numbers = Field((-0.5, -0.25, 0.0, 0.25, 0.5), description="shifts of both quotes, in spreads")
    half_spreads: _Numbers = Field((0.25, 0.5, 0.75, 1.0, 1.5), description="half of the distance between the quotes")
    imbalances: _Numbers = Field((-1.0, 0.0, 1.0), description="levels of the imbalance")
    imbalance_moves: _Matrix = Field(
        ((0.9, 0.1, 0.0), (0.05, 0.9, 0.05), (0.0, 0.1, 0.9)), description="their chances in a step, a row a level"
    )
    spreads: _Numbers = Field((1.0, 2.0), description="levels of the spread")
    spread_moves: _Matrix = Field(((0.95, 0.05), (0.1, 0.9)), description="their chances in a step, a row a level")
    pending: tuple[_Number, _Number] | None = Field(
        None, description="[skew, half-spread] under way at the start of a delay; without it those nearest to 0, 0.5"
    )
    start: tuple[_Number, _Number] | None = Field(
        None, description="[imbalance, spread] at the start; without it those nearest to 0, 1"
    )

    @field_validator("skews", "half_spreads", "imbalances", "spreads")
    @classmethod
    def _in_order(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not _increasing(values):
            raise ValueError("the numbers must increase")
        return values

    @model_validator(mode="after")
    def _fits(self) -> ExactMarketParams:
        for name in ("imbalance", "spread"):
            levels, moves = getattr(self, f"{name}s"), getattr(self, f"{name}_moves")
            if len(moves) != len(levels) or any(len(row) != len(levels) for row in moves):
                raise ValueError(f"{name}_moves: must have {len(levels)} rows of {len(levels)} chances")
            if any(chance < 0 for row in moves for chance in row):
                raise ValueError(f"{name}_moves: a chance is negative")
            if any(abs(math.fsum(row) - 1) > 1e-9 for row in moves):
                raise ValueError(f"{name}_moves: the chances of a row must add up to 1")
        if self.spreads[0] <= 0:
            raise ValueError("spreads: must be positive")
        if self.half_spreads[0] < 0:
            raise ValueError("half_spreads: must not be negative")
        for name, given, lists in (("pending", self.pending, (self.skews, self.half_spreads)),
                                   ("start", self.start, (self.imbalances, self.spreads))):
            for value, known in zip(given or (), lists, strict=given is not None):
                if value not in known:
                    raise ValueError(f"{name}: {value:g} is none of {', '.join(f'{each:g}' for each in known)}")
        return self

    @property
    def actions(self) -> tuple[tuple[float, float], ...]:
        """(skew, half-spread) of each action; ties between actions go to the first."""
        return tuple((skew, w) for skew in self.skews for w in self.half_spreads)

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """(imbalance, spread) of each state of the market."""
        return tuple((imbalance, spread) for imbalance in self.imbalances for spread in self.spreads)

    @property
    def pending_action(self) -> int:
        """The action under way at the start."""
        skew, half_spread = self.pending or (0.0, 0.5)
        return _nearest(self.skews, skew) * len(self.half_spreads) + _nearest(self.half_spreads, half_spread)

    @property
    def start_level(self) -> int:
        """The state of the market at the start."""
        imbalance, spread = self.start or (0.0, 1.0)
        return _nearest(self.imbalances, imbalance) * len(self.spreads) + _nearest(self.spreads, spread)


class CarteaJaimungalParams(_Params):
    """The model of Cartea, Jaimungal and Penalva with a running penalty; units are the user's own."""

    lam: float = Field(1.0, gt=0, allow_inf_nan=False, description="market orders a unit of time and side")
    kappa: float = Field(100.0, gt=0, allow_inf_nan=False, description="how fast fills get rarer with distance")
    alpha: float = Field(1e-4, ge=0, allow_inf_nan=False, description="penalty of inventory squared at the end")
    phi: float = Field(1e-5, ge=0, allow_inf_nan=False, description="penalty of inventory squared, a unit of time")
    T: float = Field(30.0, gt=0, allow_inf_nan=False, description="time that is left")
    q_max: int = Field(10, ge=1, le=1000, description="limit of the inventory, in lots")


class PlantedEdgeParams(_Params):
    """Days of a market of one spread S, whose imbalance I in -1, 0, 1 foretells moves of the mid; prices in ticks.

    A day has `steps` steps of a second. In each the mid moves up by a tick with the chance `move` (1 + `edge` I) / 2,
    down with `move` (1 - `edge` I) / 2. A quote d from the mid is run over within a step, independently of all else,
    with the chance `fill` min(1, exp(-k (d - S/2) / S)). Then I moves by `imbalance_moves`.
    """

    edge: float = Field(0.6, ge=0, le=1, description="how well the imbalance foretells moves; 0: not at all")
    steps: int = Field(3600, ge=1, le=86_000, description="seconds of a day")
    spread: int = Field(4, ge=2, le=1000, multiple_of=2, description="the market's spread, ticks")
    move: float = Field(0.6, ge=0, le=1, description="chance that the mid moves in a step")
    fill: float = Field(0.6, gt=0, le=1, description="chance that a quote at the touch is run over in a step")
    k: float = Field(1.5, gt=0, allow_inf_nan=False, description="how fast fills get rarer with distance, per spread")
    q_max: int = Field(10, ge=1, le=1000, description="limit of the inventory, in lots")
    imbalance_moves: _Matrix = Field(
        ((0.9, 0.1, 0.0), (0.05, 0.9, 0.05), (0.0, 0.1, 0.9)), description="its chances in a step, from -1, 0 and 1"
    )

    @model_validator(mode="after")
    def _fits(self) -> PlantedEdgeParams:
        rows = self.imbalance_moves
        if len(rows) != 3 or any(len(row) != 3 or min(row) < 0 or abs(math.fsum(row) - 1) > 1e-9 for row in rows):
            raise ValueError("imbalance_moves: must be 3 rows of 3 chances that add up to 1")
        return self
