"""The traits that panels have in common: what may be set, in any spelling, and what is refused in words.

What is known of heads and classes is asked of the panel: `_heads_there`, `_classes_there`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from toolkit.core.heads import HeadSet
from toolkit.errors import InputError


def _place(panel: Any, trait: traitlets.TraitType[Any, Any]) -> str:
    return f"{type(panel).__name__}.{trait.name}"


class Checked(traitlets.TraitType[Any, Any]):
    """A trait that refuses by itself what a page sends; others have a validator of their panel, or take anything."""


class Heads(Checked):
    """Heads in any spelling that `HeadSet.of` takes, as ((layer, head), …); all of them there."""

    default_value: Any = ()

    def validate(self, obj: Any, value: Any) -> tuple[tuple[int, int], ...]:
        """The heads. Raises InputError for one that the panel has not."""
        heads = HeadSet.of(value).heads
        layers, count = getattr(obj, "_heads_there", ((), 0))
        for layer, head in heads:
            if layers and not (layer in layers and 0 <= head < count):
                accepted = f"layers {', '.join(map(str, layers))} and heads 0…{count - 1}"
                fix = "select heads the map shows"
                raise InputError(_place(obj, self), f"the unknown head L{layer}.H{head}", accepted, fix)
        return heads


class Head(Heads):
    """One head in any spelling, as (layer, head); one that is there, by itself the first of the last layer."""

    def default(self, obj: Any = None) -> tuple[int, int]:
        """The head a panel begins with."""
        layers, _ = getattr(obj, "_heads_there", ((), 0))
        return (layers[-1], 0) if layers else (0, 0)

    def validate(self, obj: Any, value: Any) -> Any:
        """The head. Raises InputError for none, for several, and for one that the panel has not."""
        heads = HeadSet.of([tuple(value)] if _is_one(value) else value).heads
        layers, count = getattr(obj, "_heads_there", ((), 0))
        there = len(heads) == 1 and (not layers or (heads[0][0] in layers and heads[0][1] < count))
        if not there:
            accepted = f"one head of layers {', '.join(map(str, layers))}, heads 0…{count - 1}"
            given = f"the unknown head L{heads[0][0]}.H{heads[0][1]}" if len(heads) == 1 else repr(value)
            raise InputError(_place(obj, self), given, accepted, "name one of these")
        return heads[0]


class Pair(Checked):
    """An error as (true, predicted), by class names or numbers; None for all mistakes."""

    default_value: Any = None
    allow_none = True

    def validate(self, obj: Any, value: Any) -> tuple[str, str] | None:
        """The names. Raises InputError for what is no pair of two different classes of the panel's."""
        if value is None:
            return None
        classes, fix = obj._classes_there, "name two different classes, or None for all"
        accepted = f"(true, predicted), two different classes of {', '.join(map(repr, classes.names[:8]))}"
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise InputError(_place(obj, self), repr(value), accepted, fix)
        true, predicted = (classes.names[classes.index(name)] for name in value)
        if true == predicted:
            raise InputError(_place(obj, self), repr(value), accepted, fix)
        return true, predicted


class Table(traitlets.TraitType[bytes, Any]):
    """Numbers of heads [layer, head], or of several maps, as a page reads them: float32, row by row. Set an array."""

    default_value: Any = b""

    def validate(self, obj: Any, value: Any) -> bytes:
        """The bytes. Raises TraitError for what is neither bytes nor an array."""
        if isinstance(value, np.ndarray):
            return value.astype("<f4").tobytes()
        if not isinstance(value, bytes):
            self.error(obj, value)
        return value


def _is_one(value: Any) -> bool:
    """Whether a list is one head, as a browser sends it."""
    return isinstance(value, list) and len(value) == 2 and not any(isinstance(part, list | tuple) for part in value)
