"""The linear map from what heads and MLPs write to the joint image–text space: fixed per model."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.tower import Tower


@dataclass(frozen=True, eq=False)
class Readout:
    """Linear readout of a tower (methods §1; G24 §3): output projections, the last norm's weight, the projection P.

    All maps send a part to the joint space [d] before the division by σ and R. head_map A [l, h, k, d] = W_O C diag(γ)
    P and bias_map [l, d], the same of b_O (convention `separate`). head_means [l, h, k], bias_means [l]: what centring
    took from every row of W_O and from b_O. mean_map γ P [d]: what one unit of the stream's mean is worth. constant β P
    [d]. normed: whether there is a last LayerNorm. gamma [w], proj [w, d] (None: the identity): the readout itself, of
    a live model.
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
        return _project(x - x.mean(-1, keepdim=True) if centred and self.normed else x, self.gamma, self.proj)


def _project(x: Tensor, gamma: Tensor, proj: Tensor | None) -> Tensor:
    return x * gamma if proj is None else (x * gamma) @ proj


@full_precision
def readout_of(tower: Tower, dtype: torch.dtype, device: torch.device) -> Readout:
    """The readout of a tower. dtype, device: those of the traces it will be applied to."""

    def cast(t: Tensor) -> Tensor:
        return t.detach().to(device=device, dtype=dtype).clone()

    # made once and kept, so it must carry nothing of the mode the first call happened to run in
    with torch.inference_mode(False), torch.no_grad():
        normed = tower.norm_weight is not None
        ones = torch.ones(tower.width, dtype=dtype, device=device)
        gamma = ones if tower.norm_weight is None else cast(tower.norm_weight)
        beta = torch.zeros_like(ones) if tower.norm_bias is None else cast(tower.norm_bias)
        proj = None if tower.proj is None else cast(tower.proj)
        rows, biases = [], []
        for block in tower.blocks:
            scale = ones if block.out_scale is None else cast(block.out_scale)
            rows.append((cast(block.out_weight) * scale[:, None]).T.unflatten(0, (tower.heads, -1)))
            biases.append(torch.zeros_like(ones) if block.out_bias is None else cast(block.out_bias) * scale)
        out, bias = torch.stack(rows), torch.stack(biases)
        head_means, bias_means = out.mean(-1) * normed, bias.mean(-1) * normed
        return Readout(
            head_map=_project(out - head_means[..., None], gamma, proj), head_means=head_means,
            bias_map=_project(bias - bias_means[:, None], gamma, proj), bias_means=bias_means,
            mean_map=_project(ones, gamma, proj) * float(normed), constant=beta if proj is None else beta @ proj,
            normed=normed, gamma=gamma, proj=proj,
        )  # fmt: skip
