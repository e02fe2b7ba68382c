"""`mmbt solve`: exact answers of models that are known completely."""

from __future__ import annotations

from typing import Any

import click

from mmbt.cli.app import command
from mmbt.cli.output import Document, emit, safe

__all__ = ["solve"]


def _stray(word: str) -> str:
    return f"to set a parameter write -S {word}" if "=" in word else "one model at a time"


@command(
    "solve",
    examples="""
    mmbt solve base-model -S k=1 -S r=0.1 -S q_max=5
    mmbt solve base-model -S shifts=0,0.5,1,2 -S delay=1 --json
    mmbt solve exact-market -S delay=1
    """,
    hint=_stray,
)
@click.argument("model", required=False)
@click.option("-S", "--set", "overrides", metavar="K=V", multiple=True, help="A parameter of the model; repeat.")
def solve(model: str | None, overrides: tuple[str, ...]) -> Document:
    """Compute the exact answers of a MODEL.

    base-model is a market that stands still: the best quotes of each inventory, as distances from the touch in spreads.
    exact-market has an imbalance and a changing spread: the best skew and half-spread of each state.
    """
    from mmbt.errors import UsageError
    from mmbt.strategies.params import fill_params
    from mmbt.theory.registry import MODELS, find

    if model is None:
        raise UsageError(f"name a model: {', '.join(MODELS)}")
    found = find(model)
    params = fill_params(f"model {model}", found.params, overrides)
    answer = found.answer(params)
    return Document(answer, lambda: _show(answer))


def _show(answer: dict[str, Any]) -> None:
    """Lists of one length as the columns of a table, then the numbers that stand alone."""
    from rich.table import Table

    tables: dict[int, dict[str, list[Any]]] = {}
    for name, value in answer.items():
        if isinstance(value, list):
            tables.setdefault(len(value), {})[name] = value
    for columns in tables.values():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            table.add_column(safe(name), justify="right", no_wrap=True)
        for row in zip(*columns.values(), strict=True):
            table.add_row(*map(_text, row))
        emit(table)
    alone = {name: value for name, value in answer.items() if not isinstance(value, list)}
    if alone:
        width = max(map(len, alone)) + 2
        emit(*(["", *(f"{safe(name):<{width}}{_text(value)}" for name, value in alone.items())]))


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.10g}" if isinstance(value, float) else safe(value)
