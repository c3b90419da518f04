"""`Broken`: something broken on purpose beside the same done well, and what to learn from it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from toolkit.figures.page import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, WORSE, BETTER, FAINT = "#1d2128", "#be5d02", "#0e4b8a", "#8a919c"


@dataclass(frozen=True, repr=False)
class Broken:
    """A failure to look at. Shows a picture in a notebook; `.to_matplotlib()` is that picture.

    Attributes:
        title: what is broken.
        broken: what comes out, done badly, in a sentence with its numbers.
        sound: what comes out, done well, in a sentence with its numbers.
        lesson: what to do about it.
        numbers: the same as plain values.
    """

    title: str
    broken: str
    sound: str
    lesson: str
    numbers: dict[str, Any] = field(default_factory=dict)
    _draw: Callable[[], Figure] | None = None

    def to_matplotlib(self) -> Figure:
        """The picture as a matplotlib figure."""
        assert self._draw is not None
        return self._draw()

    @cached_property
    def _picture(self) -> str:
        return base64.b64encode(png(self.to_matplotlib())).decode()

    def __repr__(self) -> str:
        return f"{self.title}\n✗ {self.broken}\n✓ {self.sound}\n→ {self.lesson}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div style='margin:2px 0'><b style='color:{colour}'>{mark}</b> {escape(text)}</div>"
            for mark, text, colour in (("✗", self.broken, WORSE), ("✓", self.sound, BETTER), ("→", self.lesson, FAINT))
        )
        picture = (
            f"<img src='data:image/png;base64,{self._picture}' alt='{escape(self.broken)}' style='max-width:100%'>"
        )
        return f"<div><b>{escape(self.title)}</b>{picture}{rows}</div>"
