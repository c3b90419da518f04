"""Layer × head maps as static figures, drawn like the `HeadGrid` panel: zero in the middle, odd cells marked."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.characters import sendable
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, color, is_bright, plotly_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

Heads = Sequence[tuple[int, int]]


def as_table(values: Any, operation: str = "heat map") -> NDArray[np.float64]:
    """[l, h] float64 from an array, a tensor on any device, a labelled array or nested lists; InputError otherwise."""
    if hasattr(values, "detach"):  # a tensor; this module does without torch
        values = values.detach().cpu().double().numpy()
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            operation, f"a {type(values).__name__}", "numbers [layer, head]", "pass a two-dimensional array"
        ) from error
    if table.ndim != 2 or not table.size:
        fix = "average or select until layer and head are left, for example .mean(0)"
        raise InputError(operation, f"values of shape {table.shape}", "[layer, head], at least one of each", fix)
    return table


def robust_limit(values: NDArray[np.float64]) -> float:
    """Half the range of the colour scale: the 99th percentile of the finite |values|; never zero."""
    finite = np.abs(values[np.isfinite(values)])
    if not finite.size or not finite.max():
        return 1.0
    return float(max(np.percentile(finite, 99), finite.max() * 1e-6))


def check_limit(limit: float | None, values: NDArray[np.float64]) -> float:
    """The limit asked for, or the robust one; InputError where it is not a positive number."""
    if limit is None:
        return robust_limit(values)
    if not (isinstance(limit, int | float | np.number) and np.isfinite(limit) and limit > 0):
        raise InputError(
            "heat map",
            f"limit={limit!r}",
            "a positive number, or None",
            "leave it out for the 99th percentile of |values|",
        )
    return float(limit)


def mark_of(value: float, limit: float) -> str:
    """What stands in a cell besides its colour: × missing, +∞ −∞, + − clipped, else nothing."""
    if np.isnan(value):
        return "×"
    if np.isinf(value):
        return "+∞" if value > 0 else "−∞"
    return ("+" if value > 0 else "−") if abs(value) > limit * (1 + 1e-6) else ""


def heatmap_matplotlib(
    values: Any,
    layers: Sequence[int] | None = None,
    title: str = "",
    unit: str = "",
    limit: float | None = None,
    selected: Heads = (),
) -> Figure:
    """A matplotlib figure of a layer × head map, by the object interface (no pyplot).

    values: [l, h]. layers: the layers of the rows, default 0…l−1. unit: at the colour bar. limit: half the colour
    range, default the 99th percentile of |values|. selected: (layer, head) pairs to frame.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from matplotlib.patches import Rectangle

    from toolkit.figures.shown import Figure

    table = as_table(values)
    limit, rows = check_limit(limit, table), list(range(len(table)) if layers is None else layers)
    l, h = table.shape
    figure = Figure(figsize=(min(11, max(5.6, 0.4 * h + 2.0)), min(9, max(2.4, 0.4 * l + 1.0))), layout="constrained")
    axes = figure.subplots()
    pixels = color(table, limit)
    axes.imshow(pixels, interpolation="nearest", aspect="equal")
    axes.set(xticks=_ticks(h), yticks=_ticks(l), xlabel="head", ylabel="layer")
    axes.set_yticklabels([str(rows[i]) for i in _ticks(l)])
    axes.set_xticks(np.arange(-0.5, h), minor=True)
    axes.set_yticks(np.arange(-0.5, l), minor=True)
    axes.grid(which="minor", color="white", lw=1.2)
    axes.tick_params(which="both", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for i, j in np.argwhere(~np.isfinite(table) | (np.abs(table) > limit * (1 + 1e-6))):
        ink = "black" if is_bright(pixels[i, j]) else "white"
        axes.text(j, i, mark_of(table[i, j], limit), ha="center", va="center", color=ink, fontsize=9)
    for layer, head in selected:
        axes.add_patch(Rectangle((head - 0.5, rows.index(layer) - 0.5), 1, 1, fill=False, ec="#111418", lw=2, zorder=3))
    if title:
        axes.set_title(title, loc="left", fontsize=11, parse_math=False)
    palette = LinearSegmentedColormap.from_list("blue–orange", DIVERGING / 255)
    # drawn from −1 to 1 and labelled in the values' own size: values near the largest float must not overflow
    scale = ScalarMappable(Normalize(-1, 1), palette)
    bar = figure.colorbar(scale, ax=axes, ticks=[-1, 0, 1], fraction=0.04, aspect=14, shrink=0.9)
    bar.ax.set_yticklabels([f"−{limit:.3g}", "0", f"{limit:.3g}"])
    bar.outline.set_visible(False)
    bar.set_label(unit, parse_math=False)
    return figure


def heatmap_plotly(
    values: Any,
    layers: Sequence[int] | None = None,
    title: str = "",
    unit: str = "",
    limit: float | None = None,
    selected: Heads = (),
) -> PlotlyFigure:
    """A plain plotly figure (never a FigureWidget) of a layer × head map; arguments as for `heatmap_matplotlib`."""
    import plotly.graph_objects as go

    table = as_table(values)
    limit, rows = check_limit(limit, table), list(range(len(table)) if layers is None else layers)
    l, h = table.shape
    title, unit = escape(title), escape(unit)  # plotly reads tags
    marks = [[mark_of(v, limit) for v in row] for row in table]
    hover = [[f"layer {rows[i]}, head {j}<br>{table[i, j]:.4g} {unit}" for j in range(h)] for i in range(l)]
    # missing cells stay transparent over the grey of the plot
    heat = go.Heatmap(
        z=np.where(np.isnan(table), np.nan, np.clip(table, -limit, limit)),
        x=list(range(h)),
        y=[str(r) for r in rows],
        zmin=-limit,
        zmax=limit,
        colorscale=plotly_scale(DIVERGING),
        text=marks,
        texttemplate="%{text}",
        hovertext=hover,
        hoverinfo="text",
        xgap=1,
        ygap=1,
        colorbar={
            "title": {"text": unit},
            "tickvals": [-limit, 0, limit],
            "ticktext": [f"−{limit:.3g}", "0", f"{limit:.3g}"],
        },
    )
    figure = go.Figure(heat)
    for layer, head in selected:
        i = rows.index(layer)
        figure.add_shape(
            type="rect", x0=head - 0.5, x1=head + 0.5, y0=i - 0.5, y1=i + 0.5, line={"width": 2, "color": "#111418"}
        )
    figure.update_layout(
        title={"text": title},
        template="simple_white",
        plot_bgcolor="#d0d2d6",
        height=120 + 26 * l,
        width=180 + 30 * h,
        xaxis={"title": {"text": "head"}, "dtick": 1 if h <= 16 else 4},
        yaxis={"title": {"text": "layer"}, "autorange": "reversed", "type": "category"},
    )
    return figure


def figure_png(figure: Figure, dpi: int = 96) -> bytes:
    """PNG bytes of a matplotlib figure."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_text(sendable(text.get_text()))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _ticks(n: int) -> list[int]:
    return list(range(0, n, 1 if n <= 16 else 2 if n <= 24 else 4))
