"""The results as people read them: rows of text, for the terminal and for the docs."""

from __future__ import annotations

from typing import Any

__all__ = ["HEADER", "HEADLINES", "MEMORY_HEADER", "STARTUP_HEADER", "STEPS_HEADER", "case_rows", "encoding_rows",
           "headline_rows", "memory_rows", "ratio", "show", "show_memory", "step_rows"]

HEADER = ("party", "events / CPU s", "slowest run", "in its own events", "events / wall s", "peak MiB", "mmbt is")
MEMORY_HEADER = ("events", "backtest, peak MiB", "events / CPU s", "ns for one more", "convert, peak MiB",
                 "rows / CPU s", "bytes a row")
STARTUP_HEADER = ("party", "time", "slowest run", "", "CPU", "", "mmbt is")
STEPS_HEADER = ("what", "steps / CPU s", "slowest run", "", "steps / wall s", "peak MiB", "")
STEPS = {
    "read": "files read from the operating system's cache",
    "sha256": "SHA-256 over their bytes",
    "decode": "decoded by pyarrow into columns",
    "page_checksums": "checksums of their pages",
    "hand_over": "store opened, columns handed over",
}
HEADLINES = ("idle", "quotes", "python-timer", "python-event", "disk", "hot", "startup")


def ratio(case: dict[str, Any], party: dict[str, Any]) -> float | None:
    """How many times as fast our first row is done with the same stream; None for rows of our own."""
    ours = case["parties"][0]
    if not party["peer"]:
        return None
    if "first_event_s" in party:
        return float(party["first_event_s"] / ours["first_event_s"])
    return float(ours["events_per_cpu_s"] / party["events_per_cpu_s"])


def case_rows(case: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row a party, in the columns of `HEADER`."""
    rows = []
    for party in case["parties"]:
        times = ratio(case, party)
        told = "" if times is None else f"{times:.1f} x"
        if "first_event_s" in party:
            clock, cpu = f"{party['first_event_s']:.2f} s", f"{party['cpu_s']:.2f} s of CPU"
            rows.append((party["party"], clock, f"{party['slowest_s']:.2f} s", "", cpu, "", told))
            continue
        rate, own = party["events_per_cpu_s"], party["own_events_per_cpu_s"]
        rows.append((party["party"], millions(rate), millions(party["slowest_per_cpu_s"]),
                     "" if own == rate else millions(own), millions(party["events_per_wall_s"]),
                     f"{party['peak_rss_mb']:,.0f}", told))
    return rows


def headline_rows(cases: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row a case: our first row against the best of hftbacktest's."""
    rows = []
    for case in cases.values():
        ours = case["parties"][0]
        peers = [party for party in case["parties"] if party["party"].startswith("hftbacktest")]
        if not peers:
            continue
        best = min(peers, key=lambda party: ratio(case, party) or 0.0)
        told = [f"{p['first_event_s']:.2f} s" if "first_event_s" in p else millions(p["events_per_cpu_s"])
                for p in (ours, best)]
        rows.append((case["title"], *told, f"{ratio(case, best):.1f} x"))
    return rows


def memory_rows(memory: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row a length; what one more event costs is taken against the length before."""
    rows = []
    for before, row in zip([None, *memory], memory, strict=False):
        more = ""
        if before is not None:
            seconds = row["events"] / row["events_per_cpu_s"] - before["events"] / before["events_per_cpu_s"]
            more = f"{seconds / (row['events'] - before['events']) * 1e9:.1f}"
        rows.append((f"{row['events']:,}", f"{row['backtest_peak_rss_mb']:,.0f}", millions(row["events_per_cpu_s"]),
                     more, f"{row['convert_peak_rss_mb']:,.0f}", millions(row["convert_rows_per_cpu_s"]),
                     f"{row['store_bytes'] / row['events']:.1f}"))
    return rows


def step_rows(bounds: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row a step from disk to the engine, and their sum."""
    steps = [(STEPS[name], f"{ns:.1f}") for name, ns in bounds["steps"].items()]
    return [*steps, ("the whole way, in one thread", f"{bounds['whole']:.1f}")]


def encoding_rows(bounds: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row an encoding: nanoseconds and bytes of a value of each column."""
    return [(label, *(f"{column['ns']:.1f} ns, {column['bytes']:.2f} B" for column in columns.values()))
            for label, columns in bounds["encodings"].items()]


def millions(rate: float) -> str:
    """A rate in millions."""
    return f"{rate / 1e6:.3g} M" if rate < 99.5e6 else f"{rate / 1e6:.0f} M"


def show(report: dict[str, Any]) -> None:
    """Print every case, and what it was measured on."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 120)
    machine = report["machine"]
    for name, case in report["cases"].items():
        table = Table(*(STEPS_HEADER if name == "steps" else HEADER), title=case["title"], title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in case_rows(case):
            table.add_row(*row)
        console.print(table)
    if "memory" in report:
        show_memory(report["memory"], console)
    console.print(f"{machine['cpu']}, {machine['cores']} cores, load before: {machine['load_before']}; the fastest "
                  f"of {report['runs']} runs; the whole took {report['took_s']:.0f} s")


def show_memory(memory: list[dict[str, Any]], console: Any) -> None:
    """Print the memory case."""
    from rich.table import Table

    table = Table(*MEMORY_HEADER, title="memory from store to result", title_justify="left")
    for row in memory_rows(memory):
        table.add_row(*row)
    console.print(table)
