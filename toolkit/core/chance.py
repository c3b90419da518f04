"""What random texts would have added to a list of texts: the level at which a further text says nothing of a head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.spans import SpanBasis


def random_texts(texts: Tensor, seed: int) -> Tensor:
    """As many unit vectors as there are texts [t, d], with the mean and the covariance of the texts and no meaning."""
    made = torch.Generator().manual_seed(seed)
    own = texts.detach().cpu().double()
    mean = own.mean(0)
    mixed = torch.randn(len(own), len(own), generator=made, dtype=torch.float64) @ (own - mean)
    return torch.nn.functional.normalize(mean + mixed / max(1, len(own) - 1) ** 0.5, dim=-1)


@full_precision
def chance_gains(basis: SpanBasis, texts: Tensor, picks: NDArray[np.int64], random: Tensor) -> NDArray[np.float64]:
    """[n, m]: the share of a head's variance that the best of some random texts [t, d] would have explained in the
    place of each pick, after the picks before it.

    The best is chosen and counted as TextSpan does (methods §2): the one along which the head still varies most.
    picks: positions in texts [n, m], −1 past the end, where the result is nan.
    """
    out = np.full(picks.shape, np.nan)
    texts, random = texts.detach().cpu().double(), random.cpu().double()
    vectors, covariance, variance = (x.cpu().double() for x in (basis.vectors, basis.covariance, basis.variance))
    for head, row in enumerate(picks):
        kept = row[row >= 0]
        if not len(kept) or not variance[head] > 0:
            continue
        seen, sigma = random @ vectors[head], covariance[head] / variance[head]
        chosen = texts[kept] @ vectors[head]
        for place in range(len(kept)):
            score = torch.einsum("tr,rs,ts->t", seen, sigma, seen)
            best = int(score.argmax())
            out[head, place] = float(score[best] / seen[best].square().sum().clamp_min(1e-300))
            direction = torch.nn.functional.normalize(chosen[place], dim=0)
            seen = seen - (seen @ direction)[:, None] * direction
            chosen = chosen - (chosen @ direction)[:, None] * direction
    return out
