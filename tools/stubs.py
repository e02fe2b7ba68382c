"""Compare the stub of every compiled module with what the module really holds (mypy.stubtest)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def compiled_modules() -> dict[str, Path]:
    """Import name -> stub of every .pyx of the project."""
    modules = {}
    for source in sorted([*ROOT.glob("cysim/*.pyx"), *ROOT.glob("src/mmbt/**/*.pyx")]):
        parts = source.relative_to(ROOT).with_suffix("").parts
        modules[".".join(parts[1:] if parts[0] == "src" else parts)] = source.with_suffix(".pyi")
    return modules


def main() -> int:
    modules = compiled_modules()
    missing = [str(stub.relative_to(ROOT)) for stub in modules.values() if not stub.exists()]
    if missing:
        print("compiled modules without a stub beside them: " + ", ".join(missing))
        return 1
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--ignore-disjoint-bases", "--allowlist",
               "tools/stubs.allow", "--ignore-unused-allowlist", "--mypy-config-file", "pyproject.toml", *modules]
    environment = os.environ | {"MYPYPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
