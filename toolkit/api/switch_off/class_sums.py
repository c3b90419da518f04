"""The class sums of labelled images, read from their store a layer at a time."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from threading import Lock

import torch
from torch import Tensor

from toolkit.api.checks import LARGEST
from toolkit.api.images.judged import Judged
from toolkit.api.switch_off.total import How, donor_rows
from toolkit.core.moments import head_numbers, image_shares
from toolkit.core.sums import ClassSums, Instead
from toolkit.errors import InputError
from toolkit.store.errors import size

KEPT = 320_000_000
"""Bytes of layers that are kept from one question to the next."""


class ReadNumbers:
    """The numbers of heads (`HeadSource`) of labelled images: a layer is read when it is asked for, and kept
    while it fits beside the others.
    """

    def __init__(self, images: Judged) -> None:
        self._images = images
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = Lock()

    def some(self, layer: int, heads: Tensor) -> Tensor:
        """[b, n, k + 3] of some heads of a layer."""
        shares = self._shares.to(self._images.embedding)
        mixes = self._layer(layer)[:, heads].to(shares) * shares[:, :1, None]
        return torch.cat([mixes, shares[:, None].expand(-1, len(heads), -1)], -1)

    @cached_property
    def _shares(self) -> Tensor:
        return torch.cat([image_shares(state) for state in self._images.acts.states([])])

    def _layer(self, layer: int) -> Tensor:
        """[b, h, k]: mixes as they are stored. Several workers of a panel may ask at once."""
        with self._lock:
            if layer not in self._kept:
                self._kept[layer] = self._images.acts.mixes_of(layer)
            found = self._kept[layer]
            self._kept.move_to_end(layer)
            while len(self._kept) > 1 and sum(mixes.nbytes for mixes in self._kept.values()) > KEPT:
                self._kept.popitem(last=False)
        return found

    def exact(self, layer: int, rows: Tensor) -> Tensor:
        """[r, h, k + 3], float64."""
        some = self._images.acts.take(rows.tolist())
        return torch.cat([head_numbers(state)[:, 0] for state in some.states([layer])])

    def embedding(self, rows: Tensor) -> Tensor:
        """[r, d], unit."""
        return self._images.embedding[rows]


def sums_of(images: Judged, operation: str) -> ClassSums:
    """The class sums of the images. Raises InputError where images × classes would not fit into memory."""
    needed = 4 * len(images) * len(images.classes)
    if needed > LARGEST:
        given = f"{len(images):,} images × {len(images.classes):,} classes: {size(needed)}"
        fix = "draw some of the images: acts.draw(per_class=…), or name fewer classes"
        raise InputError(operation, given, f"up to {size(LARGEST)}", fix)
    texts = images.texts.to(images.embedding).cpu()
    return ClassSums(images.embedding @ texts.T, texts, images.acts.head_maps, ReadNumbers(images))


def replacement(how: How, images: int, seed: int = 0) -> Instead:
    """What takes a head's place, for so many images: of "resample" whose numbers each of them gets."""
    return torch.from_numpy(donor_rows(images, images, seed)) if how == "resample" else how
