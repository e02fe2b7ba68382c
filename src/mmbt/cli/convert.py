"""`mmbt convert`: raw quote and trade files into a store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mmbt.cli.app import command
from mmbt.cli.money import by_instrument, contract_options
from mmbt.cli.options import DEFAULT_STORE, DURATION, checked, default_store, find_input
from mmbt.cli.output import Document, emit, progress, safe
from mmbt.errors import UsageError

if TYPE_CHECKING:
    from mmbt.store.report import ConvertReport

__all__ = ["convert"]


@command(
    "convert",
    examples="""
    mmbt convert raw-data
    mmbt convert tob_2022-09-21.csv.gz trade_2022-09-21.csv.gz --out my-store
    mmbt convert captures --dry-run
    mmbt convert perpetuals --contract BTC/USD=inverse --multiplier BTC/USD=100
    mmbt convert dump.csv --mapping columns.toml --tz Europe/Moscow --tick-size BTC/USD=0.5
    """,
)
@click.argument("sources", metavar="SRC...", nargs=-1)
@click.option(
    "--out", metavar="STORE", help=f"The store; new data are added to what it holds.  [default: {DEFAULT_STORE}]"
)
@click.option(
    "--format",
    "format_name",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="A name of `mmbt formats`; auto looks at names and headers.",
)
@click.option("--dry-run", is_flag=True, help="Read, check and report; write nothing.")
@click.option("--mapping", metavar="FILE", help="A TOML file that describes the columns of any other CSV.")
@click.option("--tz", metavar="ZONE", default="UTC", show_default=True, help="Zone of times that name none.")
@click.option(
    "--ambiguous",
    type=click.Choice(["error", "earlier", "later", "infer"]),
    default="error",
    show_default=True,
    help="A local time that occurs twice when clocks go back.",
)
@click.option(
    "--time",
    metavar="KIND",
    default="auto",
    show_default=True,
    help="auto, iso, s, ms, us, ns, time-of-day, or a format such as %Y%m%d-%H:%M:%S.%f.",
)
@click.option("--delimiter", metavar="C", help="Between fields.  [default: found in the header]")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True, help="The decimal mark.")
@click.option("--accept-unterminated", is_flag=True, help="Take a last line without line end; it may be cut off.")
@click.option(
    "--crossed",
    type=click.Choice(["keep", "drop", "fail"]),
    default="keep",
    show_default=True,
    help="Quotes whose bid is above the ask.",
)
@click.option(
    "--max-disorder",
    type=DURATION,
    default="10s",
    show_default=True,
    help="How far rows may lie behind the latest before them.",
)
@click.option(
    "--dedup",
    type=click.Choice(["none", "exact"]),
    default="none",
    show_default=True,
    help="exact drops rows that repeat another of their instant in every column.",
)
@click.option(
    "--tick-size",
    metavar="[I=]N",
    multiple=True,
    help="State the tick, of one instrument or of all.  [default: inferred]",
)
@click.option(
    "--price-unit", metavar="[I=]N", multiple=True, help="State the unit of stored prices.  [default: inferred]"
)
@click.option("--lot-size", metavar="[I=]N", multiple=True, help="State the lot.  [default: inferred]")
@contract_options("[default: not declared]")
def convert(
    sources: tuple[str, ...],
    out: str | None,
    format_name: str,
    tick_size: tuple[str, ...],
    price_unit: tuple[str, ...],
    lot_size: tuple[str, ...],
    contract: tuple[str, ...],
    multiplier: tuple[str, ...],
    currencies: tuple[str, ...],
    crossed: str,
    dedup: str,
    max_disorder: int,
    dry_run: bool,
    **reading: Any,
) -> Document:
    """Turn raw quote and trade files into a store that `mmbt backtest` replays.

    SRC are files, plain or compressed, or folders of them, looked for here and under data/. Rows that cannot be read
    are never dropped in silence: they are kept in quarantine with file, line and reason. Running it again changes
    nothing.
    """
    if not sources:
        raise UsageError("say what to convert, for example `mmbt convert raw-data`")
    paths = [find_input(name) for name in sources]
    if reading["mapping"] is not None:
        reading["mapping"] = find_input(reading["mapping"], "file")

    from mmbt.formats import ReadOptions
    from mmbt.store.convert import ConvertOptions
    from mmbt.store.convert import convert as run

    options = checked(
        ConvertOptions,
        format=format_name,
        crossed=crossed,
        dedup=dedup,
        max_disorder=max_disorder,
        dry_run=dry_run,
        tick_size=by_instrument(tick_size, "--tick-size"),
        price_unit=by_instrument(price_unit, "--price-unit"),
        lot_size=by_instrument(lot_size, "--lot-size"),
        contract=by_instrument(contract, "--contract"),
        multiplier=by_instrument(multiplier, "--multiplier"),
        currencies=by_instrument(currencies, "--currencies"),
        read=checked(ReadOptions, **reading),
    )
    with progress("reading", "rows") as bar:
        report = run(
            paths,
            default_store(out),
            options,
            lambda stage, done, total, rows: bar.update(done, total, rows, "reading" if stage == "read" else "writing"),
        )
    return Document(report.to_dict(), lambda: _show(report))


def _show(report: ConvertReport) -> None:
    from rich.table import Table

    from mmbt.store.report import clock_text

    files = Table(box=None, pad_edge=False, header_style="bold")
    files.add_column("file", overflow="fold")
    files.add_column("format")
    for title in ("rows", "quarantined", "dropped"):
        files.add_column(title, justify="right")
    for entry in report.files:
        files.add_row(
            safe(entry["path"]),
            safe(entry["format"]),
            *(f"{entry[key]:,}" for key in ("rows", "quarantined", "dropped")),
        )
    instruments = Table(box=None, pad_edge=False, header_style="bold")
    instruments.add_column("instrument", overflow="fold")
    for title in ("tick", "lot", "quotes", "trades"):
        instruments.add_column(title, justify="right")
    instruments.add_column("days")
    declared = any(row["contract"] for row in report.instruments)
    if declared:
        instruments.add_column("contract")
    for row in report.instruments:
        instruments.add_row(
            safe(row["instrument"]),
            row["tick_size"] or "pending",
            row["lot_size"] or "pending",
            f"{row['tob_rows']:,}",
            f"{row['trade_rows']:,}",
            _days(row["first_ts"], row["last_ts"]),
            *([_contract(row)] if declared else []),
        )
    emit(files, "", instruments, "")
    emit(
        f"{report.rows_in:,} rows in = {report.rows_out:,} into the store + {report.quarantined:,} quarantined "
        f"+ {report.dropped:,} dropped"
    )
    for row in report.instruments:
        if "clock" in row:
            emit(f"clock: {safe(row['instrument'])}: {clock_text(row['clock'])}")
    for line in report.notes:
        emit(f"note: {safe(line)}")
    for line in report.warnings:
        emit(f"warning: {safe(line)}")
    if report.quarantined:
        emit(f"The rows in quarantine, each with its reason, lie in {safe(report.store)}/quarantine.")
    emit(f"{'Nothing was written to' if report.dry_run else 'The store is'} {safe(report.store)}.")


def _contract(row: dict[str, Any]) -> str:
    if row["contract"] is None:
        return "not declared"
    return f"{row['contract']}" + (f" x {row['multiplier']}" if row["multiplier"] != "1" else "")


def _days(first_ts: int | None, last_ts: int | None) -> str:
    if first_ts is None or last_ts is None:
        return ""
    first, last = (datetime.fromtimestamp(ts // 10**9, UTC).date() for ts in (first_ts, last_ts))
    return str(first) if first == last else f"{first}..{last}"
