"""What a model is: its geometry and a fingerprint of its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import torch

from toolkit.core.tower import Pool, Tower


@dataclass(frozen=True)
class ModelCard:
    """Geometry of an image tower.

    layers, heads (per layer), head_dim k, width w of the residual stream, embed_dim d. grid: (rows, columns) of
    patches. image_size: (height, width) in pixels. pool: how the embedding reads the last layer. logit_scale: the
    checkpoint's, as a factor. mean, std: the normalisation of its preprocess. precision, device: as the weights are
    now. fingerprint: digest of the weights (names, shapes and a sample of every tensor).
    """

    id: str
    fingerprint: str
    layers: int
    heads: int
    head_dim: int
    width: int
    embed_dim: int
    grid: tuple[int, int]
    image_size: tuple[int, int]
    pool: Pool
    logit_scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    precision: str
    device: str

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values."""
        return asdict(self)


def fingerprint(clip: Any) -> str:
    """A digest of a model's weights, 16 hex digits: every name, shape and type, and up to 1,024 evenly spaced values
    of each.
    """
    digest = blake2b(digest_size=8)
    for name, tensor in clip.state_dict().items():
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        flat = tensor.detach().flatten()
        sample = flat[:: max(1, len(flat) // 1024)]
        digest.update(sample.to("cpu", torch.float64).numpy().tobytes())
    return digest.hexdigest()


def card_of(clip: Any, tower: Tower, name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> ModelCard:
    """The card of a model."""
    visual = clip.visual
    size = visual.image_size
    height, width = (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))
    grid = getattr(visual, "grid_size", None) or (height // 32, width // 32)
    proj = tower.proj
    embed = proj.shape[1] if proj is not None else tower.width
    weight = tower.blocks[0].out_weight
    scale = getattr(clip, "logit_scale", None)
    return ModelCard(
        id=name, fingerprint=fingerprint(clip), layers=len(tower.blocks), heads=tower.heads, head_dim=tower.head_dim,
        width=tower.blocks[0].out_weight.shape[1] if tower.pool == "attention" else tower.width, embed_dim=int(embed),
        grid=(int(grid[0]), int(grid[1])), image_size=(height, width), pool=tower.pool,
        logit_scale=float(scale.detach().float().exp().mean()) if scale is not None else 100.0,
        mean=mean, std=std, precision=str(weight.dtype).removeprefix("torch."), device=str(weight.device),
    )  # fmt: skip
