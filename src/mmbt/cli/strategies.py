"""`mmbt strategies`: list them, show one, start your own."""

from __future__ import annotations

import click

from mmbt.cli.app import LazyGroup, command
from mmbt.cli.output import Document, emit, safe
from mmbt.cli.parameters import parameter_data, parameter_table

__all__ = ["ls", "new", "show", "strategies"]


@click.group(
    "strategies",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""
    mmbt strategies ls
    mmbt strategies show linear-skew
    mmbt strategies new my-maker
    """,
    lazy={
        "ls": ("mmbt.cli.strategies:ls", "List the strategies that have a name."),
        "show": ("mmbt.cli.strategies:show", "Show what a strategy does and its parameters."),
        "new": ("mmbt.cli.strategies:new", "Write a strategy of your own to start from, with its test."),
    },
)
def strategies() -> None:
    """List, show and start strategies.

    A strategy is named as in this list, or by package.module:Class or path.py:Class. It is arbitrary code and runs with
    your rights: name only what you trust.
    """


@command("ls", examples="mmbt strategies ls")
def ls() -> Document:
    """List the strategies that have a name: built in, or installed by other packages."""
    from mmbt.strategies.registry import available

    found = available()

    def show() -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("strategy", "from", "what it does"):
            table.add_column(title, overflow="fold")
        for item in found:
            table.add_row(safe(item.name), safe(item.origin), safe(item.summary))
        emit(table, "", "Parameters: mmbt strategies show NAME. Your own: mmbt strategies new NAME.")

    return Document({"strategies": [item._asdict() for item in found]}, show)


@command(
    "show",
    examples="""
    mmbt strategies show linear-skew
    mmbt strategies show my_maker.py:MyMaker
    """,
    hint=lambda word: "one strategy at a time",
)
@click.argument("name", required=False)
def show(name: str | None) -> Document:
    """Show what the strategy NAME does and its parameters."""
    from mmbt.errors import UsageError
    from mmbt.strategies.registry import available, describe, find

    if name is None:
        raise UsageError(
            f"name a strategy: {', '.join(item.name for item in available())}, package.module:Class or path.py:Class"
        )
    about = describe(find(name))
    data = {
        "name": name,
        "summary": about.summary,
        "doc": about.doc,
        "interval": about.interval,
        "parameters": [parameter_data(parameter) for parameter in about.parameters],
    }

    def render() -> None:
        from rich.text import Text

        emit(Text(f"{safe(name)}: {_paragraphs(safe(about.doc, newlines=True))}"), "")
        if about.parameters:
            emit(parameter_table(about.parameters), "")
        else:
            emit("It has no parameters.", "")
        settable = [item for item in about.parameters if item.required] or [
            item for item in about.parameters if item.default is not None
        ][:1]
        example = "".join(f" -S {item.name}={'...' if item.required else item.default}" for item in settable)
        emit(f"Try: mmbt backtest --strategy {safe(name)}{safe(example)}")

    return Document(data, render)


def _paragraphs(doc: str) -> str:
    # Source lines are longer than a terminal: paragraphs are joined, indented ones (formulas) stand as they are.
    blocks = doc.split("\n\n")
    return "\n\n".join(
        block if "\n " in block or block.startswith(" ") else block.replace("\n", " ") for block in blocks
    )


@command(
    "new",
    examples="""
    mmbt strategies new my-maker
    mmbt strategies new my-maker --dir strategies
    """,
    hint=lambda word: "one strategy at a time",
)
@click.argument("name", required=False)
@click.option("--dir", "folder", metavar="DIR", default=".", help="Where to write the two files.  [default: here]")
def new(name: str | None, folder: str) -> Document:
    """Write a strategy called NAME to start from, and its test, which passes already. Nothing is overwritten."""
    from pathlib import Path

    from mmbt.errors import UsageError
    from mmbt.strategies.skeleton import write_skeleton

    if name is None:
        raise UsageError("give the new strategy a name, for example `mmbt strategies new my-maker`")
    files = [str(path) for path in write_skeleton(name, Path(folder))]

    def render() -> None:
        emit(
            *(f"wrote {safe(path)}" for path in files), f"try:  mmbt strategies show {safe(files[0])}:{_class_of(name)}"
        )

    return Document({"files": files, "strategy": f"{files[0]}:{_class_of(name)}"}, render)


def _class_of(name: str) -> str:
    return "".join(word.capitalize() for word in name.replace("-", "_").split("_"))
