"""PerceptionCLIP: classes told apart in every context, the contexts weighed by how likely they are (An et al. 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def context_logits(images: Tensor, vectors: Tensor, scale: float) -> Tensor:
    """[b, c, z]: s E e(y, z)ᵀ of images [b, d] and texts [c, z, d]."""
    return scale * (images @ vectors.flatten(0, 1).T).unflatten(1, vectors.shape[:2])


def contexts_by_class(logits: Tensor, temperature: float) -> Tensor:
    """[b, z]: log p(z | x) = lse_y(f/T) − lse_{y,z}(f/T) of f [b, c, z] (“ClassAttr”)."""
    if math.isinf(temperature):
        return torch.full((len(logits), logits.shape[2]), -math.log(logits.shape[2]), dtype=logits.dtype)
    return torch.log_softmax((logits / temperature).logsumexp(1), 1)


def contexts_alone(images: Tensor, vectors: Tensor, scale: float, temperature: float) -> Tensor:
    """[b, z]: log p(z | x) by texts of the contexts alone [z, d] (“PureAttr”)."""
    return torch.log_softmax(scale * images @ vectors.T / temperature, 1)


def class_log_probabilities(logits: Tensor, contexts: Tensor) -> Tensor:
    """[b, c]: log p(y | x) = lse_z( lsm_y f + log p(z | x) ) of f [b, c, z] and log p(z | x) [b, z]."""
    return (torch.log_softmax(logits, 1) + contexts[:, None]).logsumexp(2)
