"""The exactly solved models by name. A model is one module: `PARAMS` is what it takes, `answer` what it answers.

An answer is a flat document of numbers and lists: lists of one length stand beside each other in a table, numbers stand
alone. None in a list is what does not exist, such as a quote that is not made.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from pydantic import BaseModel

from mmbt.errors import UsageError, did_you_mean

__all__ = ["MODELS", "Model", "find"]

MODELS = {  # name: module, first line of its docstring (a test compares them)
    "base-model": (
        "mmbt.theory.base_model",
        "The base model: quotes around a market that stands still, paid by the spread and charged for risk.",
    ),
    "cartea-jaimungal": (
        "mmbt.theory.cartea_jaimungal",
        "Cartea, Jaimungal and Penalva (2015, ch. 10): quotes of a maker who pays for inventory as time goes by.",
    ),
    "exact-market": (
        "mmbt.theory.exact_market",
        "The exact market: imbalance foretells the mid, the spread changes, and every answer is known.",
    ),
    "planted-edge": (
        "mmbt.theory.planted_edge",
        "The planted edge: a market whose imbalance foretells its moves, and the most that can be earned in it.",
    ),
}


class Model(NamedTuple):
    """What a model takes and what it answers."""

    params: type[BaseModel]
    answer: Callable[[Any], dict[str, Any]]


def find(name: str) -> Model:
    """The model of that name.

    Raises
    ------
    UsageError
        When there is none, with near names.
    """
    if name not in MODELS:
        hint = did_you_mean(name, MODELS) or f"; there are {', '.join(MODELS)}"
        raise UsageError(f"no such model {name!r}{hint}")
    module = import_module(MODELS[name][0])
    return Model(module.PARAMS, module.answer)
