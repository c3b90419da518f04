"""The linear map from what heads and MLPs write to the joint image–text space: fixed per model."""

from __future__ import annotations

import torch
from torch import Tensor

from toolkit.core.precision import full_precision
from toolkit.core.tower import Tower


class Readout:
    """Linear readout of a tower (methods §1; G24 §3): output projections, the last norm's weight, the projection P.

    dtype, device: those of the traces it will be applied to. All maps send a part to the joint space [d] before the
    division by σ and R: head_map A [l, h, k, d] = W_O C diag(γ) P (convention `separate`), head_map_uncentred
    W_O diag(γ) P (`reference`), bias_map and bias_map_uncentred [l, d] the same of b_O, mean_map γ P [d] (what one unit
    of the stream's mean is worth), constant β P [d].
    """

    def __init__(self, tower: Tower, dtype: torch.dtype, device: torch.device) -> None:
        # made once and kept, so it must carry nothing of the mode the first call happened to run in
        with torch.inference_mode(False), torch.no_grad():
            self._make(tower, dtype, device)

    @full_precision
    def _make(self, tower: Tower, dtype: torch.dtype, device: torch.device) -> None:
        def cast(t: Tensor) -> Tensor:
            return t.detach().to(device=device, dtype=dtype).clone()

        self.heads, self.layers, self.normed = tower.heads, len(tower.blocks), tower.norm_weight is not None
        ones = torch.ones(tower.width, dtype=dtype, device=device)
        self._gamma = ones if tower.norm_weight is None else cast(tower.norm_weight)
        beta = torch.zeros_like(ones) if tower.norm_bias is None else cast(tower.norm_bias)
        self._proj = None if tower.proj is None else cast(tower.proj)
        rows, biases = [], []
        for block in tower.blocks:
            scale = ones if block.out_scale is None else cast(block.out_scale)
            rows.append((cast(block.out_weight) * scale[:, None]).T.unflatten(0, (tower.heads, -1)))
            biases.append(torch.zeros_like(ones) if block.out_bias is None else cast(block.out_bias) * scale)
        out, bias = torch.stack(rows), torch.stack(biases)
        self.head_map = self.project(out, centred=True)
        self.head_map_uncentred = self.project(out, centred=False)
        self.bias_map = self.project(bias, centred=True)
        self.bias_map_uncentred = self.project(bias, centred=False)
        self.mean_map = self.project(ones, centred=False) * float(self.normed)
        self.constant = beta if self._proj is None else beta @ self._proj

    @property
    def residual_terms(self) -> int:
        """n: the number of terms the residual stream is a sum of (attention, MLPs, embedding); 1 without a stream."""
        return 2 * self.layers + 1 if self.normed else 1

    @full_precision
    def project(self, x: Tensor, centred: bool) -> Tensor:
        """[..., w] → [..., d]: x diag(γ) P, of the centred x where asked (C = I − 11ᵀ/w)."""
        if centred and self.normed:
            x = x - x.mean(-1, keepdim=True)
        x = x * self._gamma
        return x if self._proj is None else x @ self._proj
