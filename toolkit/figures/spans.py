"""A head's texts as static figures: bars of standard deviation, the curve of explained variance."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from toolkit.figures.colors import SEQUENTIAL, hexes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

BAR, CURVE = hexes(SEQUENTIAL)[4], hexes(SEQUENTIAL)[7]
STD, EXPLAINED = "standard deviation along the text (cosine scale)", "variance explained so far"


def spans_matplotlib(texts: Sequence[str], std: Sequence[float], explained: Sequence[float], title: str = "") -> Figure:
    """A matplotlib figure of one head's texts, the first on top; by the object interface (no pyplot)."""
    from matplotlib.ticker import PercentFormatter

    from toolkit.figures.shown import Figure

    n = max(1, len(texts))
    figure = Figure(figsize=(8.6, 1.2 + 0.26 * n), layout="constrained")
    axes = figure.subplots()
    rows = range(len(texts))
    axes.barh(rows, std, color=BAR, height=0.62)
    axes.set_yticks(list(rows), [_short(text) for text in texts], parse_math=False)
    axes.set(ylim=(n - 0.4, -0.6), xlabel=STD)
    axes.xaxis.label.set_fontsize(9)
    axes.tick_params(length=0, labelsize=9)
    curve = axes.twiny()
    curve.plot(explained, rows, color=CURVE, marker="o", ms=3.5, lw=1.6)
    curve.set(xlim=(0, 1))
    curve.set_xlabel(EXPLAINED, color=CURVE, fontsize=9)
    curve.xaxis.set_major_formatter(PercentFormatter(1))
    curve.tick_params(length=0, labelsize=9, colors=CURVE)
    for one in (axes, curve):
        for side in ("top", "right", "left"):
            one.spines[side].set_visible(False)
    if title:
        axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    return figure


def spans_plotly(
    texts: Sequence[str], std: Sequence[float], explained: Sequence[float], title: str = ""
) -> PlotlyFigure:
    """The same as a plain plotly figure (never a FigureWidget)."""
    import plotly.graph_objects as go

    names = [f"{i + 1}. {escape(_short(text))}" for i, text in enumerate(texts)]  # plotly reads tags
    figure = go.Figure([
        go.Bar(x=list(std), y=names, orientation="h", marker_color=BAR, name="std",
               hovertemplate="%{x:.4g}<extra></extra>"),
        go.Scatter(x=list(explained), y=names, xaxis="x2", mode="lines+markers", line_color=CURVE, name="explained",
                   hovertemplate="%{x:.1%}<extra></extra>"),
    ])  # fmt: skip
    figure.update_layout(
        title={"text": escape(title)}, template="simple_white", height=190 + 24 * max(1, len(texts)), width=860,
        showlegend=False, yaxis={"autorange": "reversed", "automargin": True}, xaxis={"title": {"text": STD}},
        xaxis2={"title": {"text": EXPLAINED}, "overlaying": "x", "side": "top", "range": [0, 1], "tickformat": ".0%"},
    )  # fmt: skip
    return figure


def _short(text: str, most: int = 64) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
