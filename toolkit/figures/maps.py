"""Maps over their images, as static pictures: zero is clear, one symmetric scale for all, what was not seen is dim."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.api.where.attribution import TokenAttribution
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, color, plotly_scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

LARGEST = 512
"""Pixels of the longer side up to which a picture is drawn."""
VEIL = 0.75
"""How much a cell at the end of the scale is coloured; less with the root of its value, so that zero stays clear."""


def shared_limit(maps: Sequence[TokenAttribution], limit: float | None = None) -> float:
    """Half the range of one colour scale for several maps: the largest |value| of all, or the limit given."""
    if limit is not None:
        if not (isinstance(limit, int | float) and 0 < limit < float("inf")):
            fix = "leave it out for the largest |value| shown"
            raise InputError("maps", f"limit={limit!r}", "a positive number, or None", fix)
        return float(limit)
    largest = max(float(np.abs(m.values).max()) for m in maps)
    return largest or 1.0


def limits_of(maps: Sequence[TokenAttribution], limit: float | None = None) -> dict[str, float]:
    """By unit (`.scale`), half the range of the colours: maps share it where they share a unit. limit: of the first
    map's unit; it means nothing in another.
    """
    units = dict.fromkeys(m.scale for m in maps)
    own = next(iter(units), None)
    return {unit: shared_limit([m for m in maps if m.scale == unit], limit if unit == own else None) for unit in units}


def overlay(
    attribution: TokenAttribution, row: int = 0, limit: float | None = None, smooth: bool = False,
    opacity: float = VEIL,
) -> Image.Image:  # fmt: skip
    """The picture in grey under its map in colour. opacity: of a cell at ±limit; a cell of value zero is clear."""
    if not (isinstance(opacity, int | float) and 0 <= opacity <= 1):
        raise InputError("maps", f"opacity={opacity!r}", "a number from 0 to 1", "pass one")
    limit = shared_limit([attribution], limit)
    picture = attribution.picture(row)
    table = attribution.on_picture(row, smooth)
    if picture is None:
        picture = Image.new("RGB", (table.shape[1], table.shape[0]), (160, 160, 160))
    step = max(1, max(picture.size) // LARGEST)
    if step > 1:
        table = table[step // 2 :: step, step // 2 :: step]
        picture = picture.resize((table.shape[1], table.shape[0]), Image.Resampling.BOX)
    grey = np.repeat(np.asarray(picture.convert("L"), np.float64)[..., None], 3, -1)
    seen = ~np.isnan(table)
    grey = np.where(seen[..., None], grey, 0.35 * grey + 100)
    share = np.where(seen, np.clip(np.abs(np.nan_to_num(table)) / limit, 0, 1) ** 0.5, 0) * opacity
    tint = color(np.nan_to_num(table), limit).astype(np.float64)
    mixed = grey * (1 - share[..., None]) + tint * share[..., None]
    return Image.fromarray(np.clip(np.round(mixed), 0, 255).astype(np.uint8))


def _each(maps: Any, operation: str) -> list[tuple[TokenAttribution, int, str]]:
    """Every single map with its row and a title."""
    several = [maps] if isinstance(maps, TokenAttribution) else maps if isinstance(maps, list | tuple) else []
    named = list(maps.items()) if isinstance(maps, dict) else [("", m) for m in several]
    if not named or not all(isinstance(m, TokenAttribution) for _, m in named):
        accepted = "a TokenAttribution, a list of them, or a dictionary of titles"
        raise InputError(operation, f"{type(maps).__name__}", accepted, "make one: tk.token_map(…)")
    found = []
    for name, m in named:
        for row in range(len(m)):
            state = str(m.settings.get("state", "base"))
            words = name or "\n".join([m.method, m.target + ("" if state == "base" else f", {state}")])
            found.append((m, row, words if len(m) == 1 or not m.ids else f"{words}\n{m.ids[row]}"))
    return found


def _note(m: TokenAttribution, row: int) -> str:
    values, rest, total = (x if m.single else x[row] for x in (m.values, m.rest, m.total))
    if not m.additive:
        return f"score {float(total):+.4f}".replace("-", "−")
    return f"patches {values.sum():+.3f}, rest {rest.sum():+.3f}\ntogether {float(total):+.3f}".replace("-", "−")


def maps_matplotlib(
    maps: Any, limit: float | None = None, smooth: bool = False, opacity: float = VEIL, columns: int = 4
) -> Figure:
    """Maps side by side on one symmetric scale, each with its sums, as a matplotlib figure.

    Arguments:
        maps: a TokenAttribution, a list of them, or a dictionary of titles to them.
        limit: half the range of the colours, in the maps' unit; default the largest |value| of all maps of one unit
            (methods differ in theirs: each then says its own).
        smooth: bilinear between patches, which the figure then says; default False, the patches as they are.
        opacity: of the colour at ±limit, 0 to 1; default 0.75.
        columns: pictures in a row; default 4.

    >>> import toolkit as tk
    >>> found = tk.token_map(tk.load(), tk.scenes("test", n=2), "a bird")
    >>> len(tk.maps_matplotlib(found).axes)
    3
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    from toolkit.figures.shown import Figure

    each = _each(maps, "maps_matplotlib")
    limits = limits_of([m for m, _, _ in each], limit)
    across = min(_columns(columns, "maps_matplotlib"), len(each))
    down = -(-len(each) // across)
    figure = Figure(figsize=(2.7 * across + 0.8, 3.3 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    one = len(limits) == 1
    for ax, (m, row, title) in zip(axes.flat, each, strict=False):
        ax.imshow(overlay(m, row, limits[m.scale], smooth, opacity))
        ax.set_title(title, fontsize=9, parse_math=False)
        words = _note(m, row) if one else f"{_note(m, row)}\ncolours: ±{limits[m.scale]:.2g}"
        ax.text(0.5, -0.03, words, transform=ax.transAxes, ha="center", va="top", fontsize=7.5)
    palette = LinearSegmentedColormap.from_list("blue–orange", DIVERGING / 255)
    bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), palette), ax=axes, ticks=[-1, 0, 1], shrink=0.7, aspect=18)
    most = f"{next(iter(limits.values())):.2g}" if one else "limit"
    bar.ax.set_yticklabels([f"−{most}", "0", most])
    bar.outline.set_visible(False)
    unit = "part of the cosine" if each[0][0].additive else "the method's own units"
    words = unit if one else "each in its own units"
    bar.set_label(words + ", smoothed between patches" * smooth, fontsize=8)
    return figure


def _columns(columns: int, operation: str) -> int:
    if not isinstance(columns, int) or isinstance(columns, bool) or columns < 1:
        raise InputError(operation, f"columns={columns!r}", "a whole number of at least 1", "pass one")
    return columns


def maps_plotly(maps: Any, limit: float | None = None, columns: int = 4) -> PlotlyFigure:
    """The raw grids of maps as a plain plotly figure, on one symmetric scale.

    Arguments:
        maps: a TokenAttribution, a list of them, or a dictionary of titles to them.
        limit: half the range of the colours, in the maps' unit; default the largest |value| of all maps of one unit.
        columns: pictures in a row; default 4.

    >>> import toolkit as tk
    >>> found = tk.token_map(tk.load(), tk.scenes("test", n=2), "a bird")
    >>> len(tk.maps_plotly(found).data)
    2
    """
    from plotly.subplots import make_subplots

    each = _each(maps, "maps_plotly")
    limits = limits_of([m for m, _, _ in each], limit)
    titles = [escape(title).replace("\n", "<br>") for _, _, title in each]
    across = min(_columns(columns, "maps_plotly"), len(each))
    down = -(-len(each) // across)
    spaces = {"horizontal_spacing": 0.16 / max(4, across), "vertical_spacing": 0.4 / max(4, down)}
    figure = make_subplots(down, across, subplot_titles=titles, **spaces)
    for i, (m, row, _) in enumerate(each, 1):
        at = {"row": (i - 1) // across + 1, "col": (i - 1) % across + 1}
        table: NDArray[np.float64] = m.values if m.single else m.values[row]
        figure.add_heatmap(
            z=table, zmin=-limits[m.scale], zmax=limits[m.scale], colorscale=plotly_scale(DIVERGING),
            showscale=len(limits) == 1 and i == len(each), **at,
            hovertemplate="row %{y}, column %{x}: %{z:.4g}<extra></extra>", xgap=1, ygap=1,
        )  # fmt: skip
        figure.update_yaxes(autorange="reversed", scaleanchor="x" if i == 1 else f"x{i}", visible=False, **at)
        figure.update_xaxes(visible=False, **at)
    return figure.update_layout(template="plotly_white", height=340 * down, width=110 + 300 * across, font={"size": 11})
