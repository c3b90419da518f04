"""Ordered sets of heads, and how a user may write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_NAME = re.compile(r"[lL](\d+)\.?[hH](\d+)")


@dataclass(frozen=True)
class HeadSet:
    """An ordered set of attention heads; prints as "L2.H6 L3.H1". Sets are equal when their heads are.

    Attributes:
        heads: (layer, head) pairs in order, without repeats.
        utility: U of the set on the images it was chosen on (`scores.choose`); default None.
        why: the choice in one line; default "".
        class_set: the hash of the classes it was found under; default "".

    >>> HeadSet.of("L2.H6 L3.H1")
    HeadSet('L2.H6 L3.H1')
    """

    heads: tuple[tuple[int, int], ...]
    utility: float | None = field(default=None, compare=False)
    why: str = field(default="", compare=False)
    class_set: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.heads, tuple) or not all(isinstance(p, tuple) and len(p) == 2 for p in self.heads):
            raise InputError(
                "HeadSet", repr(self.heads), "(layer, head) pairs in a tuple", "write HeadSet.of(…) instead"
            )

    @classmethod
    def of(cls, heads: Any, layers: int | None = None, per_layer: int | None = None) -> HeadSet:
        """A head set as a user may write it. Repeats count once.

        Arguments:
            heads: a set, names ("L2.H6 L3.H1" or a list of them) or (layer, head) pairs.
            layers: of the model; default any.
            per_layer: heads a layer of the model; default any.

        Raises:
            InputError: for what is no head, and for a head outside the model.
        """
        facts: tuple[float | None, str, str] = (None, "", "")
        if isinstance(heads, cls):
            pairs = list(heads.heads)
            facts = (heads.utility, heads.why, heads.class_set)
        elif isinstance(heads, str):
            pairs = _read(heads)
        elif isinstance(heads, Iterable):
            pairs = _listed(heads)
        else:
            raise _bad(heads)
        for layer, head in pairs:
            if (
                layer < 0
                or head < 0
                or (layers is not None and layer >= layers)
                or (per_layer is not None and head >= per_layer)
            ):
                size = f"layers 0…{layers - 1} and heads 0…{per_layer - 1}" if layers and per_layer else "counts from 0"
                raise InputError("heads", f"the unknown head L{layer}.H{head}", size, "name heads this model has")
        return cls(tuple(dict.fromkeys(pairs)), *facts)

    @classmethod
    def twice(cls, heads: Any) -> HeadSet:
        """The heads that a spelling names more than once.

        Arguments:
            heads: in any spelling.
        """
        if isinstance(heads, cls):
            return cls(())
        pairs = _read(heads) if isinstance(heads, str) else _listed(heads)
        return cls(tuple(dict.fromkeys(pair for i, pair in enumerate(pairs) if pair in pairs[:i])))

    def __len__(self) -> int:
        return len(self.heads)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.heads)

    def __contains__(self, head: object) -> bool:
        return head in self.heads

    def __str__(self) -> str:
        return " ".join(f"L{layer}.H{head}" for layer, head in self.heads)

    def __repr__(self) -> str:
        return f"HeadSet({str(self)!r})"

    def scale(self, layers: int, per_layer: int, strength: float) -> Tensor:
        """A factor for every head of a model, [l, h] float64: `strength` for the heads of the set, 1 elsewhere.

        Arguments:
            layers: of the model.
            per_layer: heads a layer of the model.
            strength: a finite number, no unit: 0 off, 1 as is.
        """
        import torch

        if not (isinstance(strength, int | float) and math.isfinite(strength)):
            raise InputError("ablate", f"strength={strength!r}", "a finite number: 0 off, 1 as is", "pass one")
        table = torch.ones(layers, per_layer, dtype=torch.float64)
        for layer, head in self.heads:
            table[layer, head] = strength
        return table


def _bad(given: object) -> InputError:
    return InputError(
        "heads",
        repr(given),
        '"L2.H6 L3.H1", a list of (layer, head) pairs, or a HeadSet',
        "write it in one of these ways",
    )


def _listed(heads: Iterable[Any]) -> list[tuple[int, int]]:
    """A single pair, or any number of pairs and names."""
    items = list(heads)
    single = len(items) == 2 and all(isinstance(x, int) for x in items)
    return [p for item in ([tuple(items)] if single else items) for p in _pair(item)]


def _read(text: str) -> list[tuple[int, int]]:
    words = text.replace(",", " ").split()
    matches = [_NAME.fullmatch(word) for word in words]
    if not all(matches):
        raise _bad(text)
    return [(int(m[1]), int(m[2])) for m in matches if m]


def _pair(item: Any) -> list[tuple[int, int]]:
    if isinstance(item, str):
        return _read(item)
    try:
        layer, head = item
        if float(layer) != int(layer) or float(head) != int(head):
            raise _bad(item)
        return [(int(layer), int(head))]
    except (TypeError, ValueError, OverflowError) as error:
        raise _bad(item) from error


def which_layers(layers: Any, count: int, operation: str) -> tuple[int, ...]:
    """Layers as a user may write them: a negative int is the last |n| of `count`, a list is indices, None is all.

    Raises InputError for layers that do not exist.
    """
    accepted = f"-1…-{count} for the last ones, a list of layers 0…{count - 1}, or None for all"
    which: tuple[int, ...] | None = None
    if layers is None:
        which = tuple(range(count))
    elif isinstance(layers, int) and not isinstance(layers, bool) and layers < 0:
        which = tuple(range(max(0, count + layers), count))  # a model with fewer layers gives all it has
    elif isinstance(layers, Iterable) and not isinstance(layers, str):
        items = [x.__index__() if hasattr(x, "__index__") else -1 for x in layers]
        which = tuple(dict.fromkeys(items)) if items and all(0 <= x < count for x in items) else None
    if not which:
        raise InputError(operation, f"layers={layers!r}", accepted, "pass one of these")
    return which
