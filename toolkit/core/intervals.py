"""Intervals for accuracies: Wilson for one proportion, bootstraps for worst groups, averages and paired changes.

Resampling images with replacement inside a group of n with r right gives a right count that is Binomial(n, r/n),
independent between groups. Drawing these binomials is therefore the image bootstrap itself, not an approximation of it.
In the same way the four (before, after) outcomes of a group resampled in pairs are Multinomial(n, shares).

Known limits, both of the percentile bootstrap: a group without a single error (or hit) looks certain to it, and the
minimum of noisy accuracies lies below the smallest true one on average, so with many small groups an interval of the
worst group sits low.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.errors import InputError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Statistic = Callable[[Floats], Floats]
"""Takes group accuracies [replicate, g] and returns one number per replicate."""
DRAWN = 200
"""Replicates that are drawn together."""


@dataclass(frozen=True)
class Interval:
    """An interval from `low` to `high` that covers the true value with probability `level`, and how it was made.

    >>> 0.9 in wilson(9, 10)
    True
    """

    low: float
    high: float
    level: float
    method: str

    @property
    def width(self) -> float:
        return self.high - self.low

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"[{self.low:.4f}, {self.high:.4f}] ({self.level:.4g} {self.method})"


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """The Wilson score interval of one proportion: never empty, inside [0, 1], of positive width also at 0 and n.

    right: number of right answers, 0 … n. n: number of answers, at least 1. level: coverage between 0 and 1, default
    0.95.
    Raises InputError for counts or levels out of range.
    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    >>> round(wilson(0, 10).high, 4)
    0.2775
    """
    _check_level("wilson", level)
    right_, n_ = _counts("wilson", [right], [n])
    r, m = int(right_[0]), int(n_[0])
    z = -NormalDist().inv_cdf((1 - level) / 2)
    p, shrink = r / m, 1 + z * z / m
    centre = (p + z * z / (2 * m)) / shrink
    half = z / shrink * math.sqrt(p * (1 - p) / m + (z / (2 * m)) ** 2)
    low, high = max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
    return Interval(0.0 if r == 0 else low, 1.0 if r == m else high, level, "Wilson")


def accuracy_replicates(right: ArrayLike, n: ArrayLike, replicates: int = 2000, seed: int = 0) -> Floats:
    """Bootstrapped group accuracies [replicate, g]; images are resampled inside their group (as binomials).

    right: right answers per group [g]. n: images per group [g], each at least 1. replicates: default 2000. seed: of the
    draws.

    >>> accuracy_replicates([3, 10], [10, 10], replicates=5).shape
    (5, 2)
    """
    right_, n_ = _counts("bootstrap", right, n)
    rng = _generator("bootstrap", replicates, seed)
    # Group by group: numpy prepares a binomial once for a run of equal (n, p).
    drawn = rng.binomial(n_[:, None], (right_ / n_)[:, None], size=(len(n_), replicates))
    return np.ascontiguousarray(drawn.T) / n_


def stratified_bootstrap(
    right: ArrayLike, n: ArrayLike, statistic: Statistic, level: float = 0.95, replicates: int = 2000, seed: int = 0
) -> Interval:
    """The percentile interval of a statistic of group accuracies, evaluated inside every replicate.

    right: right answers per group [g]. n: images per group [g]. statistic: accuracies [replicate, g] → [replicate].
    level: default 0.95. replicates: default 2000. seed: default 0; the same seed gives the same interval.
    Raises InputError for empty groups, counts out of range or a statistic of the wrong shape.

    >>> stratified_bootstrap([40, 90], [100, 100], lambda a: a.min(axis=1)).high < 0.6
    True
    """
    _check_level("bootstrap", level)
    values = _evaluate(statistic, accuracy_replicates(right, n, replicates, seed))
    return percentile(values, level, f"stratified bootstrap ({replicates} replicates, seed {seed})")


def worst_interval(
    right: ArrayLike, n: ArrayLike, level: float = 0.95, replicates: int = 2000, seed: int = 0
) -> Interval:
    """The interval of the worst group's accuracy: stratified bootstrap, the minimum taken inside each replicate.

    Arguments as for `stratified_bootstrap`. Where the worst accuracy is 0 or 1 no replicate differs; then the smallest
    Wilson limits of the groups that share the minimum are returned, and `method` says so.

    >>> worst_interval([0, 90], [10, 100]).method
    'Wilson of the worst group (its images do not vary)'
    """
    interval = stratified_bootstrap(right, n, lambda a: a.min(axis=1), level, replicates, seed)
    right_, n_ = _counts("bootstrap", right, n)
    accuracy = right_ / n_
    if accuracy.min() not in (0.0, 1.0):
        return Interval(interval.low, interval.high, level, f"{interval.method}, minimum inside")
    tied = [wilson(int(right_[g]), int(n_[g]), level) for g in np.flatnonzero(accuracy == accuracy.min())]
    low, high = min(i.low for i in tied), min(i.high for i in tied)
    return Interval(low, high, level, "Wilson of the worst group (its images do not vary)")


def mean_interval(
    right: ArrayLike, n: ArrayLike, weights: ArrayLike, level: float = 0.95, replicates: int = 2000, seed: int = 0
) -> Interval:
    """The interval of a weighted mean of group accuracies: stratified bootstrap, the mean taken inside each replicate.

    weights: [g], non-negative, summing to 1. Other arguments as for `stratified_bootstrap`. Where every weighted group
    is all right or all wrong, no replicate differs; then the groups' Wilson limits are combined (distances from the
    accuracies add in squares: Zou & Donner 2008), and `method` says so.

    >>> mean_interval([10, 10], [10, 10], [0.5, 0.5]).low < 1
    True
    """
    right_, n_ = _counts("bootstrap", right, n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != n_.shape or not np.all(w >= 0) or not math.isclose(w.sum(), 1, rel_tol=1e-9):
        accepted = f"{len(n_)} non-negative weights that sum to 1"
        raise InputError("mean_interval", f"weights {w.tolist()}", accepted, "divide the weights by their sum")
    interval = stratified_bootstrap(right_, n_, lambda a: a @ w, level, replicates, seed)
    if np.any((w > 0) & (right_ > 0) & (right_ < n_)):
        return Interval(interval.low, interval.high, level, f"{interval.method}, mean inside")
    limits = [wilson(int(r), int(m), level) for r, m in zip(right_, n_, strict=True)]
    p = right_ / n_
    below = math.sqrt(sum((v * (a - i.low)) ** 2 for v, a, i in zip(w, p, limits, strict=True)))
    above = math.sqrt(sum((v * (i.high - a)) ** 2 for v, a, i in zip(w, p, limits, strict=True)))
    mean = float(p @ w)
    return Interval(max(0.0, mean - below), min(1.0, mean + above), level, "combined Wilson (the images do not vary)")


def paired_replicates(outcomes: ArrayLike, replicates: int = 2000, seed: int = 0) -> tuple[Floats, Floats]:
    """Bootstrapped group accuracies before and after, each [replicate, g], from images resampled inside groups.

    outcomes: counts [g, 4] in the order 2·(right before) + (right after): wrong–wrong, became right, became wrong,
    right–right.

    >>> [a.shape for a in paired_replicates([[5, 3, 0, 2]], replicates=4)]
    [(4, 1), (4, 1)]
    """
    counts = np.asarray(outcomes)
    accepted = "integer counts [g, 4] with at least one image in every group"
    if counts.ndim != 2 or counts.shape[1] != 4 or not len(counts) or counts.dtype.kind not in "iu":
        given = f"an array of shape {list(counts.shape)} and type {counts.dtype}"
        raise InputError("paired bootstrap", given, accepted, "count the four (before, after) outcomes per group")
    n = counts.sum(axis=1)
    if counts.min() < 0 or n.min() < 1:
        given = "a negative count or a group with 0 images"
        raise InputError("paired bootstrap", given, accepted, "leave groups without images out")
    rng = _generator("paired bootstrap", replicates, seed)
    before, after = np.empty((replicates, len(n))), np.empty((replicates, len(n)))
    for start in range(0, replicates, DRAWN):  # the same draws as all at once: of a thousand groups these are large
        some = slice(start, min(start + DRAWN, replicates))
        drawn = rng.multinomial(n, counts / n[:, None], size=(some.stop - start, len(n)))
        before[some], after[some] = (drawn[:, :, 2] + drawn[:, :, 3]) / n, (drawn[:, :, 1] + drawn[:, :, 3]) / n
    return before, after


def paired_bootstrap(
    outcomes: ArrayLike, statistic: Statistic, level: float = 0.95, replicates: int = 2000, seed: int = 0
) -> Interval:
    """The percentile interval of statistic(after) − statistic(before) on the same images, both in each replicate.

    outcomes: counts [g, 4] as for `paired_replicates`. statistic: accuracies [replicate, g] → [replicate].
    Where no replicate differs (for instance when no image changed) the interval has no width, and `method` says so.

    >>> paired_bootstrap([[50, 30, 0, 20]], lambda a: a[:, 0]).low > 0
    True
    """
    _check_level("paired bootstrap", level)
    before, after = paired_replicates(outcomes, replicates, seed)
    change = _evaluate(statistic, after) - _evaluate(statistic, before)
    return percentile(change, level, paired_method(replicates, seed))


def paired_method(replicates: int, seed: int) -> str:
    """How intervals from `paired_replicates` name their method."""
    return f"paired bootstrap inside groups ({replicates} replicates, seed {seed})"


def percentile(values: Floats, level: float, method: str) -> Interval:
    """The central interval that holds the share `level` of the values [replicate]; one without width is named."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    note = "" if np.ptp(values) > 0 else ", no replicate differs"
    return Interval(float(low), float(high), level, method + note)


def _evaluate(statistic: Statistic, accuracies: Floats) -> Floats:
    values = np.asarray(statistic(accuracies), dtype=np.float64)
    if values.shape != accuracies.shape[:1]:
        given = f"a statistic that maps {list(accuracies.shape)} to {list(values.shape)}"
        raise InputError("bootstrap", given, "[replicate, g] → [replicate]", "reduce over axis=1")
    return values


def _counts(operation: str, right: ArrayLike, n: ArrayLike) -> tuple[Counts, Counts]:
    right_, n_ = np.asarray(right), np.asarray(n)
    accepted = "two integer lists of one length, n at least 1 and 0 ≤ right ≤ n in every group"
    if right_.ndim != 1 or right_.shape != n_.shape or not len(n_) or {right_.dtype.kind, n_.dtype.kind} - {"i", "u"}:
        given = f"right {list(right_.shape)} {right_.dtype} and n {list(n_.shape)} {n_.dtype}"
        raise InputError(operation, given, accepted, "give counts, not accuracies, one per group")
    bad = np.flatnonzero((n_ < 1) | (right_ < 0) | (right_ > n_))
    if len(bad):
        g = int(bad[0])
        fix = "leave groups without images out" if n_[g] < 1 else "count again"
        raise InputError(operation, f"{right_[g]} right of {n_[g]} images (group {g})", accepted, fix)
    return right_.astype(np.int64), n_.astype(np.int64)


def _check_level(operation: str, level: float) -> None:
    if not 0 < level < 1:
        raise InputError(operation, f"level={level!r}", "a number between 0 and 1", "for 95 % write level=0.95")


def _generator(operation: str, replicates: int, seed: int) -> np.random.Generator:
    try:
        good = operator.index(replicates) >= 1 and operator.index(seed) >= 0
    except TypeError:
        good = False
    if not good:
        given = f"replicates={replicates!r}, seed={seed!r}"
        raise InputError(operation, given, "replicates ≥ 1 and seed ≥ 0, integers", "leave them at their defaults")
    return np.random.default_rng(seed)
