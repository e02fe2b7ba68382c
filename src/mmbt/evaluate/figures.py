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
from mmbt.evaluate.policy import IMBALANCE, PolicyTable

__all__ = ["draw_evaluation", "draw_policy"]

_UNQUOTED = "#dcdcdc"
_FEW_VALUES = 12
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


def draw_policy(tables: Sequence[PolicyTable], path: Path, note: str = "") -> list[Path]:
    """Skew and half spread over inventory and imbalance, a row a policy, on common scales; `path` has no suffix.

    Grey cells quote one side at most: a triangle points to the side that is quoted, a cross is no quote at all, a
    square a position dealt at the market. `note` stands above: what the reader should know.
    """
    figure = _new_figure(9.6, 3.9 * len(tables) + 1.1)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12, hspace=0.04)
    figure.suptitle(note, fontsize=9, color="#444444")
    axes = figure.subplots(len(tables), 2, squeeze=False)
    shown = (("skew", "skew, spreads (+: both quotes higher)"), ("half_spread", "half spread, spreads"))
    for column, (name, label) in enumerate(shown):
        colors, norm, ticks = _scale(np.concatenate([getattr(table, name).ravel() for table in tables]), name == "skew")
        for place, table in zip(axes[:, column], tables, strict=True):
            cells = _edges(table.signal), _edges(table.inventory)
            image = place.pcolormesh(*cells, getattr(table, name), cmap=colors, norm=norm, shading="flat",
                                     edgecolors="white", linewidth=0.2)
            _frame(place, table, f"{table.title}: {label.split(',')[0]}")
            bar = figure.colorbar(image, ax=place, ticks=ticks, spacing="uniform", pad=0.02)
            bar.set_label(label, fontsize=8)
            bar.minorticks_off()
            bar.ax.tick_params(labelsize=7, length=0)
            bar.outline.set_visible(False)
    _explain(figure, tables)
    return _save_figure(figure, path)


def _frame(axes: Any, table: PolicyTable, title: str) -> None:
    """All of a panel but its colours."""
    axes.set_facecolor(_UNQUOTED)
    for name, marker, where in _marks(table):
        rows, columns = np.nonzero(where)
        axes.scatter(table.signal[columns], table.inventory[rows], marker=marker, s=9, color="#222222", linewidths=0.7,
                     label=name)
    axes.axhline(0, color="#222222", linewidth=0.6)
    if table.signal[0] < 0 < table.signal[-1]:
        axes.axvline(0, color="#222222", linewidth=0.6)
    if table.signal_name == IMBALANCE:
        axes.set_xlim(-1.05, 1.05)
        axes.set_xlabel("imbalance at the touch (-1: all size offered, 1: all size bid)", fontsize=8)
    else:
        axes.set_xlabel(f"{table.signal_name.replace('_', ' ')}, two deviations about its mean", fontsize=8)
    axes.set_ylabel("inventory, lots", fontsize=8)
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.tick_params(labelsize=7)
    axes.yaxis.get_major_locator().set_params(integer=True)
    for side in axes.spines.values():
        side.set_visible(False)


def _marks(table: PolicyTable) -> list[tuple[str, str, NDArray[np.bool_]]]:
    bid, ask, quotes = np.isfinite(table.bid), np.isfinite(table.ask), ~table.closes
    return [("inventory dealt at the market", "s", table.closes), ("bid alone", "^", bid & ~ask & quotes),
            ("offer alone", "v", ask & ~bid & quotes), ("no quote", "x", ~bid & ~ask & quotes)]


def _explain(figure: Any, tables: Sequence[PolicyTable]) -> None:
    """The legend of the marks that occur."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = {name: marker for table in tables for name, marker, where in _marks(table) if where.any()}
    drawn: list[Any] = [Line2D([], [], linestyle="", marker=marker, markersize=4, color="#222222", label=name)
                        for name, marker in found.items()]
    if drawn:
        drawn.append(Patch(color=_UNQUOTED, label="not both sides quoted"))
        figure.legend(handles=drawn, frameon=False, fontsize=8, loc="outside lower center", ncols=len(drawn))


def _scale(values: NDArray[np.float64], diverging: bool) -> tuple[Any, Any, Any]:
    """Colours, their norm and the ticks of a bar: a colour each for few values, else a run of colours."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    colors = colormaps["RdBu_r" if diverging else "viridis"]
    found = np.unique(values[np.isfinite(values)].round(6))
    low, high = (float(found[0]), float(found[-1])) if len(found) else (0.0, 1.0)
    if diverging:
        high = max(-low, high, 0.5)
        low = -high
    elif high <= low:
        low, high = low - 0.5, low + 0.5
    if not 1 <= len(found) <= _FEW_VALUES:
        return colors, Normalize(low, high), None
    return (ListedColormap(colors((found - low) / (high - low)).tolist()), BoundaryNorm(_edges(found), len(found)),
            found.tolist())


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borders of cells around these centres."""
    if len(centres) == 1:
        return np.array([centres[0] - 1, centres[0] + 1])
    between = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - between[0]], between, [2 * centres[-1] - between[-1]]])
