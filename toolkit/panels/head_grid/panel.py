"""`HeadGrid`: a layer × head map to look at, click and read from Python."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from numpy.typing import NDArray

from toolkit.api.locate.registry import offered
from toolkit.api.locate.score_maps import ScoreMaps
from toolkit.api.locate.scores import Scores
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.figures.colors import DIVERGING, DIVERGING_DARK, NAN
from toolkit.figures.heatmap import as_table, check_limit, figure_png, heatmap_matplotlib, heatmap_plotly
from toolkit.panels.base.bundle import script, style
from toolkit.panels.base.panel import Panel, observes, shows_errors
from toolkit.panels.base.place import ExplorerPlace, Host
from toolkit.panels.base.selection import Selection
from toolkit.panels.base.traits import Heads, Table
from toolkit.store.whole import saved_file

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure
    from plotly.graph_objects import Figure as PlotlyFigure

PALETTE = {
    "light": DIVERGING.tolist(),
    "dark": DIVERGING_DARK.tolist(),
    "nan": {"light": NAN[False], "dark": NAN[True]},
}
Pairs = tuple[tuple[int, int], ...]


class HeadGrid(Panel):
    """A layer × head map; zero in the middle, one symmetric scale, clipped and missing cells marked.

    Arguments:
        values: [l, h], any array or tensor; a mapping of names to such maps, between which the viewer chooses
            (`score`); or what `tk.locate` gives, for all its scores. Assign to `.values` to repaint in place.
        layers: of the rows; default 0…l−1 (of what `tk.locate` gives, its own).
        limit: half the range of the colours, in the map's unit; default the 99th percentile of |values| of each map,
            of what `tk.locate` gives that of the guiltiest head of each.
        score: the name of the map shown first; default the first.
        selection: a Selection to share with other panels; default its own.
        selected: heads to select, in any spelling; default none.
        title, unit, description: words; default "".
        pinned_layers, pinned_heads: rows and columns kept first, beside each other; default none.
        theme: "auto", "light" or "dark"; default "auto".

    `.selected` is ((layer, head), …): read it, set it, observe it. `.hovered` is the head under the pointer, or None;
    linked grids point at it too. Click selects, shift-click adds or removes; arrows move, space or enter adds or
    removes, escape clears, p pins a layer and shift-p a head.

    >>> import numpy as np
    >>> grid = HeadGrid(np.eye(4), title="identity"); grid.selected = "L2.H2"; grid.selected
    ((2, 2),)
    """

    saved = ("score",)
    selection_fix = "pass selected= to choose heads"
    place = ExplorerPlace("grid", tab="mistakes")
    _esm = script("head_grid")
    _css = style("head_grid")
    unit = traitlets.Unicode("").tag(sync=True)
    score = traitlets.Unicode("").tag(sync=True)
    limit = traitlets.Float(1.0)
    hovered: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    selected = Heads()
    pinned_layers: traitlets.List[int] = traitlets.List(traitlets.Int()).tag(sync=True)
    pinned_heads: traitlets.List[int] = traitlets.List(traitlets.Int()).tag(sync=True)
    _data = Table().tag(sync=True, echo_update=False)
    _shape: traitlets.TraitType[Any, Any] = traitlets.Dict({"rows": 0, "columns": 0}).tag(sync=True)
    _layers = traitlets.List(traitlets.Int()).tag(sync=True)
    _scores: traitlets.List[str] = traitlets.List(traitlets.Unicode(), [""]).tag(sync=True)
    _labels: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    _says: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    _limits: traitlets.List[float] = traitlets.List(traitlets.Float(), [1.0]).tag(sync=True)
    _picked: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _pointed: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True).tag(sync=True)
    _palette = traitlets.Dict(PALETTE).tag(sync=True)
    _follows: ClassVar[dict[str, str]] = {"heads": "_follow", "hovered": "_point"}

    @classmethod
    def in_explorer(cls, explorer: Host) -> HeadGrid:
        """The scores of the heads for the explorer's pair.

        Arguments:
            explorer: what it is a part of.
        """
        maps, layers = explorer.session.maps(explorer.pair), explorer.session.lab.layers
        title, words = "Heads behind all mistakes", explorer.session.map_words(maps)
        return cls(maps.tables, layers=layers, title=title, description=words, selection=explorer.selection)

    def __init__(
        self,
        values: Any,
        *,
        layers: Sequence[int] | None = None,
        limit: float | None = None,
        score: str | None = None,
        selection: Selection | None = None,
        selected: Any = None,
        **words: Any,
    ) -> None:
        shared = self._shared(selection)
        if layers is None and isinstance(values, Scores):
            layers = values.layers
        self._tables: dict[str, NDArray[np.float64]] = {"": np.zeros((1, 1))}
        self._fixed_limit, self._showing, self._following = limit, False, False
        super().__init__(**words)
        self._show(values, layers)
        self.selection = shared
        if score is not None:
            self.score = score
        if selected is not None:
            self.selected = selected

    @property
    def values(self) -> NDArray[np.float64]:
        """The map shown [l, h] as float64; assign new ones (also of another shape, or several by name) to repaint."""
        return self._tables[self.score]

    @values.setter
    def values(self, values: Any) -> None:
        self._show(values, None)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of the rows."""
        return tuple(self._layers)

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the maps to choose between."""
        return tuple(self._scores)

    def _show(self, values: Any, layers: Sequence[int] | None) -> None:
        tables = _tables(values)
        first = next(iter(tables.values()))
        rows = self._rows(first, layers)
        known = {one.name: one for one in offered() if one.name in tables}
        scored = isinstance(values, Scores | ScoreMaps)
        limits = [check_limit(self._limit_of(scored, table), table) for table in tables.values()]
        self._tables, self._showing = tables, True
        try:
            with self.hold_sync():
                self._shape = {"rows": first.shape[0], "columns": first.shape[1]}
                self._layers, self._scores, self._limits = rows, list(tables), limits
                self._labels = {name: one.label for name, one in known.items()}
                self._says = {name: one.says for name, one in known.items() if scored}
                self.score = self.score if self.score in tables else self._scores[0]
                self.limit = limits[self._scores.index(self.score)]
                self._data = np.stack(list(tables.values()))
                self.selected = tuple(p for p in self.selected if self._exists(p))
                self.pinned_layers = [layer for layer in self.pinned_layers if layer in rows]
                self.pinned_heads = [head for head in self.pinned_heads if head < first.shape[1]]
                self._describe()
        finally:
            self._showing = False

    @traitlets.validate("score")
    def _valid_score(self, proposal: dict[str, Any]) -> str:
        if proposal["value"] not in self._tables:
            names = ", ".join(map(repr, self._tables))
            raise InputError("HeadGrid.score", repr(proposal["value"]), names, "name one of the maps")
        return str(proposal["value"])

    @observes("score")
    def _score_changed(self, change: Any) -> None:
        if self._showing:
            return
        self._showing = True
        try:
            self.limit = self._limits[self._scores.index(self.score)]
        finally:
            self._showing = False
        self._describe()

    @traitlets.validate("pinned_layers", "pinned_heads")
    def _valid_pinned(self, proposal: dict[str, Any]) -> list[int]:
        name = proposal["trait"].name
        known = self._layers if name == "pinned_layers" else range(self._shape["columns"])
        unknown = [x for x in proposal["value"] if x not in known]
        if unknown and self._layers:
            raise InputError(
                f"HeadGrid.{name}", f"{unknown[0]}", f"{min(known)}…{max(known)}", "pin what the map shows"
            )
        return list(dict.fromkeys(proposal["value"]))

    def _limit_of(self, scored: bool, table: NDArray[np.float64]) -> float | None:
        """The end of the colours. scored: whether the map is a score, whose scale ends at the guiltiest head: one that
        is much needed would make all guilty ones pale.
        """
        guilty = table[np.isfinite(table) & (table > 0)]
        if self._fixed_limit is None and scored and guilty.size:
            return float(guilty.max())
        return self._fixed_limit

    def _rows(self, table: NDArray[np.float64], layers: Sequence[int] | None) -> list[int]:
        if layers is None:
            return list(self._layers) if len(table) == len(self._layers) else list(range(len(table)))
        accepted = f"{len(table)} distinct layer numbers, one per row, counted from 0"
        try:
            rows = [operator.index(x) for x in layers]
        except TypeError as error:
            raise InputError("HeadGrid", f"layers={layers!r}", accepted, "name each row's layer") from error
        if len(rows) != len(table) or len(set(rows)) != len(rows) or min(rows) < 0:
            given = f"{len(rows)} layers {rows[:6]} for {len(table)} rows"
            raise InputError("HeadGrid", given, accepted, "name each row's layer once")
        return rows

    @property
    def _heads_there(self) -> tuple[list[int], int]:
        return self._layers, self._shape["columns"]

    def _exists(self, head: tuple[int, int]) -> bool:
        return head[0] in self._layers and 0 <= head[1] < self._shape["columns"]

    @observes("selected")
    def _selected_changed(self, change: Any) -> None:
        self._picked = [list(p) for p in self.selected]
        self._describe()
        if not self._following:
            # in the shared order: what is gone here goes there, what is new is added; other layers' heads stay
            kept = [p for p in self.selection.heads if p in self.selected or not self._exists(p)]
            self.selection.heads = (*kept, *(p for p in self.selected if p not in kept))

    @observes("_picked")
    def _picked_changed(self, change: Any) -> None:
        """The browser's choice becomes `.selected`; what it cannot have shown is dropped."""
        self.selected = tuple((int(p[0]), int(p[1])) for p in self._picked if self._exists((int(p[0]), int(p[1]))))

    @traitlets.validate("limit")
    def _valid_limit(self, proposal: dict[str, Any]) -> float:
        return check_limit(proposal["value"], self.values)

    @observes("limit")
    def _limit_changed(self, change: Any) -> None:
        if not self._showing:
            self._fixed_limit = self.limit
            self._limits = [self.limit] * len(self._limits)
            self._describe()

    @traitlets.validate("hovered")
    def _valid_hovered(self, proposal: dict[str, Any]) -> tuple[int, int] | None:
        value: Iterable[int] | None = proposal["value"]
        return tuple(int(x) for x in value) if value else None  # type: ignore[return-value]

    @observes("hovered")
    def _hovered_changed(self, change: Any) -> None:
        self.selection.hovered = self.hovered

    @shows_errors
    def _point(self, change: Any) -> None:
        head = self.selection.hovered
        self._pointed = list(head) if head and head != self.hovered and self._exists(head) else None

    @shows_errors
    def _follow(self, change: Any) -> None:
        self._following = True  # a grid that follows must not answer
        try:
            self.selected = tuple(p for p in self.selection.heads if self._exists(p))
        finally:
            self._following = False

    def _describe(self) -> None:
        self.summary = describe(self.values, self._layers, self.limit, self._heading, self.unit, self.selected)

    @property
    def _heading(self) -> str:
        return " – ".join(word for word in (self.title, self.score) if word)

    @observes("title", "unit")
    def _words_changed(self, change: Any) -> None:
        if self._layers:
            self._describe()

    def to_plotly(self) -> PlotlyFigure:
        """The map as a plain plotly figure."""
        return heatmap_plotly(self.values, self.layers, self._heading, self.unit, self.limit, self.selected)

    def to_matplotlib(self) -> Figure:
        """The map as a matplotlib figure."""
        return heatmap_matplotlib(self.values, self.layers, self._heading, self.unit, self.limit, self.selected)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row per head: layer, head, value (or one column per map), selected."""
        import pandas

        l, h = self._shape["rows"], self._shape["columns"]
        columns = {name or "value": table.ravel() for name, table in self._tables.items()}
        at = {"layer": np.repeat(self._layers, h), "head": np.tile(np.arange(h), l)}
        frame = pandas.DataFrame(at | columns)
        chosen = set(self.selected)
        return frame.assign(selected=[(a, b) in chosen for a, b in zip(frame["layer"], frame["head"], strict=True)])

    def save(self, path: str | Path) -> Path:
        """The path of a file the map was written to: .png, .svg, .pdf, .html (plotly, script inside) or .csv.

        The file appears whole or not at all.

        Arguments:
            path: of the file, whose ending says how.

        Raises:
            InputError: for another ending.
        """
        target = Path(path).expanduser()
        writers: dict[str, Callable[[Path], Any]] = {
            ".csv": lambda p: self.to_dataframe().to_csv(p, index=False),
            ".html": lambda p: self.to_plotly().write_html(p, include_plotlyjs=True),
            **{end: lambda p: self.to_matplotlib().savefig(p, dpi=200) for end in (".png", ".svg", ".pdf")},
        }
        if target.suffix.lower() not in writers:
            raise InputError("HeadGrid.save", repr(target.name), ", ".join(writers), "choose one of these endings")
        with saved_file(target, "HeadGrid.save") as part:
            writers[target.suffix.lower()](part)
        return target

    def png(self) -> bytes:
        return figure_png(self.to_matplotlib(), dpi=80)


def _tables(values: Any) -> dict[str, NDArray[np.float64]]:
    """Maps by name, all of one shape; one map has the name ""."""
    named = values.maps() if isinstance(values, Scores) else values
    named = dict(named.items()) if isinstance(named, Mapping) else {"": named}
    if not named:
        raise InputError("HeadGrid", "a mapping without maps", "at least one [layer, head] map", "pass one")
    tables = {str(name): as_table(table, "HeadGrid") for name, table in named.items()}
    shapes = {table.shape for table in tables.values()}
    if len(shapes) > 1:
        given = "maps of shapes " + ", ".join(map(str, sorted(shapes)))
        raise InputError("HeadGrid", given, "maps of one shape", "show them in grids of their own and link these")
    for table in tables.values():
        table.flags.writeable = False  # a write would not reach the browser
    return tables


def describe(
    table: NDArray[np.float64], layers: Sequence[int], limit: float, title: str, unit: str, selected: Pairs
) -> str:
    """A map in words: size, range, strongest heads, marked cells, selection."""
    finite, known = np.isfinite(table), table[np.isfinite(table)]
    facts = [f"{table.shape[0]} layers × {table.shape[1]} heads"]
    if known.size:
        facts[0] += f", from {known.min():+.3g} to {known.max():+.3g}{' ' + unit if unit else ''}"
    for name, sign in (("positive", 1), ("negative", -1)):
        order = np.argsort(np.where(finite, -sign * table, np.inf), axis=None, kind="stable")[:2]
        found = [(int(i) // table.shape[1], int(i) % table.shape[1]) for i in order]
        shown = [f"L{layers[i]}.H{j} {table[i, j]:+.3g}" for i, j in found if finite[i, j] and sign * table[i, j] > 0]
        facts += [f"strongest {name}: " + ", ".join(shown)] if shown else []
    clipped = int((finite & (np.abs(table) > limit * (1 + 1e-6))).sum())
    facts += [f"{clipped} beyond the colour scale (±{limit:.3g})"] if clipped else []
    facts += [f"{int((~finite).sum())} not finite"] if not finite.all() else []
    facts.append(f"selected: {HeadSet(tuple(selected))}" if selected else "nothing selected")
    return (f"{title}: " if title else "") + "; ".join(facts).replace("-", "−") + "."
