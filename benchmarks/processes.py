"""Every party in a process of its own, in the same environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "environment", "note", "python"]

ROOT = Path(__file__).resolve().parent.parent


def environment() -> dict[str, str]:
    """What every party runs in: this source tree, and nobody's idle BLAS threads, which burn CPU."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "PYTHONHASHSEED": "0",
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def python(module: str, *arguments: object, executable: Path = Path(sys.executable)) -> str:
    """What a module prints."""
    command = [executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"python -m {module} {' '.join(map(str, arguments))} failed with exit code {done.returncode}")
    return done.stdout


def note(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)
