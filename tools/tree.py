"""A copy of the project, built aside and kept: what is used again copies and compiles only what differs.

The checkout is never touched, and every copy has a build of its own: other flags, another mode, other sources.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("cysim", "src", "tests", "docs", "data/raw-data", "setup.py", "pyproject.toml", "README.md", "LICENSE",
          "CHANGELOG.md")
BUILT = {".so", ".c", ".pyc", ".html"}


class Tree:
    """A built copy of the project in `home`.

    Parameters
    ----------
    home : Path
        Where it lies; what an earlier run left there is used again.
    flags : str
        Added after the project's own, for the C compiler: `-O1 -g0` takes half the time of -O3.
    mode : str
        The build mode of setup.py.
    """

    def __init__(self, home: Path, flags: str = "-g0", mode: str = "release") -> None:
        self.home = home
        self.environment = os.environ | {
            "CC": str(home / "cc"),
            "MMBT_BUILD": mode,
            "MMBT_HYPOTHESIS": "ci",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": f"{home / 'src'}{os.pathsep}{home}",
            "PYTHONSAFEPATH": "1",
        }
        compiler = f'#!/bin/sh\nexec cc "$@" {flags}\n'
        stamp = hashlib.sha256("\n".join(
            [compiler, mode, platform.python_version(), (ROOT / "setup.py").read_text("utf-8")]).encode()).hexdigest()
        stamped = home / "stamp"
        if not stamped.exists() or stamped.read_text("utf-8") != stamp:  # the compiler would not notice any of these
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            (home / "cc").write_text(compiler, "utf-8")
            (home / "cc").chmod(0o755)
            stamped.write_text(stamp, "utf-8")

    def fill(self, changed: dict[str, str]) -> None:
        """Copy the checkout, with other texts for the files named in `changed`; an equal file keeps its age."""
        wanted = {}
        for name in COPIED:
            place = ROOT / name
            found = place.rglob("*") if place.is_dir() else [place]
            wanted |= {path.relative_to(ROOT): path for path in found if path.is_file() and path.suffix not in BUILT}
        for name, path in wanted.items():
            content = changed[str(name)].encode() if str(name) in changed else path.read_bytes()
            copy = self.home / name
            if not copy.exists() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
        for folder in ("cysim", "src", "tests"):
            for path in (self.home / folder).rglob("*"):
                source = path.with_name(path.name.split(".")[0] + ".pyx") if path.suffix == ".so" else path
                if path.is_file() and source.relative_to(self.home) not in wanted:
                    path.unlink()

    def run(self, *command: str, seconds: float | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program in the copy."""
        return subprocess.run([sys.executable, *command], cwd=self.home, env=self.environment | variables,
                              capture_output=True, text=True, check=False, timeout=seconds)

    def build(self, jobs: int) -> None:
        """Compile what changed, and see that this copy's own machine would be imported."""
        child = self.run("setup.py", "--quiet", "build_ext", "--inplace", MMBT_JOBS=str(jobs))
        if child.returncode:
            raise RuntimeError(f"the tree in {self.home} does not build:\n{(child.stdout + child.stderr)[-4000:]}")
        place = self.run("-c", "import cysim; print(cysim.__file__)").stdout.strip()
        if not place or not Path(place).is_relative_to(self.home):
            raise RuntimeError(f"the tests would import {place or 'nothing'}, not the copy in {self.home}")
