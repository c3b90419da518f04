"""Images with ids, labels and groups: what every reader and the built-in world hand on."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from PIL import Image

from toolkit.errors import InputError

if TYPE_CHECKING:
    import pandas
    from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """One image with what is known of it."""

    id: str
    image: Image.Image
    label: str
    group: str
    split: str


class Read(NamedTuple):
    """An image as it was read: None where it cannot be shown. note: what was converted, or why it was left out."""

    image: Image.Image | None
    note: str = ""


class Samples(ABC, Sequence[Sample]):
    """Images with ids, labels and groups, read when asked for.

    ids, labels, groups: one string per image, in order. split: which split they are of.
    """

    def __init__(self, ids: Sequence[str], labels: Sequence[str], groups: Sequence[str], split: str) -> None:
        if not len(ids) == len(labels) == len(groups):
            raise InputError(
                "samples",
                f"{len(ids)} ids, {len(labels)} labels, {len(groups)} groups",
                "one of each per image",
                "make them equally long",
            )
        self.ids, self.labels, self.groups = (np.asarray(v, dtype=object) for v in (ids, labels, groups))
        self.split = split

    @abstractmethod
    def pixels(self, rows: Sequence[int]) -> Tensor | list[Image.Image]:
        """Some images: uint8 [n, 3, H, W] where all have one size, else PIL images."""

    @abstractmethod
    def take(self, rows: Sequence[int]) -> Self:
        """Some of the samples, in the order asked for."""

    def read(self, row: int) -> Read:
        """One image, or why there is none; never raises for a broken one."""
        return Read(self.image(row))

    def stamp(self) -> str:
        """Changes when the images behind the same ids change; "" where they cannot."""
        return ""

    def image(self, row: int) -> Image.Image:
        """One image."""
        found = self.pixels([row])[0]
        return found if isinstance(found, Image.Image) else Image.fromarray(found.permute(1, 2, 0).numpy())

    def where(self, *, label: str | Sequence[str] | None = None, group: str | Sequence[str] | None = None) -> Self:
        """The samples with these labels and groups.

        Raises InputError naming what exists when nothing matches.
        """
        keep = np.ones(len(self), bool)
        for name, asked, values in (("label", label, self.labels), ("group", group, self.groups)):
            if asked is not None:
                keep &= np.isin(values, [asked] if isinstance(asked, str) else list(asked))
                if not keep.any():
                    raise InputError(
                        "where",
                        f"{name}={asked!r}, which no sample has",
                        ", ".join(sorted(set(values))),
                        "name one of these",
                    )
        return self.take([int(i) for i in np.flatnonzero(keep)])

    def to_dataframe(self) -> pandas.DataFrame:
        """A table: id, label, group, split."""
        import pandas

        return pandas.DataFrame({"id": self.ids, "label": self.labels, "group": self.groups, "split": self.split})

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return self.take(range(*row.indices(len(self))))
        if not hasattr(row, "__index__"):
            fix = "data.take([…]) for several rows, data.where(label=…) for a group"
            raise InputError("samples", f"data[{row!r}]", "a row number or a slice", fix)
        row = operator.index(row)
        index = row + len(self) * (row < 0)
        if not 0 <= index < len(self):
            raise IndexError(f"sample {row} of {len(self)}")
        return Sample(self.ids[index], self.image(index), self.labels[index], self.groups[index], self.split)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        groups, counts = np.unique(self.groups.astype(str), return_counts=True)
        shown = ", ".join(f"{g} {c}" for g, c in list(zip(groups, counts, strict=True))[:6])
        return (
            f"{type(self).__name__}({len(self)} images, split {self.split!r}:"
            f" {shown}{', …' if len(groups) > 6 else ''})"
        )
