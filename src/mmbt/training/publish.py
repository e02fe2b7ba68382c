"""The model of a run, written whenever a better one is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.learn.model import Model, ModelInfo
from mmbt.training.run import TrainingRun
from mmbt.training.settings import RECORDED, Settings

__all__ = ["MODEL", "publisher"]

MODEL = "model"

Publish = Callable[[list[NDArray[np.float32]], dict[str, float], dict[str, int]], None]


def publisher(run: TrainingRun, settings: Settings, names: Sequence[str], world: dict[str, Any]) -> Publish:
    """What writes the model of a run; the same bytes for the same weights, whenever it is called.

    Parameters
    ----------
    names
        What the network reads, the market's part first.
    world
        What the model needs to see and act elsewhere as it did in training.
    """
    manifest = run.manifest

    def publish(layers: list[NDArray[np.float32]], scores: dict[str, float], counts: dict[str, int]) -> None:
        info = ModelInfo(
            kind="market" if settings.market == RECORDED else settings.market,
            inputs=tuple(names),
            actions=int(layers[-1].shape[0]),
            layers=settings.learner.layers,
            world=world,
            learner=settings.learner.model_dump(mode="json"),
            conditions=manifest.get("conditions") or {},
            provenance={
                "run": run.path.name,
                "time": manifest["started"],
                "seed": str(settings.learner.seed),
                **{name: str(count) for name, count in counts.items()},
                **{f"data {each['path']}": each["sha256"] for each in (manifest.get("data") or {}).get("files", [])},
                **manifest["sessions"][0]["runtime"],
            },
            scores=scores,
        )
        Model(info, layers).save(run.path / MODEL)

    return publish
