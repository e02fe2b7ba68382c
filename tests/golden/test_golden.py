"""Results that must not change unnoticed: the committed sample, converted and backtested.

Who changes a result on purpose prints the new table with `python tests/golden/test_golden.py`, puts it into
golden.json, and says why in the changelog.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from mmbt.backtest import BacktestConfig, FillRules, run_backtest
from mmbt.store import convert, open_store
from mmbt.strategies.registry import make

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "data" / "raw-data"

CASES = {
    "fixed-spread seed": ("fixed-spread", {}, "seed", {}),
    "fixed-spread conservative 50ms": ("fixed-spread", {}, "conservative", {"place_latency": "50ms"}),
    "fixed-spread optimistic": ("fixed-spread", {"half_spread_ticks": 0.5}, "optimistic", {}),
    "linear-skew seed fees": ("linear-skew", {"max_position": 5}, "seed", {"maker_fee": "-0.5", "taker_fee": "4"}),
    "ladder conservative": ("ladder", {"levels": 3}, "conservative", {"cancel_latency": "5ms"}),
    "random seed": ("random", {"seed": 7}, "seed", {}),
    "two instruments": ("linear-skew", {}, "conservative", {"instruments": ("BTC/USD_T+0", "ETH/USD_T+0")}),
}


def golden(store: Path) -> dict[str, str]:
    """Content hash of the store, and result hash of every case."""
    catalog = open_store(store)
    found = {"store": catalog.content_hash}
    for name, (strategy, values, preset, options) in CASES.items():
        config = BacktestConfig.model_validate(
            {"instruments": ("BTC/USD_T+0",), "fills": FillRules.parse(preset)} | options)
        with catalog.select(list(config.instruments)) as market:
            found[name] = run_backtest(market, make(strategy, values), config).result_hash
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What this build finds."""
    store = tmp_path_factory.mktemp("golden") / "store"
    convert([SAMPLE], store)
    return golden(store)


@pytest.mark.parametrize("case", ["store", *CASES])
def test_the_result_is_the_golden_one(case: str, found: dict[str, str]) -> None:
    assert found[case] == json.loads((HERE / "golden.json").read_text("utf-8"))[case]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        convert([SAMPLE], Path(folder) / "store")
        print(json.dumps(golden(Path(folder) / "store"), indent=2))
