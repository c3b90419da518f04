"""`GroupsPanel`: a panel whose picture is the accuracy of every group before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.core.ranked import RANKS
from toolkit.figures.groups import groups_matplotlib, groups_plotly
from toolkit.figures.heatmap import figure_png
from toolkit.labs.ranked import groups_shown
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import observes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure


class GroupsPanel(LivePanel):
    """Base class of the labs. `_groups`: rows of name, n, before, after, low and high of the change, those of `_every`
    that are shown; `_groups_words`: which of how many they are.
    """

    find = traitlets.Unicode("").tag(sync=True)
    rank: traitlets.TraitType[Any, Any] = traitlets.Enum(tuple(RANKS), "loss").tag(sync=True)
    _ranks = traitlets.Dict(RANKS).tag(sync=True)
    _groups: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _groups_words = traitlets.Unicode("").tag(sync=True)
    _noun = "groups"

    def __init__(self, **words: Any) -> None:
        self._every: list[dict[str, Any]] = []
        super().__init__(**words)

    @observes("find", "rank")
    def _rank_changed(self, change: Any) -> None:
        self._show_groups(self._every)

    def _show_groups(self, rows: list[dict[str, Any]]) -> None:
        """Rows of all groups: of more than fit those that come first."""
        self._every = rows
        self._groups, self._groups_words = groups_shown(rows, self.find, self.rank, self._noun)

    def to_plotly(self) -> PlotlyFigure:
        """Groups before and after as a plain plotly figure."""
        return groups_plotly(self._groups, self.summary)

    def to_matplotlib(self) -> Figure:
        """Groups before and after as a matplotlib figure."""
        return groups_matplotlib(self._groups, self.summary)

    def png(self) -> bytes:
        return figure_png(self.to_matplotlib(), dpi=80)
