"""What capture and readout need to know about an image tower: which tensors do what, and how it pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Pool = Literal["cls", "mean_then_norm", "norm_then_mean", "attention", "attention_trunk"]
"""How the embedding reads the last layer: the class token; the mean of the patches, normalised after or before taking
the mean; or an attention pool, whose heads are the parts ("attention"), or whose attention and norm are frozen so that
the trunk's heads are ("attention_trunk")."""


@dataclass(frozen=True, eq=False)
class Norm:
    """A LayerNorm by its tensors [n] and eps; bias None: without one."""

    weight: Tensor
    bias: Tensor | None
    eps: float


@dataclass(frozen=True, eq=False)
class Block:
    """One attention layer and its MLP, by the tensors that identify them in the model's own forward.

    out_weight [w, h·k] and out_bias [w]: the attention's output projection. out_scale, mlp_scale [w]: LayerScale, or
    None. mlp_weight: the last matrix of the MLP, or the weight of the norm behind it; None where the layer has no MLP.
    norm: weight of the first call that reads the residual stream before the attention (a norm, or in post-norm blocks
    the projection of queries); None without a stream. head_scale [h]: what the layer multiplies its mixes by before the
    output projection, or None. inner: the norm of all heads together before the output projection. after: the norm
    behind the output projection (post-norm blocks).
    """

    out_weight: Tensor
    out_bias: Tensor | None
    out_scale: Tensor | None = None
    mlp_weight: Tensor | None = None
    mlp_scale: Tensor | None = None
    norm: Tensor | None = None
    head_scale: Tensor | None = None
    inner: Norm | None = None
    after: Norm | None = None


@dataclass(frozen=True, eq=False)
class Reader:
    """An attention pool whose attention is frozen (methods §1, the trunk's view).

    norm: what normalises the trunk's tokens before the pool. value_weight [h·k, w], value_bias, out_weight [w, h·k],
    out_bias: of the pool's attention, h heads. mlp_weight: the last matrix of the MLP beside it, or None.
    """

    norm: Norm
    value_weight: Tensor
    value_bias: Tensor | None
    out_weight: Tensor
    out_bias: Tensor | None
    heads: int
    mlp_weight: Tensor | None


@dataclass(frozen=True, eq=False)
class Tower:
    """An image tower as a sum: blocks, heads per layer, pooling, and the linear readout after the last norm.

    first_norm: the first block's `norm`, whose input is the embedding term. norm_weight, norm_bias [w] and eps: the
    last LayerNorm (None: there is none). proj [w, d], or None for the identity; proj_bias [d], or None. prefix: tokens
    before the patches (class token, registers). reader: of an "attention_trunk" alone.
    """

    blocks: tuple[Block, ...]
    heads: int
    pool: Pool
    first_norm: Tensor | None
    norm_weight: Tensor | None
    norm_bias: Tensor | None
    eps: float
    proj: Tensor | None
    proj_bias: Tensor | None = None
    prefix: int = 1
    reader: Reader | None = None

    @property
    def width(self) -> int:
        """Numbers per token of the residual stream (of the pooled vector where there is none)."""
        return self.blocks[0].out_weight.shape[0]

    @property
    def pooled(self) -> int:
        """Numbers that the projection reads; of the embedding where there is none."""
        if self.proj is not None:
            return int(self.proj.shape[0])
        return self.width if self.reader is None else self.reader.out_weight.shape[0]

    @property
    def head_dim(self) -> int:
        """k: numbers per head before the output projection (times the pool's heads in an "attention_trunk")."""
        own = self.blocks[0].out_weight.shape[1] // self.heads
        return own if self.reader is None else own * self.reader.heads

    @property
    def fixed_biases(self) -> bool:
        """Whether a layer's output bias writes the same vector for every image (up to the last norm's scale)."""
        return self.reader is None and all(block.after is None for block in self.blocks)

    @property
    def terms(self) -> int:
        """Terms besides the heads: the embedding term, the MLPs, the MLP of an attention pool."""
        own = (self.first_norm is not None) + sum(block.mlp_weight is not None for block in self.blocks)
        return own + (self.reader is not None and self.reader.mlp_weight is not None)

    def tensors(self) -> list[Tensor]:
        """Every tensor the readout is made of."""
        found = [self.norm_weight, self.norm_bias, self.proj, self.proj_bias]
        norms = [self.reader.norm] if self.reader is not None else []
        for block in self.blocks:
            found += [block.out_weight, block.out_bias, block.out_scale]
            norms += [norm for norm in (block.inner, block.after) if norm is not None]
        for norm in norms:
            found += [norm.weight, norm.bias]
        if self.reader is not None:
            r = self.reader
            found += [r.value_weight, r.value_bias, r.out_weight, r.out_bias]
        return [t for t in found if t is not None]
