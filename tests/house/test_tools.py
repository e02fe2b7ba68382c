"""Programs that are run now and then still run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_soak_runs() -> None:
    child = subprocess.run([sys.executable, "tools/soak.py", "--events", "300000"], cwd=ROOT, capture_output=True,
                           text=True, check=False)
    assert child.returncode == 0, child.stdout + child.stderr
    assert "residual of its split 0E" in child.stdout
