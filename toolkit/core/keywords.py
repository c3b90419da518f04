"""Which texts lie nearer to one set of images than to another: scores, tests, texts that say the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]
SCALE = 100.0
"""Cosines are scored in hundredths."""
EXACT = 10_000
"""Splits up to which all are counted instead of drawn ones."""
SPLITS = 500
"""Splits that are counted together."""
TOGETHER = 512
"""Texts whose cosines with all others are made together."""
TIE, TIE_SINGLE = 1e-9, 1e-6
"""A split is as good as the one there is up to this share of the scores' size; in single precision."""


class Scored(NamedTuple):
    """Scores of texts [a]: 100 × (mean cosine with some images − mean with others), Welch's t with its degrees of
    freedom and one-sided p, and the limits of the score.
    """

    score: Array
    low: Array
    high: Array
    t: Array
    freedom: Array
    p: Array


class RightWithout(NamedTuple):
    """How many images are right with something and without it: n1, right1, n0, right0 [a]."""

    n1: NDArray[np.int64]
    right1: NDArray[np.int64]
    n0: NDArray[np.int64]
    right0: NDArray[np.int64]

    @classmethod
    def of(cls, there: NDArray[np.bool_], right: NDArray[np.bool_]) -> RightWithout:
        """Counted from what is there [b, a] and which images are right [b]."""
        n1, right1 = there.sum(0), (there & right[:, None]).sum(0)
        return cls(n1, right1, len(right) - n1, int(right.sum()) - right1)

    @property
    def with_it(self) -> Array:
        """Accuracy of the images with it [a]; nan where there is none."""
        return _share(self.right1, self.n1)

    @property
    def without(self) -> Array:
        """Accuracy of the images without it [a]; nan where there is none."""
        return _share(self.right0, self.n0)


def _share(right: NDArray[np.int64], n: NDArray[np.int64]) -> Array:
    return np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)


class CellMoments(NamedTuple):
    """Of the cosines of images of several cells with texts: how many images [c], means and variances [c, a]."""

    n: NDArray[np.int64]
    mean: Array
    variance: Array

    @classmethod
    def of(cls, cosines: Iterator[Tensor], cell: Tensor, cells: int) -> CellMoments:
        """The moments of cosines [b, a], some images at a time; cell [b] says where an image belongs."""
        n = torch.bincount(cell, minlength=cells)
        total: Tensor | None = None
        start = 0
        for some in cosines:
            at = cell[start : start + len(some)]
            start += len(some)
            values = some.double()
            if total is None:
                total = values.new_zeros(2, cells, values.shape[1])
                shift = values.mean(0)
            total[0].index_add_(0, at, values - shift)
            total[1].index_add_(0, at, (values - shift) ** 2)
        assert total is not None
        count = n[:, None].double()
        mean = total[0] / count
        variance = (total[1] - count * mean**2).clamp(min=0) / (count - 1).clamp(min=0)
        return cls(n.numpy(), (mean + shift).numpy(), variance.numpy())


def scored(cells: CellMoments, one: int, other: int, level: float = 0.95) -> Scored:
    """Texts by how much nearer they are to the images of one cell than to those of another.

    Tests and limits are nan where a cell has fewer than two images.
    """
    from scipy.stats import t as student

    n1, n0 = int(cells.n[one]), int(cells.n[other])
    difference = cells.mean[one] - cells.mean[other]
    with np.errstate(divide="ignore", invalid="ignore"):
        v1, v0 = cells.variance[one] / n1, cells.variance[other] / n0
        error = np.sqrt(v1 + v0)
        t = difference / error
        freedom = (v1 + v0) ** 2 / (v1**2 / (n1 - 1) + v0**2 / (n0 - 1))
        half = student.ppf((1 + level) / 2, freedom) * error
        p = student.sf(t, freedom)
    score = SCALE * difference
    return Scored(score, score - SCALE * half, score + SCALE * half, t, freedom, p)


def split_count(n1: int, n0: int) -> int:
    """In how many ways n1 + n0 images fall into such two sets."""
    return math.comb(n1 + n0, n1)


def splits(n1: int, n0: int, draws: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """[s, n1 + n0] of ones and zeros, some splits at a time: every split once where they are fewer than EXACT, else
    as many random ones as asked for.
    """
    n = n1 + n0
    if split_count(n1, n0) < EXACT:
        rows = np.array(list(combinations(range(n), n1)), np.int64).reshape(-1, n1)
        for start in range(0, len(rows), SPLITS):
            some = rows[start : start + SPLITS]
            yield _ones(some, n)
        return
    rng = np.random.default_rng(seed)
    for start in range(0, draws, SPLITS):
        some = np.argpartition(rng.random((min(SPLITS, draws - start), n)), n1 - 1, axis=1)[:, :n1]
        yield _ones(some, n)


def _ones(rows: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    made = np.zeros((len(rows), n), np.float32)
    np.put_along_axis(made, rows, 1.0, axis=1)
    return made


class Shuffled(NamedTuple):
    """Cosines [b, a] of the images of two sets less their mean, and the sum over the first set from which a split is as
    good as the one there is [a]. A score is a rising function of that sum.
    """

    centred: NDArray[np.floating[Any]]
    least: NDArray[np.floating[Any]]

    @classmethod
    def of(cls, cosines: NDArray[np.floating[Any]], n1: int) -> Shuffled:
        """Of cosines [b, a] of any precision, those of the first set, n1 of them, first."""
        centred = cosines - cosines.mean(0)
        slack = TIE if centred.dtype == np.float64 else TIE_SINGLE
        return cls(centred, centred[:n1].sum(0) - slack * np.abs(centred).sum(0))


def as_good(chosen: NDArray[np.float32], shuffled: Shuffled) -> NDArray[np.int64]:
    """[a]: how many of some splits [s, b] put texts at least as near to their first set as the split there is."""
    sums = chosen.astype(shuffled.centred.dtype, copy=False) @ shuffled.centred
    return np.asarray((sums >= shuffled.least).sum(0))


def without_direction(texts: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Unit texts [a, d] with a direction [d] taken out, made unit again, and what norm was left [a]."""
    unit = torch.nn.functional.normalize(direction, dim=0)
    rest = texts - (texts @ unit)[:, None] * unit
    norm = rest.norm(dim=1)
    return rest / norm.clamp(min=1e-300)[:, None], norm


def folded(texts: Tensor, order: NDArray[np.int64], above: float) -> NDArray[np.int64]:
    """[a]: for every unit text [a, d] the position of the better one it nearly repeats, itself where there is none.

    order: from the best to the worst. above: the cosine from which a text repeats another.
    """
    under = np.arange(len(texts))
    ranked = texts[torch.from_numpy(order.copy())]
    kept = np.zeros(len(texts), bool)  # by rank
    for start in range(0, len(texts), TOGETHER):
        some = ranked[start : start + TOGETHER]
        near = (some @ ranked[: start + len(some)].T).numpy()
        for i, row in enumerate(near):
            rank = start + i
            before = np.where(kept[:rank], row[:rank], -np.inf)
            best = int(before.argmax()) if rank else 0
            if rank and before[best] > above:
                under[order[rank]] = order[best]
            else:
                kept[rank] = True
    return under


def log_odds(there: NDArray[np.int64], n: int, elsewhere: NDArray[np.int64], m: int) -> Array:
    """[a]: how much more often something is in n things than in m others, as a difference of log odds, each with half
    a count added.
    """
    one = np.log((there + 0.5) / (n - there + 0.5))
    other = np.log((elsewhere + 0.5) / (m - elsewhere + 0.5))
    return np.asarray(one - other)


def by_sets(cosines: Tensor, sets: list[list[int]], temperature: float) -> Tensor:
    """[b]: which set of texts an image is nearest to: the largest sum over a set of softmax(cosine / temperature).

    cosines [b, a]. sets: positions of the texts of each.
    """
    worth = [(cosines[:, at].double() / temperature).logsumexp(1) for at in sets]
    return torch.stack(worth, 1).argmax(1)
