"""The panels of an explorer, each made when it is first asked for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.labs.explorer import ExplorerSession
from toolkit.panels.ablation_lab.panel import AblationLab
from toolkit.panels.base.composed import Composed
from toolkit.panels.base.panel import LOCK, Panel, parts_of
from toolkit.panels.base.saved import restore
from toolkit.panels.base.selection import Selection
from toolkit.panels.edit_lab.panel import EditLab
from toolkit.panels.gallery.panel import Gallery
from toolkit.panels.head_grid.panel import HeadGrid
from toolkit.panels.span_explorer.panel import SpanExplorer
from toolkit.panels.token_map.panel import TokenMap
from toolkit.panels.two_models.panel import TwoModels

if TYPE_CHECKING:
    from toolkit.api.images.acts import Acts

TABS = {
    "mistakes": "Mistakes", "words": "Words", "where": "Where", "off": "Heads off", "edit": "Edit", "two": "Two models",
}  # fmt: skip
PART = {"words": "spans", "where": "maps", "off": "ablation", "edit": "edit", "two": "two"}
PER_PAGE, TILE, FIRST = 24, 90, 8
"""Images a page, pixels of one, and how many are shown before anything is known of them."""


class ExplorerParts(Composed):
    """Base class of the explorer: its panels by name, on one selection and one `_session`."""

    _session: ExplorerSession
    _pending: dict[str, Any]
    _suggested = ("", "")
    _making: defaultdict[str, threading.RLock]
    _texts: Any
    _second: Any
    _unrelated: Mapping[str, Any] | None
    pair: Any

    def _make(self, name: str) -> Panel:
        """A panel of this explorer's images and selection."""
        if name == "gallery":
            return self._make_gallery()
        session = self._session
        live: dict[str, Any] = {"selection": self.selection}
        if not isinstance(self.engine, Worker):
            live["engine"] = self.engine
        makers: dict[str, Callable[[], Panel]] = {
            "grid": self._make_grid,
            "spans": lambda: self._make_spans(live),
            "maps": lambda: self._make_maps(live),
            "ablation": lambda: AblationLab(session.lab, **live),
            "edit": lambda: self._make_edit(live),
            "two": lambda: TwoModels(session.lab, None, self._second, **self._first_texts(), **live),
        }
        with parts_of(self):
            return makers[name]()

    def _make_gallery(self) -> Panel:
        samples = self._session.samples
        first = samples.take(range(min(FIRST, len(samples))))
        with parts_of(self):
            return Gallery(first, tile=TILE, per_page=PER_PAGE, selection=self.selection, title="Images")

    def _make_grid(self) -> Panel:
        maps, title = self._session.maps(self.pair), "Heads behind all mistakes"
        layers = self._session.lab.layers
        found = HeadGrid(maps.tables, layers=layers, title=title, selection=self.selection)
        found.description = maps.failed
        return found

    def _make_maps(self, live: dict[str, Any]) -> Panel:
        """A map of the image chosen; where none is, of the surest mistake, without choosing it for everybody."""
        session = self._session
        rows = session.shown("mistakes", self.pair, "").rows
        image = {"image": str(session.images.acts.ids[rows[0]])} if len(rows) else {}
        own = live | image | self._first_texts() | {"selection": Selection()}
        made = TokenMap(session.model, session.images.acts, **own)
        made.selection = self.selection
        self.selection.text = made.text
        return made

    def _make_edit(self, live: dict[str, Any]) -> Panel:
        few, class_set, held = self._session.for_editing()
        words = (
            f"Made from {len(few)} images, which are left out of those it is judged on. Heads taken from the grid were"
            f" found on the images of the first tab, which flatters an edit judged on these; Algorithm 1 chooses on the"
            f" {len(few)} alone."
        )
        given: dict[str, Any] = {"held_out": held, "unrelated": self._unrelated, "description": words}
        try:
            return EditLab(few, class_set, **given, **live)
        except InputError:  # Algorithm 1 found none to switch off
            return EditLab(few, class_set, self.selection.heads or self._worst_head, **given, **live)

    def _make_spans(self, live: dict[str, Any]) -> Panel:
        """Words of the head chosen; where none is, of the worst, without choosing it for everybody."""
        head = None if self.selection.heads else self._worst_head
        made = SpanExplorer(self._session.images.acts, self._texts, head=head, **live | {"selection": Selection()})
        made.selection = self.selection
        return made

    @property
    def _worst_head(self) -> str:
        table = next(iter(self._session.maps(self.pair).tables.values()))
        row, head = np.unravel_index(int(np.nan_to_num(table, nan=-np.inf).argmax()), table.shape)
        return f"L{self._session.lab.layers[row]}.H{head}"

    def _first_texts(self) -> dict[str, Any]:
        if self._suggested == ("", ""):
            self._suggested = self._texts_of(self.pair or self._session.first_pair)
        text, against = self._suggested
        return {"text": self.selection.text or text, "against": against}

    def _texts_of(self, pair: tuple[str, str]) -> tuple[str, str]:
        return self._session.prompt(pair[1]), self._session.prompt(pair[0])

    def _suggest_texts(self, anew: bool = False) -> None:
        """The classes of the pair as texts of the maps, unless others were chosen there. anew: even then."""
        if self.pair is None and not anew:
            return
        before, self._suggested = self._suggested, self._texts_of(self.pair or self._session.first_pair)
        text, against = self._suggested
        own = self.selection.text not in ("", before[0])
        for panel in (self.parts.get("maps"), self.parts.get("two")):
            free = anew or (not own and getattr(panel, "against", None) in ("", before[1]))
            if isinstance(panel, TokenMap | TwoModels) and free:
                with panel.hold_trait_notifications():  # one after the other they would be the same text for a moment
                    panel.text, panel.against = text, against

    @property
    def selection(self) -> Selection:
        """What all panels of the explorer share; another's takes its place in all of them."""
        return self._selection

    @selection.setter
    def selection(self, selection: Selection) -> None:
        Composed.selection.fset(self, selection)  # type: ignore[attr-defined]
        for panel in list(self.parts.values()):
            panel.selection = selection

    def part(self, name: str) -> Any:
        """A panel by name; made now where nobody has opened it yet, once, whoever asks.

        Arguments:
            name: "gallery", "grid", "spans", "maps", "ablation", "edit" or "two".
        """
        # whoever holds LOCK (an observer of the user's) must not wait for another thread, which may need it
        with nullcontext() if LOCK._is_owned() else self._making[name]:  # type: ignore[attr-defined]
            if name not in self.parts:
                made = self._make(name)
                with LOCK:
                    if name in self.parts:
                        made.selection = Selection()  # it came too late, and follows nobody
                    else:
                        self._restore(made, self._pending.pop(name, {}))
                        self._take_in(name, made)
        return self.parts[name]

    def _restore(self, panel: Panel, settings: dict[str, Any]) -> None:
        """Settings of a state, given to a panel before or after it was made. A panel without some of its settings is
        better than none.
        """
        try:
            restore(panel, settings)
        except (InputError, traitlets.TraitError, ValueError, TypeError) as error:
            panel.error, panel._error_of = f"not restored: {error}", "restore"
        else:
            if panel._error_of == "restore":
                panel.error, panel._error_of = "", ""

    _card = property(lambda self: self._session.model.card)
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
        name, waiting = PART.get(tab), self._pending.get("maps", {})
        if "edit" in self._pending and (tab == "two" or (tab == "where" and waiting.get("beside") == "edited")):
            self._submit("edit", lambda request: self.part("edit"), lambda panel: None, engine=self._aside)
        self._forgive(*PART.values())  # what one panel said is nothing to the next
        two = self.parts.get("two")
        if isinstance(two, TwoModels):
            two.wait(tab != "two")
        if name is not None and name not in self.parts:
            self._submit(name, lambda request: self.part(name), lambda panel: None, engine=self._aside)
