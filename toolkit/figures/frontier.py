"""The plane of edit success and edit locality, as static pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.edit.frontier_result import WORDS, Frontier, Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

INK, FRONT = "#5b6470", "#b2492a"


def _cells(frontier: Frontier, x: Measure, y: Measure) -> tuple[Any, ...]:
    """x, y, log-ratio of α to β, and words of the solved cells; which of them are on the frontier."""
    xs, ys = frontier.mean(x), frontier.mean(y)
    known = np.isfinite(xs) & np.isfinite(ys)
    a, b = np.meshgrid(frontier.alphas, frontier.betas, indexing="ij")
    ratio = np.clip(np.log10(np.maximum(a, 1e-3)) - np.log10(np.maximum(b, 1e-3)), -3, 3)
    words = [f"α = {p:g}, β = {q:g}" for p, q in zip(a[known], b[known], strict=True)]
    return 100 * xs[known], 100 * ys[known], ratio[known], words, frontier.pareto_of(x, y)[known]


def _title(frontier: Frontier) -> str:
    s = frontier.settings
    n = f"{s['sizes']['success']} + {s['sizes']['agreement']}"
    draws = f", mean of {s['draws']} draws" if s["draws"] > 1 else ""
    return f"{s['strategy']}, {s['steps']} steps, scale {s['logit_scale']:g}; split {s['split']!r}, n = {n}{draws}"


def frontier_plotly(frontier: Frontier, x: Measure = "success", y: Measure = "locality") -> PlotlyFigure:
    """The plane of edit success and locality as a plotly figure.

    Cells coloured by α : β, the frontier as a line, the band of the draws, other methods as crosses.

    Arguments:
        frontier: of `tk.frontier`.
        x: the measure to the right, "success", "worst", "like", "locality" or "agreement"; default "success".
        y: the measure upwards, one of the same; default "locality".

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> plane = tk.frontier(few, tk.classes(sorted(set(few.labels))), "L3.H7", [0, 10], [10], steps=2)
    >>> tk.frontier_plotly(plane).layout.xaxis.title.text
    'edit success: accuracy on the target classes, %'
    """
    import plotly.graph_objects as go

    xs, ys, ratio, words, front = _cells(frontier, x, y)
    fig = go.Figure()
    if len(frontier.success) > 1 and len(xs):
        levels, best = frontier.band(x=x, y=y)
        low, high = (100 * f(best, axis=0) for f in (np.min, np.max))
        for edge, fill in ((low, None), (high, "tonexty")):
            line, grey = {"width": 0}, "rgba(91, 100, 112, 0.19)"
            fig.add_scatter(x=100 * levels, y=edge, mode="lines", line=line, fill=fill, fillcolor=grey,
                            hoverinfo="skip", showlegend=fill is not None, name="draws")  # fmt: skip
    marker = {"color": ratio, "colorscale": "PuOr_r", "cmin": -3, "cmax": 3, "size": 8,
              "colorbar": {"title": "log₁₀ α : β"}}  # fmt: skip
    fig.add_scatter(x=xs, y=ys, mode="markers", marker=marker, text=words, name="edits")
    order = np.argsort(xs[front])
    fig.add_scatter(x=xs[front][order], y=ys[front][order], mode="lines", line={"color": FRONT}, name="frontier")
    for point in frontier.points:
        at = {"x": [100 * getattr(point, x)], "y": [100 * getattr(point, y)]}
        mark = {"symbol": "x", "size": 10, "color": INK}
        fig.add_scatter(**at, mode="markers+text", marker=mark, text=[point.name], textposition="top center",
                        name=point.name, showlegend=False)  # fmt: skip
    return fig.update_layout(
        template="plotly_white", title={"text": _title(frontier), "font": {"size": 13}},
        xaxis_title=f"{WORDS[x]}, %", yaxis_title=f"{WORDS[y]}, %", height=440, width=640,
    )  # fmt: skip


def frontier_matplotlib(frontier: Frontier, x: Measure = "success", y: Measure = "locality") -> Figure:
    """The plane of edit success and locality as a matplotlib figure, drawn as `frontier_plotly` draws it.

    Arguments:
        frontier: of `tk.frontier`.
        x: the measure to the right, "success", "worst", "like", "locality" or "agreement"; default "success".
        y: the measure upwards, one of the same; default "locality".

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> plane = tk.frontier(few, tk.classes(sorted(set(few.labels))), "L3.H7", [0, 10], [10], steps=2)
    >>> tk.frontier_matplotlib(plane).axes[0].get_ylabel()
    'edit locality: accuracy on other images, %'
    """
    from toolkit.figures.shown import Figure

    xs, ys, ratio, _, front = _cells(frontier, x, y)
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    if len(frontier.success) > 1 and len(xs):
        levels, best = frontier.band(x=x, y=y)
        axes.fill_between(
            100 * levels, 100 * best.min(0), 100 * best.max(0), color=INK, alpha=0.15, lw=0, label="draws"
        )
    drawn = axes.scatter(xs, ys, c=ratio, cmap="PuOr_r", vmin=-3, vmax=3, s=28, edgecolors="#00000033", zorder=2)
    figure.colorbar(drawn, ax=axes, label="log₁₀ α : β")
    order = np.argsort(xs[front])
    axes.plot(xs[front][order], ys[front][order], color=FRONT, zorder=3, label="frontier")
    for point in frontier.points:
        at = (100 * getattr(point, x), 100 * getattr(point, y))
        axes.plot(*at, "x", color=INK, zorder=4)
        axes.annotate(point.name, at, textcoords="offset points", xytext=(5, 5), fontsize=8, color=INK)
    axes.set(xlabel=f"{WORDS[x]}, %", ylabel=f"{WORDS[y]}, %")
    axes.set_title(_title(frontier), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure
