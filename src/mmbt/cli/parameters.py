"""Parameters in words: as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmbt.cli.output import safe

if TYPE_CHECKING:
    from rich.table import Table

    from mmbt.strategies.params import Parameter

__all__ = ["parameter_data", "parameter_table"]


def parameter_table(parameters: Sequence[Parameter], title: str = "parameter", widest_default: int = 12) -> Table:
    """Name, default, what it takes, and what it means."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, widest in ((title, None), ("default", widest_default), ("takes", 24), ("meaning", None)):
        table.add_column(name, overflow="fold", no_wrap=name == title, max_width=widest)
    for item in parameters:
        default = "required" if item.required else _shown(item.default)
        takes = " ".join(part for part in (item.type, item.unit, item.bounds) if part)
        table.add_row(*(safe(cell) for cell in (item.name, default, takes, item.description)))
    return table


def _shown(default: Any) -> str:
    if isinstance(default, tuple | list):
        return ", ".join(map(str, default))
    return "none" if default is None else str(default)


def parameter_data(item: Parameter) -> dict[str, Any]:
    """As JSON has it."""
    data = item._asdict()
    if not isinstance(item.default, str | int | float | bool | list | None):
        data["default"] = str(item.default)
    return data
