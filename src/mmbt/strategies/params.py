"""Parameters of strategies: the field types they share, and values as people write them.

A parameter arrives as `-S name=value`, from a TOML file, or as a Python object. Text is read as one TOML value where it
is one (`3`, `0.5`, `true`, `"text"`, `[1, 2]`), `none` is None, and everything else, such as `100ms`, stays text. A
field that refuses the value read so is offered the bare text, so that a text field may hold `3`. All mistakes are
reported at once.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from mmbt.errors import FileError, UsageError, did_you_mean
from mmbt.strategies.base import LONGEST, Strategy, StrategyParams
from mmbt.units import duration_ns

__all__ = ["Depth", "Description", "Interval", "Lots", "Parameter", "PositionLimit", "Ticks", "describe", "fill_params",
           "make_params", "parameters_of", "parse_value", "summary"]

_Model = TypeVar("_Model", bound=BaseModel)

LIMIT = 2**40  # prices and quantities of orders stay below it
_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"), ("multiple_of", "a multiple of"),
           ("min_length", "length >="), ("max_length", "length <="))


def _positive_duration(value: str | int) -> str | int:
    if not 0 < duration_ns(value) < LONGEST:
        raise ValueError("the duration must be positive and shorter than 146 years")
    return value


Interval = Annotated[str | int, AfterValidator(_positive_duration), Field(json_schema_extra={"unit": "duration"})]
"""A positive duration: text such as ``"100ms"``, or whole ns."""

Ticks = Annotated[float, Field(gt=-LIMIT, lt=LIMIT, json_schema_extra={"unit": "ticks"})]
"""A finite distance in ticks of either sign."""

Depth = Annotated[float, Field(ge=0, lt=LIMIT, json_schema_extra={"unit": "ticks"})]
"""A finite distance in ticks, zero or more."""

Lots = Annotated[int, Field(ge=1, lt=LIMIT, json_schema_extra={"unit": "lots"})]
"""A quantity of at least one lot."""

PositionLimit = Annotated[int | None, Field(ge=1, lt=LIMIT, json_schema_extra={"unit": "lots"})]
"""A limit of the position in lots; None for no limit."""


class Parameter(NamedTuple):
    """One field of a strategy's parameters, in words."""

    name: str
    type: str
    default: Any  # None may be the default: see `required`
    required: bool
    unit: str
    bounds: str
    description: str


class Description(NamedTuple):
    """A strategy in words: what `mmbt strategies show` prints."""

    summary: str
    doc: str
    interval: str | int | None
    parameters: tuple[Parameter, ...]


def summary(cls: type) -> str:
    """The first line of a class's own docstring; empty when it has none."""
    doc = (cls.__doc__ or "").strip()
    return doc.splitlines()[0].strip() if doc else ""


def describe(cls: type[Strategy]) -> Description:
    """A strategy's docstring and its parameters with type, default, unit, bounds and meaning."""
    import inspect

    fields = cls.Params.model_fields
    interval = fields["interval"].default if "interval" in fields else cls.interval
    return Description(summary(cls), inspect.cleandoc(cls.__doc__ or ""), interval, parameters_of(cls.Params))


def parameters_of(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """The fields of any model in words."""
    return tuple(_parameter(name, field) for name, field in model.model_fields.items())


def _parameter(name: str, field: FieldInfo) -> Parameter:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = str(extra.get("unit", ""))
    bounds = [f"{sign} {_number(getattr(item, key))}" for key, sign in _BOUNDS for item in field.metadata
              if getattr(item, key, None) is not None]
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True)
    kind = "duration" if unit == "duration" else _type_name(field.annotation)
    return Parameter(name, kind, default, required, "" if unit == "duration" else unit, ", ".join(bounds),
                     field.description or "")


def _number(value: Any) -> str:
    power = abs(value).bit_length() - 1 if isinstance(value, int) else 0
    return f"{'-' if value < 0 else ''}2^{power}" if power >= 20 and abs(value) == 2**power else str(value)


def _type_name(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is None or annotation is type(None):
        return "none"
    if origin in (Union, types.UnionType):
        return " | ".join(_type_name(arg) for arg in args)
    if origin is Literal:
        return " | ".join(repr(arg) for arg in args)
    if origin is Annotated:
        return _type_name(args[0])
    if origin is not None and args:
        return f"{_type_name(origin)}[{', '.join('...' if arg is ... else _type_name(arg) for arg in args)}]"
    return "text" if annotation is str else getattr(annotation, "__name__", str(annotation))


def parse_value(text: str) -> Any:
    """The value that `text` stands for: one TOML value, None for ``none``, else the text itself."""
    text = text.strip()
    if text.lower() == "none":
        return None
    if "\n" in text or "\r" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return text


def make_params(
    name: str,
    cls: type[Strategy],
    overrides: Sequence[str] | Mapping[str, Any] = (),
    toml: Path | None = None,
) -> StrategyParams:
    """The parameters of a strategy from a TOML file and from overrides, which win.

    Parameters
    ----------
    name
        What the strategy is called in messages.
    cls
        The strategy.
    overrides
        Texts ``name=value``, or a mapping of typed values.
    toml
        A TOML file whose top-level keys are parameters.

    Raises
    ------
    UsageError
        Naming every parameter that is unknown, missing, given twice or wrong, with what was given and what is expected.
    FileError
        When the TOML file cannot be read.
    """
    return fill_params(f"strategy {name}", cls.Params, overrides, toml)


def fill_params(
    title: str, model: type[_Model], overrides: Sequence[str] | Mapping[str, Any] = (), toml: Path | None = None
) -> _Model:
    """As `make_params`, for any model whose fields are the parameters; `title` is what messages begin with."""
    mistakes: list[str] = []
    values = {} if toml is None else _read_toml(toml)
    texts: dict[str, str] = {}
    if isinstance(overrides, Mapping):
        values |= overrides
    else:
        texts = _split_pairs(overrides, mistakes)
        values |= {key: parse_value(text) for key, text in texts.items()}

    fields = model.model_fields
    mistakes += [f"{_plain(key)}: unknown parameter{did_you_mean(key, fields)}" for key in values if key not in fields]
    known = {key: value for key, value in values.items() if key in fields}
    params, reasons = _attempt(model, known)
    if bare := {key: texts[key].strip() for key in reasons if key in texts}:
        params, left = _attempt(model, known | bare)
        # Where both readings fail the first one speaks: the other would talk of text that nobody meant as text.
        reasons = {key: reasons.get(key, said) for key, said in left.items()}
    mistakes += _explain(reasons, model, values)
    if params is None or mistakes:
        raise UsageError(_report(title, fields, mistakes))
    return params


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read the parameters in {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}") from error


def _split_pairs(pairs: Sequence[str], mistakes: list[str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for pair in [pairs] if isinstance(pairs, str) else pairs:
        key, equals, text = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            mistakes.append(f"{_plain(pair)}: write name=value")
        elif key in texts:
            mistakes.append(f"{_plain(key)}: given twice, as {_shown(texts[key])} and {_shown(text)}")
        else:
            texts[key] = text
    return texts


def _attempt(model: type[_Model], values: Mapping[str, Any]) -> tuple[_Model | None, dict[str, list[str]]]:
    # A rule about several fields at once stands under an empty name.
    try:
        return model(**values), {}
    except ValidationError as error:
        reasons: dict[str, list[str]] = {}
        for item in error.errors(include_url=False):
            said = reasons.setdefault(str(item["loc"][0]) if item["loc"] else "", [])
            if (reason := _reason(item["msg"])) not in said:
                said.append(reason)
        return None, reasons


def _explain(reasons: Mapping[str, list[str]], model: type[BaseModel], values: Mapping[str, Any]) -> list[str]:
    lines = []
    for field, said in reasons.items():
        if field not in model.model_fields:
            lines += said
            continue
        about = _parameter(field, model.model_fields[field])
        expected = ", ".join(part for part in (about.type, about.unit, about.bounds) if part)
        given = f"{field} = {_shown(values[field])}" if field in values else field
        lines.append(f"{given}: {' or '.join(said)} (expected: {expected}; {_default(about)})")
    return lines


def _default(about: Parameter) -> str:
    return "no default" if about.required else f"default {'none' if about.default is None else _shown(about.default)}"


def _reason(message: str) -> str:
    if message == "Field required":
        return "is missing"
    return message.removeprefix("Value error, ").replace("Input should be", "must be", 1)


def _report(title: str, fields: Mapping[str, FieldInfo], mistakes: Sequence[str]) -> str:
    count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    known = ", ".join(fields) or "none"
    return "\n".join([f"{title}: {count} in the parameters", *(f"  {line}" for line in mistakes),
                      f"  its parameters are: {known}"])


def _plain(text: str) -> str:
    return text if text.isidentifier() else _shown(text)


def _shown(value: Any) -> str:
    shown = repr(value)  # repr escapes control characters of a terminal
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
