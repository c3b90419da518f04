"""A ViT's forward written out with explicit softmax attention, and token maps, LeGrad, GAME and rollout by plain loops.

Nothing here shares code with the toolkit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Plain:
    """One forward; attention [b, h, q, n] of every layer is a leaf of the graph of what follows it."""

    def __init__(self, clip: Any, images: Tensor) -> None:
        self.visual = v = clip.visual
        self.attention: list[Tensor] = []
        self.values: list[Tensor] = []
        self.streams: list[Tensor] = []
        z = v._embeds(images).detach()
        for block in v.transformer.resblocks:
            z = z + self._attend(block, block.ln_1(z))
            gamma = block.ls_2.gamma if hasattr(block.ls_2, "gamma") else 1.0
            z = z + block.mlp(block.ln_2(z)) * gamma
            self.streams.append(z)
        self.embedding = self.read(z)

    def _attend(self, block: Any, x: Tensor) -> Tensor:
        attn = block.attn
        w, hd = x.shape[-1], x.shape[-1] // attn.num_heads
        q, k, v = (x @ attn.in_proj_weight.split(w)[i].T + attn.in_proj_bias.split(w)[i] for i in range(3))
        heads, kept = [], []
        for h in range(attn.num_heads):
            s = slice(h * hd, (h + 1) * hd)
            heads.append(torch.softmax(q[..., s] @ k[..., s].transpose(1, 2) / hd**0.5, -1))
            kept.append(v[..., s])
        a, values = torch.stack(heads, 1), torch.stack(kept, 1)
        a = a if a.requires_grad else a.detach().requires_grad_()
        self.attention.append(a)
        self.values.append(values)
        out = (a @ values).transpose(1, 2).flatten(2) @ attn.out_proj.weight.T + attn.out_proj.bias
        return out * (block.ls_1.gamma if hasattr(block.ls_1, "gamma") else 1.0)

    def read(self, z: Tensor) -> Tensor:
        v = self.visual
        if v.pool_type == "tok":
            return v.ln_post(z[:, 0]) @ v.proj
        if v.final_ln_after_pool:
            return v.ln_post(z[:, 1:].mean(1)) @ v.proj
        return v.ln_post(z[:, 1:]).mean(1) @ v.proj


def plain_tokens(clip: Any, images: Tensor, t: Tensor) -> Tensor:
    """[b, l, h, n]: what every token gives to the cosine with t through every head, one at a time."""
    with torch.no_grad():
        run = Plain(clip, images)
        v, z = clip.visual, run.streams[-1]
        gamma, eps, norm = v.ln_post.weight, v.ln_post.eps, run.embedding.norm(dim=-1)
        patches = range(1, z.shape[1])
        queries = [0] if v.pool_type == "tok" else list(patches)
        out = torch.zeros(len(images), len(run.attention), run.attention[0].shape[1], z.shape[1], dtype=images.dtype)
        for layer, block in enumerate(v.transformer.resblocks):
            scale = block.ls_1.gamma if hasattr(block.ls_1, "gamma") else torch.ones(z.shape[2], dtype=z.dtype)
            hd = z.shape[2] // block.attn.num_heads
            for h in range(out.shape[2]):
                rows = block.attn.out_proj.weight[:, h * hd : (h + 1) * hd]
                for n in range(z.shape[1]):
                    for q in queries:
                        written = run.attention[layer][:, h, q, n, None] * (run.values[layer][:, h, n] @ rows.T) * scale
                        written = written - written.mean(-1, keepdim=True)
                        seen = z[:, 1:].mean(1) if v.pool_type != "tok" and v.final_ln_after_pool else z[:, q]
                        sigma = (seen.var(-1, correction=0) + eps).sqrt()
                        part = (written / sigma[:, None] * gamma) @ v.proj @ t
                        out[:, layer, h, n] += part / norm / len(queries)
        return out


def plain_legrad(clip: Any, images: Tensor, t: Tensor) -> Tensor:
    """[b, n], over all layers."""
    run = Plain(clip, images)
    total = torch.zeros(len(images), run.attention[0].shape[-1], dtype=images.dtype)
    for a, z in zip(run.attention, run.streams, strict=True):
        e = run.read(z)
        score = sum((row / row.norm()) @ t for row in e)
        (gradient,) = torch.autograd.grad(score, a, retain_graph=True)
        for h in range(a.shape[1]):
            for q in range(a.shape[2]):
                total += torch.relu(gradient[:, h, q]) / (a.shape[1] * a.shape[2])
    return total / len(run.attention)


def plain_game(clip: Any, images: Tensor, t: Tensor, layers: int) -> Tensor:
    """[b, n], through the last `layers` layers."""
    run = Plain(clip, images)
    score = sum((row / row.norm()) @ t for row in run.embedding)
    out = []
    gradients = torch.autograd.grad(score, run.attention)
    for b in range(len(images)):
        n = run.attention[0].shape[-1]
        r = torch.eye(n, dtype=images.dtype)
        for layer in range(len(run.attention) - layers, len(run.attention)):
            r = r + torch.relu(gradients[layer][b] * run.attention[layer][b]).mean(0) @ r
        out.append(r[0] if clip.visual.pool_type == "tok" else r[1:].mean(0))
    return torch.stack(out).detach()


def plain_rollout(clip: Any, images: Tensor) -> Tensor:
    """[b, n]."""
    with torch.no_grad():
        run = Plain(clip, images)
    out = []
    for b in range(len(images)):
        flow = torch.eye(run.attention[0].shape[-1], dtype=images.dtype)
        for a in run.attention:
            flow = (0.5 * a[b].mean(0) + 0.5 * torch.eye(len(flow), dtype=images.dtype)) @ flow
        out.append(flow[0] if clip.visual.pool_type == "tok" else flow[1:].mean(0))
    return torch.stack(out).detach()
