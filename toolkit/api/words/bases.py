"""The directions that the heads of some layers write in, ready for any texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from toolkit.api.images.acts import Acts
from toolkit.api.images.kept import layers_of
from toolkit.core.spans import SpanBasis, span_basis
from toolkit.errors import InputError


@dataclass(frozen=True, eq=False)
class HeadBases:
    """The heads of some layers, ready for any bank: layers, heads a layer, the basis of all of them, one after the
    other.
    """

    layers: tuple[int, ...]
    heads: int
    basis: SpanBasis

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.layers), self.heads

    def at(self, layer: int, head: int) -> int:
        """Where a head lies in the basis."""
        return self.layers.index(layer) * self.heads + head


def head_bases(acts: Any, layers: Any = None, rank: int | None = None, operation: str = "textspan") -> HeadBases:
    """The bases of the heads of some layers, from the moments of `acts`."""
    if not isinstance(acts, Acts):
        fix = "extract them first: tk.extract(model, data)"
        raise InputError(operation, f"a {type(acts).__name__}", "the parts of a data set", fix)
    heads = acts.shape[2]
    at = layers_of(acts, layers, operation)
    maps = acts.head_maps[list(at)].flatten(0, 1)
    on = torch.device("cpu") if acts.live is None or acts.live.device.type != "cuda" else acts.live.device
    return HeadBases(at, heads, span_basis(acts.moments.flat(at).to(on), maps, acts.noise, rank, operation))
