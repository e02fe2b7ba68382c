"""`mmbt doctor`: what is installed, whether it works, and what to do where it does not."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mmbt import __version__
from mmbt.cli.app import command
from mmbt.cli.options import DEFAULT_STORE, find_store
from mmbt.cli.output import Document, emit_text, safe
from mmbt.errors import MmbtError, StoreError

if TYPE_CHECKING:
    from mmbt.store import Catalog

__all__ = ["doctor"]

GIB = 2**30
SELF_TEST_SEED = 7
SELF_TEST_ROWS = 2000
NEEDED = ("numpy", "pandas", "pyarrow", "click", "rich", "pydantic")
_REQUIREMENT = re.compile(r"([\w.-]+)[^;]*(?:;\s*extra\s*==\s*['\"]([\w-]+)['\"])?\Z")


class Check(NamedTuple):
    """One thing looked at. `state` is ok, note (nothing is wrong), or problem; `exit_code` is that of a problem."""

    name: str
    state: str
    found: str
    advice: str = ""
    exit_code: int = 1


@command(
    "doctor",
    examples="""
    mmbt doctor
    mmbt doctor --data my-store --full
    mmbt doctor --json
    """,
)
@click.option("--data", metavar="STORE", help="The store to look at.  [default: data/store, if there is one]")
@click.option("--full", is_flag=True, help="Read every byte of the store and compare its hashes.")
def doctor(data: str | None, full: bool) -> Document:
    """Check the installation, the engine against its slow reference, and the store; say what to do for each problem.

    The exit code is 0 unless a problem was found: then 4 for a damaged store, else 1.
    """
    path = None if data is None else find_store(data)
    checks: list[Check] = []
    for look in (
        _python,
        _packages,
        _extras,
        _machine,
        _disk,
        _compiler,
        _engine,
        lambda: _store(path, full),
        _self_test,
    ):
        checks += _guarded(look)
    problems = [check for check in checks if check.state == "problem"]

    def show() -> None:
        for check in checks:
            mark = {"ok": "ok", "note": "note", "problem": "PROBLEM"}[check.state]
            emit_text(safe(f"{mark:<8} {check.name:<10} {check.found}"))
            if check.advice:
                emit_text(safe(f"{'':<19} -> {check.advice}"))
        emit_text("")
        count = len(problems)
        emit_text("All is well." if not count else f"{count} problem{'s' if count > 1 else ''} found.")

    return Document(
        {"ok": not problems, "checks": [_plain(check) for check in checks]},
        show,
        problems[0].exit_code if problems else 0,
    )


def _plain(check: Check) -> dict[str, str]:
    return {"name": check.name, "state": check.state, "found": check.found, "advice": check.advice}


def _guarded(look: Callable[[], Iterator[Check]]) -> list[Check]:
    """The checks of one look; a look that fails is a problem, not the end of the others."""
    found: list[Check] = []
    name = getattr(look, "__name__", "store").strip("_<>").replace("lambda", "store").replace("_", " ")
    try:
        for check in look():
            found.append(check)  # noqa: PERF402  # what came before a failure is kept
    except MmbtError as error:
        found.append(Check(name, "problem", str(error), exit_code=error.exit_code))
    except Exception as error:
        found.append(Check(name, "problem", f"{type(error).__name__}: {error}", "report this with --debug output"))
    return found


def _python() -> Iterator[Check]:
    yield Check("mmbt", "ok", f"{__version__} in {Path(__file__).parents[1]}")
    yield Check("python", "ok", f"{platform.python_version()} ({platform.python_implementation()}) at {sys.executable}")


def _packages() -> Iterator[Check]:
    for name in NEEDED:
        try:
            yield Check(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(name, "problem", "not installed", f"pip install {name}")
    floor, found = (14, 0, 1), tuple(int(part) for part in re.findall(r"\d+", _version("pyarrow"))[:3])
    if found and found < floor:
        yield Check(
            "pyarrow",
            "problem",
            "older than 14.0.1 it runs code out of crafted files (CVE-2023-47248)",
            "pip install --upgrade pyarrow",
        )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _extras() -> Iterator[Check]:
    """Which extras are complete, from the package's own metadata; nothing is imported."""
    try:
        requirements = metadata.requires("mmbt") or []
    except metadata.PackageNotFoundError:
        yield Check("extras", "note", "mmbt runs from source and is not installed as a package", "pip install -e .")
        return
    missing: dict[str, list[str]] = {}
    for text in requirements:
        match = _REQUIREMENT.match(text.strip())
        if match and match[2] and match[1].partition("[")[0] != "mmbt":
            missing.setdefault(match[2], []).extend([] if _version(match[1]) else [match[1]])
    for extra, names in sorted(missing.items()):
        if names:
            yield Check(
                "extra", "note", f"{extra}: without {', '.join(names)}", f"pip install 'mmbt[{extra}]' if you need it"
            )
        else:
            yield Check("extra", "ok", f"{extra}: complete")


def _machine() -> Iterator[Check]:
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        model = next(
            (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), model
        )
    except OSError:
        pass
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("cpu", "ok", f"{model}, {usable} of {os.cpu_count()} cores usable")
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return
    short = total < GIB
    yield Check(
        "memory",
        "note" if short else "ok",
        f"{free / GIB:.1f} of {total / GIB:.1f} GiB free",
        "a conversion may need 512 MiB" if short else "",
    )


def _disk() -> Iterator[Check]:
    usage = shutil.disk_usage(".")
    short = usage.free < GIB
    yield Check(
        "disk",
        "note" if short else "ok",
        f"{usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB free here",
        "a store takes about 6 bytes a row, a conversion as much again" if short else "",
    )
    if not os.access(".", os.W_OK):
        yield Check("disk", "note", "this directory cannot be written", "run elsewhere, or give --out a place of yours")


def _compiler() -> Iterator[Check]:
    for name in (os.environ.get("CC", "").partition(" ")[0], "cc", "gcc", "clang"):
        path = shutil.which(name) if name else None
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout
            yield Check("compiler", "ok", said.partition("\n")[0] or path)
            return
    yield Check("compiler", "note", "none found", "only needed to build mmbt or compiled strategies from source")


def _engine() -> Iterator[Check]:
    try:
        import cysim
    except ImportError as error:
        yield Check(
            "engine", "problem", f"cysim cannot be imported: {error}", "build it: pip install -e . (needs a C compiler)"
        )
        return
    info: dict[str, Any] = dict(cysim.build_info())
    told = ", ".join(f"{key} {value}" for key, value in info.items())
    checked = info.get("build", info.get("mode")) != "release"
    yield Check(
        "engine",
        "note" if checked else "ok",
        told,
        "this build checks itself and is slow: rebuild with MMBT_BUILD=release for speed" if checked else "",
    )


def _store(path: Path | None, full: bool) -> Iterator[Check]:
    path = path or Path(DEFAULT_STORE)
    if not path.exists():
        yield Check("store", "note", f"none at {DEFAULT_STORE}", "make one: mmbt convert raw-data")
        return
    from mmbt.store import open_store

    try:
        catalog = open_store(path)
        files = catalog.verify() if full else _sizes(catalog)
    except MmbtError as error:
        yield Check("store", "problem", str(error), "convert the raw data again into a new store", error.exit_code)
        return
    summaries = catalog.summaries()
    rows = sum(summary.tob_rows + summary.trade_rows for summary in summaries)
    looked = "every byte verified" if full else "sizes verified, --full verifies every byte"
    yield Check("store", "ok", f"{path}: {len(summaries)} instruments, {rows:,} rows in {files} files; {looked}")
    yield from _clocks(catalog, full)


def _clocks(catalog: Catalog, full: bool) -> Iterator[Check]:
    from mmbt.store.clocks import clock_summary
    from mmbt.store.report import clock_text

    clocks = catalog.clocks(measure=full)
    for name in sorted({day.instrument for day in clocks if day.tables}, key=str.encode):
        clock = clock_summary(day for day in clocks if day.instrument == name)
        yield Check(
            "clock",
            "note" if clock["days_behind"] else "ok",
            f"{name}: {clock_text(clock)}",
            "mmbt backtest --feed-latency local sets it forward" if clock["days_behind"] else "",
        )


def _sizes(catalog: Catalog) -> int:
    """Compare the files' sizes with the manifest; how many there are."""
    for partition in catalog.manifest.partitions:
        path = catalog.root / partition.path
        size = path.stat().st_size if path.is_file() else None
        if size != partition.bytes:
            raise StoreError(
                f"{path}: {'missing' if size is None else f'{size} bytes'}, the manifest says {partition.bytes}"
            )
    return len(catalog.manifest.partitions)


def _self_test() -> Iterator[Check]:
    """The engine and the slow reference over one nasty generated market: their fills must be the same."""
    import time

    from mmbt.backtest import BacktestConfig, FillRules, run_backtest
    from mmbt.strategies.registry import make
    from mmbt.testing.markets import random_market
    from mmbt.testing.reference import ReferenceSimulator

    market = random_market(seed=SELF_TEST_SEED, rows=SELF_TEST_ROWS, instruments=2)
    names = tuple(instrument.name for instrument in market.instruments)
    fills = FillRules.parse("conservative")
    settings = ["size=2", "interval=50ms"]
    began = time.perf_counter()
    engine = run_backtest(
        market, make("random", settings), BacktestConfig(instruments=names, fills=fills, place_latency=10**7)
    )
    took = time.perf_counter() - began
    reference = ReferenceSimulator(
        market, make("random", settings), instruments=names, size="displayed", place_latency=10**7, cancel_latency=10**7
    ).run()
    told = f"{engine.summary['events']:,} events, {engine.summary['fills']} fills in {took * 1e3:.0f} ms"
    if engine.result_hash == reference.result_hash and engine.summary["fills"]:
        yield Check("self-test", "ok", f"{told}; the reference simulator agrees: {engine.result_hash[:16]}")
    else:
        yield Check(
            "self-test",
            "problem",
            f"{told}; {engine.result_hash[:16]}, but the reference simulator has {reference.result_hash[:16]}",
            "rebuild mmbt from clean sources; if it stays, report it",
        )
