"""`mmbt formats`: the raw formats that convert reads."""

from __future__ import annotations

from mmbt.cli.app import command
from mmbt.cli.output import Document, emit, safe

__all__ = ["formats"]


@command(
    "formats",
    examples="""
    mmbt formats
    mmbt convert raw-data --format seed
    """,
)
def formats() -> Document:
    """List the raw formats that `mmbt convert` reads.

    Other packages add formats under the entry point group mmbt.formats.
    """
    from mmbt.formats import formats as known

    data = [
        {"name": fmt.name, "description": fmt.description, "tables": list(fmt.tables), "patterns": list(fmt.patterns)}
        for fmt in known().values()
    ]

    def show() -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("format", "tables", "files in a folder", "what it is"):
            table.add_column(title, overflow="fold")
        for row in data:
            table.add_row(
                safe(row["name"]),
                safe(", ".join(row["tables"])),
                safe(" ".join(row["patterns"])),
                safe(row["description"]),
            )
        emit(table)

    return Document({"formats": data}, show)
