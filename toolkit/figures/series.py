"""Edits over a series of one weight, step by step, as static pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.edit.frontier_result import WORDS, Measure
from toolkit.api.edit.series import EditSeries

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

SYMBOLS = {"alpha": "α", "beta": "β"}


def _curves(series: EditSeries, measure: Measure) -> list[tuple[float, Any, Any, Any]]:
    """Of every value: steps, the mean over draws and the standard deviation, in percent."""
    found = []
    for value, some in series.table.groupby(series.over, sort=True):
        by_step = some.groupby("step")[measure]
        mean, spread = 100 * by_step.mean(), 100 * by_step.std(ddof=0)
        found.append((float(value), mean.index.to_numpy(), mean.to_numpy(), spread.to_numpy()))
    return found


def _title(series: EditSeries) -> str:
    row = series.table.iloc[0]
    other = "beta" if series.over == "alpha" else "alpha"
    draws = f", mean ± sd of {len(series.edits)} draws" if len(series.edits) > 1 else ""
    return (
        f"{series.edits[0][0].strategy.name}, {SYMBOLS[other]} = {series.fixed:g}; split {row['split']!r},"
        f" n = {row['n_target']} + {row['n_other']}{draws}"
    )


def series_matplotlib(series: EditSeries, measures: tuple[Measure, ...] = ("worst", "locality")) -> Figure:
    """Curves over steps, one a value of the weight, its highest point marked, the standard
    deviation over draws at the end; a picture for every measure (R25 Figs 5,
    6), as a matplotlib figure.

    Arguments:
        series: of `tk.edit_series`.
        measures: of "success", "worst", "like", "locality", "agreement"; default ("worst", "locality").

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> every = tk.classes(sorted(set(few.labels)))
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> found = tk.edit_series(few, every, "L3.H7", alphas=[0, 10], steps=2, held_out=val)
    >>> len(tk.series_matplotlib(found).axes)
    2
    """
    from matplotlib import colormaps

    from toolkit.figures.shown import Figure

    figure = Figure(figsize=(4.8 * len(measures), 3.8), layout="constrained")
    panes = np.atleast_1d(figure.subplots(1, len(measures)))
    colours = colormaps["viridis"](np.linspace(0.05, 0.85, len(series.values)))
    for axes, measure in zip(panes, measures, strict=True):
        for i, (colour, (value, steps, mean, spread)) in enumerate(zip(colours, _curves(series, measure), strict=True)):
            axes.plot(steps, mean, color=colour, label=f"{SYMBOLS[series.over]} = {value:g}")
            if len(series.edits) > 1:
                beside = steps[-1] * (1.02 + 0.015 * i)  # one beside the other: bands would hide each other
                axes.errorbar(beside, mean[-1], spread[-1], color=colour, lw=1)
            if np.isfinite(mean).any():
                best = int(np.nanargmax(mean))
                axes.plot(steps[best], mean[best], "o", color=colour, ms=4)
        axes.set(xlabel="step", ylabel=f"{WORDS[measure]}, %")
        axes.spines[["top", "right"]].set_visible(False)
    panes[-1].legend(frameon=False, fontsize=8, ncols=1 + (len(series.values) > 5))
    figure.suptitle(_title(series), fontsize=9)
    return figure


def series_plotly(series: EditSeries, measure: Measure = "worst") -> PlotlyFigure:
    """Curves over steps, one a value of the weight, as a plotly figure.

    Arguments:
        series: of `tk.edit_series`.
        measure: "success", "worst", "like", "locality" or "agreement"; default "worst".

    >>> import toolkit as tk
    >>> few = tk.extract(tk.load(), tk.scenes("edit", n=60), progress=False)
    >>> every = tk.classes(sorted(set(few.labels)))
    >>> val = tk.extract(tk.load(), tk.scenes("val", n=60), progress=False)
    >>> found = tk.edit_series(few, every, "L3.H7", betas=[0, 10], steps=2, held_out=val)
    >>> [one.name for one in tk.series_plotly(found).data]
    ['β = 0', 'β = 10']
    """
    import plotly.graph_objects as go
    from plotly.colors import sample_colorscale

    colours = sample_colorscale("Viridis", np.linspace(0.05, 0.85, len(series.values)).tolist())
    figure = go.Figure()
    for colour, (value, steps, mean, _) in zip(colours, _curves(series, measure), strict=True):
        name = f"{SYMBOLS[series.over]} = {value:g}"
        figure.add_scatter(x=steps, y=mean, mode="lines", line={"color": colour}, name=name)
    return figure.update_layout(
        template="plotly_white", title={"text": _title(series), "font": {"size": 13}}, xaxis_title="step",
        yaxis_title=f"{WORDS[measure]}, %", height=420, width=640,
    )  # fmt: skip
