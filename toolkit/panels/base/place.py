"""Where a panel stands in the explorer, and what it may ask of the explorer that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.labs.explorer import ExplorerSession
from toolkit.panels.base.selection import Selection


@dataclass(frozen=True)
class ExplorerPlace:
    """A part of the explorer: its name there (`explorer.part(name)`), the tab in which it stands and the tab's label; a
    part without a label of its own stands in the tab of another.
    """

    part: str
    tab: str
    label: str = ""


class Host(Protocol):
    """What a panel may ask of the explorer that it becomes a part of.

    pair: (true, predicted), None for all mistakes. texts: the bank of words that was given. second: the model or edit
    that was given to stand beside the first. unrelated: by name, parts that an edit should leave alone.
    """

    pair: tuple[str, str] | None
    texts: Any
    second: Any
    unrelated: Mapping[str, Any] | None

    @property
    def session(self) -> ExplorerSession:
        """The model, the images and what is known of them."""

    @property
    def selection(self) -> Selection:
        """What all panels share."""

    @property
    def live(self) -> dict[str, Any]:
        """The arguments `selection=` and, where the explorer works inline, `engine=` for a panel of it."""

    @property
    def worst_head(self) -> str:
        """The head with the highest value of the first score, such as "L3.H7"."""

    def first_texts(self) -> dict[str, Any]:
        """The arguments `text=` and `against=`: the predicted class against the true one, or what is shared."""
