"""What several panels look at together."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import traitlets

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.panels.base.traits import Heads


class Selection(traitlets.HasTraits):
    """The image, heads, text, class pair and edit that linked panels share; readable, settable and observable.

    Attributes:
        image: id of an image, or None.
        heads: ((layer, head), …), settable in any spelling HeadSet.of takes.
        hovered: (layer, head) under the pointer, or None.
        text: a text, or "".
        pair: (true, predicted) class names, or None.
        edit: an edit, or None.

    >>> s = Selection(heads="L2.H6 L3.H1"); s.heads
    ((2, 6), (3, 1))
    """

    image = traitlets.Unicode(None, allow_none=True)
    heads = Heads()
    hovered: traitlets.TraitType[Any, Any] = traitlets.Any(None, allow_none=True)
    text = traitlets.Unicode("")
    pair = traitlets.Tuple(traitlets.Unicode(), traitlets.Unicode(), default_value=None, allow_none=True)
    edit: traitlets.TraitType[Any, Any] = traitlets.Any(None)

    def __init__(self, **given: Any) -> None:
        for name in given:
            self._known(name)
        super().__init__(**given)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            self._known(name)
        super().__setattr__(name, value)

    def _known(self, name: str) -> None:
        names = list(self.trait_names())
        if name not in names:
            near = get_close_matches(name, names, 1)
            fix = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise InputError("Selection", f"the unknown name {name!r}", ", ".join(sorted(names)), fix)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in ("image", "text", "pair") if getattr(self, name)]
        shown += [f"heads={str(HeadSet(self.heads))!r}"] if self.heads else []
        shown += ["edit=…"] if self.edit is not None else []
        return f"Selection({', '.join(shown)})"


def link(*panels: Any) -> Selection:
    """The selection that panels share from now on: that of the first, which the others take over.

    Panels: HeadGrid, Gallery … or anything with a `selection` that can be set.

    Raises:
        InputError: for anything else, and for no panels.

    >>> import numpy as np, toolkit as tk
    >>> a, b = tk.HeadGrid(np.eye(4)), tk.HeadGrid(-np.eye(4))
    >>> tk.link(a, b); a.selected = "L2.H2"; b.selected
    Selection()
    ((2, 2),)
    """
    for panel in panels:
        if not isinstance(getattr(panel, "selection", None), Selection):
            raise InputError(
                "link", f"a {type(panel).__name__}", "panels with a selection", "pass tk.HeadGrid(…) and the like"
            )
    if not panels:
        raise InputError("link", "no panels", "two or more", "pass tk.HeadGrid(…) and the like")
    shared: Selection = panels[0].selection
    for panel in panels[1:]:
        panel.selection = shared
    return shared
