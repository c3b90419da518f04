"""What a store knows of its images in words: ids, labels, groups, attributes, what became of them and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.data.samples import Samples
from toolkit.store.layout import ABOUT
from toolkit.store.whole import whole_file

if TYPE_CHECKING:
    import pandas

NAME = f"{ABOUT}/words.parquet"
OWN = ("id", "label", "group", "status", "note")
OK, CONVERTED, SKIPPED = 1, 2, 3
"""What became of an image (status)."""


@dataclass(frozen=True, eq=False)
class Words:
    """A row per image that was given, in order.

    ids, labels, groups [b]: texts. status [b]: OK, CONVERTED or SKIPPED. notes [b]: why, or "".
    attributes: what else the data set says of every image, by column.
    """

    ids: NDArray[np.object_]
    labels: NDArray[np.object_]
    groups: NDArray[np.object_]
    status: NDArray[np.int8]
    notes: NDArray[np.object_]
    attributes: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Samples) -> Words:
        """Those of a data set, before anything became of its images."""
        table = getattr(data, "attributes", None)
        more = {} if table is None else {str(name): _plain(table[name]) for name in table.columns}
        return cls.made(data.ids, data.labels, data.groups, attributes=more)

    @classmethod
    def made(
        cls, ids: Any, labels: Any, groups: Any, status: Any = None, notes: Any = None,
        attributes: dict[str, list[Any]] | None = None,
    ) -> Words:  # fmt: skip
        """From columns; status and notes: default OK and nothing to say."""
        n = len(ids)
        states = np.full(n, OK, np.int8) if status is None else np.asarray(status, np.int8)
        return cls(
            _texts(ids),
            _texts(labels),
            _texts(groups),
            states,
            _texts([""] * n if notes is None else notes),
            attributes or {},
        )

    def noted(self, notes: dict[int, tuple[int, str]]) -> Words:
        """The same with what became of some rows: row → (status, words)."""
        status, words = self.status.copy(), self.notes.copy()
        for row, (what, note) in notes.items():
            status[row], words[row] = what, note
        return Words(self.ids, self.labels, self.groups, status, words, self.attributes)

    def __len__(self) -> int:
        return len(self.ids)

    def table(self) -> pandas.DataFrame:
        """As a table: id, label, group, status, note, and the attributes, those of these names with a trailing "_"."""
        import pandas

        own = zip(OWN, (self.ids, self.labels, self.groups, self.status, self.notes), strict=True)
        more = {name + "_" * (name in OWN): values for name, values in self.attributes.items()}
        return pandas.DataFrame(dict(own) | more)

    def write(self, folder: Path, rows: int) -> None:
        """Keep them with their store. rows: images a row group, those of a shard."""
        with whole_file(folder / NAME) as part:
            self.table().to_parquet(part, index=False, row_group_size=max(1, rows))

    @classmethod
    def read(cls, folder: Path) -> Words:
        """Those of a store; raises OSError or ValueError where they cannot be read."""
        import pandas

        found = pandas.read_parquet(folder / NAME)
        more = {str(name): _plain(found[name]) for name in found.columns if name not in OWN}
        ids, labels, groups, status, notes = (found[name].to_numpy() for name in OWN)
        return cls.made(ids, labels, groups, status, notes, more)


def _texts(values: Any) -> NDArray[np.object_]:
    return np.asarray([str(value) for value in values], dtype=object)


def _plain(column: Any) -> list[Any]:
    """A column as Parquet holds it: whole, real and truth values as they are, all else as text, nothing as None."""
    import pandas

    if pandas.api.types.is_bool_dtype(column) or pandas.api.types.is_numeric_dtype(column):
        return list(column.tolist())
    return [None if pandas.isna(value) else str(value) for value in column]
