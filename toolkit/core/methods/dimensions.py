"""MI-clip: dimensions of the embedding that tell an attribute are set to 0 (Wang, Liu, Wang 2021)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize


def explained_share(images: Tensor, member: Tensor) -> Tensor:
    """[d]: η², the share of a dimension's variance over images [n, d] that lies between the values of an attribute
    [n].
    """
    centred = images - images.mean(0)
    between = torch.zeros_like(images[0])
    for value in member.unique():
        own = centred[member == value]
        between += len(own) * own.mean(0).square()
    total = centred.square().sum(0)
    return torch.where(total > 0, between / total.clamp(min=1e-300), 0.0)


def mutual_information(images: Tensor, member: Tensor) -> Tensor:
    """[d]: mutual information, nats, of an attribute [n] and of whether a dimension of images [n, d] lies above its
    median.
    """
    values, at = member.unique(return_inverse=True)
    above = (images > images.median(0).values if len(images) % 2 else images > _middle(images)).double()
    n = len(images)
    found = torch.zeros_like(images[0])
    for value in range(len(values)):
        share = (at == value).double().mean()
        high = above[at == value].sum(0) / n
        for joint, side in ((high, above.mean(0)), (share - high, 1 - above.mean(0))):
            known = joint > 0
            found[known] += joint[known] * (joint[known] / (share * side[known])).log()
    return found


def _middle(images: Tensor) -> Tensor:
    """[d]: the median of an even number of images, between the two in the middle."""
    order = images.sort(0).values
    half = len(images) // 2
    return (order[half - 1] + order[half]) / 2


def clipped(x: Tensor, order: Tensor, count: int) -> Tensor:
    """[..., d]: the first `count` dimensions of an order [d] set to 0, then made unit."""
    if not count:
        return x
    left = x.clone()
    left[..., order[:count]] = 0.0
    return normalize(left, dim=-1)


def ranked_dimensions(score: Tensor) -> Tensor:
    """[d]: dimensions from the largest score down, ties in their order."""
    return torch.from_numpy(np.argsort(-score.numpy(), kind="stable").copy())
