"""Static pictures of results by matplotlib's object interface: never pyplot, never global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from toolkit.core.ablation import LayerCurve
from toolkit.core.metrics import Accuracy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#22262e", "#6b7280", "#e5e7eb"
SERIES = ("#1f5fa8", "#c8741a", "#5b8f3e", "#7b5aa6")


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from toolkit.figures.shown import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK)
    return figure, axes


def group_bars(result: Accuracy) -> Figure:
    """Accuracy of every group with its interval, the worst group marked and the plain average drawn."""
    rows = result.groups
    figure, axes = _figure(7.2, 0.5 * len(rows) + 1.1)
    at, values = np.arange(len(rows))[::-1], np.array([r.accuracy for r in rows])
    worst = result.worst.group
    axes.barh(at, values, 0.62, color=[SERIES[1] if r.group == worst else SERIES[0] for r in rows])
    errors = np.clip([[r.accuracy - r.low for r in rows], [r.high - r.accuracy for r in rows]], 0, None)
    axes.errorbar(values, at, xerr=errors, fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for y, r in zip(at, rows, strict=True):
        inside = r.accuracy > 0.25
        x, ink = (0.012, "white") if inside else (r.high + 0.015, INK)
        axes.text(x, y, f"{100 * r.accuracy:.1f} %", va="center", color=ink, fontsize=9)
    average = result.average("plain")
    axes.axvline(average.value, color=INK, lw=1, ls=(0, (4, 3)))
    axes.text(
        average.value,
        len(rows) - 0.45,
        f"plain average {100 * average.value:.1f} %",
        ha="center",
        fontsize=9,
        color=INK,
    )
    axes.set(
        xlim=(0, 1), ylim=(-0.5, len(rows) - 0.2), yticks=at, yticklabels=[f"{r.group}  (n = {r.n})" for r in rows]
    )
    axes.set_xlabel(f"accuracy on {result.split}, with {100 * result.level:g} % Wilson intervals", color=INK)
    return figure


def ablation_curves(curves: Mapping[str, LayerCurve]) -> Figure:
    """Accuracy with more and more layers replaced by their mean: attention solid; embedding term and MLPs dashed."""
    figure, axes = _figure(7.2, 3.4)
    layers = len(next(iter(curves.values())).attention) - 1
    for colour, (name, curve) in zip(SERIES, curves.items(), strict=False):
        axes.plot(range(layers + 1), curve.attention, "-o", color=colour, lw=1.8, ms=5, label=f"{name} (n = {curve.n})")
        # entry 1 has the embedding term gone: drawn between “none” and “0”; a pool's MLP comes last
        embedding = len(curve.mlps) > layers + 1
        at = [0, *([0.5] if embedding else []), *range(1, layers + 2)][: len(curve.mlps)]
        axes.plot(at, curve.mlps, "--D", color=colour, lw=1.2, ms=4.5, mfc="white")
    names = ["none", *(f"0–{i}" if i else "0" for i in range(layers))]
    axes.set(ylim=(0, 1), xticks=range(layers + 1), xticklabels=names)
    axes.set_xlabel("layers replaced by their mean:  ● attention   ◇ MLPs, the embedding term first", color=INK)
    axes.set_ylabel("accuracy", color=INK)
    axes.grid(axis="y", color=GRID)
    axes.legend(frameon=False, labelcolor=INK)
    return figure


def contact_sheet(rows: Mapping[str, Sequence[Image.Image]], size: int = 72) -> Image.Image:
    """A labelled sheet: one row of pictures per name."""
    longest = max(len(images) for images in rows.values())
    label, gap = 22, 4
    sheet = Image.new("RGB", (longest * (size + gap) + gap, len(rows) * (size + label + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for r, (name, images) in enumerate(rows.items()):
        top = r * (size + label + gap)
        draw.text((gap, top + 5), name, fill=INK, font_size=13)
        for c, image in enumerate(images):
            sheet.paste(image.resize((size, size), Image.Resampling.LANCZOS), (gap + c * (size + gap), top + label))
    return sheet
