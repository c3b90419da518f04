"""DE_A … DE_D: how much every head pushes images of one class towards another (R25 §3.2, methods §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from toolkit.core.headspace import HeadSpace
from toolkit.core.precision import full_precision
from toolkit.core.room import ROWS

Similarity = Literal["cosine", "inner"]
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "inner")
NAMES = ("a", "b", "c", "d")
SIGN = (1, -1, 1, -1)
"""Badness is A, −B, C, −D."""
AT_ONCE = 256
"""Images that are looked at together."""
LEAST = 1e-30


@dataclass(frozen=True, eq=False)
class ErrorSets:
    """Images for one pair (true y, predicted ŷ), as rows of a head space: wrong W (y taken for ŷ), correct C (y taken
    for y), others A (ŷ taken for ŷ).
    """

    wrong: Tensor
    correct: Tensor
    others: Tensor


def error_sets(truth: Tensor, guess: Tensor, y: int, other: int) -> ErrorSets:
    """The sets of a pair, from labels and predictions [b]."""
    sets = ((truth == y) & (guess == other), (truth == y) & (guess == y), (truth == other) & (guess == other))
    return ErrorSets(*(x.nonzero()[:, 0] for x in sets))


@full_precision
def direct_effects(
    space: HeadSpace, sets: ErrorSets, texts: Tensor, similarity: Similarity = "cosine", weights: Tensor | None = None
) -> Tensor:
    """[4, l, h]: DE_A, DE_B, DE_C, DE_D of every head, raw; nan where the averaging set is empty.

    texts [2, d]: unit vectors of y and ŷ. weights [s, b]: how often every image counts in each of s bootstrap samples;
    then [s, 4, l, h]. A mean over an empty set is the zero vector (R25 A.2).
    """
    w = space.q.new_ones(1, len(space)) if weights is None else weights.to(space.q)
    texts = texts.to(space.q)
    means = {name: _means(space, rows, w) for name, rows in vars(sets).items()}
    toward = (space.maps @ (texts[0] - texts[1])).flatten(0, 1)  # [n, k + 3]
    over = (sets.wrong, sets.correct, sets.others, sets.wrong)
    cases = zip(over, ("correct", "wrong", "wrong", "others"), (1, 1, -1, -1), strict=True)
    found = [
        sign * _swapped(space, rows, w, means[reference], toward, texts, similarity) for rows, reference, sign in cases
    ]
    table = torch.stack(found, 1).unflatten(-1, space.own.shape[1:])
    return table[0] if weights is None else table


def _means(space: HeadSpace, rows: Tensor, w: Tensor) -> Tensor:
    """[n, k + 3, s]: the heads' means over some images; zero over none."""
    some = w[:, rows]
    total = some.new_zeros(len(w), space.q[0].numel())
    for at, part in zip(some.split(ROWS, 1), rows.split(ROWS), strict=True):
        total += at @ space.q[part].flatten(1)
    total = total.unflatten(1, (-1, space.q.shape[-1]))
    return (total / some.sum(1).clamp(min=1)[:, None, None]).permute(1, 2, 0)


def _swapped(
    space: HeadSpace, rows: Tensor, w: Tensor, mean: Tensor, toward: Tensor, texts: Tensor, similarity: Similarity
) -> Tensor:
    """[s, n]: mean over images of Δ(x, y, c̄) − Δ(x, ŷ, c̄), c̄ = mean A; nan over none. mean [n, k + 3, s]."""
    instead = torch.einsum("nks,nk->ns", mean, toward)  # c̄ · (T_y − T_ŷ)
    seen = space.gram.flatten(0, 1) @ mean
    square = (mean * seen).sum(1)
    total = mean.new_zeros(w.shape[0], len(mean))
    for some in rows.split(AT_ONCE):
        q, e = space.q[some].flatten(1, 2).transpose(0, 1), space.embedding[some]  # q [n, b, k + 3]
        before = (e @ (texts[0] - texts[1]))[None, :, None]
        change = instead[:, None] - (q @ toward[:, :, None])  # [n, b, s]
        if similarity == "cosine":
            pull = space.pull[some].flatten(1, 2).transpose(0, 1)
            norm2 = 2 * (pull @ mean - q @ seen) + square[:, None]
            norm2 += (1 + space.square[some] - 2 * space.own[some]).flatten(1).T[:, :, None]
            change = (before + change) / norm2.clamp(min=LEAST).sqrt() - before
        total += torch.einsum("sb,nbs->sn", w[:, some], change)
    return total / w[:, rows].sum(1)[:, None]


def resampled(truth: Tensor, guess: Tensor, resamples: int, seed: int) -> Tensor:
    """[resamples, b]: how often every image counts in each bootstrap sample. Images are drawn with replacement among
    those of the same label and prediction, so that the sets keep their sizes.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    cells = (truth * (int(guess.max()) + 1) + guess).cpu().numpy()
    out = np.zeros((resamples, len(cells)), np.float32)
    for cell in np.unique(cells):
        at = np.flatnonzero(cells == cell)
        out[:, at] = rng.multinomial(len(at), np.full(len(at), 1 / len(at)), resamples)
    return torch.from_numpy(out)
