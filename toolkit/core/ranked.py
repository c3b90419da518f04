"""Classes and kinds of mistakes ranked by what a change did to them, and found by name: of a thousand classes a matrix
says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import InputError

Rank = Literal["loss", "gain", "before", "after"]
RANKS: dict[Rank, str] = {
    "loss": "the largest loss first", "gain": "the largest gain first", "before": "the worst before first",
    "after": "the worst after first",
}  # fmt: skip
ARROW = re.compile(r"\s*(?:→|->)\s*")


class MistakeCount(NamedTuple):
    """How many images of a class are taken for another, before and after."""

    true: str
    predicted: str
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class KindsOfMistakes:
    """Every kind of mistake that some image makes before or after.

    names: of the classes. true, predicted [p]: class indices. before, after [p]: images.
    """

    names: tuple[str, ...]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.true)

    def found(self, find: str) -> NDArray[np.int64]:
        """Which have a text in the name of either class, whatever its case; “crane → heron”: of the true, of the
        predicted one.
        """
        asked = ARROW.split(find.strip(), maxsplit=1)
        if len(asked) == 1:
            fits = named(self.names, asked[0])
            return np.flatnonzero(fits[self.true] | fits[self.predicted])
        true, predicted = (named(self.names, text) for text in asked)
        return np.flatnonzero(true[self.true] & predicted[self.predicted])

    def count(self, true: str, predicted: str) -> MistakeCount:
        """One kind, whether it occurs or not."""
        y, o = self.names.index(true), self.names.index(predicted)
        at = (self.true == y) & (self.predicted == o)
        return MistakeCount(true, predicted, int(self.before[at].sum()), int(self.after[at].sum()))

    def ranked(self, find: str = "", rank: Rank = "before", most: int | None = None) -> list[MistakeCount]:
        """The first `most` of them, by rank: more mistakes after than before are a loss. Equal ones by how many there
        were before, then by the order of the classes.
        """
        at = self.found(find)
        change = self.after[at] - self.before[at]
        key = {"loss": -change, "gain": change, "before": -self.before[at], "after": -self.after[at]}[rank]
        order = at[np.lexsort((-self.after[at], -self.before[at], key))[:most]]
        columns = (self.true, self.predicted, self.before, self.after)
        rows = zip(*(column[order].tolist() for column in columns), strict=True)
        return [MistakeCount(self.names[y], self.names[o], b, a) for y, o, b, a in rows]


def mistakes(truth: ArrayLike, before: ArrayLike, after: ArrayLike, names: Sequence[str]) -> KindsOfMistakes:
    """Every kind of mistake of predictions [b] before and after; truth [b]: class indices."""
    labels, c = np.asarray(truth, np.int64), len(names)
    cells = [labels[(wrong := labels != guess)] * c + guess[wrong] for guess in map(_indices, (before, after))]
    at = np.unique(np.concatenate(cells))
    counts = [np.bincount(np.searchsorted(at, cell), minlength=len(at)) for cell in cells]
    return KindsOfMistakes(tuple(names), at // c, at % c, *counts)


def named(names: Sequence[str], text: str) -> NDArray[np.bool_]:
    """Which names hold a text, whatever its case; of “crane → heron” either of both."""
    wanted = [part.strip().casefold() for part in ARROW.split(text)]
    return np.array([any(part in name.casefold() for part in wanted) for name in names], bool)


def by_change(before: ArrayLike, after: ArrayLike, rank: Rank) -> NDArray[np.int64]:
    """The order of groups by their accuracies [g] before and after: equal ones by the worse after."""
    old, new = np.asarray(before, np.float64), np.asarray(after, np.float64)
    key = {"loss": new - old, "gain": old - new, "before": old, "after": new}[rank]
    return np.lexsort((np.arange(len(new)), new, key))


def known_rank(rank: Any, operation: str) -> Rank:
    """A rank by its name. Raises InputError for another."""
    if rank not in RANKS:
        raise InputError(operation, f"rank={rank!r}", " or ".join(map(repr, RANKS)), "pass one of these as rank")
    return rank  # type: ignore[no-any-return]


def _indices(guess: Any) -> NDArray[np.int64]:
    return np.asarray(guess, np.int64)
