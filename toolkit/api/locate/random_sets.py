"""Random head sets: the chance level of a set that was chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.api.locate.evidence import LocateEvidence
from toolkit.core.heads import HeadSet
from toolkit.errors import InputError
from toolkit.signs import counted

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class RandomSets:
    """Random sets of as many heads, from the same layers.

    Attributes:
        sets: the sets [draws].
        utility: of zero-ablating each [draws].
        badness: by score, the mean badness of each set's heads [draws].
        base: utility with nothing off.
        seed: of the draws.
    """

    sets: tuple[HeadSet, ...]
    utility: Array
    badness: dict[str, Array]
    base: float
    seed: int

    def p(self, utility: float) -> float:
        """The share of random sets with at least this utility (the value itself counts as one).

        Arguments:
            utility: to be compared.
        """
        return float((1 + (self.utility >= utility).sum()) / (1 + len(self.utility)))

    def __repr__(self) -> str:
        u = self.utility
        size = len(self.sets[0])
        return (
            f"RandomSets({len(u)} sets of {size} heads, seed {self.seed}: utility {u.mean():.4f} ± {u.std(ddof=1):.4f},"
            f" largest {u.max():.4f}; {self.base:.4f} with nothing off)"
        )


def random_sets(
    session: LocateEvidence, layers: tuple[int, ...], tables: dict[str, Array], size: int, draws: int, seed: int
) -> RandomSets:
    """`Scores.random`. layers: of the rows of `tables`, the badness [l, h] by score."""
    l, h = len(layers), session.images.acts.shape[2]
    for name, value, low, high in (("size", size, 0, l * h), ("draws", draws, 2, 1_000_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            accepted = f"a whole number from {low} to {high}"
            raise InputError("scores.random", f"{name}={value!r}", accepted, "pass one of these")
    rng = np.random.default_rng(seed)
    picks = [rng.permutation(l * h)[:size] for _ in range(draws)]
    sets = [HeadSet(tuple((layers[i // h], int(i % h)) for i in some)) for some in picks]
    utility = np.array([session.utility(heads.heads) for heads in counted(sets, "switch random heads off", "set")])
    badness = {
        name: np.array([table.ravel()[some].mean() if size else np.nan for some in picks])
        for name, table in tables.items()
    }
    return RandomSets(tuple(sets), utility, badness, session.utility(()), seed)
