"""What `mmbt synth` may be told: currencies, pairs and the clock, each number a truth of the generated market.

Rates are per second of exchange time, volatility and drift in basis points of the log price (1 bp = 1e-4),
sizes in lots, prices in ticks. `shares` are probabilities. The laws are in `mmbt.synth.laws`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mmbt.market import Instrument
from mmbt.units import duration_ns

__all__ = ["Currency", "Pair", "SynthConfig"]

Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Micros = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Currency(_Model):
    """A currency's price in dollars: a geometric Brownian motion."""

    usd: float = Field(gt=0, allow_inf_nan=False, description="dollars for one, at the start")
    volatility_bp: float = Field(0.0, ge=0, le=100, description="of the log price, bp per square root of a second")
    drift_bp: float = Field(0.0, ge=-10, le=10, description="of the log price, bp per second")


class Pair(_Model):
    """One instrument: its grid, its aggressive orders, its book."""

    tick_size: str = Field("0.01", description="exact decimal")
    lot_size: str = Field("0.00001", description="exact decimal")
    noise_bp: float = Field(0.1, ge=0, le=100, description="deviation from the currencies' ratio: standard deviation")
    noise_time: float = Field(5.0, ge=1, le=1e6, description="its relaxation time, s")

    order_rate: Rate = Field(1.0, description="aggressive orders a second, children included")
    branching: float = Field(0.5, ge=0, le=0.95, description="mean number of direct children of an order (Hawkes)")
    excitation_time: float = Field(0.1, gt=0, le=30, description="mean delay of a child behind its parent, s")
    inherit: Share = Field(0.8, description="a child copies its parent's side, else draws its own")
    buy_share: Share = Field(0.5, description="share of buyer-initiated orders")
    burst_share: Share = Field(0.3, description="an order meets more than one resting order")
    burst_extra: float = Field(3.0, ge=1, le=1000, description="mean number of further prints then (geometric)")
    tie_share: Share = Field(0.3, description="a further print carries its predecessor's stamp")
    print_gap_us: Micros = Field(2.0, description="else it comes 1 us + exponential of this mean later, cut to us")
    print_lots: float = Field(1000.0, ge=1, le=1e9, description="median size of a print")
    print_log_sd: float = Field(1.5, ge=0, le=4, description="standard deviation of its log")

    sweep_share: Share = Field(0.2, description="an order prints beyond the touch")
    depth_decay: float = Field(0.3, ge=1e-6, le=20, description="k of the fill intensity A exp(-k d), d in ticks")
    deplete_share: Share = Field(0.5, description="a burst that does not sweep takes the touch: the book re-centres")
    stale_share: Share = Field(0.0, description="an order's prints are stamped after the quote they caused")
    stale_delay_us: Micros = Field(1000.0, description="by 1 us + exponential of this mean")
    quote_same_share: Share = Field(0.3, description="the caused quote carries the stamp of the order's last print")
    quote_delay_us: Micros = Field(300.0, description="else it comes 1 us + exponential of this mean later")

    requote_rate: Rate = Field(0.5, description="re-centrings of the book that no print caused")
    together_share: Share = Field(0.1, description="both sides move in one update, else in two")
    wide_rate: Rate = Field(0.05, description="openings of the spread beyond one tick")
    wide_time: float = Field(0.1, gt=0, le=1000, description="mean duration of an opening, s")
    wide_extra: float = Field(2.0, ge=1, le=1e6, description="mean ticks added by an opening (geometric)")
    size_rate: Rate = Field(2.0, description="bursts of updates that change a size only")
    size_burst: float = Field(3.0, ge=1, le=1000, description="mean updates in such a burst (geometric)")
    size_tie_share: Share = Field(0.1, description="such an update carries its predecessor's stamp")
    size_gap_us: Micros = Field(800.0, description="else it comes 1 us + exponential of this mean later")
    touch_lots: float = Field(10_000.0, ge=1, le=1e9, description="median displayed size")
    touch_log_sd: float = Field(1.2, gt=0, le=4, description="standard deviation of its log")

    imbalance_edge: Share = Field(0.0, description="the heavier side foretells the next mid move")
    imbalance_tilt: float = Field(0.8, ge=0, le=5, description="the heavier side's log size +, the other's -")
    flow_edge: Share = Field(0.0, description="the side of an order that leaves the touch foretells the next mid move")
    take_edge: Share = Field(0.0, description="the same for orders that sweep or take the touch")

    @field_validator("tick_size", "lot_size")
    @classmethod
    def _decimal(cls, text: str) -> str:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise ValueError(f"{text!r} is not a decimal number") from None
        if not value.is_finite() or not 0 < value <= 1:
            raise ValueError(f"{text} must be above 0 and at most 1")
        return format(value.normalize(), "f")

    @model_validator(mode="after")
    def _units_can_be_inferred(self) -> Self:
        for field, steps in (("tick_size", (1, 5, 25, 2)), ("lot_size", (1,))):
            digits = int("".join(map(str, Decimal(getattr(self, field)).as_tuple().digits)))
            if digits not in steps:
                raise ValueError(f"{field} {getattr(self, field)} must be {' or '.join(map(str, steps))} units of a "
                                 f"decimal place: no other grid can be inferred from the data")
        return self

    @property
    def take_share(self) -> float:
        """Share of orders that sweep or take the touch, so that the book re-centres."""
        return self.sweep_share + (1 - self.sweep_share) * self.burst_share * self.deplete_share

    @property
    def informed_share(self) -> float:
        """Share of orders whose side is that of the next mid move."""
        return (1 - self.take_share) * self.flow_edge + self.take_share * self.take_edge

    @property
    def uninformed_buy_share(self) -> float:
        """Share of buyers among the others, such that `buy_share` holds over all."""
        informed = self.informed_share
        return 0.5 if informed >= 1 else (self.buy_share - informed / 2) / (1 - informed)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not -1e-12 <= self.uninformed_buy_share <= 1 + 1e-12:
            raise ValueError(f"buy_share {self.buy_share} is out of reach when {self.informed_share:.3g} of the orders "
                             f"follow the next mid move: lower flow_edge or take_edge")
        if self.informed_share >= 1 and self.buy_share != 0.5:
            raise ValueError("buy_share must be 0.5 when every order follows the next mid move")
        return self


class SynthConfig(_Model):
    """A whole synthetic market. The same config gives the same bytes."""

    seed: int = Field(1, ge=0, lt=2**64)
    start: str = Field("2022-09-20T23:54:00", description="ISO time, UTC unless it says otherwise")
    duration: str = Field("12min", description="such as 90s, 12min or 2d")
    currencies: dict[str, Currency]
    correlation: dict[str, float] = Field(default_factory=dict, description="'BTC:ETH' -> of their dollar prices")
    pairs: dict[str, Pair] = Field(min_length=1, description="instrument name BASE/QUOTE... -> its laws")

    @field_validator("start")
    @classmethod
    def _start(cls, text: str) -> str:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if moment.year < 1971:
            raise ValueError(f"start {text} is before 1971")
        return moment.replace(tzinfo=None).isoformat()

    @field_validator("duration")
    @classmethod
    def _duration(cls, text: str) -> str:
        if duration_ns(text) < 10**9:
            raise ValueError(f"duration {text} is shorter than a second")
        return text

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [f"{name}: currency {currency} is not in currencies ({', '.join(self.currencies)})"
                  for name in self.pairs for currency in self._legs(name) if currency not in self.currencies]
        faults += [f"{name!r} cannot be an instrument name in a ';' file" for name in self.pairs
                   if any(c in name for c in ";\r\n\"\0") or name != name.strip()]
        for key, rho in self.correlation.items():
            sides = key.split(":")
            if len(sides) != 2 or sides[0] == sides[1] or any(c not in self.currencies for c in sides):
                faults.append(f"correlation {key!r} must name two currencies, such as BTC:ETH")
            if not -1 < rho < 1:
                faults.append(f"correlation {key} = {rho} must lie strictly between -1 and 1")
        if not faults:
            faults = [f"{name}: the start price is {ticks:.3g} ticks, which must be 10 to 2^36" for name in self.pairs
                      if not 10 <= (ticks := self.start_ticks(name)) <= 2**36]
        if faults:
            raise ValueError("; ".join(faults))
        self.cholesky()
        return self

    @staticmethod
    def _legs(name: str) -> tuple[str, str]:
        base, slash, rest = name.partition("/")
        quote = rest.split("_")[0]
        if not (base and slash and quote):
            raise ValueError(f"{name!r} must be named BASE/QUOTE, such as BTC/USD_T+0")
        return base, quote

    @property
    def start_ns(self) -> int:
        """The start in ns since the epoch."""
        moment = datetime.fromisoformat(self.start).replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return ((since.days * 86400 + since.seconds) * 10**6 + since.microseconds) * 1000

    @property
    def duration_us(self) -> int:
        """The length in whole microseconds."""
        return duration_ns(self.duration) // 1000

    def legs(self, name: str) -> tuple[str, str]:
        """Base and quote currency of a pair."""
        return self._legs(name)

    def instrument(self, name: str) -> Instrument:
        """The pair as the engine knows it; its price unit is its tick."""
        pair = self.pairs[name]
        base, quote = self._legs(name)
        return Instrument(name, pair.tick_size, pair.tick_size, pair.lot_size, base=base, quote=quote)

    def start_ticks(self, name: str) -> float:
        """The fair price of a pair at the start, in ticks."""
        base, quote = self._legs(name)
        return self.currencies[base].usd / self.currencies[quote].usd / float(self.pairs[name].tick_size)

    def cholesky(self) -> list[list[float]]:
        """Lower factor of the currencies' correlation matrix, in plain floats so that every machine has the same."""
        names = list(self.currencies)
        rho = [[self.correlation.get(f"{a}:{b}", self.correlation.get(f"{b}:{a}", float(a == b))) for b in names]
               for a in names]
        lower = [[0.0] * len(names) for _ in names]
        for i in range(len(names)):
            for j in range(i + 1):
                rest = rho[i][j] - sum(lower[i][m] * lower[j][m] for m in range(j))
                if i == j:
                    if rest <= 1e-12:
                        raise ValueError("correlation is not positive definite")
                    lower[i][i] = rest**0.5
                else:
                    lower[i][j] = rest / lower[j][j]
        return lower

    def dump(self) -> dict[str, Any]:
        """The config as JSON types."""
        return self.model_dump(mode="json")
