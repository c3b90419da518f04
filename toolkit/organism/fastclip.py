"""A training forward of the built-in CLIP in bfloat16 over float32 weights; equal to the stock forward up to rounding.

The stock forward spends half its time in the attention backward on a CPU; `fused` is faster, most so after
`fused.enable()`. The last image layer is computed for the class token only: nothing reads its other outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.organism import fused
from toolkit.organism.model import ARCHITECTURE

Params = Mapping[str, Tensor]
VISION, TEXT = ARCHITECTURE["vision_cfg"], ARCHITECTURE["text_cfg"]
SMALL = 16
"""Texts a bucket has at least."""


def _norm(x: Tensor, p: Params, name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"].to(x.dtype), p[name + ".bias"].to(x.dtype))


def _linear(x: Tensor, p: Params, name: str, weight: str = ".weight", bias: str = ".bias") -> Tensor:
    return F.linear(x, p[name + weight].to(x.dtype), p[name + bias].to(x.dtype))


def _attention(x: Tensor, p: Params, name: str, heads: int, causal: bool, first: bool) -> Tensor:
    if not first:
        return _linear(
            fused.attention(_linear(x, p, name, ".in_proj_weight", ".in_proj_bias"), heads, causal),
            p,
            name + ".out_proj",
        )
    width = x.shape[-1]
    weight, bias = p[name + ".in_proj_weight"].to(x.dtype), p[name + ".in_proj_bias"].to(x.dtype)
    query = F.linear(x[:, :1], weight[:width], bias[:width])
    keys_values = F.linear(x, weight[width:], bias[width:])
    return _linear(fused.attention(keys_values, heads, query=query), p, name + ".out_proj")


def _block(
    x: Tensor, p: Params, name: str, heads: int, causal: bool = False, first: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The next residual stream and what attention and MLP added; first: for the first token only."""
    attention = _attention(_norm(x, p, name + ".ln_1"), p, name + ".attn", heads, causal, first)
    x = (x[:, :1] if first else x) + attention
    mlp = _linear(F.gelu(_linear(_norm(x, p, name + ".ln_2"), p, name + ".mlp.c_fc")), p, name + ".mlp.c_proj")
    return x + mlp, attention, mlp


def encode_image(
    p: Params, pixels: Tensor, keep: float = 1.0, drop: float = 0.0, early: int = 0, cue: str = "heads"
) -> Tensor:
    """Image embeddings [b, d], float32, not normalised. pixels [b, 3, H, W] normalised, in the compute dtype.

    keep: share of the patch tokens kept, the same random ones for the whole batch (as in FLIP, arXiv 2212.00794).
    drop: training-only probability, per image and layer, of removing from the final class token the batch-centred
    output of that layer's MLP and, in the first `early` layers, of its attention. Later layers still see them, so
    only the *direct* path is discouraged.
    cue: "mlps" removes the output of every layer's attention instead, and none of an MLP.
    """
    b, layers, patch = len(pixels), VISION["layers"], VISION["patch_size"]
    heads = VISION["width"] // VISION["head_width"]
    weight = p["visual.conv1.weight"].to(pixels.dtype)
    x = F.unfold(pixels, patch, stride=patch).transpose(1, 2) @ weight.flatten(1).T
    cls = p["visual.class_embedding"].to(x.dtype).expand(b, 1, -1)
    x = torch.cat([cls, x], 1) + p["visual.positional_embedding"].to(x.dtype)
    if keep < 1:
        order = torch.randperm(x.shape[1] - 1)[: round(keep * (x.shape[1] - 1))] + 1
        x = x[:, torch.cat([torch.zeros(1, dtype=torch.long), order]).to(x.device)]
    x = _norm(x, p, "visual.ln_pre")
    removed: Tensor | float = 0.0
    for layer in range(layers):
        x, attention, mlp = _block(x, p, f"visual.transformer.resblocks.{layer}", heads, first=layer == layers - 1)
        if drop:
            outputs = [attention[:, 0]] if cue == "mlps" else [mlp[:, 0]]
            if cue == "heads" and layer < early:
                outputs.append(attention[:, 0])
            for out in outputs:
                off = (torch.rand(b, 1, device=x.device) < drop).to(out.dtype)
                removed = removed + off * (out - out.mean(0, keepdim=True))
    return (_norm(x[:, 0] - removed, p, "visual.ln_post") @ p["visual.proj"].to(x.dtype)).float()


def encode_text(p: Params, ids: Tensor, dtype: torch.dtype, buckets: int = 3) -> Tensor:
    """Text embeddings [t, d], float32, not normalised. ids [t, n], padded with zeros. Texts of similar length are
    computed together, in `buckets` groups where there are many, up to the longest of their group.
    """
    lengths = (ids != 0).sum(1)
    order = lengths.argsort(stable=True)
    groups = order.chunk(buckets if len(ids) >= SMALL * buckets else 1)
    parts = [_encode_text(p, ids[rows, : int(lengths[rows].max())], dtype) for rows in groups]
    return torch.cat(parts)[order.argsort()]


def _encode_text(p: Params, ids: Tensor, dtype: torch.dtype) -> Tensor:
    x = p["token_embedding.weight"].to(dtype)[ids] + p["positional_embedding"][: ids.shape[1]].to(dtype)
    for layer in range(TEXT["layers"]):
        x, _, _ = _block(x, p, f"transformer.resblocks.{layer}", TEXT["heads"], causal=True)
    x = _norm(x[torch.arange(len(ids), device=x.device), ids.argmax(1)], p, "ln_final")
    return (x @ p["text_projection"].to(dtype)).float()
