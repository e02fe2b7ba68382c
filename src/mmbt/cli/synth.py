"""`mmbt synth`: raw data of a market whose truth is known."""

from __future__ import annotations

from typing import Any

import click

from mmbt.cli.app import command
from mmbt.cli.options import PAIR
from mmbt.cli.output import Document, emit_text, progress, safe

__all__ = ["synth"]

FOLDER = "data/synth"


def _stray(word: str) -> str:
    return f"to change a setting write -S {word}" if "=" in word else f"to choose the folder write --out {word}"


@command(
    "synth",
    examples="""
    mmbt synth
    mmbt synth btc-spot --duration 10min --seed 7
    mmbt synth triangle --out my-market -S edge=0 -S BTC/USD_T+0.order_rate=5
    mmbt convert synth --out synth-store
    """,
    hint=_stray,
)
@click.argument("preset", required=False)
@click.option("--out", metavar="DIR", default=FOLDER, show_default=True, help="The folder to write the raw files into.")
@click.option("--seed", type=click.IntRange(min=0, max=2**64 - 1), help="Another seed is another market.")
@click.option("--start", metavar="T", help="ISO time of the first row, UTC unless it has an offset.")
@click.option("--duration", metavar="D", help="Length of the market, such as 90s, 12min or 2d.")
@click.option(
    "-S",
    "--set",
    "changes",
    type=PAIR,
    metavar="K=V",
    multiple=True,
    help="Change the preset: a law of all pairs (order_rate=2), of one (BTC/USD_T+0.order_rate=2), of a currency.",
)
@click.option("--compression", metavar="KIND", default="none", show_default=True, help="none, gz, bz2, xz or zst.")
@click.option("--overwrite", is_flag=True, help="Replace raw files that are there already.")
def synth(
    preset: str | None,
    out: str,
    seed: int | None,
    start: str | None,
    duration: str | None,
    changes: tuple[tuple[str, str], ...],
    compression: str,
    overwrite: bool,
) -> Document:
    """Generate the raw data of a market whose truth is known, in the layout `mmbt convert` reads.

    PRESET is triangle (the default: BTC/USD, USD/RUB, BTC/RUB and ETH/USD), cross, btc-spot or btc-perp. The same
    settings and seed give the same bytes. The truth is written beside the files, in synth.json.
    """
    from mmbt.synth.presets import make_config
    from mmbt.synth.writer import generate

    given: dict[str, Any] = dict(changes)
    given |= {
        key: value for key, value in (("seed", seed), ("start", start), ("duration", duration)) if value is not None
    }
    config = make_config(preset or "triangle", given)
    with progress("generating", "rows") as bar:
        manifest = generate(
            config,
            out,
            lambda share, rows: bar.update(share, 1.0, rows),
            compression=compression,  # type: ignore[arg-type]  # checked there
            overwrite=overwrite,
        )

    store = f"{out.rstrip('/')}-store"

    def show() -> None:
        for entry in manifest["files"]:
            emit_text(safe(f"wrote {out}/{entry['path']}: {entry['rows']:,} rows"))
        emit_text(safe(f"truth  {out}/synth.json"))
        emit_text(safe(f"next   mmbt convert {out} --out {store}"))

    return Document({"out": out, **manifest}, show)
