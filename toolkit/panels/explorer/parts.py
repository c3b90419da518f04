"""The panels of an explorer, each made when it is first asked for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from toolkit.engine.worker import Worker
from toolkit.errors import InputError
from toolkit.labs.explorer import ExplorerSession
from toolkit.panels.base.composed import Composed
from toolkit.panels.base.panel import LOCK, Panel, parts_of
from toolkit.panels.base.place import ExplorerPlace
from toolkit.panels.base.saved import restore
from toolkit.panels.base.selection import Selection
from toolkit.panels.explorer.panels import PANELS
from toolkit.panels.token_map.panel import TokenMap
from toolkit.panels.two_models.panel import TwoModels

if TYPE_CHECKING:
    from toolkit.api.images.acts import Acts


def _place(panel: type[Panel]) -> ExplorerPlace:
    if panel.place is None:
        raise TypeError(f"{panel.__name__} has no `place`, which a part of the explorer needs")
    return panel.place


def _by(what: str) -> dict[str, type[Panel]]:
    """The panels by a name of their places, which no two may share."""
    found: dict[str, type[Panel]] = {}
    for panel in PANELS:
        name = getattr(_place(panel), what)
        if name and found.setdefault(name, panel) is not panel:
            both = f"{found[name].__name__} and {panel.__name__}"
            raise TypeError(f"{both} have the same {what} in the explorer: {name!r}")
    return found


_by("label")
PARTS = _by("part")
TABS = {_place(panel).tab: _place(panel).label for panel in PANELS if _place(panel).label}
PART = {_place(panel).tab: _place(panel).part for panel in PANELS if _place(panel).tab != "mistakes"}
"""The part that fills a tab; the mistakes' tab holds several and is laid out by the explorer."""
FOLDERS = {part: panel.folder() for part, panel in PARTS.items()}
"""The folder a part's script is in."""


class ExplorerParts(Composed):
    """Base class of the explorer: its panels by name, on one selection and one `_session`."""

    _session: ExplorerSession
    _pending: dict[str, Any]
    _suggested = ("", "")
    _making: defaultdict[str, threading.RLock]
    texts: Any
    second: Any
    unrelated: Mapping[str, Any] | None
    pair: Any

    def _make(self, name: str) -> Panel:
        """A panel of this explorer's images and selection."""
        with parts_of(self):
            return PARTS[name].in_explorer(self)

    @property
    def session(self) -> ExplorerSession:
        """The model, the images and what is known of them."""
        return self._session

    @property
    def live(self) -> dict[str, Any]:
        """The arguments `selection=` and, where this works inline, `engine=` for a panel of it."""
        inline = {} if isinstance(self.engine, Worker) else {"engine": self.engine}
        return {"selection": self.selection} | inline

    @property
    def worst_head(self) -> str:
        """The head with the highest value of the first score, such as "L3.H7"."""
        table = next(iter(self._session.maps(self.pair).tables.values()))
        row, head = np.unravel_index(int(np.nan_to_num(table, nan=-np.inf).argmax()), table.shape)
        return f"L{self._session.lab.layers[row]}.H{head}"

    def first_texts(self) -> dict[str, Any]:
        """The arguments `text=` and `against=`: the predicted class against the true one, or what is shared."""
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
            name: "gallery", "grid", "keywords", "spans", "maps", "ablation", "edit", "compare", "two" or "doctor".
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
    _classes_there = property(lambda self: self._session.classes)
    gallery = property(lambda self: self.part("gallery"), doc="Gallery of the images found.")
    grid = property(lambda self: self.part("grid"), doc="HeadGrid of the scores for the pair.")
    keywords = property(lambda self: self.part("keywords"), doc="Keywords of the pair.")
    spans = property(lambda self: self.part("spans"), doc="SpanExplorer.")
    maps = property(lambda self: self.part("maps"), doc="TokenMap.")
    ablation = property(lambda self: self.part("ablation"), doc="AblationLab.")
    edit = property(lambda self: self.part("edit"), doc="EditLab.")
    compare = property(lambda self: self.part("compare"), doc="CompareLab.")
    two = property(lambda self: self.part("two"), doc="TwoModels.")
    doctor = property(lambda self: self.part("doctor"), doc="Doctor.")

    @property
    def acts(self) -> Acts:
        """Parts of all images; waits for their extraction."""
        return self._session.prepare()

    def _open(self, tab: str) -> None:
        name, waiting = PART.get(tab), self._pending.get("maps", {})
        if "edit" in self._pending and (tab == "two" or (tab == "where" and waiting.get("beside") == "edited")):
            self._submit("edit", lambda request: self.part("edit"), lambda panel: None, engine=self._aside)
        self._forgive(*PART.values())  # what one panel said is nothing to the next
        for part in PART.values():
            if isinstance(self._failed.get(part), InputError):
                del self._failed[part]
        two = self.parts.get("two")
        if isinstance(two, TwoModels):
            two.wait(tab != "two")
        if name is not None and name not in self.parts:
            self._submit(name, lambda request: self.part(name), lambda panel: None, engine=self._aside)
