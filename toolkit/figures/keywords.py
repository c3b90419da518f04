"""Keywords of mistakes as static figures: scores with intervals, and what is left without the pair."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.figures.colors import DIVERGING, hexes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

    from toolkit.api.keywords.result import KeywordScores

WRONG, RIGHT, INK = hexes(DIVERGING)[-2], hexes(DIVERGING)[1], "#1d2128"
ACROSS = "100 × (mean cosine with wrong images − with right ones)"
TOP, BOTTOM = 14, 5
"""Keywords drawn: of the highest scores, and of the lowest."""


def _rows(found: KeywordScores) -> Any:
    """The rows drawn, the highest score first."""
    table = found.table
    if len(table) <= TOP + BOTTOM:
        return table
    return table.iloc[[*range(TOP), *range(len(table) - BOTTOM, len(table))]]


def _title(found: KeywordScores) -> str:
    badge = "; circular: the model's own cosines" if found.circular else ""
    few = "" if found.enough else "; too few wrong images"
    return (
        f"{found.true} → {found.predicted}: {len(found.wrong)} wrong, {len(found.right)} right images,"
        f" split {found.settings.get('split')!r}{badge}{few}"
    )


def keywords_matplotlib(found: KeywordScores) -> Figure:
    """Keywords with their scores, 95 % intervals and, as hollow marks, the scores without the direction of the pair, as
    a matplotlib figure.

    Arguments:
        found: of `tk.keywords`.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=200, kind="birds"), progress=False)
    >>> found = tk.keywords(acts, tk.classes(["waterbird", "landbird"]), true="landbird", draws=100)
    >>> len(tk.keywords_matplotlib(found).axes)
    1
    """
    from toolkit.figures.shown import Figure

    rows = _rows(found)
    n = len(rows)
    figure = Figure(figsize=(8.6, 1.3 + 0.26 * n), layout="constrained")
    axes = figure.subplots()
    colours = [WRONG if score > 0 else RIGHT for score in rows["score"]]
    axes.barh(range(n), rows["score"], color=colours, height=0.62)
    for i, (low, high) in enumerate(zip(rows["low"], rows["high"], strict=True)):
        axes.plot([low, high], [i, i], color=INK, lw=1)
    axes.plot(rows["residual"], range(n), "D", mfc="none", mec=INK, ms=5, lw=0, label="without the pair's direction")
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(range(n), [str(text)[:64] for text in rows["text"]], parse_math=False)
    axes.set(ylim=(n - 0.4, -0.6))
    axes.set_xlabel(ACROSS, fontsize=9)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_title(_title(found), loc="left", fontsize=9, parse_math=False)
    return figure


def keywords_plotly(found: KeywordScores) -> PlotlyFigure:
    """The same as a plain plotly figure.

    Arguments:
        found: of `tk.keywords`.

    >>> import toolkit as tk
    >>> acts = tk.extract(tk.load(), tk.scenes("val", n=200, kind="birds"), progress=False)
    >>> found = tk.keywords(acts, tk.classes(["waterbird", "landbird"]), ["the lake", "the forest"], draws=100)
    >>> sorted(tk.keywords_plotly(found).data[0].y)
    ['the forest', 'the lake']
    """
    import plotly.graph_objects as go

    rows = _rows(found)
    names = [escape(str(text)[:64]) for text in rows["text"]]
    scores = rows["score"].to_numpy()
    spread = {
        "type": "data", "symmetric": False, "array": rows["high"].to_numpy() - scores,
        "arrayminus": scores - rows["low"].to_numpy(), "color": INK, "thickness": 1,
    }  # fmt: skip
    colours = [WRONG if score > 0 else RIGHT for score in scores]
    figure = go.Figure([
        go.Bar(x=scores, y=names, orientation="h", marker_color=colours, error_x=spread, name="score"),
        go.Scatter(x=rows["residual"], y=names, mode="markers", name="without the pair",
                   marker={"symbol": "diamond-open", "color": INK, "size": 8}),
    ])  # fmt: skip
    return figure.update_layout(
        title={"text": escape(_title(found)), "font": {"size": 13}}, template="simple_white", showlegend=False,
        height=190 + 24 * len(rows), width=860, yaxis={"autorange": "reversed", "automargin": True},
        xaxis={"title": {"text": ACROSS}},
    )  # fmt: skip
