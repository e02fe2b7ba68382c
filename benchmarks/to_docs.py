"""docs/benchmarks.md from the JSON of a run: no figure in it is typed by hand.

    python -m benchmarks.to_docs [--results benchmarks/results/latest.json] [--out docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.table import (
    HEADER,
    HEADLINES,
    MEMORY_HEADER,
    STARTUP_HEADER,
    STEPS_HEADER,
    case_rows,
    encoding_rows,
    headline_rows,
    memory_rows,
    step_rows,
)

__all__ = ["page"]

ROOT = Path(__file__).resolve().parent.parent

TOP = """\
# Benchmarks

Every figure on this page was measured in one run of one command on one stream, each measurement in a process of its
own, the parties taking turns. A party's figures are those of its fastest run of {runs}: neighbours on a shared host can
only slow a run down; the rate of the slowest stands beside it.

```text
make -C benchmarks peers     # hftbacktest {hftbacktest} in an environment of its own
make bench                   # python -m benchmarks
make -C benchmarks docs      # this page from benchmarks/results/latest.json
```

Measured {date} on {cpu}, {cores} cores, {memory_gib} GiB of memory that one core reads at
{memory_gb_per_s:.1f} GB/s, {system}; Python {python}, {compiler};
{versions}; peers: {peer_versions}. Load average before the run: {load}. Use the ratios: they travel better than the
rates.

## The stream

`mmbt synth`'s preset `btc-spot`, seed {seed}: {events:,} events in {hours:.1f} hours, that is {events_per_s:.0f} a
second, {print_share:.0%} of them prints. The columns are in memory before the clock starts; merging quotes and prints
is part of our work.

**What is an event.** One quote row or one print. hftbacktest has no quote rows: a row becomes one depth event for each
level it changes, {hft_events:,} events for this stream. Its rates are given both ways, per our event and per its own;
the ratio in the last column is of the time each takes for the same stream. It wakes a strategy once for all events of
one instant.

**What is a second.** CPU time of the process, all threads. Imports, compilation and a warm-up are outside; start-up has
a row of its own. `events / wall s` is the same by the clock.
"""

NOTES = {
    "idle": "Ours: a strategy without hooks; every row is checked within the time measured, but for the row `columns "
            "prepared`, a `PreparedMarket` made before the clock starts. hftbacktest: one `elapse` over the stream.",
    "quotes": "`linear-skew`, half spread 0.5 ticks, skew 0.01 ticks a lot, one lot a side: an order whose price stays "
              "is kept, one whose price moved is cancelled and placed anew, post-only. Ours is the built-in strategy, "
              "hftbacktest's the same in `njit`. Fills differ because the fill rules do: {fills}. The first row "
              "records as little as the peers do: fills counted, money exact, over a `PreparedMarket`; then with the "
              "hash of all fills, and with the columns checked within the time. `all recorded` adds the mids "
              "after each fill, the outcome of every command and the equity curve.",
    "python-timer": "The same decisions written in Python; the first row counts fills over a `PreparedMarket`, as the "
                    "compiled strategy's first row does. The plain loop follows the same fill rules but has no order "
                    "states, latencies, money or records. Fills: {fills}.",
    "python-event": "Ours: `on_tob` and `on_trade`, each reading bid and ask. hftbacktest: `wait_next_feed` from "
                    "Python, reading both. The plain loops have merged lists ready before the clock starts and know no "
                    "orders but one bid and one offer; the last calls nobody, so no strategy can be plugged into it.",
    "disk": "Files opened, verified, decoded and replayed with the quotes above. Ours: Parquet, SHA-256 and page "
            "checksums verified. hftbacktest: `npz` as its converters write it, and uncompressed `npy`.",
    "hot": "The same from the [hot store](reference/store.md#the-hot-store), which is made before the clock starts: "
           "files mapped, every block verified, replayed. Mapped pages count as memory. hftbacktest: `npy` as above.",
    "csv": "The stream as raw files in the seed's format to a published store, every row parsed, checked and counted.",
    "steps": "A step is one decision of one simulator and the market up to its next, about 144 events on; what it does "
             "and what bounds it is told in [the vector engine](reference/vector-engine.md).",
    "startup": "From starting the interpreter to the first event in the strategy: imports, opening the data, and for "
               "hftbacktest compiling the strategy, which it does in every process.",
}

GOALS = """
Rates are events a CPU second unless by the clock. What bounds the way from Parquet, the strategy in Python and the
simulators is said with each of them below.
"""

LINES = """
### What bounds it

The strategy's own lines take {own:.0f} ns of Python of the {whole:.0f} ns between two timers when nothing answers them:
two reads, six sums and comparisons, one call with two named arguments. The goal leaves {goal:.0f} ns for all of it. The
compiled strategy takes {native:.0f} ns for the same.
"""

BOUNDS = """
### What bounds it

An event takes {stored:.1f} bytes on disk and {columns:.0f} in the columns that the engine reads. Stored bytes are read
twice, to be hashed and to be decoded, columns are written once and read once: {touched:.0f} bytes, which this machine's
memory moves in {moved:.1f} ns. The rest of the {whole:.1f} ns of CPU that an event of the same stream takes is
arithmetic:

{steps}

What the engine takes is the rest of the first row above. One thread reads quotes and one prints while the engine runs,
so by the clock reading and replaying share the cores.

The columns of quotes in other encodings, page checksums verified, by value:

{encodings}
"""

MEMORY = """
## Memory

Peak resident memory of `mmbt convert` and of `mmbt backtest` with `linear-skew`, from raw files to the run directory;
rates are those of whole commands, start-up and report included, and what one more event costs is CPU time of
`mmbt backtest` against the length above (`make -C benchmarks memory`):
"""

END = """
## Weaknesses of this comparison

- The stream is synthetic and has one level a side. hftbacktest is made for full depth, which this stream does not
  have; where the spread opens, its depth searches for the next level over empty ticks, most of all the HashMap depth.
- The two engines do not compute the same fills: hftbacktest models a queue at the touch, ours follows the preset
  `seed`.
- hftbacktest keeps no record of fills or equity here: its recorder is off. Ours records nothing but the hash of its
  fills and exact money; the row `all recorded` says what the full record costs.
"""


GUARD = """
## What guards the speed

Wall-clock never decides a test. What guards the hot loop between measurements is its count of instructions an event, by
callgrind (`make instructions`), which is the same on a quiet and on a busy machine.
"""


def page(report: dict[str, Any], memory: list[dict[str, Any]] | None) -> str:
    """The page as Markdown."""
    machine, stream = report["machine"], report["stream"]
    peers = machine["peer_versions"] or {}
    parts = [TOP.format(
        runs=report["runs"], hftbacktest=peers.get("hftbacktest", "2.4.4"), versions=_listed(machine["versions"]),
        peer_versions=_listed(peers) or "not installed", seed=stream["seed"], hours=stream["seconds"] / 3600,
        hft_events=stream["hftbacktest_events"], events=stream["events"], events_per_s=stream["events_per_s"],
        print_share=stream["print_share"],
        load="unknown" if machine["load_before"] is None else f"{machine['load_before']:.1f}",
        **{name: machine[name] for name in ("date", "cpu", "cores", "memory_gib", "memory_gb_per_s", "system",
                                               "python", "compiler")},
    )]
    shown = {name: case for name, case in report["cases"].items() if name in HEADLINES}
    parts.append(f"\n## In short\n\n{_table(('what', 'mmbt', 'hftbacktest', 'times'), headline_rows(shown))}\n")
    reached = _table(("what", "goal", "measured", ""), goals.rows(report["cases"]))
    parts.append(f"\n### What we set out to reach\n\n{reached}\n{GOALS}")
    for name, case in report["cases"].items():
        fills = "; ".join(f"{p['party']} {p['fills']:,}" for p in case["parties"] if "fills" in p)
        header = {"startup": STARTUP_HEADER, "steps": STEPS_HEADER}.get(name, HEADER)
        parts.append(f"\n## {case['title'][0].upper()}{case['title'][1:]}\n\n{_table(header, case_rows(case))}\n\n"
                     f"{NOTES[name].format(fills=fills)}\n")
        if name == "python-timer" and "own_lines_ns" in report and "quotes" in report["cases"]:
            parts.append(_lines(report["own_lines_ns"], report["cases"]))
        if name == "disk" and "bounds" in report:
            parts.append(_bounds(report["bounds"], machine["memory_gb_per_s"]))
    if memory:
        parts.append(f"{MEMORY}\n{_table(MEMORY_HEADER, memory_rows(memory))}\n")
    return "".join([*parts, GUARD, END])


def _lines(own: float, cases: dict[str, dict[str, Any]]) -> str:
    def ns(case: str, rate: float | None = None) -> float:  # between two timers
        party = cases[case]["parties"][0]
        return float(party["events"] / party["decisions"] / (rate or party["events_per_cpu_s"]) * 1e9)

    goal = next(goal.goal for goal in goals.GOALS if goal.case == "python-timer")
    return LINES.format(own=own, whole=ns("python-timer"), goal=ns("python-timer", goal), native=ns("quotes"))


def _bounds(bounds: dict[str, Any], memory_gb_per_s: float) -> str:
    touched = 2 * (bounds["stored_bytes"] + bounds["column_bytes"])
    return BOUNDS.format(
        stored=bounds["stored_bytes"], columns=bounds["column_bytes"], touched=touched,
        moved=touched / memory_gb_per_s, whole=bounds["whole"],
        steps=_table(("step", "ns an event"), step_rows(bounds)),
        encodings=_table(("encoding", "`ts`", "`bid_px`", "`bid_qty`"), encoding_rows(bounds)),
    )


def _table(header: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    header = tuple(header)
    lines = [header, ("---", *("---:" for _ in header[1:])), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def main() -> None:
    """Write the page."""
    results = ROOT / "benchmarks" / "results"
    parser = argparse.ArgumentParser(prog="python -m benchmarks.to_docs",
                                     description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=results / "latest.json")
    parser.add_argument("--memory", type=Path, default=results / "memory.json", help="left out when it does not exist")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    report = json.loads(options.results.read_text())
    memory = report.get("memory")
    if memory is None and options.memory.exists():
        memory = json.loads(options.memory.read_text())["memory"]
    options.out.write_text(page(report, memory))


if __name__ == "__main__":
    main()
