"""Tiny random models of every supported family, all biases and norms non-trivial; and plain, slow decompositions."""

from __future__ import annotations

from typing import Any

import open_clip
import torch
from torch import Tensor

TEXT = {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "patch_size": 8, "layers": 3, "width": 64, "head_width": 16}
FAMILIES: dict[str, dict[str, Any]] = {
    "vit": {},
    "vit-quickgelu": {"quick_gelu": True},
    "vit-wide-image": {"vision": {"image_size": (32, 48)}},
    "vit-finer-grid": {"vision": {"image_size": 48}},
    "vit-layerscale": {"vision": {"ls_init_value": 0.3}},
    "vit-no-ln-pre": {"vision": {"no_ln_pre": True}},
    "vit-eps": {"vision": {"norm_kwargs": {"eps": 1e-3}}},
    "vit-norm-after-pool": {"vision": {"final_ln_after_pool": True}},
    "vit-custom-attention": {"vision": {"block_type": "custom", "qk_norm": True, "scale_heads": True}},
    "clipa": {
        "vision": {"pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True, "pos_embed_type": "sin_cos_2d"}
    },
    "average-pool-of-normed": {"vision": {"pool_type": "avg"}},
    "resnet": {"resnet": {"layers": [1, 1, 1, 1], "width": 8, "head_width": 64, "image_size": 64}},
}


def build(family: str, dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    """A tiny open_clip CLIP of a family, in eval mode; its norms, biases and batch statistics are all random."""
    spec = FAMILIES[family]
    torch.manual_seed(seed)
    vision = spec.get("resnet") or {**VIT, **spec.get("vision", {})}
    clip = open_clip.CLIP(48, vision, TEXT, quick_gelu=spec.get("quick_gelu", False)).eval()
    for name, p in clip.named_parameters():
        if p.ndim <= 1 and name != "logit_scale":
            p.data.normal_(0.4, 0.5)
        elif p.ndim > 1 and "positional" not in name:
            p.data += 0.02 * torch.randn_like(p)
    for name, b in clip.named_buffers():
        if name.endswith("running_mean"):
            b.normal_(0, 0.2)
        elif name.endswith("running_var"):
            b.uniform_(0.5, 1.5)
    return clip.to(dtype)


def pictures(clip: Any, n: int, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    """Random preprocessed images for a model."""
    size = clip.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(
        dtype
    )


def literal_parts(clip: Any, images: Tensor) -> dict[str, Tensor]:
    """Head, MLP, bias and constant parts of a ViT (convention `separate`, unit scale), one head and token at a time.

    An own forward in the order of the formulas of methods §1, with explicit softmax attention; no shared code.
    """
    v = clip.visual
    z = v._embeds(images)
    stream = [("embedding", z)]
    for block in v.transformer.resblocks:
        x, attn = block.ln_1(z), block.attn
        w = x.shape[-1]
        q, k, val = (x @ attn.in_proj_weight.split(w)[i].T + attn.in_proj_bias.split(w)[i] for i in range(3))
        hd = w // attn.num_heads
        out = torch.zeros_like(x)
        gamma1 = block.ls_1.gamma if hasattr(block.ls_1, "gamma") else torch.ones(w, dtype=x.dtype)
        gamma2 = block.ls_2.gamma if hasattr(block.ls_2, "gamma") else torch.ones(w, dtype=x.dtype)
        for h in range(attn.num_heads):
            s = slice(h * hd, (h + 1) * hd)
            a = torch.softmax(q[..., s] @ k[..., s].transpose(1, 2) / hd**0.5, -1)
            part = (a @ val[..., s]) @ attn.out_proj.weight[:, s].T * gamma1
            stream.append(("head", part))
            out = out + part
        stream.append(("bias", (attn.out_proj.bias * gamma1).expand_as(x)))
        z = z + out + attn.out_proj.bias * gamma1
        mlp = block.mlp(block.ln_2(z)) * gamma2
        stream.append(("mlp", mlp))
        z = z + mlp
    return _read(v, stream, z)


def _read(v: Any, stream: list[tuple[str, Tensor]], z: Tensor) -> dict[str, Tensor]:
    gamma, beta, eps, proj = v.ln_post.weight, v.ln_post.bias, v.ln_post.eps, v.proj
    if v.pool_type == "tok":
        stream, z = [(n, t[:, :1]) for n, t in stream], z[:, :1]
    elif v.final_ln_after_pool:
        stream, z = [(n, t[:, 1:].mean(1, keepdim=True)) for n, t in stream], z[:, 1:].mean(1, keepdim=True)
    else:
        stream, z = [(n, t[:, 1:]) for n, t in stream], z[:, 1:]
    sigma = ((z - z.mean(-1, keepdim=True)).pow(2).mean(-1, keepdim=True) + eps).sqrt()
    read = [(n, ((t - t.mean(-1, keepdim=True)) / sigma * gamma).mean(1) @ proj) for n, t in stream]
    total = sum(t for _, t in read) + beta @ proj
    norm = total.norm(dim=-1, keepdim=True)
    layers = len(v.transformer.resblocks)
    stack = {
        name: torch.stack([t for n, t in read if n == name], 1) / norm[:, None]
        for name in ("head", "bias", "mlp", "embedding")
    }
    return {
        "heads": stack["head"].unflatten(1, (layers, -1)),
        "biases": stack["bias"],
        "mlps": torch.cat([stack["embedding"], stack["mlp"]], 1),
        "constant": (beta @ proj) / norm,
        "embedding": total / norm,
        "norm": norm[:, 0],
    }
