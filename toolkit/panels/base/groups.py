"""`GroupsPanel`: a panel whose picture is the accuracy of every group before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from toolkit.figures.groups import groups_matplotlib, groups_plotly
from toolkit.figures.heatmap import figure_png
from toolkit.panels.base.live import LivePanel

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure


class GroupsPanel(LivePanel):
    """Base class of the labs. `_groups`: rows of name, n, before, after, low and high of the change."""

    _groups: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def to_plotly(self) -> PlotlyFigure:
        """Groups before and after as a plain plotly figure."""
        return groups_plotly(self._groups, self.summary)

    def to_matplotlib(self) -> Figure:
        """Groups before and after as a matplotlib figure."""
        return groups_matplotlib(self._groups, self.summary)

    def png(self) -> bytes:
        return figure_png(self.to_matplotlib(), dpi=80)
