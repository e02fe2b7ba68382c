"""`mmbt synth`: raw data of a market whose truth is known."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mmbt.cli.app import command
from mmbt.cli.options import PAIR
from mmbt.cli.output import Document, emit_text, progress, safe
from mmbt.errors import UsageError

if TYPE_CHECKING:
    from mmbt.synth.planted import PlantedDays

__all__ = ["synth"]

FOLDER = "data/synth"
PLANTED = "planted-edge"


def _stray(word: str) -> str:
    return f"to change a setting write -S {word}" if "=" in word else f"to choose the folder write --out {word}"


@command(
    "synth",
    examples="""
    mmbt synth
    mmbt synth btc-spot --duration 10min --seed 7
    mmbt synth triangle --out my-market -S edge=0 -S BTC/USD_T+0.order_rate=5
    mmbt convert synth --out synth-store
    mmbt synth planted-edge --out planted -S edge=0.6 -S days=45 --seed 3
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

    PRESET is triangle (the default: BTC/USD, USD/RUB, BTC/RUB and ETH/USD), cross, btc-spot or btc-perp; or
    planted-edge, days of a market whose imbalance foretells its moves, for `mmbt train` and `mmbt evaluate`. The same
    settings and seed give the same bytes. The truth is written beside the files, in synth.json.
    """
    from mmbt.synth.presets import make_config
    from mmbt.synth.writer import generate

    given: dict[str, Any] = dict(changes)
    given |= {
        key: value for key, value in (("seed", seed), ("start", start), ("duration", duration)) if value is not None
    }
    config = _planted(given) if preset == PLANTED else make_config(preset or "triangle", given)
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


def _planted(given: dict[str, Any]) -> PlantedDays:
    """Days of a planted edge: the seed, the first date, how many, and the law."""
    from mmbt.exact_models import PlantedEdgeParams
    from mmbt.strategies.params import fill_params
    from mmbt.synth.planted import PlantedDays

    if "duration" in given:
        raise UsageError(f"{PLANTED}: a day lasts `-S steps=` seconds, and `-S days=` says how many there are")
    days, seed, start = given.pop("days", 45), given.pop("seed", 1), given.pop("start", "2024-01-01")
    try:
        count, first = int(days), date.fromisoformat(start)
    except ValueError as error:
        raise UsageError(f"{PLANTED}: {error}; days is a whole number, and --start a date such as 2024-01-01") from None
    params = fill_params(PLANTED, PlantedEdgeParams, [f"{key}={value}" for key, value in given.items()])
    return PlantedDays(params, count, int(seed), first)
