"""What the doctor looks at: a model, data of one split or several, and a class set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from toolkit.api.checks import Check
from toolkit.api.images.acts import Acts
from toolkit.data.classes import ClassSet
from toolkit.data.counts import many
from toolkit.data.samples import Samples
from toolkit.errors import ToolkitError
from toolkit.models.claims import Claims
from toolkit.models.model import Model

BLOCK = 64
"""Images that are asked for at a time."""
FEW = 8
"""Images that are taken apart and encoded in several ways."""


class Drawn:
    """Some images of one split: a seeded draw of `n`, decoded and encoded once. data: samples or parts of them."""

    def __init__(self, model: Model, data: Samples | Acts, n: int, check: Check) -> None:
        self.data, self._model, self._check = data, model, check
        drawn = np.random.default_rng(0).permutation(len(data))[:n]
        self.rows: list[int] = np.sort(drawn).tolist()
        self.whole = len(self.rows) == len(data)
        self.broken: list[tuple[str, str]] = []

    @property
    def split(self) -> str:
        return self.data.split

    @cached_property
    def labels(self) -> list[str]:
        """Of all images of the split, not of the draw alone."""
        return [str(label) for label in self.data.labels]

    @cached_property
    def groups(self) -> list[str]:
        """Of all images of the split."""
        return [str(group) for group in self.data.groups]

    @cached_property
    def images(self) -> dict[int, Image.Image]:
        """Row → picture, of the draw; what cannot be read is in `broken`. Empty for parts without their images."""
        source = self.data.samples if isinstance(self.data, Acts) and self.data.has_images else self.data
        if isinstance(source, Acts):
            return {}
        found: dict[int, Image.Image] = {}
        for start in range(0, len(self.rows), BLOCK):
            some = self.rows[start : start + BLOCK]
            try:
                found |= zip(some, map(_picture, source.pixels(some)), strict=True)
            except (ToolkitError, OSError):  # one of them cannot be shown: which?
                found |= self._one_by_one(source, some)
        return found

    def _one_by_one(self, source: Samples, rows: Sequence[int]) -> dict[int, Image.Image]:
        found = {}
        for row in rows:
            read = source.read(row)
            if read.image is None:
                self.broken.append((str(source.ids[row]), read.note))
            else:
                found[row] = read.image
        return found

    @cached_property
    def embedded(self) -> tuple[list[int], Tensor]:
        """The rows of the draw that can be read, and their unit embeddings [n, d]."""
        if isinstance(self.data, Acts):
            rows, found = self.rows, self.data.take(self.rows).embedding.cpu().float()
        else:
            rows, pictures = list(self.images), list(self.images.values())
            parts = []
            for start in range(0, len(pictures), 32):
                parts.append(self._model.encode_image(pictures[start : start + 32]).cpu())
                self._check(min(start + 32, len(pictures)), len(pictures))
            found = torch.cat(parts) if parts else torch.zeros(0, self._model.card.embed_dim)
        return rows, torch.nn.functional.normalize(found, dim=1)


def _picture(given: Any) -> Image.Image:
    return given if isinstance(given, Image.Image) else Image.fromarray(given.permute(1, 2, 0).numpy())


@dataclass(frozen=True, eq=False)
class Patient:
    """model: a live one. splits: of the data. classes: the class set, None without one. claims: what is said of the
    checkpoint, None where nothing is known. check: called with (done, of) now and then. most: pictures that are taken
    apart and encoded in several ways.
    """

    model: Model
    splits: Sequence[Drawn]
    classes: ClassSet | None
    claims: Claims | None
    check: Check
    most: int = FEW

    @cached_property
    def few(self) -> tuple[list[Image.Image], str]:
        """Some pictures, and what they are in words: of the data, else made up."""
        for shown in self.splits:
            if shown.images:
                pictures = list(shown.images.values())[: self.most]
                return pictures, many(len(pictures), "image")
        pictures = [made_up(seed, self.model.card.image_size) for seed in range(self.most)]
        return pictures, f"{self.most} made-up pictures"


def made_up(seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of smooth colours, larger than the model takes and not square."""
    rng = np.random.default_rng(seed)
    small: NDArray[Any] = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((size[1] + size[1] // 2, size[0] + size[0] // 4), Image.Resampling.BICUBIC)
