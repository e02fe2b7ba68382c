"""The engine against the reference with every latency drawn from whole steps of the markets' lattice.

So commands, reports, rows, timers and ends of sessions fall on the same instants all the time.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mmbt.testing.cases import random_case
from mmbt.testing.differential import compare
from mmbt.testing.markets import STEP

CLOCKS = ("place_latency", "cancel_latency", "feed_latency", "response_latency")


@pytest.fixture(scope="module")
def lattice(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("latencies") / "steps.txt"
    file.write_text("\n".join(str(steps * STEP) for steps in (0, 0, 0, 1, 1, 2, 5, 30)), "utf-8")
    return f"empirical:{file}"


@pytest.mark.parametrize("block", range(4))
def test_latencies_of_the_lattice_agree(lattice: str, block: int) -> None:
    for seed in range(block * 1_000_000, block * 1_000_000 + 6):
        case = random_case(seed)
        drawn = {name: lattice for place, name in enumerate(CLOCKS) if seed >> place & 1 or seed % 3 == 0}
        options = replace(case.options, **drawn, seed=seed)  # type: ignore[arg-type]
        text, _ = compare(case.market, case.strategy, options)
        assert not text, f"case {seed}, {options}\n{text}"
