"""DE_A … DE_D: how much every head pushes images of one class towards another (R25 §3.2, methods §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from toolkit.core.headspace import HeadSpace
from toolkit.core.precision import full_precision

Similarity = Literal["cosine", "inner"]
SIMILARITIES: tuple[Similarity, ...] = ("cosine", "inner")
NAMES = ("a", "b", "c", "d")
SIGN = (1, -1, 1, -1)
"""Badness is A, −B, C, −D."""
AT_ONCE = 512
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

    texts [2, d]: unit vectors of y and ŷ. weights [b]: how often every image counts (for a bootstrap), default once.
    A mean over an empty set is the zero vector (R25 A.2).
    """
    w = space.q.new_ones(len(space)) if weights is None else weights.to(space.q)
    texts = texts.to(space.q)
    means = {name: _mean(space, rows, w) for name, rows in vars(sets).items()}
    words = space.maps @ texts.T  # [l, h, k + 3, 2]
    cases = (
        (sets.wrong, "correct", 1),
        (sets.correct, "wrong", 1),
        (sets.others, "wrong", -1),
        (sets.wrong, "others", -1),
    )
    return torch.stack([
        sign * _swapped(space, rows, w, means[reference], words, texts, similarity) for rows, reference, sign in cases
    ])  # fmt: skip


def _mean(space: HeadSpace, rows: Tensor, w: Tensor) -> Tensor:
    """[l, h, k + 3]: the heads' means over some images; zero over none."""
    some = w[rows]
    return torch.einsum("b,blhk->lhk", some, space.q[rows]) / some.sum().clamp(min=1)


def _swapped(
    space: HeadSpace, rows: Tensor, w: Tensor, mean: Tensor, words: Tensor, texts: Tensor, similarity: Similarity
) -> Tensor:
    """[l, h]: mean over images of Δ(x, y, c̄) − Δ(x, ŷ, c̄), c̄ = mean A; nan over none."""
    total = space.own.new_zeros(space.own.shape[1:])
    toward = words[..., 0] - words[..., 1]
    instead = (mean * toward).sum(-1)  # c̄ · (T_y − T_ŷ)
    seen = torch.einsum("lhkj,lhj->lhk", space.gram, mean)
    square = (mean * seen).sum(-1)
    for some in rows.split(AT_ONCE):
        if not bool(w[some].any()):
            continue
        q, e = space.q[some], space.embedding[some]
        before = e @ (texts[0] - texts[1])
        change = instead - torch.einsum("blhk,lhk->blh", q, toward)
        if similarity == "cosine":
            crossed = torch.einsum("blhk,lhk->blh", space.pull[some], mean)
            crossed -= torch.einsum("blhk,lhk->blh", q, seen)
            norm2 = 1 + space.square[some] + square + 2 * (crossed - space.own[some])
            before = before[:, None, None]
            change = (before + change) / norm2.clamp(min=LEAST).sqrt() - before
        total += torch.einsum("b,blh->lh", w[some], change)
    return total / w[rows].sum()


def resampled(truth: Tensor, guess: Tensor, resamples: int, seed: int) -> Tensor:
    """[resamples, b]: how often every image counts in each bootstrap sample. Images are drawn with replacement among
    those of the same label and prediction, so that the sets keep their sizes.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    cells = (truth * (int(guess.max()) + 1) + guess).cpu().numpy()
    out = np.zeros((resamples, len(cells)))
    for cell in np.unique(cells):
        at = np.flatnonzero(cells == cell)
        out[:, at] = rng.multinomial(len(at), np.full(len(at), 1 / len(at)), resamples)
    return torch.from_numpy(out)
