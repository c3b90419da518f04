"""Attention explained by its gradient: LeGrad and GAME; and by itself: rollout and the raw attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from toolkit.core.attention import AttentionCapture
from toolkit.core.tower import Tower


class Frozen(TorchFunctionMode):
    """Inside, parameters count as constants: a graph holds activations alone, whatever requires_grad says."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        args, kwargs = tree_map(_constant, (args, kwargs or {}))
        return func(*args, **kwargs)


def _constant(x: Any) -> Any:
    return x.detach() if isinstance(x, nn.Parameter) and x.requires_grad else x


def legrad(
    capture: AttentionCapture, output: Tensor, direction: Tensor, heads: Tensor, layers: Sequence[int], signed: bool
) -> Tensor:
    """[b, n] of every token: mean over layers of the mean over heads and queries of ReLU(∂S_l / ∂A_l), where S_l is the
    cosine of the direction with the embedding read off after layer l (LeGrad, arXiv 2404.03214).

    heads [l, h]: which heads count, 0 or 1. signed: without the ReLU.
    """
    total = torch.zeros((), dtype=torch.float32, device=output.device)
    for layer in layers:
        read = F.normalize(wide(capture.embedding_after(layer, output)), dim=-1)
        score = (read @ direction.to(read)).sum()
        (gradient,) = torch.autograd.grad(score, capture.attention[layer], retain_graph=True)
        gradient = wide(gradient)
        kept = gradient if signed else gradient.clamp_min(0)
        weights = heads[layer].to(kept)
        total = total + torch.einsum("bhqn,h->bn", kept, weights) / (weights.sum().clamp_min(1) * kept.shape[2])
    return total / max(1, len(layers))


def game(
    capture: AttentionCapture, output: Tensor, direction: Tensor, heads: Tensor, layers: Sequence[int], signed: bool,
    tower: Tower,
) -> Tensor:  # fmt: skip
    """[b, n] of every token: the pooled row of R, where R starts at the identity and every layer adds Ā R, Ā the mean
    over heads of ReLU(∂S/∂A ⊙ A), S the cosine (generic attention explainability, Chefer et al. 2021, eq. 5–6).

    heads [l, h]: which heads count. layers: in ascending order. signed: without the ReLU.
    """
    read = F.normalize(wide(output), dim=-1)
    score = (read @ direction.to(read)).sum()
    gradients = torch.autograd.grad(score, [capture.attention[i] for i in layers])
    relevance: Tensor | None = None
    for layer, gradient in zip(layers, gradients, strict=True):
        a = wide(capture.attention[layer].detach())
        product = wide(gradient) * a
        product = product if signed else product.clamp_min(0)
        weights = heads[layer].to(product)
        mean = torch.einsum("bhqn,h->bqn", product, weights) / weights.sum().clamp_min(1)
        relevance = _start(mean) if relevance is None else relevance
        relevance = relevance + mean @ relevance if mean.shape[1] == mean.shape[2] else mean
    assert relevance is not None
    return pooled_row(relevance, tower)


def rollout(capture: AttentionCapture, heads: Tensor, layers: Sequence[int], tower: Tower) -> Tensor:
    """[b, n] of every token: the pooled row of the product over layers of (Ā + I)/2, Ā the mean over heads (Abnar and
    Zuidema 2020). heads [l, h]: which heads count.
    """
    flow: Tensor | None = None
    for layer in layers:
        a = wide(capture.attention[layer].detach())
        weights = heads[layer].to(a)
        mean = torch.einsum("bhqn,h->bqn", a, weights) / weights.sum().clamp_min(1)
        if mean.shape[1] != mean.shape[2]:
            return pooled_row(mean, tower)
        flow = _start(mean) if flow is None else flow
        flow = 0.5 * (mean @ flow + flow)
    assert flow is not None
    return pooled_row(flow, tower)


def raw_attention(capture: AttentionCapture, heads: Tensor, layers: Sequence[int], tower: Tower) -> Tensor:
    """[b, n] of every token: the pooled row of the attention, mean over the heads that count [l, h]."""
    total, count = torch.zeros((), dtype=torch.float32), 0.0
    for layer in layers:
        a = wide(capture.attention[layer].detach())
        weights = heads[layer].to(a)
        total = total.to(a.device) + pooled_row(torch.einsum("bhqn,h->bqn", a, weights), tower)
        count += float(weights.sum())
    return total / max(1.0, count)


def wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def pooled_row(table: Tensor, tower: Tower) -> Tensor:
    """[b, n] of [b, queries, n]: the row of the class token (of an attention pool's one query), or the mean of the
    patches' rows.
    """
    return table[:, 0] if tower.pool in ("cls", "attention") else table[:, tower.prefix :].mean(1)


def _start(like: Tensor) -> Tensor:
    return torch.eye(like.shape[-1], dtype=like.dtype, device=like.device).expand(len(like), -1, -1)
