"""Every clause is tested on both simulators: the engine and the slow reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmbt.testing.differential import Options, Outcome, run_engine, run_reference

Simulate = Callable[..., Outcome]


@pytest.fixture(params=["reference", "engine"])
def simulate(request: pytest.FixtureRequest) -> Simulate:
    """`simulate(market, strategy, **options)` on one of the two; all instruments are traded unless told."""
    run = {"reference": run_reference, "engine": run_engine}[request.param]

    def simulate(market: Any, strategy: Any, **options: Any) -> Outcome:
        options.setdefault("instruments", tuple(i.name for i in market.instruments))
        return run(market, strategy, Options(**options))

    return simulate
