"""Extensions, directives, C flags and build switches of mmbt; everything else stands in pyproject.toml.

One environment variable chooses the build:

    MMBT_BUILD=release   optimised, no checks inside the machine (the default)
    MMBT_BUILD=debug     bounds checks, assertions and trapping integer overflow
    MMBT_BUILD=trace     line tracing for coverage
    MMBT_BUILD=asan      AddressSanitizer and UndefinedBehaviorSanitizer

A second one, MMBT_JOBS, says how many extensions are made at a time; as many as there are cores by default.
"""

import os
import platform
import shlex
import subprocess
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext

BUILD = os.environ.get("MMBT_BUILD", "release")
JOBS = int(os.environ.get("MMBT_JOBS") or os.cpu_count() or 1)

DIRECTIVES = {
    "language_level": 3,
    "auto_pickle": False,  # with autotestdict off, mypy.stubtest can read the compiled modules
    "autotestdict": False,
    "binding": True,
    "boundscheck": False,
    "cdivision": True,
    "embedsignature": False,
    "initializedcheck": False,
    "nonecheck": False,
    "wraparound": False,
}


def is_gcc() -> bool:
    """Whether the C compiler is GCC, by whatever name."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[:1]
    try:
        told = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return "Free Software Foundation" in told


# -ffp-contract=off: a fused multiply-add would give other digits on another machine (docs: determinism).
C_FLAGS = ["-ffp-contract=off", "-Wall", "-Wno-unused-function", "-Wno-unused-but-set-variable"]
# Not -O3: what it unrolls and copies drives other hot code, that of the interpreter too, from the instruction cache.
C_FLAGS += ["-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic"]
if is_gcc():
    # What is written inline is meant so: a call in the middle keeps what is known of the side, or of who listens, from
    # what is called. Two quotes each 100 ms take 7% less time.
    C_FLAGS += [f"--param={name}" for name in
                ("max-inline-insns-single=500", "large-function-growth=400", "inline-unit-growth=100")]
# Nobody reads errno or traps after arithmetic: so floor, ceil and rint need no call.
C_FLAGS += ["-fno-math-errno", "-fno-trapping-math"]
if platform.machine() in ("x86_64", "AMD64"):
    C_FLAGS.append("-march=x86-64-v2")  # what NumPy's own wheels ask for
# Python's own flags let signed integers wrap, and what may wrap is no overflow to a sanitizer.
NO_WRAPPING = ["-fstrict-overflow", "-fno-wrapv"]
LINK_FLAGS: list[str] = []
MACROS: list[tuple[str, str | None]] = [("MMBT_BUILD", f'"{BUILD}"')]

match BUILD:
    case "release":
        pass
    case "debug":
        DIRECTIVES |= {"boundscheck": True, "initializedcheck": True}
        C_FLAGS = ["-O1", "-g", "-ffp-contract=off", *NO_WRAPPING, "-fsanitize=signed-integer-overflow,bounds,shift",
                   "-fsanitize-undefined-trap-on-error"]
        MACROS.append(("MMBT_CHECKS", "1"))
    case "trace":
        DIRECTIVES |= {"linetrace": True, "emit_code_comments": True}
        C_FLAGS = ["-O0", "-g", "-ffp-contract=off"]
        MACROS += [("CYTHON_TRACE_NOGIL", "1"), ("MMBT_CHECKS", "1")]
    case "asan":
        SANITIZERS = "-fsanitize=address,undefined"
        C_FLAGS = ["-O1", "-g", "-fno-omit-frame-pointer", "-ffp-contract=off", *NO_WRAPPING, SANITIZERS,
                   "-fno-sanitize-recover=undefined"]
        LINK_FLAGS = [SANITIZERS]
        MACROS.append(("MMBT_CHECKS", "1"))
    case _:
        raise SystemExit(f"MMBT_BUILD={BUILD!r} is unknown: use release, debug, trace or asan")

Options.warning_errors = True


def extension(source: Path) -> Extension:
    """One extension a .pyx, named after its place: cysim/x.pyx -> cysim.x, src/mmbt/a/b.pyx -> mmbt.a.b."""
    parts = source.with_suffix("").parts
    return Extension(
        ".".join(parts[1:] if parts[0] == "src" else parts),
        [str(source)],
        define_macros=MACROS,
        extra_compile_args=C_FLAGS,
        extra_link_args=LINK_FLAGS,
        depends=["setup.py"],  # the flags
    )


OPTIONS = {
    "build": {"build_base": f"build/{BUILD}"},  # else one build would link the objects of another
    "build_ext": {"parallel": JOBS},
}


class BuildExt(build_ext):
    """Compiles for an editable installation where other builds do, so that neither does what the other has done.

    The folder that an editable installation would compile in is thrown away afterwards.
    """

    def finalize_options(self) -> None:
        if self.editable_mode:
            build = Distribution({"options": OPTIONS}).get_command_obj("build")
            build.ensure_finalized()
            self.build_lib, self.build_temp = build.build_platlib, build.build_temp
        super().finalize_options()


SOURCES = sorted([*Path("cysim").glob("*.pyx"), *Path("src").glob("mmbt/**/*.pyx")])

if __name__ == "__main__":  # what translates to C in another process may import this file
    setup(
        ext_modules=cythonize(
            [extension(source) for source in SOURCES],
            build_dir=f"build/cython-{BUILD}",
            compiler_directives=DIRECTIVES,
            include_path=["."],
            annotate=bool(os.environ.get("MMBT_ANNOTATE")),
            nthreads=JOBS,
        ),
        cmdclass={"build_ext": BuildExt},
        options=OPTIONS,
    )
