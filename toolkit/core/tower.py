"""What capture and readout need to know about an image tower: which tensors do what, and how it pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Pool = Literal["cls", "mean_then_norm", "norm_then_mean", "attention"]
"""How the embedding reads the last layer: the class token; the mean of the patches, normalised after or before taking
the mean; or one attention layer on top of a convolutional trunk (ModifiedResNet)."""


@dataclass(frozen=True, eq=False)
class Block:
    """One attention layer and its MLP, by the tensors that identify them in the model's own forward.

    out_weight [w, h·k] and out_bias [w]: the attention's output projection. out_scale, mlp_scale [w]: LayerScale, or
    None. mlp_weight: the last matrix of the MLP; None where the layer has no MLP. norm: weight of the norm before the
    attention, whose input is the residual stream; None without a stream. head_scale [h]: what the layer multiplies its
    mixes by before the output projection, or None.
    """

    out_weight: Tensor
    out_bias: Tensor | None
    out_scale: Tensor | None = None
    mlp_weight: Tensor | None = None
    mlp_scale: Tensor | None = None
    norm: Tensor | None = None
    head_scale: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Tower:
    """An image tower as a sum: blocks, heads per layer, pooling, and the linear readout after the last norm.

    first_norm: weight of the first block's pre-norm, whose input is the embedding term. norm_weight, norm_bias [w] and
    eps: the last LayerNorm (None: there is none). proj [w, d], or None for the identity.
    """

    blocks: tuple[Block, ...]
    heads: int
    pool: Pool
    first_norm: Tensor | None
    norm_weight: Tensor | None
    norm_bias: Tensor | None
    eps: float
    proj: Tensor | None

    @property
    def width(self) -> int:
        """Numbers per token of the residual stream (of the pooled vector where there is none)."""
        return self.blocks[0].out_weight.shape[0]

    @property
    def head_dim(self) -> int:
        """k: numbers per head before the output projection."""
        return self.blocks[0].out_weight.shape[1] // self.heads

    def tensors(self) -> list[Tensor]:
        """Every tensor the readout is made of."""
        found = [self.norm_weight, self.norm_bias, self.proj]
        for block in self.blocks:
            found += [block.out_weight, block.out_bias, block.out_scale]
        return [t for t in found if t is not None]
