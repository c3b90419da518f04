"""Class vectors moved towards other texts of the same classes."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize


def towards(texts: Tensor, other: Tensor, kappa: float) -> Tensor:
    """n((1 − κ) T + κ T′), T [..., d] unit; exactly T at κ = 0."""
    if kappa == 0:
        return texts
    return normalize((1 - kappa) * texts + kappa * other, dim=-1)


def ensemble(vectors: Tensor) -> Tensor:
    """[c, d]: the mean of unit vectors [c, z, d] of several texts a class, made unit."""
    return normalize(vectors.mean(1), dim=-1)


def best_of(images: Tensor, vectors: Tensor) -> Tensor:
    """[b, c]: the largest cosine of images [b, d] with the texts [c, z, d] of a class."""
    return (images @ vectors.flatten(0, 1).T).unflatten(1, vectors.shape[:2]).amax(2)
