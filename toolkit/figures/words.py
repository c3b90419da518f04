"""Words as a picture, for a panel that draws none."""

from __future__ import annotations

import textwrap

from toolkit.figures.heatmap import figure_png

WIDTH = 90
"""Characters of a line."""


def words_png(title: str, words: str) -> bytes:
    """A PNG of a title and some sentences."""
    from matplotlib.figure import Figure

    lines = textwrap.wrap(words, WIDTH) or [""]
    figure = Figure(figsize=(8, 0.6 + 0.22 * len(lines)))
    figure.text(0.02, 0.98, title, fontsize=12, weight="bold", va="top")
    figure.text(0.02, 0.98 - 0.3 / figure.get_figheight(), "\n".join(lines), fontsize=9, va="top", parse_math=False)
    return figure_png(figure, dpi=80)
