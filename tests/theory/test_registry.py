"""The models by name."""

from __future__ import annotations

from importlib import import_module

import pytest
from pydantic import BaseModel

from mmbt.errors import UsageError
from mmbt.theory.registry import MODELS, find


@pytest.mark.parametrize("name", MODELS)
def test_a_model_says_what_it_is(name: str) -> None:
    module, line = MODELS[name]
    assert (import_module(module).__doc__ or "").splitlines()[0] == line
    found = find(name)
    assert issubclass(found.params, BaseModel)
    assert found.params.model_config["extra"] == "forbid"
    assert all(field.description for field in found.params.model_fields.values())


def test_an_unknown_model_gets_near_names() -> None:
    with pytest.raises(UsageError, match="no such model 'base-modl'; did you mean 'base-model'"):
        find("base-modl")
    with pytest.raises(UsageError, match="there are base-model, cartea-jaimungal, exact-market"):
        find("xyzzy")
