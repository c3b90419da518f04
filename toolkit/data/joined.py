"""`tk.joined`: several data sets as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Self

import numpy as np
import pandas
from numpy.typing import NDArray
from PIL import Image

from toolkit.data.files import FileSamples
from toolkit.data.samples import Read, Samples
from toolkit.errors import InputError


class Joined(Samples):
    """Images of several data sets, one after the other. Made by `tk.joined`."""

    def __init__(self, parts: Sequence[Samples], ids: Sequence[str], split: str) -> None:
        self.parts = tuple(parts)
        self._at = [(part, row) for part, data in enumerate(self.parts) for row in range(len(data))]
        labels, groups = (np.concatenate([getattr(p, name) for p in self.parts]) for name in ("labels", "groups"))
        super().__init__(ids, labels.tolist(), groups.tolist(), split)
        tables = [p.attributes if hasattr(p, "attributes") else pandas.DataFrame(index=p.ids) for p in self.parts]
        self.attributes = pandas.concat(tables).set_axis(self.ids, axis=0).rename_axis("id")

    def pixels(self, rows: Sequence[int]) -> list[Image.Image]:
        return [self.parts[part].image(row) for part, row in (self._at[i] for i in rows)]

    def read(self, row: int) -> Read:
        part, own = self._at[row]
        return self.parts[part].read(own)

    def masks(self, rows: Sequence[int] | None = None) -> list[NDArray[np.bool_]]:
        """The masks of the parts, as their readers give them. Raises InputError for images of a part without any."""
        return [found for part, own in self._runs(rows, "masks") for found in _asked(part, "masks")(own)]

    def boxes(self, rows: Sequence[int] | None = None) -> list[tuple[int, int, int, int]]:
        """The boxes of the parts, as their readers give them. Raises InputError for images of a part without any."""
        return [found for part, own in self._runs(rows, "boxes") for found in _asked(part, "boxes")(own)]

    def _runs(self, rows: Sequence[int] | None, verb: str) -> list[tuple[Samples, list[int]]]:
        at = range(len(self)) if rows is None else self.positions(rows, f"joined.{verb}")
        return [(self.parts[self._at[row][0]], [self._at[row][1]]) for row in at]

    def take(self, rows: Sequence[int]) -> Self:
        rows = self.positions(rows, "joined.take")
        at = [self._at[row] for row in rows]
        runs: list[tuple[int, list[int]]] = []
        for part, row in at:  # rows may come in any order: a run of one part after the other
            if not runs or runs[-1][0] != part:
                runs.append((part, []))
            runs[-1][1].append(row)
        ids = [self.ids[row] for row in rows]
        return type(self)([self.parts[part].take(own) for part, own in runs], ids, self.split)

    def stamp(self) -> str:
        """Changes when the images behind the ids of any part change."""
        return sha256("\n".join(part.stamp() for part in self.parts).encode()).hexdigest()


def _asked(part: Samples, verb: str) -> Callable[[list[int]], Any]:
    if not isinstance(part, FileSamples):
        given = f"images of a {type(part).__name__}"
        raise InputError(f"joined.{verb}", given, "images whose reader knows masks", "ask for the others' rows")
    found: Callable[[list[int]], Any] = getattr(part, verb)
    return found


def joined(*data: Samples, split: str | None = None) -> Joined:
    """Several data sets as one: their images in order, with their ids, labels, groups, attributes and masks.

    The data sets are samples of any reader. Ids that several of them use get the number of the data set in front
    ("2:…").

    Arguments:
        split: what they are of together; default the splits of the parts ("test", or "train + test").

    Raises:
        InputError: for nothing to join and for what is no data set.

    >>> import toolkit as tk
    >>> both = tk.joined(tk.scenes("test", n=3), tk.scenes("test", n=2, seed=1))
    >>> len(both), both.split
    (5, 'test')
    """
    if not data or not all(isinstance(part, Samples) for part in data):
        odd = next((type(part).__name__ for part in data if not isinstance(part, Samples)), "nothing")
        fix = "read them first, e.g. tk.waterbirds(folder), and pass them one by one: tk.joined(a, b)"
        raise InputError("joined", odd if not data else f"a {odd}", "data sets such as tk.scenes(…)", fix)
    counts: dict[str, int] = {}
    for part in data:
        for name in part.ids:
            counts[name] = counts.get(name, 0) + 1
    ids = [name if counts[name] == 1 else f"{i}:{name}" for i, part in enumerate(data, 1) for name in part.ids]
    return Joined(data, ids, split or " + ".join(dict.fromkeys(part.split for part in data)))
