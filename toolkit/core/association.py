"""Does accuracy go with the presence of something: differences, their intervals, exact tests, false discovery rates."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.core.intervals import wilson

Array = NDArray[np.float64]


class Discrepancy(NamedTuple):
    """δ of right answers among n1 images with something and n0 without, with its interval, test and information."""

    n1: int
    n0: int
    right1: int
    right0: int
    low: float
    high: float
    p: float
    information: float

    @property
    def delta(self) -> float:
        """acc1 − acc0 (Y23 eq. 7); nan where one side has no image."""
        if not self.n1 or not self.n0:
            return math.nan
        return self.right1 / self.n1 - self.right0 / self.n0


def discrepancy(right1: int, n1: int, right0: int, n0: int, level: float = 0.95) -> Discrepancy:
    """Accuracy with something less accuracy without it.

    The interval is Newcombe's (of two Wilson intervals), p Fisher's exact two-sided, information that of presence and
    right answers in nats.
    """
    from scipy.stats import fisher_exact

    if not n1 or not n0:
        return Discrepancy(n1, n0, right1, right0, math.nan, math.nan, math.nan, math.nan)
    one, none = wilson(right1, n1, level), wilson(right0, n0, level)
    p1, p0 = right1 / n1, right0 / n0
    low = p1 - p0 - math.hypot(p1 - one.low, none.high - p0)
    high = p1 - p0 + math.hypot(one.high - p1, p0 - none.low)
    table = np.array([[right1, n1 - right1], [right0, n0 - right0]], float)
    p = float(fisher_exact(table.astype(int)).pvalue)
    shares = table / table.sum()
    expected = shares.sum(1, keepdims=True) @ shares.sum(0, keepdims=True)
    known = shares > 0
    information = float((shares[known] * np.log(shares[known] / expected[known])).sum())
    return Discrepancy(n1, n0, right1, right0, low, high, p, information)


def discovery_rates(p: Array) -> Array:
    """q of every p by Benjamini and Hochberg; nan stays nan and is counted in none."""
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return q
