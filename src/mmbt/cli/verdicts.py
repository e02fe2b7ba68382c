"""What `mmbt evaluate` found, as tables and as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbt.cli.output import emit, safe
from mmbt.errors import FileError

__all__ = ["publish_json", "show_verdict"]

_MEANS = {"pnl": "PnL", "pnl_spreads": "spreads", "mean_position": "|Q|", "drawdown": "drawdown", "fills": "fills",
          "turnover_lots": "lots", "quoting": "quoting"}
_PARTS = {"pnl": "PnL", "spread": "spread", "inventory": "inventory", "hedge": "hedge", "fees": "fees",
          "closing": "closing"}
_KINDS = {"across-days": "days drawn anew", "within-day": "within-day: of these very days"}


def publish_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document under its name at once, whole.

    Raises
    ------
    FileError
        When it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False, allow_nan=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise FileError(f"cannot write the evaluation to {path}: {error.strerror or error}") from error


def show_verdict(document: Mapping[str, Any]) -> None:
    """The tables a person reads: means of a test day, where PnL came from, and the differences to each baseline."""
    from rich.table import Table

    days = {part: len(names) for part, names in document["days"].items()}
    money = document["currency"] or "currency of settlement"
    emit(safe(f"{document['instrument']}: {days['train']} training, {days['validate']} validation, {days['test']} test "
              f"days; means of a test day, money in {money}"), "")
    for title, columns in (("contender", _MEANS), ("contender", _PARTS)):
        emit(_table(Table, title, columns, document["scores"]), "")
    emit(safe(f"best baseline on validation: {document['best_baseline']} ({document['trials']} trials each)"))
    if document["comparisons"]:
        _show_comparisons(Table, document)
    if document["earlier_uses"]:
        emit(f"The test days were used {len(document['earlier_uses'])} times before: this is no first look.")
    emit(safe(f"results {document['run']}"))
    if document["figures"]:
        emit(safe(f"figures {', '.join(document['figures'])}"))


def _table(table: Any, title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Any:
    made = table(box=None, pad_edge=False, header_style="bold")
    made.add_column(title, no_wrap=True)
    for name in columns.values():
        made.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        name = row["contender"] + (" (abstains)" if row["abstains"] and row["contender"] != "no-quotes" else "")
        made.add_row(safe(name), *(_cell(key, row[key]) for key in columns))
    return made


def _show_comparisons(table: Any, document: Mapping[str, Any]) -> None:
    made = table(box=None, pad_edge=False, header_style="bold")
    made.add_column(f"{safe(document['contender'])} less", no_wrap=True)
    for name in ("a day", "95% interval", "p", "p (Holm)"):
        made.add_column(name, justify="right", no_wrap=True)
    for row in document["comparisons"]:
        bounds = "unknown" if row["low"] is None else f"{_number(row['low'])} .. {_number(row['high'])}"
        made.add_row(safe(row["baseline"]), _number(row["mean"]), bounds, _share(row["p"]), _share(row["p_holm"]))
    emit("", made, "")
    mine, claim = document["scores"][0], document["claim"]
    luck = "" if len(mine["params"]) > 1 else "; one training, whose luck no interval shows"
    emit(f"intervals: {_KINDS[claim['kind']]}{luck}")
    emit(_judgement(mine, claim, document))


def _judgement(mine: Mapping[str, Any], claim: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    name, best = safe(document["contender"]), document["best_baseline"]
    if mine["abstains"]:
        return f"{name} abstains: it quotes {mine['quoting']:.1%} of the time, which is no success whatever its PnL"
    if document["wins"]:
        return f"{name} earns more than {best}, the best baseline"
    if claim["kind"] == "within-day":
        return f"fewer than ten test days: nothing is claimed of other days, whatever the difference to {best} on these"
    return f"no claim: that {name} earns more than {best}, the best baseline, is not shown"


def _cell(key: str, value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}" if key == "quoting" else _number(value)


def _share(value: float | None) -> str:
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
