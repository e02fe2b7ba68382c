"""What all tests share: where real captures lie, how hypothesis searches, and which build is under test.

`MMBT_CAPTURES` names a folder of real captures; without it, a folder `shared/data` beside the project is used if there.
`MMBT_BUILD` names the build the suite must be running on: a run on another build stops before its first test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "checked", parent=settings.get_profile("ci"), max_examples=20, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("MMBT_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev"))


def pytest_configure(config: pytest.Config) -> None:
    expected = os.environ.get("MMBT_BUILD")
    if expected:
        import cysim

        found = cysim.build_info()["mode"]
        if found != expected:
            pytest.exit(f"the suite runs on a {found} build of {cysim.__file__}, not on {expected}", returncode=2)


def pytest_report_header(config: pytest.Config) -> str:
    try:
        import cysim
    except ImportError as error:
        return f"cysim: not importable ({error})"
    return f"cysim: {cysim.build_info()['mode']} build in {Path(cysim.__file__).parent}"


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The root of the checkout the tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def captures() -> Path:
    """A folder of real captures; the test is skipped where there is none."""
    named = os.environ.get("MMBT_CAPTURES")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no captures: {folder} is no folder (set MMBT_CAPTURES)")
    return folder
