"""Who is judged by `mmbt evaluate`: a strategy, or models with what their trainings say of themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbt.errors import FileError, StoreError, UsageError
from mmbt.units import format_duration

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig
    from mmbt.evaluate.baselines import Terms
    from mmbt.evaluate.days import Contender
    from mmbt.store import Catalog
    from mmbt.strategies.base import Strategy
    from mmbt.strategies.dqn import DQN

__all__ = ["Judged", "Training", "judged_models", "judged_strategy", "trainings"]

LEARNED = "dqn"
_PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Training:
    """What trainings say of themselves, the defaults of their evaluation."""

    models: tuple[str, ...]  # as they were named
    conditions: Mapping[str, Any]  # of the backtests that they learned under
    store: str | None = None  # where it lies; None where only the model is there
    split: Mapping[str, list[str]] | None = None  # days by part; None where no day was kept for a test


@dataclass(frozen=True)
class Judged:
    """A contender with what all others keep to."""

    contender: Contender
    terms: Terms
    made: tuple[Strategy, ...]  # one a training

    @property
    def models(self) -> dict[str, DQN]:
        """The trained models among the trainings, each under the name of its run."""
        from mmbt.strategies.dqn import DQN

        return {_run_name(made.path): made for made in self.made if isinstance(made, DQN)}

    def warnings(self, config: BacktestConfig) -> list[str]:
        """What the strategy says of these conditions, each once."""
        return list(dict.fromkeys(text for made in self.made for text in made.warnings(config)))

    def check_unseen(self, catalog: Catalog, traded: str, days: Sequence[str]) -> None:
        """Make sure that no model learned from a test day, or was chosen by it.

        Raises
        ------
        UsageError
            When one did.
        """
        files = {part.sha256: part.date for part in catalog.manifest.partitions
                 if part.instrument == traded and part.date in days}
        for name, made in self.models.items():
            seen = files.keys() & set(made.model.info.provenance.values())
            if seen:
                told = ", ".join(sorted({files[each] for each in seen}))
                raise UsageError(f"{name} learned from {told}, or was chosen by it: that is no test. "
                                 "Keep days for one when training, -S test=N, or name others with --test")


def trainings(names: Sequence[str]) -> Training:
    """What the trainings of these models say, which must be the same.

    Raises
    ------
    UsageError
        When there is no such model, or the models learned under different conditions or from different days.
    StoreError
        When one is damaged.
    """
    found = [_training(name) for name in names]
    first = found[0]
    for other in found[1:]:
        for what in ("conditions", "store", "split"):
            if getattr(other, what) != getattr(first, what):
                raise UsageError(
                    f"{first.models[0]} and {other.models[0]} are no trainings of one kind, their {what} differ: judge "
                    f"them apart, or by --strategy {LEARNED} with --vary model=RUN for each")
    return replace(first, models=tuple(names))


def judged_models(models: Sequence[str], terms: Terms) -> Judged:
    """The models as one contender, each a training of it."""
    return judged_strategy(LEARNED, [], [("model", each) for each in models], terms)


def judged_strategy(
    strategy: str, given: Sequence[tuple[str, str]], vary: Sequence[tuple[str, str]], terms: Terms
) -> Judged:
    """A strategy by its name and parameters; what all keep to is told to it where it can be told and was not.

    Raises
    ------
    UsageError
        For an unknown strategy or parameter: before any data are read.
    """
    from mmbt.evaluate.baselines import BASELINES
    from mmbt.evaluate.days import Contender
    from mmbt.strategies.dqn import DQN
    from mmbt.strategies.params import parse_value
    from mmbt.strategies.registry import find, make

    kind = find(strategy)
    fields = kind.Params.model_fields
    plain = {key.replace("-", "_"): parse_value(value) for key, value in given}
    common = {key: value for key, value in terms.told().items() if key in fields} | plain
    if issubclass(kind, DQN) and "interval" not in plain:
        common.pop("interval", None)  # a model has its own
    every = [common | {key.replace("-", "_"): parse_value(value)} for key, value in vary] or [common]
    made = tuple(make(strategy, params) for params in every)
    kept = _terms(made[0], terms)
    name = f"{strategy} (yours)" if strategy in BASELINES else strategy  # a baseline of that name may be tuned as well
    return Judged(Contender(name, strategy, tuple(every), kept.size), kept, made)


def _terms(made: Strategy, terms: Terms) -> Terms:
    """What the contender really keeps to: the baselines do as well."""
    from mmbt.evaluate.baselines import Terms
    from mmbt.strategies.dqn import DQN

    size = getattr(made.params, "size", terms.size)
    if isinstance(made, DQN):
        size = max(made.model.info.world["options"]["actions"]["sizes"])
    interval = format_duration(made.interval) if isinstance(made.interval, int) else made.interval
    return Terms(interval or terms.interval, size, made.max_position or terms.max_position)


def _run_name(path: Path) -> str:
    """Of the run that a model's folder lies in; its own if it was put elsewhere."""
    return str(path.parent if path.name == "model" and path.parent.name else path)


def _training(name: str) -> Training:
    from mmbt.learn.model import find_model, read_info
    from mmbt.strategies.registry import BUILT_IN

    if "=" in name:
        raise UsageError(f"unexpected {name!r}; to set a parameter write -S {name}")
    if not Path(name).exists() and (name in BUILT_IN or ":" in name):
        raise UsageError(f"unexpected {name!r}; to name a strategy write --strategy {name}")
    folder = find_model(Path(name), "market")
    info = read_info(folder)
    if info.kind != "market":
        raise UsageError(f"{name} learned in the world {info.kind}, which has no days: mmbt train scores it itself")
    told = _manifest(folder.parent / "manifest.json")
    if told is None:
        return Training((name,), _lasting(info.conditions))
    try:
        split = {part: list(dict.fromkeys(piece["date"] for piece in told["split"][part])) for part in _PARTS}
        apart = told["split"]["kind"] == "days" and split["validation"] and split["test"]
        return Training((name,), _lasting(told["conditions"]), told["data"]["store"], split if apart else None)
    except (KeyError, TypeError) as error:
        raise StoreError(f"{folder.parent}: its manifest is not that of a training on recorded days ({error!r})"
                         ) from None


def _lasting(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Without the seed, which is each training's own."""
    return {name: value for name, value in conditions.items() if name != "seed"}


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}") from None
    return told if isinstance(told, dict) and told.get("kind") == "training" else None
