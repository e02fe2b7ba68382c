"""Figures: who earned what on which day, the differences to the baselines, and what a policy does.

Needs matplotlib (the `report` extra), which is loaded here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.errors import FileError, UsageError
from mmbt.evaluate.policy import PolicyTable

__all__ = ["draw_evaluation", "draw_policy"]

_INK = ("#1f5fa8", "#b0b7bf", "#d1495b")  # the contender, the rest, zero


def _new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches, that no window and no global state knows of.

    Raises
    ------
    UsageError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"figures need matplotlib ({error}): install mmbt[report], or give --no-figures") from None
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save_figure(figure: Any, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG, whole under their names; `path` has no suffix.

    Raises
    ------
    FileError
        When it cannot be written.
    """
    written = []
    for kind in ("png", "svg"):
        final = path.with_name(f"{path.name}.{kind}")
        part = final.with_name(final.name + ".part")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(part, format=kind, dpi=150)
            part.replace(final)
        except OSError as error:
            raise FileError(f"cannot write the figure {final}: {error.strerror or error}") from error
        written.append(final)
    return written


def draw_evaluation(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """PnL of each test day, and with a contender its differences to the baselines with their intervals."""
    compared = bool(document["comparisons"])
    figure = _new_figure(11.0 if compared else 6.5, 4.2)
    axes = figure.subplots(1, 2 if compared else 1, squeeze=False)[0]
    _draw_days(axes[0], document)
    if compared:
        _draw_differences(axes[1], document)
    return _save_figure(figure, folder / "evaluation")


def _draw_days(axes: Any, document: Mapping[str, Any]) -> None:
    names = list(document["days"]["test"])
    mine = document["contender"]
    for row in document["scores"]:
        daily = [sum(day) / len(day) for day in row["daily_pnl"]]
        shown = row["contender"] in (mine, document["best_baseline"])
        axes.plot(range(len(daily)), daily, marker="o", markersize=3, linewidth=1.6 if shown else 0.8,
                  color=_INK[0] if row["contender"] == mine else "#444444" if shown else _INK[1],
                  label=row["contender"] if shown else None, zorder=3 if shown else 2)
    axes.axhline(0, color=_INK[2], linewidth=0.8)
    step = max(1, len(names) // 8)
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=30, ha="right", fontsize=7)
    axes.set_ylabel(f"PnL of a day, {document['currency'] or 'currency of settlement'}")
    axes.set_title("Test days (grey: the other baselines)", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def _draw_differences(axes: Any, document: Mapping[str, Any]) -> None:
    rows = document["comparisons"][::-1]
    for place, row in enumerate(rows):
        color = _INK[0] if row["baseline"] == document["best_baseline"] else "#7a828b"
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=color, linewidth=2)
        axes.plot([row["mean"]], [place], marker="o", color=color)
    axes.axvline(0, color=_INK[2], linewidth=0.8)
    best = document["best_baseline"]
    names = [row["baseline"] + (" (best)" if row["baseline"] == best else "") for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_xlabel(f"{document['contender']} less the baseline, a day")
    axes.set_title(f"Paired differences, 95% ({document['claim']['kind']})", fontsize=10)


def draw_policy(tables: Sequence[PolicyTable], path: Path) -> list[Path]:
    """Skew and half spread over inventory and imbalance, a row a policy, on common scales; `path` has no suffix.

    Where one side alone is quoted a triangle points to it, a cross is no quote at all, a square a position dealt at the
    market.
    """
    figure = _new_figure(9.5, 3.4 * len(tables) + 0.4)
    axes = figure.subplots(len(tables), 2, squeeze=False)
    for column, (name, label) in enumerate((("skew", "skew, spreads"), ("half_spread", "half spread, spreads"))):
        shown = np.concatenate([getattr(table, name).ravel() for table in tables])
        shown = shown[np.isfinite(shown)]
        top = float(np.abs(shown).max(initial=0.5))
        low, colors = (-top, "RdBu_r") if name == "skew" else (float(shown.min(initial=top)), "viridis")
        for row, table in enumerate(tables):
            place, cells = axes[row][column], (_edges(table.imbalance), _edges(table.inventory))
            image = place.pcolormesh(*cells, getattr(table, name), cmap=colors, vmin=low, vmax=top, shading="flat")
            place.set_facecolor("#e6e6e6")
            _mark(place, table)
            place.set_xlim(-1, 1)
            place.set_title(f"{table.title}: {label.split(',')[0]}", fontsize=10)
            place.set_xlabel("imbalance (1: all on the bid)")
            place.set_ylabel("inventory, lots")
            figure.colorbar(image, ax=place, label=label)
    return _save_figure(figure, path)


def _mark(axes: Any, table: PolicyTable) -> None:
    bid, ask = np.isfinite(table.bid), np.isfinite(table.ask)
    marks = (("^", bid & ~ask & ~table.closes), ("v", ask & ~bid & ~table.closes), ("x", ~bid & ~ask & ~table.closes),
             ("s", table.closes))
    for marker, where in marks:
        rows, columns = np.nonzero(where)
        axes.scatter(table.imbalance[columns], table.inventory[rows], marker=marker, s=9, color="#222222",
                     linewidths=0.7)


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borders of cells around these centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 1, centres[0] + 1])
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])
