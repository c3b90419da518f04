"""The panels of an explorer, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.api.exploration import Exploration
from toolkit.engine.worker import Worker
from toolkit.panels.ablation_lab import AblationLab
from toolkit.panels.base import LOCK, Panel, parts_of
from toolkit.panels.composed import Composed
from toolkit.panels.edit_lab import EditLab
from toolkit.panels.gallery import Gallery
from toolkit.panels.head_grid import HeadGrid
from toolkit.panels.saved import restore
from toolkit.panels.span_explorer import SpanExplorer
from toolkit.panels.token_map import TokenMap
from toolkit.panels.two_models import TwoModels

if TYPE_CHECKING:
    from toolkit.api.acts import Acts

TABS = {
    "mistakes": "Mistakes", "words": "Words", "where": "Where", "off": "Heads off", "edit": "Edit", "two": "Two models",
}  # fmt: skip
PART = {"words": "spans", "where": "maps", "off": "ablation", "edit": "edit", "two": "two"}
PER_PAGE, TILE, FIRST = 24, 84, 12
"""Images a page, pixels of one, and how many are shown before anything is known of them."""


class ExplorerParts(Composed):
    """Base class of the explorer: its panels by name, on one selection and one `_session`."""

    _session: Exploration
    _pending: dict[str, Any]
    _against = ""
    _texts: Any
    _second: Any
    _unrelated: Mapping[str, Any] | None
    pair: Any

    def _make(self, name: str) -> Panel:
        """A panel of this explorer's images and selection."""
        if name == "gallery":
            return self._make_gallery()
        session, acts = self._session, self._session.images.acts
        live: dict[str, Any] = {"selection": self.selection}
        if not isinstance(self.engine, Worker):
            live["engine"] = self.engine
        makers: dict[str, Callable[[], Panel]] = {
            "grid": lambda: HeadGrid(
                session.maps(self.pair), layers=session.lab.layers, title="Heads behind it", selection=self.selection
            ),
            "spans": lambda: SpanExplorer(acts, self._texts, head=self._first_head, **live),
            "maps": lambda: TokenMap(session.model, acts, **self._first_texts(), **live),
            "ablation": lambda: AblationLab(session.lab, **live),
            "edit": lambda: self._make_edit(live),
            "two": lambda: TwoModels(session.lab, None, self._second, **self._first_texts(), **live),
        }
        with parts_of(self):
            made = makers[name]()
        if name in self._pending:
            restore(made, self._pending.pop(name))
        return made

    def _make_gallery(self) -> Panel:
        samples = self._session.samples
        first = samples.take(range(min(FIRST, len(samples))))
        with parts_of(self):
            return Gallery(first, tile=TILE, per_page=PER_PAGE, selection=self.selection, title="Images")

    def _make_edit(self, live: dict[str, Any]) -> Panel:
        few, class_set, held = self._session.for_editing()
        return EditLab(few, class_set, held_out=held, unrelated=self._unrelated, **live)

    @property
    def _first_head(self) -> Any:
        """For the words: the worst head where none is selected."""
        if self.selection.heads:
            return None
        table = next(iter(self._session.maps(self.pair).values()))
        row, head = np.unravel_index(int(np.nan_to_num(table, nan=-np.inf).argmax()), table.shape)
        return f"L{self._session.lab.layers[row]}.H{head}"

    def _first_texts(self) -> dict[str, Any]:
        pair = self.pair or self._session.first_pair
        text, self._against = self._session.prompt(pair[1]), self._session.prompt(pair[0])
        return {"text": self.selection.text or text, "against": self._against}

    def part(self, name: str) -> Any:
        """A panel by name; made now where nobody has opened it yet."""
        if name not in self.parts:
            made = self._make(name)
            with LOCK:
                if name not in self.parts:
                    self._take_in(name, made)
        return self.parts[name]

    gallery = property(lambda self: self.part("gallery"), doc="Gallery of the images found.")
    grid = property(lambda self: self.part("grid"), doc="HeadGrid of the scores for the pair.")
    spans = property(lambda self: self.part("spans"), doc="SpanExplorer.")
    maps = property(lambda self: self.part("maps"), doc="TokenMap.")
    ablation = property(lambda self: self.part("ablation"), doc="AblationLab.")
    edit = property(lambda self: self.part("edit"), doc="EditLab.")
    two = property(lambda self: self.part("two"), doc="TwoModels.")

    @property
    def acts(self) -> Acts:
        """Parts of all images; waits for their extraction."""
        return self._session.prepare()

    def _open(self, tab: str) -> None:
        name = PART.get(tab)
        if name is not None and name not in self.parts:
            self._submit(name, lambda request: self.part(name), lambda panel: None, engine=self._aside)
