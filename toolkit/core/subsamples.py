"""Halves and folds of labelled images, class by class, and how many heads a half may name (stability selection).

N. Meinshausen and P. Bühlmann, Stability selection, J. R. Stat. Soc. B 72 (2010), theorem 1: where every subsample
names q of p candidates, at most q² / ((2π − 1) p) of those named by a share π of the subsamples are expected to be
wrong.
"""

from __future__ import annotations

from math import floor, sqrt

import numpy as np
import torch
from torch import Tensor


def named_by_each(candidates: int, share: float) -> int:
    """q: how many heads every subsample may name, so that at most one is expected to be kept wrongly.

    >>> named_by_each(32, 0.9)
    5
    """
    return max(1, min(candidates, floor(sqrt((2 * share - 1) * candidates))))


def wrongly_kept(named: int, candidates: int, share: float) -> float:
    """The bound on the expected number of heads kept wrongly.

    >>> round(wrongly_kept(5, 32, 0.9), 3)
    0.977
    """
    return named**2 / ((2 * share - 1) * candidates)


def halves(truth: Tensor, draws: int, seed: int) -> Tensor:
    """[draws, b]: 1 for the images of each subsample, ⌊n / 2⌋ of every class (one of a class of one), else 0."""
    rng = np.random.default_rng(seed)
    labels = truth.cpu().numpy()
    out = np.zeros((draws, len(labels)), np.float32)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        for drawn in out:
            drawn[rng.permutation(rows)[: max(1, len(rows) // 2)]] = 1
    return torch.from_numpy(out)


def folds(truth: Tensor, number: int, times: int, seed: int) -> Tensor:
    """[times, b]: in each of several partitions the fold of every image, 0 … number − 1; classes are spread evenly."""
    rng = np.random.default_rng(seed)
    labels = truth.cpu().numpy()
    out = np.zeros((times, len(labels)), np.int64)
    for partition in out:
        begin = 0
        for label in np.unique(labels):
            rows = rng.permutation(np.flatnonzero(labels == label))
            partition[rows] = (begin + np.arange(len(rows))) % number
            begin += len(rows)
    return torch.from_numpy(out)
