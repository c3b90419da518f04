"""What several panels look at together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets

from toolkit.core.heads import HeadSet


class Selection(traitlets.HasTraits):
    """The image, heads, text, class pair and edit that linked panels share; readable, settable and observable.

    image: id of an image, or None. heads: ((layer, head), …), settable in any spelling HeadSet.of takes. text: a text,
    or "". pair: (true, predicted) class names, or None. edit: an edit, or None.

    >>> s = Selection(heads="L2.H6 L3.H1"); s.heads
    ((2, 6), (3, 1))
    """

    image = traitlets.Unicode(None, allow_none=True)
    heads: traitlets.TraitType[Any, Any] = traitlets.Any(())
    text = traitlets.Unicode("")
    pair = traitlets.Tuple(traitlets.Unicode(), traitlets.Unicode(), default_value=None, allow_none=True)
    edit: traitlets.TraitType[Any, Any] = traitlets.Any(None)

    @traitlets.validate("heads")
    def _valid_heads(self, proposal: dict[str, Any]) -> tuple[tuple[int, int], ...]:
        value: str | Iterable[Any] = proposal["value"]
        return HeadSet.of(value).heads

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in ("image", "text", "pair", "edit") if getattr(self, name)}
        if self.heads:
            shown["heads"] = str(HeadSet(self.heads))
        return f"Selection({', '.join(f'{k}={v!r}' for k, v in shown.items())})"
