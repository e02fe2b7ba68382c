"""One digest for each run, whatever carries the rows, cuts them, runs beside, seeds the hashes or decides.

Builds are compared by `make determinism`, machines by the golden results. Many simulators in one, stepped from Python,
are compared with the single one where they are tested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmbt.backtest import BacktestConfig, run_backtest
from mmbt.store import Catalog
from tests.determinism import matrix

NATIVE = [name for name, run in matrix.RUNS.items() if run.strategy is matrix.skew]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return matrix.prepare(tmp_path_factory.mktemp("matrix"))


@pytest.fixture(scope="module")
def expected(catalog: Catalog) -> dict[str, str]:
    """What one run after the other finds, in this process, on Parquet."""
    return matrix.digests(catalog)


def test_every_option_of_a_backtest_is_in_some_run(catalog: Catalog) -> None:
    plain = BacktestConfig(instruments=(matrix.BTC,))
    configs = [run.config(catalog.root.parent) for run in matrix.RUNS.values()]
    for name in BacktestConfig.model_fields:
        assert any(getattr(config, name) != getattr(plain, name) for config in configs), name


@pytest.mark.parametrize("name", matrix.RUNS)
def test_a_run_has_fills_to_compare(catalog: Catalog, name: str) -> None:
    run = matrix.RUNS[name]
    with matrix.from_parquet(catalog, (*run.traded, *run.options.get("watch", ()))) as market:
        result = run_backtest(market, run.strategy(), run.config(catalog.root.parent))
    assert result.summary["fills"] > 10


def test_runs_differ(expected: dict[str, str]) -> None:
    assert len(set(expected.values())) == len(expected)


@pytest.mark.parametrize("batch_rows", [1, 7, 1024, 65536])
@pytest.mark.parametrize("source", matrix.SOURCES)
def test_chunks_and_sources(catalog: Catalog, expected: dict[str, str], source: str, batch_rows: int) -> None:
    assert matrix.digests(catalog, matrix.SOURCES[source], batch_rows) == expected


def test_threads(catalog: Catalog, expected: dict[str, str]) -> None:
    sources = [*matrix.SOURCES.values()]
    with ThreadPoolExecutor(len(sources)) as pool:
        assert all(found == expected for found in pool.map(lambda source: matrix.digests(catalog, source), sources))


@pytest.mark.parametrize("hash_seed", ["0", "1", "4294967295"])
def test_processes_and_hash_seeds(catalog: Catalog, expected: dict[str, str], hash_seed: str) -> None:
    child = subprocess.run([sys.executable, str(Path(matrix.__file__))], capture_output=True, text=True, check=True,
                           env=os.environ | {"PYTHONHASHSEED": hash_seed})
    told = json.loads(child.stdout)
    assert told["hash seed"] == hash_seed
    assert told["digests"] == {"store": catalog.content_hash} | expected


@pytest.mark.parametrize("name", NATIVE)
def test_native_or_python(catalog: Catalog, expected: dict[str, str], name: str) -> None:
    run = matrix.RUNS[name]
    in_python = matrix.Run(matrix.in_python, run.fills, run.traded, **run.options)
    with matrix.from_parquet(catalog, (*run.traded, *run.options.get("watch", ()))) as market:
        assert in_python.digest(market, catalog.root.parent) == expected[name]
