"""What a model is: its geometry and a fingerprint of its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import torch

from toolkit.core.threads import Threads
from toolkit.core.tower import Pool, Tower
from toolkit.models.wrappers import plain_name
from toolkit.signs import counted


@dataclass(frozen=True)
class ModelCard:
    """Geometry of an image tower, and a fingerprint of the weights.

    Attributes:
        id: the model's name.
        fingerprint: digest of all weights, the text tower's too; 16 hex digits.
        layers: l.
        heads: h, per layer.
        head_dim: k.
        width: w, of the residual stream.
        embed_dim: d.
        grid: (rows, columns) of patches.
        image_size: (height, width) in pixels.
        pool: how the embedding reads the last layer.
        logit_scale: the checkpoint's, as a factor.
        mean: of the normalisation of its preprocess, per channel.
        std: of the normalisation of its preprocess, per channel.
        precision: of the weights as they are now.
        device: of the weights as they are now.
        terms: parts besides the heads (embedding term, MLPs, the MLP of an attention pool).
        prefix: tokens before the patches (class token, registers).
        fixed_biases: whether the attention biases write the same for every image.
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
    terms: int = 0
    prefix: int = 1
    fixed_biases: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values."""
        return asdict(self)


def fingerprint(clip: Any) -> str:
    """A digest of a model's weights, 16 hex digits: every name, shape, type and byte."""

    def digest(item: tuple[str, torch.Tensor]) -> bytes:
        name, tensor = item
        raw: Any = tensor.detach().contiguous().flatten().view(torch.uint8).cpu().numpy()
        return sha256(f"{plain_name(name)}{tuple(tensor.shape)}{tensor.dtype}".encode() + sha256(raw).digest()).digest()

    state = clip.state_dict()
    with Threads() as pool:  # hashing lets go of the interpreter lock
        digests = counted(pool.results(digest, state.items()), "read the weights", "tensor", len(state))
        return sha256(b"".join(digests)).hexdigest()[:16]


def image_size(clip: Any) -> tuple[int, int]:
    """(height, width) in pixels that an image tower takes."""
    size = clip.visual.image_size
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1]))


def card_of(clip: Any, tower: Tower, name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> ModelCard:
    """The card of a model."""
    visual = clip.visual
    height, width = image_size(clip)
    stem = getattr(getattr(visual, "trunk", None), "patch_embed", visual)
    grid = getattr(stem, "grid_size", None) or (height // 32, width // 32)  # a ResNet's
    frozen = tower.pool == "attention_trunk"  # other heads are the parts, so results must not be mixed up
    proj = tower.proj
    embed = proj.shape[1] if proj is not None else tower.width
    weight = tower.blocks[0].out_weight
    scale = getattr(clip, "logit_scale", None)
    return ModelCard(
        id=name + " (trunk)" * frozen, fingerprint=fingerprint(clip) + "-trunk" * frozen, layers=len(tower.blocks),
        heads=tower.heads, head_dim=tower.head_dim,
        width=tower.blocks[0].out_weight.shape[1] if tower.pool == "attention" else tower.width, embed_dim=int(embed),
        grid=(int(grid[0]), int(grid[1])), image_size=(height, width), pool=tower.pool,
        logit_scale=float(scale.detach().float().exp().mean()) if scale is not None else 100.0,
        mean=mean, std=std, precision=str(weight.dtype).removeprefix("torch."), device=str(weight.device),
        terms=tower.terms, prefix=tower.prefix, fixed_biases=tower.fixed_biases,
    )  # fmt: skip
