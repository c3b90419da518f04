"""What single heads write for single images, as coordinates in the head's own basis."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.api.images.acts import Acts
from toolkit.api.words.bases import HeadBases
from toolkit.core.moments import head_numbers
from toolkit.core.room import filled

KEPT = 400_000_000
"""Bytes of coordinates that are kept from one question to the next."""


class Contributions:
    """Centred contributions of every image along the basis of a head: z [images, r], c − c̄ = V z. Read from the store
    a layer at a time, kept while they fit.
    """

    def __init__(self, acts: Acts, bases: HeadBases) -> None:
        self._acts, self._bases = acts, bases
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = Lock()

    def of(self, layer: int, head: int) -> Tensor:
        """z [images, r] of one head, float32."""
        return self._layer(layer)[:, head]

    def _layer(self, layer: int) -> Tensor:
        with self._lock:  # several workers of a panel may ask at once
            if layer not in self._kept:
                self._kept[layer] = filled(coordinates(self._acts, self._bases, layer), len(self._acts))
            found = self._kept[layer]
            self._kept.move_to_end(layer)
            while len(self._kept) > 1 and sum(x.nbytes for x in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return found

    def along(self, layer: int, head: int, text: Tensor | None, cosine: bool = False) -> NDArray[np.float64]:
        """[images]: (c − c̄) · text for a text [d], or along the head's main axis for None; divided by ‖c − c̄‖ with
        `cosine`.
        """
        z = self.of(layer, head).double()
        at = self._bases.at(layer, head)
        basis = self._bases.basis
        if text is None:
            direction = main_axis(basis.covariance[at])
        else:
            direction = basis.vectors[at].mT @ text.to(basis.vectors)
        scores = z @ direction.cpu()
        if cosine:
            scores = scores / z.norm(dim=1).clamp(min=1e-300)  # texts and main axis are unit vectors
        return np.asarray(scores.numpy())


def main_axis(covariance: Tensor) -> Tensor:
    """[r]: the unit direction of largest variance, with its largest entry positive."""
    axis = torch.linalg.eigh(covariance)[1][:, -1]
    return axis * torch.sign(axis[axis.abs().argmax()])


def coordinates(acts: Acts, bases: HeadBases, layer: int) -> Iterator[Tensor]:
    """z [b, heads of this layer, r] of all images, a chunk at a time, float32."""
    first = bases.at(layer, 0)
    maps, mean = bases.basis.coordinates[first : first + bases.heads].cpu(), acts.moments.mean[layer]
    for state in acts.states([layer]):
        q = head_numbers(state)[:, 0] - mean
        yield torch.einsum("bnk,nkr->bnr", q, maps).float()
