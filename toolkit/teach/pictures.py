"""The pictures of things broken on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.figures.colors import color
from toolkit.figures.shown import Figure
from toolkit.teach.broken import BETTER, FAINT, INK, WORSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.api.where.attribution import TokenAttribution


def _axes(width: float, height: float, columns: int = 2, **options: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, **options)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8, colors=INK)
    return figure, axes


def explained(tables: Sequence[Any], names: Sequence[str], head: str) -> Figure:
    """The texts of a head from either bank, with the share they explain together."""
    figure, axes = _axes(8.6, 2.3, sharex=True)
    for ax, table, name, colour in zip(axes, tables, names, (WORSE, BETTER), strict=True):
        ax.barh(range(len(table)), 100 * table["explained"], color=colour, height=0.6)
        ax.set_yticks(range(len(table)), table["text"], parse_math=False)
        ax.set(ylim=(max(4.5, len(table) - 0.5), -0.5), xlim=(0, 100))
        ax.set_title(f"{head}, {name}", fontsize=9, color=INK, loc="left", parse_math=False)
        ax.set_xlabel("% of its variance explained so far", fontsize=8)
    return figure


def rank_bands(ranks: Mapping[int, Sequence[Sequence[tuple[int, int]]]], score: str) -> Figure:
    """The rank of each head over the draws, by images a class; heads in the order of the larger draws."""
    figure, axes = _axes(8.6, 3.2, sharey=True)
    many = max(ranks)
    heads = sorted(ranks[many][0])
    place = {
        n: {h: np.array([list(order).index(h) + 1 for order in orders]) for h in heads} for n, orders in ranks.items()
    }
    shown = sorted(heads, key=lambda h: place[many][h].mean())[:8]
    for ax, n, colour in zip(axes, sorted(ranks), (WORSE, BETTER), strict=True):
        for i, head in enumerate(shown):
            found = place[n][head]
            low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
            ax.hlines(i, low, high, color=colour, lw=3, alpha=0.5)
            ax.scatter(found, i + np.linspace(-0.22, 0.22, len(found)), s=6, color=colour, alpha=0.6, lw=0)
            ax.scatter([middle], [i], s=36, color=colour, zorder=3)
        ax.set_yticks(range(len(shown)), [f"L{a}.H{b}" for a, b in shown])
        ax.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0.3, len(heads) + 0.7))
        ax.set_title(f"{n} images a class", fontsize=9, color=INK, loc="left")
        ax.set_xlabel(f"rank by score {score.upper()}: every draw, median, 80 % of draws", fontsize=8)
    return figure


def along_steps(curves: Sequence[Any], names: Sequence[str]) -> Figure:
    """Target classes and other classes along the steps of two edits."""
    figure, axes = _axes(8.6, 2.6, sharey=True)
    for ax, measure, words in zip(axes, ("success", "locality"), ("target classes", "other classes"), strict=True):
        for curve, name, colour, dashes in zip(curves, names, (WORSE, BETTER), ("--", "-"), strict=True):
            ax.plot(curve["step"], 100 * curve[measure], color=colour, ls=dashes, lw=2, label=name)
        ax.set_title(words, fontsize=9, color=INK, loc="left")
        ax.set_xlabel("steps", fontsize=8)
    axes[0].set_ylabel("held-out images right, %", fontsize=8)
    axes[1].legend(frameon=False, fontsize=8)
    return figure


def picked(picked_on: NDArray[np.float64], again: NDArray[np.float64], n: int, rest: int) -> Figure:
    """Every random set: what it gains where the best was picked, and on all other images."""
    figure, (ax,) = _axes(5.4, 3.4, 1)
    best = int(picked_on.argmax())
    ax.axhline(0, color=FAINT, lw=0.8)
    ax.axvline(0, color=FAINT, lw=0.8)
    ax.scatter(picked_on, again, s=14, color=FAINT, alpha=0.5, lw=0)
    ax.scatter([picked_on[best]], [again[best]], s=70, color=WORSE, zorder=3, marker="D")
    ax.annotate(
        "the best one",
        (picked_on[best], again[best]),
        textcoords="offset points",
        xytext=(0, -16),
        ha="right",
        fontsize=8,
    )
    ax.set_xlabel(f"points gained on the {n} images it was picked on", fontsize=8)
    ax.set_ylabel(f"on the {rest:,} others", fontsize=8)
    return figure


def scaled(maps: Sequence[TokenAttribution], names: Sequence[str]) -> Figure:
    """Two maps, each on a scale of its own, and both on one."""
    figure = Figure(figsize=(8.6, 2.5), layout="constrained")
    axes = figure.subplots(1, 5)
    both = max(float(np.abs(m.values).max()) for m in maps) or 1.0
    picture = maps[0].picture()
    if picture is not None:
        axes[0].imshow(np.asarray(picture))
    axes[0].set_title("the image", fontsize=8, color=INK)
    for at, limit in ((1, None), (3, both)):
        for i, (m, name) in enumerate(zip(maps, names, strict=True)):
            own = limit or float(np.abs(m.values).max()) or 1.0
            axes[at + i].imshow(color(m.values, own))
            axes[at + i].set_title(name.replace("|", "−"), fontsize=7, color=INK, parse_math=False, wrap=True)
            axes[at + i].set_xlabel(f"±{own:.1e}", fontsize=8, color=WORSE if limit is None else BETTER)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    axes[1].set_ylabel("own scales", fontsize=8, color=WORSE)
    axes[3].set_ylabel("one scale", fontsize=8, color=BETTER)
    return figure
