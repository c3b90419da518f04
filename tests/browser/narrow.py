"""A page that offers panels the narrow anywidget contract and nothing else: it stands in for VS Code, Colab and marimo.

The panel lives in the test's process. `NarrowHost.pump` carries what it sent, from whatever thread, to the page, and
what the page set to the panel; nothing moves between two pumps.
"""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import patience
from ipywidgets.widgets.widget import _remove_buffers
from jupyter_client.session import json_packer
from playwright.sync_api import Locator, Page, Route
from servers import FOCUS_IN

import toolkit as tk
from toolkit.explanations.workbook import Workbook
from toolkit.panels.base.panel import LOCK, Panel
from toolkit.panels.predict.panel import Predict

ADDRESS = "http://127.0.0.1:9/narrow"  # never reached: the browser's requests for it are answered here
SCRIPT = Path(__file__).with_name("narrow.js").read_text(encoding="utf-8")
HTML = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Panels</title>
<link rel="icon" href="data:,">
<style>body {{ margin: 16px; font: 14px sans-serif; color: #1d2128; background: #ffffff }}
.dark {{ color: #e7e9ed; background: #111316 }} section {{ margin-bottom: 16px }}</style></head>
<body><main><h1>Panels</h1></main><script nonce="here" type="module">{SCRIPT}</script></body></html>"""
STRICT = "default-src 'none'; script-src 'nonce-here' blob:; style-src 'unsafe-inline'; img-src blob: data:"
"""What VS Code lets a page do, and a little less: no eval, nothing from outside."""


class Wire:
    """Stands in for a panel's comm: what the panel sends waits here as the text that Jupyter would send."""

    def __init__(self, panel: Panel, name: str) -> None:
        self.comm_id, self.name = uuid.uuid4().hex, name
        self.sent: deque[str] = deque()
        self.seen: list[dict[str, Any]] = []
        self._handling: int | None = None
        self._thread = threading.current_thread()
        with LOCK:
            panel.comm = self

    def on_msg(self, callback: Callable[[dict[str, Any]], None]) -> None:
        self._take = callback

    def close(self, *arguments: Any, **options: Any) -> None:
        """A panel closes its comm when it is deleted."""

    def send(self, data: dict[str, Any], buffers: Any = None, **rest: Any) -> None:
        answers = self._handling if threading.current_thread() is self._thread else None
        self.sent.append(packed(data | {"answers": answers}, buffers))

    def take(self, message: dict[str, Any]) -> None:
        """What the page set, as the kernel hands it to the panel."""
        self._handling = message["n"]
        self.seen.append(message["data"])
        try:
            buffers = [base64.b64decode(b) for b in message["buffers"]]
            self._take({"content": {"data": message["data"]}, "buffers": buffers})
        finally:
            self._handling = None


def packed(data: dict[str, Any], buffers: Any = None) -> str:
    """JSON as Jupyter packs it, for a browser that reads strict UTF-8; an error where one of them has one."""
    texts = [base64.b64encode(bytes(b)).decode() for b in buffers or []]
    return json_packer({"data": data, "buffers": texts}).decode("utf-8")


class NarrowHost:
    """One page. theme: "light" or "dark". strict: as tight as the tightest host; else scripts of any kind may run."""

    def __init__(self, page: Page, theme: str = "light", strict: bool = True) -> None:
        self.page, self._theme, self._strict = page, theme, strict
        self.errors: list[str] = []
        self._wires: dict[int, Wire] = {}
        self._shown: list[tuple[Panel, bool]] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))
        page.route(ADDRESS, self._answer)
        page.goto(ADDRESS)
        self.theme(theme)

    def _answer(self, route: Route) -> None:
        headers = {"content-type": "text/html; charset=utf-8"}
        route.fulfill(body=HTML, headers=headers | ({"content-security-policy": STRICT} if self._strict else {}))

    def theme(self, name: str) -> None:
        """The host's own theme, as marimo and others say it."""
        self._theme = name
        self.page.evaluate("name => { document.body.className = name; }", name)

    def show(self, panel: Panel, shadow: bool = False) -> Locator:
        """The root of a panel, painted; once more for every call. shadow: inside a shadow root."""
        self._shown.append((panel, shadow))
        return self._add(len(self._shown) - 1)

    def _add(self, place: int) -> Locator:
        panel, shadow = self._shown[place]
        if id(panel) not in self._wires:
            self._wires[id(panel)] = Wire(panel, f"panel {len(self._wires)}")
        wire, state = self._wires[id(panel)], ""
        with LOCK:  # what was sent before belongs to the state
            if not self.page.evaluate("name => window.host.knows(name)", wire.name):
                wire.sent.clear()
                kept, paths, buffers = _remove_buffers(panel.get_state())
                state = packed({"state": kept, "buffer_paths": paths}, buffers)
        self.page.evaluate("([...all]) => window.host.show(...all)", [wire.name, state, place, shadow])
        root = self.page.locator(f'section[data-place="{place}"] .tk-panel').first
        self.pump_until(lambda: root.get_attribute("data-seq"), message=f"not painted: {self.errors}")
        return root

    def pump(self) -> None:
        """One round trip: to the page what panels sent, to the panels what the page set."""
        batch = [(wire.name, wire.sent.popleft()) for wire in self._wires.values() for _ in range(len(wire.sent))]
        wires = {wire.name: wire for wire in self._wires.values()}
        for message in self.page.evaluate("batch => window.host.exchange(batch)", batch):
            wires[message["name"]].take(message)

    def pump_until(self, condition: Callable[[], Any], message: str = "") -> Any:
        """The first true value of a condition, asked between pumps."""
        deadline = patience.Deadline()
        while True:
            self.pump()
            if value := condition():
                return value
            assert not deadline.passed(), message or f"nothing happened; the page said {self.errors}"
            time.sleep(0.01)

    def press(self, where: Locator, *keys: str) -> None:
        """Press keys one by one, each once the focus is in what it is for; Python hears of each."""
        for key in keys:
            late = f"{where} never had the focus, and {key} was for it"
            self.pump_until(lambda: where.evaluate(FOCUS_IN), late)
            self.page.keyboard.press(key)
            self.pump()

    def still(self, *roots: Locator) -> None:
        """Wait until nothing is on its way in these panels: no work, no stale part, no message."""

        def quiet() -> bool:
            busy = any(root.get_attribute("aria-busy") == "true" or root.locator(".tk-stale").count() for root in roots)
            return not busy and not any(panel._work for panel, _ in self._shown if hasattr(panel, "_work"))

        self.pump_until(lambda: quiet() and (self.pump() or quiet()) and not any(w.sent for w in self._wires.values()))

    def reload(self) -> list[Locator]:
        """The page anew, with every panel as it now stands; the panels live on."""
        self.page.reload()
        self.theme(self._theme)
        return [self._add(place) for place in range(len(self._shown))]

    def heard(self, panel: Panel) -> list[dict[str, Any]]:
        """What the page has sent to a panel."""
        return self._wires[id(panel)].seen

    def close(self) -> None:
        """No page error and no refused load is left unseen."""
        for panel, _ in self._shown:
            assert panel.error == "", panel.error
        assert self.errors == []


# panels to show


@cache
def world() -> dict[str, Any]:
    """What the panels of these tests are made from, once for all of them."""
    model, birds = tk.load(), tk.classes(["waterbird", "landbird"])
    val = tk.extract(model, tk.scenes("val", 240, 5), progress=False)
    every = tk.classes(sorted(set(val.labels)))
    few = tk.extract(model, tk.scenes("edit", 120, 5, kind="birds"), progress=False).draw(per_class=10)
    test = tk.extract(model, tk.scenes("test", 240, 5, kind="birds"), progress=False)
    return {"model": model, "birds": birds, "every": every, "val": val, "few": few, "test": test}


def head_grid() -> Panel:
    values = np.linspace(-1, 1, 32).reshape(4, 8)
    values[0, 1], values[1, 2], values[2, 5] = np.nan, -9, np.inf
    return tk.HeadGrid({"A": values, "B": -values}, title="badness", unit="cosine", limit=1.0)


def gallery() -> Panel:
    marks = ["right", "wrong", ""] * 4
    return tk.Gallery(tk.scenes("test", 12, 5), marks=marks, title="mistakes", per_page=8, tile=64)


def token_map() -> Panel:
    images = tk.scenes("test", 6, 5, kind="birds")
    return tk.TokenMap(
        world()["model"], images, text="a landbird", against="a waterbird", beside="ablated", heads="L3.H7"
    )


def two_models() -> Panel:
    test, birds = world()["test"], world()["birds"]
    edit = tk.edit(world()["few"], birds, "L3.H7 L3.H5", alpha=30)
    return tk.TwoModels(test, birds, edit, image=str(test.ids[3]), text="a landbird", against="a waterbird")


def compare_lab() -> Panel:
    """Cures told words, labels and groups, with images to choose dials on."""
    words = tk.methods.RoboShot([("a water background", "a land background")])
    methods = [words, "HeadsOff", "Edit", "TipAdapter", "Probe", "GroupDRO"]
    val = world()["val"]
    choosing, held = val.take(range(80)), val.take(range(80, 240))
    return tk.CompareLab(world()["few"], world()["every"], methods, held_out=held, validation=choosing)


def predict() -> Panel:
    return Predict(
        "How many of 100 landbirds on water does it get right?", 34.2, low=0, high=100, unit="%",
        because="Water is what it looks for.", workbook=Workbook(),
    )  # fmt: skip


PANELS: dict[str, Callable[[], Panel]] = {
    "HeadGrid": head_grid,
    "Gallery": gallery,
    "Keywords": lambda: tk.Keywords(world()["test"], world()["birds"], pair=("landbird", "waterbird")),
    "SpanExplorer": lambda: tk.SpanExplorer(world()["val"], head="L3.H7"),
    "TokenMap": token_map,
    "AblationLab": lambda: tk.AblationLab(world()["test"], world()["birds"]),
    "EditLab": lambda: tk.EditLab(world()["few"], world()["every"], "L3.H7 L3.H5", held_out=world()["val"]),
    "CompareLab": lambda: compare_lab(),
    "TwoModels": lambda: two_models(),
    "Predict": predict,
    "Explorer": lambda: tk.Explorer(world()["model"], world()["val"], ["landbird", "waterbird"]),
}
