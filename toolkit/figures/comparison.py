"""Cures as paths in the plane of the worst group and locality, as static pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolkit.api.edit.frontier_result import WORDS, Measure
from toolkit.api.methods.comparison import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

INK = "#5b6470"
COLOURS = ("#2f6fd0", "#d0641a", "#1b9e77", "#b3478f", "#8a6d00", "#5e4fb5", "#c23b3b", "#3a8aa8")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
PLOTLY_MARKS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star")


def _title(found: Comparison) -> str:
    held = found.held[0]
    draws = f", mean of {len(found.held)} draws" if len(found.held) > 1 else ""
    n = f"{held.sizes['success']} + {held.sizes['agreement']}"
    return f"dials by {found.choose}; split {held.split!r}, n = {n}{draws}"


def comparison_plotly(found: Comparison, x: Measure = "worst", y: Measure = "locality") -> PlotlyFigure:
    """The plane of a comparison as a plotly figure: every cure's path from the model as it is, its dial as a mark.

    Arguments:
        found: of `tk.comparison`.
        x: the measure to the right, "success", "worst", "like", "locality" or "agreement"; default "worst".
        y: the measure upwards, one of the same; default "locality".

    >>> import toolkit as tk
    >>> pool = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> val, every = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False), tk.classes(sorted(set(pool.labels)))
    >>> found = tk.comparison(pool, every, ["TipAdapter"], held_out=val)
    >>> tk.comparison_plotly(found).data[-1].name
    'Tip-Adapter'
    """
    import plotly.graph_objects as go

    fig = go.Figure()
    for i, one in enumerate(found):
        colour, mark = COLOURS[i % len(COLOURS)], PLOTLY_MARKS[i // len(COLOURS) % len(PLOTLY_MARKS)]
        across, up = (100 * one.paths[name].mean(0) for name in (x, y))
        words = [f"{one.name}: {one.fitted.dial.name} = {value:g}" for value in one.values]
        fig.add_scatter(x=across, y=up, mode="lines", line={"color": colour, "width": 1.5}, name=one.name, text=words,
                        hovertemplate="%{text}<br>%{x:.1f}, %{y:.1f} %", showlegend=False)  # fmt: skip
        points = one.points()
        look = {"color": colour, "symbol": mark, "size": 10}
        fig.add_scatter(x=[100 * points[x].mean()], y=[100 * points[y].mean()], mode="markers+text", name=one.name,
                        text=[one.name], textposition="top center", marker=look,
                        hovertemplate="%{text}<br>%{x:.1f}, %{y:.1f} %")  # fmt: skip
    fig.update_layout(title=_title(found), xaxis_title=f"{WORDS[x]}, %", yaxis_title=f"{WORDS[y]}, %",
                      template="simple_white", showlegend=False)  # fmt: skip
    return fig


def comparison_matplotlib(found: Comparison, x: Measure = "worst", y: Measure = "locality") -> Figure:
    """The plane of a comparison as a matplotlib figure. Arguments as for `comparison_plotly`.

    Arguments:
        found: of `tk.comparison`.
        x: the measure to the right; default "worst".
        y: the measure upwards; default "locality".

    >>> import toolkit as tk
    >>> pool = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> val, every = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False), tk.classes(sorted(set(pool.labels)))
    >>> len(tk.comparison_matplotlib(tk.comparison(pool, every, ["Probe"], held_out=val)).axes)
    1
    """
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.5, 5), layout="constrained")
    axes = fig.subplots()
    for i, one in enumerate(found):
        colour, mark = COLOURS[i % len(COLOURS)], MARKS[i // len(COLOURS) % len(MARKS)]
        across, up = (100 * one.paths[name].mean(0) for name in (x, y))
        axes.plot(across, up, color=colour, linewidth=1.2, alpha=0.6)
        points = one.points()
        at = 100 * float(np.mean(points[x])), 100 * float(np.mean(points[y]))
        axes.plot(*at, mark, color=colour)
        axes.annotate(one.name, at, xytext=(4, 4), textcoords="offset points", fontsize=8, color=colour)
    axes.set_xlabel(f"{WORDS[x]}, %")
    axes.set_ylabel(f"{WORDS[y]}, %")
    axes.set_title(_title(found), fontsize=9, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return fig
