"""The linear map from what heads and MLPs write to the joint image–text space: fixed per model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from toolkit.core.pooling import fixed_bias
from toolkit.core.precision import full_precision
from toolkit.core.tower import Block, Reader, Tower


@dataclass(frozen=True, eq=False)
class Readout:
    """Linear readout of a tower (methods §1; G24 §3): output projections, the last norm's weight, the projection P.

    All maps send a part to the joint space [d] before the division by σ and R. head_map A [l, h, k, d] = W_O C diag(γ)
    P and bias_map [l, d], the same of b_O (convention `separate`). head_means [l, h, k], bias_means [l]: what centring
    took from every row of W_O and from b_O. mean_map γ P [d]: what one unit of the stream's mean is worth. constant β P
    [d]. normed: whether there is a last LayerNorm. Of a live model: gamma [w], proj [w, d] (None: the identity), the
    readout itself; streams, how many weighted copies of the residual stream stand side by side before it (0 but for a
    frozen attention pool, whose every head reads one); tail [w', d], what the output of that pool's MLP goes through.
    """

    head_map: Tensor
    head_means: Tensor
    bias_map: Tensor
    bias_means: Tensor
    mean_map: Tensor
    constant: Tensor
    normed: bool = True
    gamma: Tensor | None = None
    proj: Tensor | None = None
    streams: int = 0
    tail: Tensor | None = None

    def to(self, *args: Any) -> Readout:
        """The same readout in another type or on another device."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {name: v.to(*args) for name, v in values.items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    @cached_property
    def head_map_uncentred(self) -> Tensor:
        """[l, h, k, d]: W_O diag(γ) P, for the convention `reference`."""
        return self.head_map + self.head_means[..., None] * self.mean_map

    @property
    def bias_map_uncentred(self) -> Tensor:
        """[l, d]: b_O diag(γ) P."""
        return self.bias_map + self.bias_means[:, None] * self.mean_map

    @property
    def residual_terms(self) -> int:
        """n: the number of terms the residual stream is a sum of (attention, MLPs, embedding); 1 without a stream."""
        return 2 * len(self.bias_map) + 1 if self.normed else 1

    @full_precision
    def project(self, x: Tensor, centred: bool) -> Tensor:
        """[..., w] → [..., d]: x diag(γ) P, of the centred x where asked (C = I − 11ᵀ/w)."""
        assert self.gamma is not None, "this readout came from a store: it maps parts, not the residual stream"
        if centred and self.streams:
            each = x.unflatten(-1, (self.streams, -1))
            x = (each - each.mean(-1, keepdim=True)).flatten(-2)
        elif centred and self.normed:
            x = x - x.mean(-1, keepdim=True)
        return _project(x, self.gamma, self.proj)


def _project(x: Tensor, gamma: Tensor, proj: Tensor | None) -> Tensor:
    return x * gamma if proj is None else (x * gamma) @ proj


@full_precision
def readout_of(tower: Tower, dtype: torch.dtype, device: torch.device) -> Readout:
    """The readout of a tower. dtype, device: those of the traces it will be applied to."""

    def cast(t: Tensor) -> Tensor:
        return t.detach().to(device=device, dtype=dtype).clone()

    # made once and kept, so it must carry nothing of the mode the first call happened to run in
    with torch.inference_mode(False), torch.no_grad():
        rows, biases = zip(*(_writes(block, tower.heads, cast) for block in tower.blocks), strict=True)
        out, bias = torch.stack(rows), torch.stack(biases)
        proj = None if tower.proj is None else cast(tower.proj)
        if tower.reader is not None:
            return _frozen(tower.reader, out, bias, proj, None if tower.proj_bias is None else cast(tower.proj_bias))
        normed = tower.norm_weight is not None
        ones = torch.ones(tower.width, dtype=dtype, device=device)
        gamma = ones if tower.norm_weight is None else cast(tower.norm_weight)
        beta = torch.zeros_like(ones) if tower.norm_bias is None else cast(tower.norm_bias)
        constant = beta if proj is None else beta @ proj
        head_means, bias_means = out.mean(-1) * normed, bias.mean(-1) * normed
        return Readout(
            head_map=_project(out - head_means[..., None], gamma, proj), head_means=head_means,
            bias_map=_project(bias - bias_means[:, None], gamma, proj), bias_means=bias_means,
            mean_map=_project(ones, gamma, proj) * float(normed),
            constant=constant if tower.proj_bias is None else constant + cast(tower.proj_bias),
            normed=normed, gamma=gamma, proj=proj,
        )  # fmt: skip


def _writes(block: Block, heads: int, cast: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """What a layer's heads [h, k, w] and biases [w] write into the stream, linear once the scales of the norms on the
    way are given: C diag(γ) for each of them.
    """
    out, inner, after = cast(block.out_weight), block.inner, block.after
    bias = fixed_bias(out, None if block.out_bias is None else cast(block.out_bias), inner, out.dtype)
    if inner is not None:
        out = out * cast(inner.weight)
        out = out - out.mean(1, keepdim=True)
    if after is not None:
        gamma = cast(after.weight)
        out, bias = (out - out.mean(0)) * gamma[:, None], (bias - bias.mean()) * gamma
    if block.out_scale is not None:
        out, bias = out * cast(block.out_scale)[:, None], bias * cast(block.out_scale)
    return out.T.unflatten(0, (heads, -1)), bias


def _frozen(reader: Reader, out: Tensor, bias: Tensor, proj: Tensor | None, proj_bias: Tensor | None) -> Readout:
    """The readout of a trunk through a pool whose attention and norm are frozen: the map M_p = W_V^p W_O^p of every
    head p of the pool stands under that of the one before.

    out [l, h, k, w], bias [l, w]: what the trunk's layers write.
    """

    def cast(t: Tensor) -> Tensor:
        return t.detach().to(out).clone()

    p, w = reader.heads, out.shape[-1]
    value, own = cast(reader.value_weight).unflatten(0, (p, -1)), cast(reader.out_weight)
    through = torch.einsum("pkw,vpk->pwv", value, own.unflatten(1, (p, -1)))
    through = through if proj is None else through @ proj  # [p, w, d]
    gamma = cast(reader.norm.weight)
    centred = (out - out.mean(-1, keepdim=True)) * gamma
    head_map = torch.einsum("lhkw,pwd->lhpkd", centred, through).flatten(2, 3)
    bias_map = ((bias - bias.mean(-1, keepdim=True)) * gamma) @ through.sum(0)
    beta = torch.zeros_like(gamma) if reader.norm.bias is None else cast(reader.norm.bias)
    constant = torch.einsum("w,pwd->d", beta, through)
    for vector, matrix in ((reader.value_bias, own.T), (reader.out_bias, None)):
        if vector is not None:
            written = cast(vector) if matrix is None else cast(vector) @ matrix
            constant = constant + (written if proj is None else written @ proj)
    zero = torch.zeros(head_map.shape[:3]).to(head_map)
    return Readout(
        head_map=head_map, head_means=zero, bias_map=bias_map, bias_means=zero[:, 0, 0],
        mean_map=torch.zeros_like(constant), constant=constant if proj_bias is None else constant + proj_bias,
        normed=False, gamma=gamma.repeat(p), proj=through.reshape(p * w, -1), streams=p,
        tail=torch.eye(w).to(out) if proj is None else proj,
    )  # fmt: skip
