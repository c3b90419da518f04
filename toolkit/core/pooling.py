"""From what every token wrote to what reaches the embedding: the pooling of a tower, with its norms taken as given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.core.tower import Norm, Tower


def pooled(tower: Tower, x: Tensor, tokens: int = 1) -> Tensor:
    """What of x reaches the embedding, its token axis gone; all patches (all tokens) where they are weighed later."""
    if tower.pool in ("cls", "attention"):
        return x.select(tokens, 0).clone()  # a copy: a view would keep the whole tensor alive
    if tower.pool == "attention_trunk":
        return x
    patches = x.narrow(tokens, tower.prefix, x.shape[tokens] - tower.prefix)
    return patches if tower.pool == "norm_then_mean" else patches.mean(tokens)


def spread(x: Tensor, eps: float) -> Tensor:
    """σ of a LayerNorm's input, its last axis gone."""
    return (x.var(-1, correction=0) + eps).sqrt()


@dataclass(frozen=True, eq=False)
class Scales:
    """sigma, mu [b]: scale and mean of the last LayerNorm (1 and 0 where there is none). weights: what every token
    counts, [b, n] per patch where the norm acts before the mean over them, [b, p, n] per head of a frozen attention
    pool; None where one vector is read.
    """

    sigma: Tensor
    mu: Tensor
    weights: Tensor | None = None


def scales(tower: Tower, last: Tensor | None, rows: Tensor | None, output: Tensor, dtype: torch.dtype) -> Scales:
    """The scales of a forward.

    last: the input of the last norm, as `pooled` leaves it. rows [b, p, n]: attention of a frozen pool. output [b, d].
    """
    one = torch.ones(len(output), dtype=dtype, device=output.device)
    if last is None:
        return Scales(one, torch.zeros_like(one))
    x = last.to(dtype)
    if rows is not None:
        assert tower.reader is not None
        rows = F.pad(rows.to(dtype), (x.shape[1] - rows.shape[-1], 0))  # tokens the pool does not see are the first
        return Scales(one, torch.zeros_like(one), rows / spread(x, tower.reader.norm.eps)[:, None])
    mu, sigma = x.mean(-1), spread(x, tower.eps)
    if x.ndim == 2:
        return Scales(sigma, mu)
    whole = 1 / (1 / sigma).mean(1)
    weights = whole[:, None] / (sigma * sigma.shape[1])
    return Scales(whole, (weights * mu).sum(1), weights)


def weighed(x: Tensor, weights: Tensor | None, heads: int = 1) -> Tensor:
    """[b, l, heads, k] of every token's [b, n, l, heads · k] (or of one vector's [b, l, heads · k]): summed with the
    weights; of p weightings the sums stand side by side, [b, l, heads, p · k].
    """
    if weights is None:
        return x.unflatten(-1, (heads, -1))
    if weights.ndim == 2:
        return torch.einsum("bn,bnlw->blw", weights, x).unflatten(-1, (heads, -1))
    sums = torch.einsum("bpn,bnlw->blpw", weights, x).unflatten(-1, (heads, -1))
    return sums.transpose(2, 3).flatten(3)


def bias_writes(tower: Tower, weights: Tensor | None, shrink: dict[int, Tensor], dtype: torch.dtype) -> Tensor | None:
    """[b, l, w]: what the layers' biases wrote, where that differs from image to image; else None.

    shrink: by layer, 1/σ [b] of the norm behind the attention.
    """
    if tower.fixed_biases:
        return None
    found = []
    for i, block in enumerate(tower.blocks):
        bias = fixed_bias(block.out_weight, block.out_bias, block.inner, dtype)
        if block.after is not None:
            centred = (bias - bias.mean()) * block.after.weight.detach().to(dtype)
            bias = shrink[i].to(dtype)[:, None] * centred
            bias = bias if block.after.bias is None else bias + block.after.bias.detach().to(dtype)
        if block.out_scale is not None:
            bias = bias * block.out_scale.detach().to(dtype)
        if weights is not None:
            bias = (weights.sum(-1)[..., None] * bias).flatten(1)
        found.append(bias)
    return torch.stack(found, 1)


def fixed_bias(weight: Tensor, bias: Tensor | None, inner: Norm | None, dtype: torch.dtype) -> Tensor:
    """[w]: what an output projection writes besides its heads: its bias, and the bias of the norm before it."""
    w = weight.detach().to(dtype)
    found = w.new_zeros(len(w)) if bias is None else bias.detach().to(dtype)
    return found if inner is None or inner.bias is None else found + w @ inner.bias.detach().to(dtype)
