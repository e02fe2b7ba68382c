"""Models of latency as people write them, each a frozen record that prints itself and is stored with every result.

| text                                                | latency                                                   |
|-----------------------------------------------------|-----------------------------------------------------------|
| `5ms`                                               | constant                                                  |
| `lognormal:median=1ms,sigma=0.5[,floor=200us]`      | floor + a lognormal draw of that median                   |
| `empirical:FILE`                                    | drawn from the latencies of a file                        |
| `recorded:FILE`                                     | that of the last record at or before the time of sending  |

A stored configuration holds a constant as its ns and the others as objects, files with their SHA-256: read back, they
give the same latencies or an error (docs: latency).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)

from mmbt.backtest.latencyfiles import Measured, read_latencies
from mmbt.errors import DataError, MmbtError, UsageError, did_you_mean
from mmbt.units import duration_ns, format_duration

if TYPE_CHECKING:
    import cysim

__all__ = ["Constant", "Empirical", "FeedLatency", "LatencyModel", "Lognormal", "Recorded", "parse_latency"]

_M = TypeVar("_M", bound=BaseModel)

_LONGEST = 10**15  # ns: where drawn latencies end

_Drawn = Annotated[int, BeforeValidator(duration_ns), Field(le=_LONGEST)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Frozen):
    """The same latency for everything, ns or text such as ``"1ms"``."""

    kind: Literal["constant"] = "constant"
    ns: Annotated[int, BeforeValidator(duration_ns), Field(lt=2**62)]

    @model_serializer
    def _plain(self) -> int:
        return self.ns

    def native(self, seed: int) -> cysim.Latency:
        """As the machine takes it."""
        import cysim

        return cysim.Latency.constant(self.ns)

    def __str__(self) -> str:
        return format_duration(self.ns) if self.ns else "0"


class Lognormal(_Frozen):
    """``floor`` plus a lognormal draw of that ``median``; ``sigma`` is the standard deviation of its logarithm."""

    kind: Literal["lognormal"] = "lognormal"
    median: Annotated[_Drawn, Field(ge=1)]
    sigma: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    floor: _Drawn = 0

    def native(self, seed: int) -> cysim.Latency:
        """As the machine takes it."""
        import cysim

        return cysim.Latency.lognormal(self.median, self.sigma, self.floor, seed)

    def __str__(self) -> str:
        floor = f",floor={format_duration(self.floor)}" if self.floor else ""
        return f"lognormal:median={format_duration(self.median)},sigma={self.sigma!r}{floor}"


class _FromFile(_Frozen):
    columns: ClassVar[tuple[str, ...]]

    file: str
    sha256: str = ""
    rows: int = 0

    @model_validator(mode="before")
    @classmethod
    def _look(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("file"), str):
            return values
        found = read_latencies(values["file"], cls.columns)
        rows = len(found.columns["latency"])
        if values.get("sha256", found.sha256) != found.sha256 or values.get("rows", rows) != rows:
            raise DataError(f"{values['file']}: not the file that this configuration was made with; its SHA-256 is "
                            f"{found.sha256}")
        return {**values, "sha256": found.sha256, "rows": rows}

    def _read(self) -> Measured:
        found = read_latencies(self.file, self.columns)
        if found.sha256 != self.sha256:
            raise DataError(f"{self.file}: changed after it was checked; run again")
        return found

    def __str__(self) -> str:
        return f"{self.kind}:{self.file}"  # type: ignore[attr-defined]


class Empirical(_FromFile):
    """Drawn from the latencies of a file, all equally likely."""

    columns: ClassVar[tuple[str, ...]] = ("latency",)

    kind: Literal["empirical"] = "empirical"

    def native(self, seed: int) -> cysim.Latency:
        """As the machine takes it."""
        import cysim

        return cysim.Latency.empirical(np.sort(self._read().columns["latency"]), seed)


class Recorded(_FromFile):
    """As a file recorded it over time: that of the last record at or before the time of sending, else the first."""

    columns: ClassVar[tuple[str, ...]] = ("ts", "latency")

    kind: Literal["recorded"] = "recorded"

    def native(self, seed: int) -> cysim.Latency:
        """As the machine takes it."""
        import cysim

        measured = self._read().columns
        return cysim.Latency.recorded(measured["ts"], measured["latency"])


Model: TypeAlias = Constant | Lognormal | Empirical | Recorded
_KINDS = ("lognormal", "empirical", "recorded")


def parse_latency(text: str) -> Model:
    """A model from its text.

    Raises
    ------
    UsageError
        When the text is no latency.
    DataError, FileError
        When its file holds something else, or cannot be read.
    """
    kind, colon, rest = (part.strip() for part in text.partition(":"))
    if not colon:
        return _made(Constant, text, ns=text)
    if kind not in _KINDS:
        raise UsageError(f"unknown latency model {kind!r}{did_you_mean(kind, _KINDS) or '.'} "
                         f"Write a duration such as 5ms, lognormal:median=1ms,sigma=0.5, empirical:FILE or "
                         "recorded:FILE")
    if kind == "lognormal":
        return _made(Lognormal, text, **_settings(text, rest))
    if not rest:
        raise UsageError(f"{text!r} names no file: write {kind}:FILE")
    return _made(Empirical, text, file=rest) if kind == "empirical" else _made(Recorded, text, file=rest)


def _settings(text: str, rest: str) -> dict[str, str]:
    known = ("median", "sigma", "floor")
    values: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in known:
            raise UsageError(f"{text!r}: unknown setting {name!r}{did_you_mean(name, known) or '.'} "
                             f"Settings: {', '.join(known)}")
        if not equals or name in values:
            raise UsageError(f"{text!r}: {name} {'is given twice' if equals else 'has no value'}")
        values[name] = value
    return values


def _made(model: type[_M], text: str, **values: Any) -> _M:
    try:
        return model(**values)
    except ValidationError as error:
        told = []
        for item in error.errors(include_url=False):
            cause = item.get("ctx", {}).get("error")
            if isinstance(cause, MmbtError):
                raise cause from None
            name = "" if model is Constant else f"{text!r}: {item['loc'][0]}: "
            told.append(name + item["msg"].removeprefix("Value error, "))
        raise UsageError("; ".join(told)) from None


def _read(value: Any) -> Any:
    if isinstance(value, str):
        return parse_latency(value)
    return Constant(ns=value) if isinstance(value, int) else value


def _read_feed(value: Any) -> Any:
    return value if value == "local" else _read(value)


_Kinds = Annotated[Model, Field(discriminator="kind")]
LatencyModel: TypeAlias = Annotated[_Kinds, BeforeValidator(_read)]
"""A field that takes a model, its text, or whole ns."""
FeedLatency: TypeAlias = Annotated[_Kinds | Literal["local"], BeforeValidator(_read_feed)]
"""The same, or ``"local"``: rows are seen at their times of receipt."""
