"""Every clause is tested on both simulators: the engine and the slow reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmbt.testing.differential import Options, Outcome, run_engine, run_reference

Simulate = Callable[..., Outcome]
SECOND = 10**9


@pytest.fixture(params=["reference", "engine"])
def simulate(request: pytest.FixtureRequest) -> Simulate:
    """`simulate(market, strategy, **options)` on one of the two; all instruments are traded unless told."""
    run = {"reference": run_reference, "engine": run_engine}[request.param]

    def simulate(market: Any, strategy: Any, **options: Any) -> Outcome:
        options.setdefault("instruments", tuple(i.name for i in market.instruments))
        return run(market, strategy, Options(**options))

    return simulate


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[..., str]:
    """`recorded((1, 4), (2, 0.5))` is the text of latencies recorded at those times, both in s."""

    def recorded(*rows: tuple[float, float]) -> str:
        file = tmp_path / f"recorded{len(list(tmp_path.iterdir()))}.csv"
        lines = [f"{int(ts * SECOND)},{int(latency * SECOND)}\n" for ts, latency in rows]
        file.write_text("ts,latency\n" + "".join(lines), "utf-8")
        return f"recorded:{file}"

    return recorded
