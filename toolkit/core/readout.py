"""The linear map from what heads and MLPs write to the joint image–text space: fixed per model."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from toolkit.core.tower import Tower


class Readout:
    """Linear readout of a tower (methods §1; G24 §3): output projections, the last norm's weight, the projection P.

    dtype, device: those of the traces it will be applied to. All maps send a part to the joint space [d] before the
    division by σ and R.
    """

    def __init__(self, tower: Tower, dtype: torch.dtype, device: torch.device) -> None:
        def cast(t: Tensor) -> Tensor:
            return t.detach().to(device=device, dtype=dtype)

        self.heads, self.layers, self.normed = tower.heads, len(tower.blocks), tower.norm_weight is not None
        ones = torch.ones(tower.width, dtype=dtype, device=device)
        self._gamma = ones if tower.norm_weight is None else cast(tower.norm_weight)
        self._beta = torch.zeros_like(ones) if tower.norm_bias is None else cast(tower.norm_bias)
        self._proj = None if tower.proj is None else cast(tower.proj)
        out, bias = [], []
        for block in tower.blocks:
            scale = ones if block.out_scale is None else cast(block.out_scale)
            out.append((cast(block.out_weight) * scale[:, None]).T.unflatten(0, (tower.heads, -1)))
            bias.append(torch.zeros_like(ones) if block.out_bias is None else cast(block.out_bias) * scale)
        self._out, self._out_bias = torch.stack(out), torch.stack(bias)

    @property
    def residual_terms(self) -> int:
        """n: the number of terms the residual stream is a sum of (attention, MLPs, embedding); 1 without a stream."""
        return 2 * self.layers + 1 if self.normed else 1

    def project(self, x: Tensor, centred: bool) -> Tensor:
        """[..., w] → [..., d]: x diag(γ) P, of the centred x where asked (C = I − 11ᵀ/w)."""
        if centred and self.normed:
            x = x - x.mean(-1, keepdim=True)
        x = x * self._gamma
        return x if self._proj is None else x @ self._proj

    @cached_property
    def head_map(self) -> Tensor:
        """A [l, h, k, d] = W_O C diag(γ) P, the convention `separate`."""
        return self.project(self._out, centred=True)

    @cached_property
    def head_map_uncentred(self) -> Tensor:
        """W_O diag(γ) P [l, h, k, d], the convention `reference`."""
        return self.project(self._out, centred=False)

    @cached_property
    def bias_map(self) -> Tensor:
        """b_O C diag(γ) P [l, d]."""
        return self.project(self._out_bias, centred=True)

    @cached_property
    def bias_map_uncentred(self) -> Tensor:
        """b_O diag(γ) P [l, d]."""
        return self.project(self._out_bias, centred=False)

    @cached_property
    def mean_map(self) -> Tensor:
        """γ P [d]: what one unit of the stream's mean is worth."""
        return self.project(torch.ones_like(self._gamma), centred=False) * float(self.normed)

    @cached_property
    def constant(self) -> Tensor:
        """β P [d]."""
        return self._beta if self._proj is None else self._beta @ self._proj
