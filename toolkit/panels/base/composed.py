"""`Composed`: a panel made of others, whose traits travel as its own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import anywidget
import ipywidgets
import traitlets

from toolkit.data.characters import sendable
from toolkit.panels.base.live import LivePanel
from toolkit.panels.base.panel import LOCK, Panel

SIGN = "__"
"""Between the name of a part and that of its trait; no trait of a panel has it."""
COMMON = {*ipywidgets.DOMWidget.class_trait_names(sync=True), *anywidget.AnyWidget.class_trait_names(sync=True)}
HOSTED = COMMON | {"_esm", "_css", "_anywidget_id", "theme"}
"""Traits of a part that its host has for all."""


class Composed(LivePanel):
    """Base class of a panel whose parts are panels without a connection of their own: one comm, one script.

    `parts` holds those that are there; the front end sees their traits as "part__trait" and paints a part once
    `_parts` names it. A part works as it does alone, also when it is displayed in a cell of its own.
    """

    parts: dict[str, Panel]
    _parts: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, **arguments: Any) -> None:
        self.parts = {}
        super().__init__(**arguments)

    def _take_in(self, name: str, panel: Panel) -> None:
        """A part is there from now on: its state goes out, then its name."""
        with LOCK:
            self.parts[name] = panel
            panel._route = lambda message, buffers: self._forward(name, message, buffers)
            panel.send_state([key for key in panel.keys if key not in HOSTED])
            self._parts = [*self._parts, name]

    def _forward(self, name: str, message: dict[str, Any], buffers: Any) -> None:
        """What a part sends, as this panel's own message."""
        state = {f"{name}{SIGN}{key}": value for key, value in message["state"].items() if key not in HOSTED}
        paths = [[f"{name}{SIGN}{first}", *rest] for first, *rest in message.get("buffer_paths", [])]
        if state or paths:
            self._send(message | {"state": state, "buffer_paths": paths}, buffers)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None:
            for name, panel in list(self.parts.items()):
                theirs = sendable(panel.get_state([k for k in panel.keys if k not in HOSTED]))
                found |= {f"{name}{SIGN}{k}": value for k, value in theirs.items()}
        return found

    def set_state(self, sync_data: dict[str, Any]) -> None:
        own: dict[str, Any] = {}
        theirs: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in sync_data.items():
            part, sign, trait = key.partition(SIGN)
            if not sign:
                own[key] = value
            elif part in self.parts and trait not in HOSTED:
                theirs[part][trait] = value
        for part, values in theirs.items():
            self.parts[part].set_state(values)
        if own:
            super().set_state(own)
