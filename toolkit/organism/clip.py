"""The built-in model as a module of its own: the modules, names and numbers that open_clip gives this architecture.

open_clip takes seconds and hundreds of megabytes to load. Whoever opens the built-in model alone does not pay for it; a
test holds the two against each other, weight by weight and bit by bit.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualAttentionBlock(nn.Module):
    """Attention and an MLP, each behind a norm and added to what it reads: tokens [b, n, w] → [b, n, w]."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(width, hidden))
        self.mlp.add_module("gelu", nn.GELU())
        self.mlp.add_module("c_proj", nn.Linear(hidden, width))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        normed = self.ln_1(tokens)
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        return tokens + self.mlp(self.ln_2(tokens))


class Transformer(nn.Module):
    """A stack of blocks."""

    def __init__(self, width: int, layers: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.width, self.layers = width, layers
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(width, heads, mlp_ratio) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        for block in self.resblocks:
            tokens = block(tokens, mask)
        return tokens


class VisionTransformer(nn.Module):
    """The image tower: images [b, 3, H, W] → embeddings [b, d], read at the class token."""

    def __init__(
        self, image_size: int, patch_size: int, width: int, layers: int, head_width: int, mlp_ratio: float, out: int
    ) -> None:
        super().__init__()
        self.image_size = (image_size, image_size)
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (image_size // patch_size, image_size // patch_size)
        self.output_dim = out
        self.pool_type = "tok"
        self.preprocess_cfg: dict[str, Any] = {}
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(math.prod(self.grid_size) + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, width // head_width, mlp_ratio)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, out))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(images), 1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.positional_embedding
        tokens = self.transformer(self.ln_pre(tokens))
        return self.ln_post(tokens)[:, 0] @ self.proj


class CLIP(nn.Module):
    """The two towers of the built-in model, without numbers of their own yet.

    embed_dim, vision_cfg, text_cfg: as in a config of open_clip.
    """

    attn_mask: Tensor

    def __init__(self, embed_dim: int, vision_cfg: dict[str, Any], text_cfg: dict[str, Any]) -> None:
        super().__init__()
        self.visual = VisionTransformer(**vision_cfg, out=embed_dim)
        self.context_length: int = text_cfg["context_length"]
        self.vocab_size: int = text_cfg["vocab_size"]
        width = text_cfg["width"]
        self.transformer = Transformer(width, text_cfg["layers"], text_cfg["heads"], 4.0)
        self.token_embedding = nn.Embedding(self.vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.zeros(self.context_length, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        later = torch.full((self.context_length, self.context_length), -math.inf).triu(1)
        self.register_buffer("attn_mask", later, persistent=False)

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings [b, d] of preprocessed images [b, 3, H, W]."""
        found: Tensor = self.visual(image)
        return F.normalize(found, dim=-1) if normalize else found

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings [t, d] of token ids [t, n], read at the largest id, which ends a text."""
        tokens = self.token_embedding(text) + self.positional_embedding
        tokens = self.ln_final(self.transformer(tokens, self.attn_mask))
        ends = tokens[torch.arange(len(text), device=text.device), text.argmax(dim=-1)]
        found = ends @ self.text_projection
        return F.normalize(found, dim=-1) if normalize else found

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = self.encode_image(image, normalize=True)
        return images, self.encode_text(text, normalize=True), self.logit_scale.exp()
