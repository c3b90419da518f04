"""Accuracy of every group before and after, as static figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

BEFORE, AFTER, LINE = "#8a919c", "#0e4b8a", "#c3c8d0"


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']} (n = {row['n']})"


def _said(row: dict[str, Any]) -> str:
    change = 100 * (row["after"] - row["before"])
    return f"{change:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]".replace("-", "−")


def groups_matplotlib(rows: Sequence[dict[str, Any]], title: str = "") -> Figure:
    """A matplotlib figure: one line per group from its accuracy before to the one after, with the paired interval of
    the change in words; by the object interface (no pyplot).
    """
    from matplotlib.ticker import PercentFormatter

    from toolkit.figures.shown import Figure

    figure = Figure(figsize=(8.6, 1.3 + 0.32 * max(1, len(rows))), layout="constrained")
    axes = figure.subplots()
    at = range(len(rows))
    before, after = ([row[name] for row in rows] for name in ("before", "after"))
    axes.hlines(list(at), before, after, color=LINE, lw=3, zorder=1)
    axes.scatter(before, list(at), color="white", edgecolors=BEFORE, lw=1.6, s=38, zorder=2, label="before")
    axes.scatter(after, list(at), color=AFTER, s=42, zorder=3, label="after")
    for i, row in enumerate(rows):
        axes.text(1.03, i, _said(row), va="center", fontsize=9, parse_math=False)
    axes.set_yticks(list(at), [_label(row) for row in rows], parse_math=False)
    axes.set(xlim=(-0.02, 1.36), ylim=(len(rows) - 0.4, -0.6), xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("accuracy; change in points with its 95 % paired bootstrap interval", fontsize=9)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.tick_params(length=0, labelsize=9)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    if title:
        axes.set_title("\n".join(wrap(title, 84)), loc="left", fontsize=9, parse_math=False)
    return figure


def groups_plotly(rows: Sequence[dict[str, Any]], title: str = "") -> PlotlyFigure:
    """The same as a plain plotly figure (never a FigureWidget)."""
    import plotly.graph_objects as go

    names = [escape(_label(row)) for row in rows]
    figure = go.Figure()
    for row, name in zip(rows, names, strict=True):
        ends = [row["before"], row["after"]]
        figure.add_scatter(x=ends, y=[name, name], mode="lines", line={"color": LINE, "width": 4}, showlegend=False)
    for key, color in (("before", BEFORE), ("after", AFTER)):
        said = [_said(row) for row in rows]
        figure.add_scatter(
            x=[row[key] for row in rows], y=names, mode="markers", name=key, customdata=said,
            marker={"color": color, "size": 10}, hovertemplate="%{x:.1%}, change %{customdata}<extra></extra>",
        )  # fmt: skip
    words = "<br>".join(escape(line) for line in wrap(title, 110))
    figure.update_layout(
        title={"text": words, "font": {"size": 13}}, template="simple_white", width=860,
        height=200 + 30 * max(1, len(rows)), yaxis={"autorange": "reversed", "automargin": True},
        xaxis={"range": [0, 1], "tickformat": ".0%", "title": {"text": "accuracy"}},
    )  # fmt: skip
    return figure
