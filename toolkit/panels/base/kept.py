"""What stays of a panel in a notebook without a kernel: its picture and words, in an output beside the live view.

JupyterLab and Notebook 7 show the widget of an output or an error, never the picture in the same bundle. So the picture
has an output of its own, before the live one. Its style hides it while a live view of the panel is in the document, and
hides the host's error about the missing one else; there is no script, and where a host drops the style (an untrusted
notebook, a code-hosting page) no live view can be.
"""

from __future__ import annotations

import base64
import io
import sys
import threading
import time
from html import escape
from typing import Any, ClassVar, Protocol

from PIL import Image

from toolkit.data.characters import sendable
from toolkit.explanations.why import Why

REST = 2.0
"""Seconds a panel must rest before its picture is made anew."""
NOTE = "A picture kept with the notebook: run the cell to use the panel."
OUTPUT = ".jp-OutputArea-child:has(>*>.tk-kept-{id})"
STYLE = (
    f":root:has([data-kept='{{id}}']) :is(.tk-kept-{{id}},{OUTPUT}),"
    ".jp-OutputArea-child:has(>*>.tk-kept-{id}:empty),"
    f"{OUTPUT}+.jp-OutputArea-child:has(>.jp-OutputArea-output:not([data-mime-type]))"
    ":not(:has(>.jp-OutputArea-output *)){{display:none}}"
)
"""Hidden: the picture where the panel is live; a place without a picture; after it, what JupyterLab and Notebook 7
write in the place of a widget they have not got (their other outputs have a mime type, or hold elements).
"""
drawing = threading.Lock()  # one at a time: matplotlib is not made for several threads


class Pictured(Protocol):
    """What is kept of a panel, and how it hears of it."""

    _kept: str
    _kept_bytes: ClassVar[int]

    @property
    def _kept_words(self) -> str: ...

    @property
    def why(self) -> Why | None: ...

    def png(self) -> bytes: ...

    def _await_first(self) -> None: ...

    def _drawn(self, failed: Exception | None) -> None: ...


class Kept:
    """The kept output of one panel: `begin` it when the panel is displayed, tell it when the panel is `touched`."""

    def __init__(self, panel: Pictured) -> None:
        self._panel = panel
        self._state, self._drawn_of, self._changed_at = object(), object(), 0.0
        self._timer: threading.Timer | None = None
        self._waits_for_cell = False
        self._sent: dict[str, str] | None = None

    def begin(self, shell: Any) -> None:
        """Publish the place of the picture. It is drawn when the cell is over: no live view waits for a picture."""
        self._sent = None
        self._publish({"text/html": html(self._panel._kept), "text/plain": self._panel._kept_words}, update=False)
        if not self._waits_for_cell:
            self._waits_for_cell = True
            shell.events.register("post_execute", self._cell_over)
        self.touched()

    def _cell_over(self) -> None:
        shell = shell_with_pages()
        if shell is not None:
            shell.events.unregister("post_execute", self._cell_over)
        self._waits_for_cell = False
        self._panel._await_first()
        self.refresh(whatever=True)

    def touched(self) -> None:
        """The panel changed: its picture is made anew once it rests."""
        self._state = object()  # told apart by identity: several threads may say so at once
        self._changed_at = time.monotonic()
        if self._timer is None:
            self._wait(REST)

    def _wait(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._rested)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # a Python without threads, or one that ends
            self._timer = None

    def _rested(self) -> None:
        left = self._changed_at + REST - time.monotonic()
        if left > 0:
            self._wait(left)
            return
        self._timer = None
        if not busy(self._panel):  # the end of the work is a change
            self.refresh()

    def refresh(self, whatever: bool = False) -> None:
        """Draw the panel and publish what is new. A picture during which the panel changed is not published, since it
        may be of two states; with `whatever`, it is.
        """
        with drawing:
            seen, failed, picture = self._state, None, b""
            if seen is self._drawn_of:
                return
            try:
                picture = small(self._panel.png(), self._panel._kept_bytes)
            except Exception as error:  # noqa: BLE001 – whatever it is, the panel must say it
                failed = error
            if self._state is not seen and (failed or not whatever):
                return
            self._drawn_of = seen
            self._panel._drawn(failed)
            why = self._panel.why
            found = kept_bundle(self._panel._kept, picture, self._panel._kept_words, "" if why is None else why.html())
            if found != self._sent:
                self._sent = found
                self._publish(sendable(found), update=True)

    def _publish(self, data: dict[str, str], update: bool) -> None:
        shell = shell_with_pages()
        if shell is not None:
            shell.display_pub.publish(data, {}, transient={"display_id": f"tk-kept-{self._panel._kept}"}, update=update)


def shell_with_pages() -> Any:
    """IPython's shell where it has a front end that shows outputs; None in scripts and terminals."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def busy(panel: Pictured) -> bool:
    """Whether an answer to the panel, or to a part of it, is still on its way."""
    parts = getattr(panel, "parts", {})
    return any(getattr(one, "_work", ()) for one in (panel, *list(parts.values())))


def kept_bundle(name: str, picture: bytes, words: str, why: str = "") -> dict[str, str]:
    """The output by mime type; a host shows one of them. why: as HTML, after the words; plain text goes without."""
    data = {"text/html": html(name, picture, words, why), "text/plain": words}
    return data | ({"image/png": base64.b64encode(picture).decode()} if picture else {})


def html(name: str, picture: bytes = b"", words: str = "", why: str = "") -> str:
    """The picture with its words and its why (HTML) under it; an empty place without picture and words."""
    name = escape(name)
    style = f"<style>{STYLE.format(id=name)}</style>"
    if not picture and not words:
        return f'{style}<div class="tk-kept-{name} mathjax_ignore"></div>'
    data, said = base64.b64encode(picture).decode(), escape(words)
    shown = f'<img src="data:image/png;base64,{data}" alt="{said}" style="max-width:100%">' if picture else ""
    inside = f"{shown}<p>{said}</p>{why}<p><small>{NOTE}</small></p>"
    return f'{style}<div class="tk-kept-{name} mathjax_ignore">{inside}</div>'  # two dollars are no formula


def small(png: bytes, largest: int) -> bytes:
    """A PNG of at most 256 colours, each within a few levels of its own; of fewer, then of fewer pixels, while it has
    more than `largest` bytes.
    """
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    found = _with_colors(picture, 256)
    if len(found) > largest:
        found = _with_colors(picture, 64)
    for _ in range(8):
        if len(found) <= largest:
            break
        scale = max(0.5, (largest / len(found)) ** 0.5 * 0.97)
        size = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
        found = _with_colors(picture, 64)
    return found


def _with_colors(picture: Image.Image, colors: int) -> bytes:
    out = io.BytesIO()
    # of the methods this one strays least from a colour (7 of 255, median cut 47): a colour bar stays what it is
    found = picture.quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    found.save(out, "PNG", optimize=True)
    return out.getvalue()
