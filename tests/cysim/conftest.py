"""Native strategies of the tests, compiled as a third party would compile his."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import cysim


@pytest.fixture(scope="session")
def compile_native(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModuleType]:
    """Compiles a `.pyx` of this folder against the tree under test, and imports it."""

    def compile_native(name: str) -> ModuleType:
        if not any(shutil.which(compiler) for compiler in (os.environ.get("CC", "cc").split()[0], "cc", "gcc")):
            pytest.skip("no C compiler")
        folder = tmp_path_factory.mktemp("native")
        shutil.copy(Path(__file__).with_name(f"{name}.pyx"), folder)
        tree = Path(cysim.__file__).parents[1]
        path = f"{tree}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        child = subprocess.run([sys.executable, "-m", "Cython.Build.Cythonize", "-i", "-3", f"{name}.pyx"], cwd=folder,
                               env=os.environ | {"PYTHONPATH": path, "CFLAGS": "-O0"}, capture_output=True, text=True,
                               check=False)
        assert child.returncode == 0, child.stdout[-4000:] + child.stderr[-4000:]
        assert "warning" not in child.stderr, child.stderr
        spec = importlib.util.spec_from_file_location(name, next(folder.glob(f"{name}.*.so")))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return compile_native
