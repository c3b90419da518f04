"""Tip-Adapter: a cache of labelled images beside the class vectors (Zhang et al. 2022, eq. 5 and 6)."""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = 100.0
"""What Tip-Adapter multiplies cosines with: α counts against it, whatever the model's own scale is."""


def cache_distance(images: Tensor, keys: Tensor) -> Tensor:
    """[b, n]: 1 − cosine of unit images [b, d] and keys [n, d]."""
    return 1 - images @ keys.T


def tip_scores(products: Tensor, distance: Tensor, values: Tensor, alpha: float, beta: float) -> Tensor:
    """[b, c]: 100 E Tᵀ + α exp(−β (1 − E Fᵀ)) V.

    products [b, c]: E Tᵀ. distance [b, n]: `cache_distance`. values [n, c]: one-hot labels of the keys.
    """
    if alpha == 0:
        return SCALE * products
    return SCALE * products + alpha * (torch.exp(-beta * distance) @ values)
