"""Days of a planted edge, small enough to judge on in a second."""

from __future__ import annotations

import pytest

from mmbt import BacktestConfig
from mmbt.evaluate.days import EvaluationDay
from mmbt.exact_models import PlantedEdgeParams
from mmbt.synth.planted import NAME, PlantedDays

PARAMS = PlantedEdgeParams(steps=300, edge=0.6)


@pytest.fixture(scope="session")
def config() -> BacktestConfig:
    return BacktestConfig(instruments=(NAME,))


@pytest.fixture(scope="session")
def days(config: BacktestConfig) -> list[EvaluationDay]:
    planted = PlantedDays(PARAMS, 14, seed=2)
    return [EvaluationDay.of(str(planted.dates[day]), planted.market(day), config) for day in range(14)]
