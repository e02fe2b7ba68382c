"""What a learner may do: a named grid of quotes, of sides left out and of shares dealt at the market."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Action", "ActionGrid"]

_MOST = 255  # places of outcomes are bytes

Skew = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
HalfSpread = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
Lots = Annotated[int, Field(ge=1, lt=2**40)]


class Action(NamedTuple):
    """One action, as the vector engine takes it."""

    skew: float  # of both quotes, in units
    half_spread: float  # in units
    hedge: float  # share of the position dealt at the market
    bid: bool  # whether there is one
    offer: bool
    size: int  # lots of each quote

    def __str__(self) -> str:
        size = f", {self.size} lots" if self.size > 1 else ""
        sides = "" if self.bid and self.offer else ", bid only" if self.bid else ", offer only"
        if self.bid or self.offer:
            return f"skew {self.skew:g}, half spread {self.half_spread:g}{sides}{size}"
        return f"hedge {self.hedge:g}" if self.hedge else "no quotes"


class ActionGrid(BaseModel):
    """Actions by number; a model remembers the grid it was trained on by its hash.

    In this order: no quotes (`neither`); both quotes, for each size, skew and half spread; the bid alone and the offer
    alone, for each size and each of the half spreads `one_sided`; and, quoting nothing, each of the shares `hedges` of
    the position dealt at the market. Where the position limit leaves a side out, or rounding makes two actions one, the
    first of those that coincide is admissible.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("grid", description="what people call it")
    unit: Literal["spread", "tick"] = Field("spread", description="of skews and half spreads: the market's, or a tick")
    skews: tuple[Skew, ...] = Field((-1.0, -0.5, 0.0, 0.5, 1.0), description="how far both quotes are moved")
    half_spreads: tuple[HalfSpread, ...] = Field((0.5, 0.75, 1.0, 1.5, 2.0), description="from the middle to a quote")
    one_sided: tuple[HalfSpread, ...] = Field((1.0,), description="half spreads at which one side is quoted alone")
    neither: bool = Field(True, description="whether no quotes is an action")
    hedges: tuple[Share, ...] = Field((0.5, 1.0), description="shares of the position dealt at the market")
    sizes: tuple[Lots, ...] = Field((1,), min_length=1, description="lots of each quote")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name in ("skews", "half_spreads", "one_sided", "hedges", "sizes"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} names a value twice")
        if bool(self.skews) != bool(self.half_spreads):
            raise ValueError("skews and half_spreads: two-sided quotes need both, or neither to be left out")
        if not 1 <= len(self.actions) <= _MOST:
            raise ValueError(f"a grid has 1 to {_MOST} actions, not {len(self.actions)}")
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions, by number."""
        first = self.sizes[0]
        found = [Action(0.0, 0.0, 0.0, False, False, first)] if self.neither else []
        found += [Action(skew, half, 0.0, True, True, size)
                  for size in self.sizes for skew in self.skews for half in self.half_spreads]
        found += [Action(0.0, half, 0.0, side, not side, size)
                  for side in (True, False) for size in self.sizes for half in self.one_sided]
        found += [Action(0.0, 0.0, share, False, False, first) for share in self.hedges]
        return tuple(found)

    def rows(self) -> NDArray[np.float64]:
        """The actions as the vector engine takes them, [A, 6]."""
        return np.array(self.actions, np.float64)

    def features(self) -> NDArray[np.float32]:
        """What tells of an action under way, [A, 5]: skew and half spread, each by its largest, hedge, bid, offer."""
        rows = self.rows()[:, :5]
        largest = np.abs(rows).max(axis=0)
        return (rows / np.where(largest > 0, largest, 1.0)).astype(np.float32)

    @property
    def hash(self) -> str:
        """SHA-256 of the unit and of all actions in order: two grids of one hash mean the same by each number."""
        text = json.dumps([self.unit, *self.rows().tolist()])
        return hashlib.sha256(text.encode()).hexdigest()
