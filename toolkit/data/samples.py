"""Images with ids, labels and groups: what every reader and the built-in world hand on."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.data.characters import sendable
from toolkit.data.choice import equal, unknown
from toolkit.data.spelling import nfc
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


def _texts(values: Sequence[str]) -> NDArray[np.object_]:
    """Ids, labels or groups as Jupyter, JSON and stores can write them."""
    return np.asarray([sendable(v) for v in values], dtype=object)


def _one_form(value: Any) -> Any:
    return nfc(value) if isinstance(value, str) else value


class Samples(ABC, Sequence[Sample]):
    """Images with ids, labels and groups, read when asked for.

    Attributes:
        ids: one text per image, in order [b].
        labels: the true class of every image, as a text [b].
        groups: the group of every image, as a text [b].
        split: which split they are of.
    """

    def __init__(self, ids: Sequence[str], labels: Sequence[str], groups: Sequence[str], split: str) -> None:
        if not len(ids) == len(labels) == len(groups):
            raise InputError(
                "samples",
                f"{len(ids)} ids, {len(labels)} labels, {len(groups)} groups",
                "one of each per image",
                "make them equally long",
            )
        self.ids = _texts(ids)
        self.labels, self.groups = (_texts(list(map(_one_form, values))) for values in (labels, groups))
        self.split = split

    @abstractmethod
    def pixels(self, rows: Sequence[int]) -> Tensor | list[Image.Image]:
        """Some images: uint8 [n, 3, H, W] where all have one size, else PIL images.

        Arguments:
            rows: which, whole numbers from 0.
        """

    @abstractmethod
    def take(self, rows: Sequence[int]) -> Self:
        """Some of the samples, in the order asked for.

        Arguments:
            rows: which, whole numbers; negative ones count from the end.
        """

    def read(self, row: int) -> Read:
        """One image, or why there is none; never raises for a broken one.

        Arguments:
            row: which, from 0.
        """
        return Read(self.image(row))

    def stamp(self) -> str:
        """Changes when the images behind the same ids change; "" where they cannot."""
        return ""

    def image(self, row: int) -> Image.Image:
        """One image (PIL).

        Arguments:
            row: which, from 0.
        """
        found = self.pixels([row])[0]
        return found if isinstance(found, Image.Image) else Image.fromarray(found.permute(1, 2, 0).numpy())

    def where(
        self, *, label: str | Sequence[str] | None = None, group: str | Sequence[str] | None = None, **attributes: Any
    ) -> Self:
        """The samples with these labels, groups and attributes.

        Attributes of the data are further arguments: `data.where(place="water")`.

        Arguments:
            label: one label or a list of them; default any.
            group: one group or a list of them; default any.

        Raises:
            InputError: for an attribute there is not (with a spelling hint), a value no sample has, and where nothing
                fits all that is asked.

        >>> data.where(place="water", label="landbird")  # doctest: +SKIP
        """
        asked = {"label": label, "group": group, **attributes}
        table = getattr(self, "attributes", None)
        columns = [] if table is None else [str(name) for name in table.columns]
        keep = np.ones(len(self), bool)
        for name, wanted in asked.items():
            if name not in ("label", "group", *columns):
                known = ["label", "group", *columns]
                raise unknown("where", f"{name}={wanted!r}, an attribute the data does not have", name, known)
            if wanted is not None:
                own = {"label": self.labels, "group": self.groups}.get(name)
                keep &= equal(table[name].tolist() if own is None else own, wanted, name)  # type: ignore[index]
        if not keep.any():
            given = ", ".join(f"{name}={wanted!r}" for name, wanted in asked.items() if wanted is not None)
            raise InputError("where", f"{given} together: no image", "what some image has", "ask for less at once")
        return self.take(np.flatnonzero(keep).tolist())

    def positions(self, rows: Any, operation: str) -> list[int]:
        """Row numbers 0 … n − 1 of what a user wrote.

        Arguments:
            rows: whole numbers; negative ones count from the end.
            operation: named in errors.

        Raises:
            InputError: for anything but whole numbers in range.
        """
        n = len(self)
        items = rows.tolist() if hasattr(rows, "tolist") else rows
        items = list(items) if isinstance(items, Iterable) and not isinstance(items, str) else None
        whole = items is not None and all(hasattr(i, "__index__") and not isinstance(i, bool) for i in items)
        if items is None or not whole or not all(-n <= operator.index(i) < n for i in items):
            flags = items is not None and len(items) > 0 and all(isinstance(i, bool) for i in items)
            given = "true and false" if flags else f"rows {rows!r:.60}"
            fix = f"write data.where(…), or pass {'np.flatnonzero(…)' if flags else 'a list of row numbers'}"
            raise InputError(operation, given, f"whole numbers from 0 to {n - 1}", fix)
        return [operator.index(i) % n for i in items]

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
