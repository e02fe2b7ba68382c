"""The engine against the slow reference on random markets, in bulk.

`MMBT_DIFF_STEPS` says how many steps (market events and arrivals) are compared in all, `MMBT_DIFF_SEED` where the cases
begin. A failure names its case: `random_case(seed).compare()` in `mmbt.testing.cases` runs it alone.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from mmbt.strategies.fixed_spread import FixedSpread
from mmbt.strategies.ladder import Ladder
from mmbt.strategies.linear_skew import LinearSkew
from mmbt.testing.cases import differential_steps, random_case
from mmbt.testing.differential import difference, run_engine, run_reference
from mmbt.testing.reference import ReferenceQuoter

STEPS = int(os.environ.get("MMBT_DIFF_STEPS", "60000"))
SEED = int(os.environ.get("MMBT_DIFF_SEED", "0"))
BLOCKS = 10
QUOTER_RUNS = max(STEPS // 1500, 10)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_orders_agree(block):
    done, last, text = differential_steps(SEED + block * 1_000_000, STEPS // BLOCKS)
    print(f"{done} steps agree")
    assert not text, text
    assert done >= STEPS // BLOCKS
    assert last > SEED + block * 1_000_000


def test_long_markets_agree():
    done, _, text = differential_steps(SEED + 999_000_000, STEPS // 10, rows=5000)
    print(f"{done} steps agree")
    assert not text, text


def quoters(rng):
    """A built-in strategy and the reference's own writing of it, with the same random parameters."""
    half_spread = float(rng.choice([0.0, 0.5, 1.0, 1.25, 2.0, 0.1 + 0.2]))
    skew = float(rng.choice([0.0, 0.1, 0.5, 3.0, 1 / 3]))
    common = {
        "size": int(rng.integers(1, 6)),
        "interval": str(rng.choice(["10ms", "50ms", "70ms", "1s"])),
        "max_position": [None, 1, 10][rng.integers(3)],
    }
    match rng.integers(3):
        case 0:
            return (lambda: FixedSpread(half_spread_ticks=half_spread, **common),
                    lambda: ReferenceQuoter(half_spread, 0.0, **common))
        case 1:
            return (lambda: LinearSkew(half_spread_ticks=half_spread, skew_ticks_per_lot=skew, **common),
                    lambda: ReferenceQuoter(half_spread, skew, **common))
        case _:
            shape = {"levels": int(rng.integers(1, 6)), "step_ticks": float(rng.choice([0.4, 1.0, 1.5]))}
            return (lambda: Ladder(half_spread_ticks=half_spread, skew_ticks_per_lot=skew, **common, **shape),
                    lambda: ReferenceQuoter(half_spread, skew, **common, **shape))


def test_built_in_quotes_agree():
    steps = fills = 0
    for seed in range(SEED, SEED + QUOTER_RUNS):
        case = random_case(seed)
        native, plain = quoters(np.random.default_rng([seed, 2]))
        expected = run_reference(case.market, plain(), case.options)
        text = difference(expected, run_engine(case.market, native(), case.options))
        assert not text, f"case {seed}, {native().params!r}, {case.options}\n{text}"
        steps += expected.steps
        fills += len(expected.fills)
    print(f"{steps} steps agree")
    assert fills > QUOTER_RUNS
