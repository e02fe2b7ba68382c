"""`mmbt model`: what a trained model is, and the same network for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmbt.cli.app import LazyGroup, command
from mmbt.cli.output import Document, emit, note, safe

if TYPE_CHECKING:
    from mmbt.learn.model import ModelInfo

__all__ = ["export", "model", "show"]

_SEVERAL = "one model at a time"


@click.group(
    "model",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""
    mmbt model show
    mmbt model show runs/20240301-101500-train --json
    mmbt model export runs/20240301-101500-train --onnx policy.onnx
    """,
    lazy={
        "show": ("mmbt.cli.model:show", "Show what a model is: network, conditions, origin, scores."),
        "export": ("mmbt.cli.model:export", "Write a model's network for Keras or ONNX."),
    },
)
def model() -> None:
    """Show and export what `mmbt train` has learned.

    A model is a folder of plain arrays and JSON; no code is ever loaded from it. To run one: mmbt backtest --strategy
    dqn.
    """


@command("show", examples="""
    mmbt model show
    mmbt model show runs/20240301-101500-train --json
    """, hint=lambda word: _SEVERAL)
@click.argument("path", required=False)
def show(path: str | None) -> Document:
    """Show the model at PATH: its folder, or a training's run. Without PATH the latest under runs/."""
    from mmbt.learn.model import Model, find_model

    folder = find_model(None if path is None else Path(path))
    found = Model.load(folder)
    data = {"path": str(folder), "hash": found.hash, "weights": sum(array.size for array in found.weights),
            "action_names": _action_names(found.info), **found.info.model_dump(mode="json")}
    return Document(data, lambda: _render(data))


@command("export", examples="""
    mmbt model export --keras policy.keras
    mmbt model export runs/20240301-101500-train --onnx policy.onnx
    """, hint=lambda word: _SEVERAL)
@click.argument("path", required=False)
@click.option("--keras", metavar="FILE", help="Write a Keras model, FILE.keras; needs the extra train.")
@click.option("--onnx", metavar="FILE", help="Write an ONNX graph; needs the extra onnx.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def export(path: str | None, overwrite: bool, **files: str | None) -> Document:
    """Write the network of the model at PATH, the latest by default, for other programs.

    Its input is `state`, one row a state, scaled as `mmbt model show` says; its output `q_values`.
    """
    from mmbt.errors import UsageError
    from mmbt.learn.export import FORMATS
    from mmbt.learn.model import Model, find_model

    wanted = {name: Path(file) for name, file in files.items() if file is not None}
    if not wanted:
        raise UsageError("say what to write: --keras FILE or --onnx FILE")
    for file in wanted.values():
        if file.exists() and not overwrite:
            raise UsageError(f"{file} exists already: name another file, or replace it with --overwrite")
        if not file.parent.is_dir():
            raise UsageError(f"{file.parent} is no folder: make it first, or name another file")
    folder = find_model(None if path is None else Path(path))
    found = Model.load(folder)
    if path is None:
        note(f"model {folder}")
    for name, file in wanted.items():
        FORMATS[name](found, file)
    data = {"path": str(folder), "hash": found.hash, "files": {name: str(file) for name, file in wanted.items()}}
    return Document(data, lambda: emit(*(safe(f"written to {file}") for file in wanted.values())))


def _action_names(info: ModelInfo) -> list[str] | None:
    """The actions in words; None where the world has no grid of them."""
    from pydantic import ValidationError

    from mmbt.envs.actions import ActionGrid

    try:
        return [str(action) for action in ActionGrid.model_validate(info.world["options"]["actions"]).actions]
    except (KeyError, TypeError, ValidationError):
        return None


def _render(data: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(data):
        table.add_row(safe(name), safe(value))
    emit(table, "", "All of it: mmbt model show --json. To run it: mmbt backtest --strategy dqn -S model="
                    f"{safe(data['path'])}" if data["kind"] == "market" else "All of it: mmbt model show --json.")


def _lines(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", data["path"]
    yield "hash", data["hash"]
    yield "learned in", data["kind"]
    widths = (len(data["inputs"]), *data["layers"], data["actions"])
    yield "network", f"{'-'.join(map(str, widths))}, {data['weights']:,} weights"
    yield "inputs", ", ".join(data["inputs"])
    yield "actions", "; ".join(f"{k} {name}" for k, name in enumerate(data["action_names"] or ())) or data["actions"]
    for title, part in (("world", data["world"].get("options") or data["world"]), ("conditions", data["conditions"]),
                        ("learner", data["learner"]), ("origin", data["provenance"]), ("scores", data["scores"])):
        first = title
        for name, value in (part if isinstance(part, Mapping) else {"": part}).items():
            if name in ("actions", "market", "private"):
                continue  # shown above
            yield first, f"{name.replace('_', ' ')} {_told(value)}"
            first = ""


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_told(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_told, value)) or "none"
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
